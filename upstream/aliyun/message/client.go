package message

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/channel"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/h2"
)

// Client is one connection to the message channel, made again when it is lost.
// Its methods may be called from any goroutine. Publish and Ack do not block. It
// owns a goroutine that connects, one that ends what takes too long, and
// Profile.Callbacks that call listeners; Close ends them.
type Client struct {
	profile  Profile
	endpoint *url.URL
	log      *zap.Logger
	queue    chan *Delivery
	ctx      context.Context //nolint:containedctx // it is the client's life
	cancel   context.CancelFunc
	owned    sync.WaitGroup
	drained  chan struct{} // closed when closing and nothing is left to send

	mu        sync.Mutex // guards what follows
	channel   *channel.Channel
	listeners []subscription // by filter, in the order of their coming
	standard  Listener
	lanes     map[string]*lane
	pending   int
	started   bool
	closing   bool
	stats     Stats
}

// subscription is a filter with its listener.
type subscription struct {
	filter     string
	listener   Listener // nil: that of Connect
	subscribed bool     // at the platform
}

// Stats is what a client has counted, and what is under way.
type Stats struct {
	Connected bool
	Pending   int    // messages published and not yet done
	Connects  uint64 // connections made
	Failures  uint64 // attempts that failed
	Published uint64 // messages that the platform has
	Failed    uint64 // messages that it has not, for all that is known
	Resent    uint64 // messages that wait to be sent again after the connection was lost
	Received  uint64 // messages of the platform's
	Dropped   uint64 // of those, for which CallbackQueue had no room
}

// Option is something a client works with.
type Option func(*Client)

// WithLogger is where the client logs to; without it, nowhere.
func WithLogger(log *zap.Logger) Option { return func(c *Client) { c.log = log } }

// ErrStarted says that Connect was called before.
var ErrStarted = errors.New("message: client was connected before")

// New makes a client, or reports all that is wrong with the profile. Nothing is
// connected before [Client.Connect].
func New(profile Profile, opts ...Option) (*Client, error) {
	profile.Names = profile.Names.WithDefaults()
	endpoint, err := profile.check()
	if err != nil {
		return nil, err
	}
	c := &Client{
		profile: profile, endpoint: endpoint, log: zap.NewNop(), queue: make(chan *Delivery, profile.CallbackQueue),
		drained: make(chan struct{}), lanes: map[string]*lane{},
	}
	for _, o := range opts {
		o(c)
	}
	return c, nil
}

// Connect connects and authenticates, and keeps the connection from then on.
// standard takes the messages that no other listener takes; the platform sends at
// once what was subscribed before. It returns when the connection is there, or
// with an upstream.RefusedError when the platform refuses the credentials for
// good, or with the last failure when ctx is done; then the client is closed.
func (c *Client) Connect(ctx context.Context, standard Listener) error {
	c.mu.Lock()
	if c.started || c.closing {
		c.mu.Unlock()
		return ErrStarted
	}
	c.started, c.standard = true, standard
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.mu.Unlock()
	for range c.profile.Callbacks {
		c.owned.Go(c.callBack)
	}
	c.owned.Go(c.clock)
	first := make(attempts, 1)
	c.owned.Go(func() { c.run(first) })
	var last error
	for {
		select {
		case err := <-first:
			var no *upstream.RefusedError
			if err == nil {
				return nil
			}
			if last = err; !errors.As(err, &no) || no.Temporary {
				continue
			}
		case <-ctx.Done():
			last = errors.Join(ctx.Err(), last)
		}
		c.stop()
		return fmt.Errorf("message: connect: %w", last)
	}
}

// attempts has the outcome of the last attempt to connect that Connect has not
// looked at.
type attempts chan error

// tell is called by run alone.
func (a attempts) tell(err error) {
	select {
	case <-a: // the one before it counts no more
	default:
	}
	a <- err
}

// run connects, serves the connection until it is lost, and begins again.
func (c *Client) run(first attempts) {
	pause := c.profile.ReconnectMin
	for c.ctx.Err() == nil {
		s := &session{c: c, ended: make(chan error, 1), subscribed: map[string]bool{}}
		ch, err := channel.Open(c.ctx, c.profile.channel(c.endpoint), s)
		if err == nil {
			if err = c.attach(ch, s); err != nil {
				ch.Close()
			}
		}
		first.tell(err)
		if err == nil {
			up := time.Now()
			cause := c.serve(ch, s)
			if time.Since(up) > c.profile.ReconnectMax || errors.Is(cause, h2.ErrGoingAway) {
				pause = c.profile.ReconnectMin
			}
		} else if c.ctx.Err() == nil {
			c.count(func(s *Stats) { s.Failures++ })
			c.log.Warn("message: cannot connect", zap.String("remote", c.endpoint.Host), zap.NamedError("err", err), zap.Duration("duration", pause))
		}
		wait := time.NewTimer(pause/2 + rand.N(pause/2+1)) //nolint:gosec // no secret
		select {
		case <-wait.C:
		case <-c.ctx.Done():
			wait.Stop()
		}
		pause = min(2*pause, c.profile.ReconnectMax)
	}
}

// attach makes a connection the client's, once all that is to be subscribed is.
func (c *Client) attach(ch *channel.Channel, s *session) error {
	for {
		c.mu.Lock()
		missing := c.missing(s)
		if len(missing) == 0 {
			c.channel = ch
			c.stats.Connects++
			c.mu.Unlock()
			return nil
		}
		c.mu.Unlock()
		if err := c.subscribeAgain(ch, s, missing); err != nil {
			return err
		}
	}
}

// serve lets messages go until the connection is lost or the client is closed. It
// returns why it was lost.
func (c *Client) serve(ch *channel.Channel, s *session) (cause error) {
	c.log.Info("message: connected", zap.String("remote", c.endpoint.Host))
	c.mu.Lock()
	lanes := slices.Collect(maps.Values(c.lanes))
	c.mu.Unlock()
	for _, l := range lanes {
		c.advance(l)
	}
	select {
	case cause = <-s.ended:
		c.log.Warn("message: connection lost", zap.String("remote", c.endpoint.Host), zap.NamedError("cause", cause))
	case <-c.ctx.Done():
	}
	c.mu.Lock()
	c.channel = nil
	c.mu.Unlock()
	ch.Close()
	return cause
}

// session is one connection as the channel's handler.
type session struct {
	c          *Client
	ended      chan error
	subscribed map[string]bool // filters that the platform was asked for; run's goroutine only
}

// Received implements channel.Handler.
func (s *session) Received(ch *channel.Channel, m channel.Message) {
	c := s.c
	d := &Delivery{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, MessageID: m.ID, channel: ch}
	dropped := false
	select {
	case c.queue <- d:
	default:
		dropped = true
	}
	c.count(func(s *Stats) {
		s.Received++
		if dropped {
			s.Dropped++
		}
	})
}

// Ended implements channel.Handler.
func (s *session) Ended(cause error) { s.ended <- cause }

func (c *Client) count(f func(*Stats)) {
	c.mu.Lock()
	f(&c.stats)
	c.mu.Unlock()
}

// Stats is a snapshot.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Connected, s.Pending = c.channel != nil, c.pending
	return s
}

// Close takes no more messages, waits within ctx until those that were published
// are done, and disconnects. What is left fails with upstream.ErrClosed, or with
// ErrTimeout when the platform may have it. It waits for listeners that run.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	started := c.started
	c.closing = true
	c.checkDrained()
	c.mu.Unlock()
	var err error
	if started {
		select {
		case <-c.drained:
		case <-ctx.Done():
			err = fmt.Errorf("message: close: %w", ctx.Err())
		}
	}
	c.stop()
	return err
}

// stop ends what the client owns. It may be called more than once.
func (c *Client) stop() {
	c.mu.Lock()
	c.closing = true
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	c.owned.Wait()
	c.failAll()
}
