package aliyun

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

var (
	errLeaked     = errors.New("aliyun: too many messages of this connection were never acknowledged")
	errUnanswered = errors.New("aliyun: a subscription was not answered")
	errClosed     = errors.New("aliyun: gateway is closing")
)

// maxLeaked is how many packet identifiers may be lost to messages that were
// never acknowledged before the connection is begun anew.
const maxLeaked = 1 << 14

// link is one connection of a gateway, from CONNACK until it is lost. There is a
// new paho client for each, which neither reconnects nor keeps messages: what
// paho does by itself after a reconnect completes tokens that were never
// acknowledged, and sends for devices that are not logged in again. The gateway
// does both better.
//
// link is paho's store of messages, so that it learns of each acknowledgement by
// its packet identifier, in any order, without a goroutine or a channel for each
// message. It has the goroutines complete and logIn, which serve waits for, and
// send and subscribeDevices, which Close of the connector waits for.
type link struct {
	g        *gateway
	client   mqtt.Client
	down     chan struct{} // closed when the link is lost
	lost     chan struct{} // closed when paho has ended because the connection was
	once     sync.Once
	wake     chan struct{} // for send
	ackWake  chan struct{} // for complete
	logWake  chan struct{} // for logIn
	subWake  chan struct{} // for subscribeDevices
	written  chan written
	subs     chan subscription
	sending  *outgoing // what send is publishing; send's goroutine only
	inFlight int       // guarded by g.mu
	idle     bool      // send is waiting to be woken; guarded by g.mu

	mu      sync.Mutex // guards what follows; taken under g.mu, never the other way round
	packets map[uint16]*outgoing
	acked   []*outgoing
	leaked  int
	err     error // why down was closed
	net     *conn // nil before paho has dialed
}

// written is a message of QoS 0 that paho writes.
type written struct {
	m     *outgoing
	token mqtt.Token
}

// subscription is a SUBSCRIBE whose acknowledgement is on its way.
type subscription struct {
	device *device
	tokens []mqtt.Token
}

// connect makes a connection of the gateway, with the gateway's own
// subscriptions.
func (g *gateway) connect(ctx context.Context) (*link, error) {
	l := &link{
		g: g, down: make(chan struct{}), lost: make(chan struct{}),
		wake: make(chan struct{}, 1), ackWake: make(chan struct{}, 1), logWake: make(chan struct{}, 1), subWake: make(chan struct{}, 1),
		written: make(chan written, 64), subs: make(chan subscription, 64),
		packets: map[uint16]*outgoing{},
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.ConnectTimeout)
	defer cancel()
	secret, err := g.ownSecret(ctx)
	if err != nil {
		return nil, err
	}
	l.client = mqtt.NewClient(l.options(ctx, secret))
	token := l.client.Connect()
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-token.Done():
		default: // the handshake hangs
			l.abort()
		}
	})
	<-token.Done() // dialing ends with ctx, the handshake with the connection
	stop()
	if err := token.Error(); err != nil {
		err = connectError(token, err)
		var no *upstream.RefusedError
		if errors.As(err, &no) && !no.Temporary && g.refusedOwn() {
			no.Temporary = true
			no.Reason += "; its secret is asked for anew"
		}
		return nil, err
	}
	g.stale = false // the platform has taken its secret
	if err := l.subscribeGateway(ctx); err != nil {
		l.fail(err)
		l.disconnect()
		return nil, err
	}
	return l, nil
}

func (l *link) options(ctx context.Context, secret auth.Secret) *mqtt.ClientOptions {
	g := l.g
	id, user, password := g.credentials(secret, time.Now())
	o := mqtt.NewClientOptions()
	o.AddBroker("tcp://" + g.endpoint.Host)
	o.SetClientID(id).SetUsername(user).SetPassword(password.Reveal())
	o.SetProtocolVersion(4) // fixed, or paho tries 3.1 after each refusal
	o.SetCleanSession(g.cfg.CleanSession)
	o.SetKeepAlive(g.cfg.KeepAlive).SetPingTimeout(g.cfg.RequestTimeout)
	o.SetConnectTimeout(g.cfg.ConnectTimeout).SetWriteTimeout(g.cfg.WriteTimeout)
	o.SetAutoReconnect(false).SetConnectRetry(false).SetResumeSubs(false)
	o.SetOrderMatters(true) // received never blocks for long and never publishes
	o.SetStore(l)
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { g.received(l, m.Topic(), m.Payload()) })
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) {
		l.fail(err)
		close(l.lost)
	})
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		c, err := dial(ctx, g.endpoint, g.cfg.tls, g.cfg.WriteTimeout)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		l.net = c
		l.mu.Unlock()
		if ctx.Err() != nil { // too late: nobody aborts the handshake any more
			c.abort()
			return nil, ctx.Err()
		}
		return c, nil
	})
	return o
}

// credentials are what a gateway's CONNECT carries (developer guide, chapter
// 6.1).
func (g *gateway) credentials(secret auth.Secret, now time.Time) (clientID, user string, password auth.Secret) {
	cid := g.cfg.ClientIDPrefix + g.identity.ProductKey + "." + g.identity.DeviceName
	stamp := strconv.FormatInt(now.UnixMilli(), 10)
	mode := "3"
	if g.endpoint.Scheme == "ssl" {
		mode = "2"
	}
	extra := ""
	if g.cfg.Subscribe == SubscribeNone {
		extra = ",_ss=1" // have the platform deliver without subscriptions
	}
	clientID = cid + "|securemode=" + mode + ",signmethod=" + string(g.cfg.sign) + ",timestamp=" + stamp + extra + "|"
	user = g.identity.DeviceName + "&" + g.identity.ProductKey
	id := g.identity
	id.DeviceSecret = secret
	return clientID, user, auth.Secret(alink.Sign(g.cfg.sign, id, cid, stamp))
}

// connectError is why a CONNECT failed.
func connectError(token mqtt.Token, err error) error {
	t, ok := token.(*mqtt.ConnectToken)
	if !ok {
		return err
	}
	switch code := t.ReturnCode(); code {
	case packets.ErrRefusedBadProtocolVersion, packets.ErrRefusedIDRejected,
		packets.ErrRefusedBadUsernameOrPassword, packets.ErrRefusedNotAuthorised:
		return &upstream.RefusedError{Code: int(code), Reason: "the platform refused the gateway: " + err.Error() + "; check productKey, deviceName and deviceSecret"}
	case packets.ErrRefusedServerUnavailable:
		return &upstream.RefusedError{Code: int(code), Reason: err.Error(), Temporary: true}
	default:
		return err
	}
}

// subscribeGateway subscribes the gateway's own topics.
func (l *link) subscribeGateway(ctx context.Context) error {
	for _, token := range l.subscribe(l.g.gatewayFilters()) {
		select {
		case <-token.Done():
		case <-l.down:
			return l.cause()
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := token.Error(); err != nil {
			return err
		}
		l.warnDenied(token)
	}
	return nil
}

// subscribe sends as many SUBSCRIBEs as the filters need.
func (l *link) subscribe(filters []string) (tokens []mqtt.Token) {
	for len(filters) > 0 {
		n := min(len(filters), subscribeLimit)
		set := make(map[string]byte, n)
		for _, f := range filters[:n] {
			set[f] = 1
		}
		tokens = append(tokens, l.client.SubscribeMultiple(set, nil))
		filters = filters[n:]
	}
	return tokens
}

// warnDenied says which subscriptions the platform did not grant.
func (l *link) warnDenied(token mqtt.Token) {
	t, ok := token.(*mqtt.SubscribeToken)
	if !ok {
		return
	}
	for filter, qos := range t.Result() {
		if qos > 2 {
			l.g.count(func(s *counters) { s.denied++ })
			l.g.log.Warn("aliyun: subscription denied", zap.String("path", filter))
		}
	}
}

// serve runs the link until it is lost, or ctx is done.
func (l *link) serve(ctx context.Context) {
	// Those that call paho may be stuck in it for writeTimeout after the end, for
	// paho has no way to take a call back. Nothing waits for them but Close.
	l.g.connector.ended.Go(l.send)
	l.g.connector.ended.Go(l.subscribeDevices)
	var owned sync.WaitGroup
	owned.Go(l.complete)
	owned.Go(l.logIn)
	select {
	case <-l.down:
	case <-ctx.Done():
		l.fail(errClosed)
		l.client.Disconnect(uint(l.g.cfg.WriteTimeout.Milliseconds())) //nolint:gosec // positive
	}
	l.disconnect()
	owned.Wait()
}

// disconnect ends what is left of a link that failed.
func (l *link) disconnect() {
	l.abort()
	if errors.Is(l.cause(), errClosed) {
		return
	}
	select { // paho ends when its reader does
	case <-l.lost:
	case <-time.After(l.g.cfg.WriteTimeout):
		l.client.Disconnect(0)
	}
}

// abort ends the network connection.
func (l *link) abort() {
	l.mu.Lock()
	c := l.net
	l.mu.Unlock()
	if c != nil {
		c.abort()
	}
}

// fail ends the link; err of the first call is its cause.
func (l *link) fail(err error) {
	l.once.Do(func() {
		l.mu.Lock()
		l.err = err
		l.mu.Unlock()
		close(l.down)
	})
}

func (l *link) cause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *link) open() bool {
	select {
	case <-l.down:
		return false
	default:
		return l.client.IsConnectionOpen()
	}
}

// leak counts packet identifiers that are lost, and says whether there are too
// many.
func (l *link) leak(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaked += n
	return l.leaked > maxLeaked
}

// sleeping is l when its sender waits to be woken and there is a reason to: then
// the caller wakes it after letting go of g.mu, which is held.
func (l *link) sleeping() *link {
	if l == nil || !l.idle {
		return nil
	}
	l.idle = false
	return l
}

func (l *link) wakeSender() { signal(l.wake) }

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// release gives back the place in the window of a message that the sender took.
// g.mu is held.
func (l *link) release(m *outgoing) {
	l.inFlight--
	l.mu.Lock()
	if l.packets[m.packet] == m {
		delete(l.packets, m.packet)
	}
	l.mu.Unlock()
}

// Put implements mqtt.Store: paho has given the message that send is publishing
// its packet identifier.
func (l *link) Put(key string, cp packets.ControlPacket) {
	p, ok := cp.(*packets.PublishPacket)
	if !ok || !strings.HasPrefix(key, "o.") || l.sending == nil {
		return
	}
	m := l.sending
	l.mu.Lock()
	if m.packet != 0 && l.packets[m.packet] == m {
		delete(l.packets, m.packet) // it is sent again: one identifier at a time
	}
	m.packet = p.MessageID
	l.packets[p.MessageID] = m
	l.mu.Unlock()
}

// Del implements mqtt.Store: the packet with that identifier was acknowledged.
func (l *link) Del(key string) {
	number, outbound := strings.CutPrefix(key, "o.")
	if !outbound {
		return
	}
	id, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return
	}
	l.mu.Lock()
	m := l.packets[uint16(id)]
	if m != nil {
		delete(l.packets, uint16(id))
		l.acked = append(l.acked, m)
	}
	first := len(l.acked) == 1
	l.mu.Unlock()
	if m != nil && first {
		signal(l.ackWake)
	}
}

// Open, Get, All, Close and Reset implement mqtt.Store, which holds nothing.
func (*link) Open()                            {}
func (*link) Get(string) packets.ControlPacket { return nil }
func (*link) All() []string                    { return nil }
func (*link) Close()                           {}
func (*link) Reset()                           {}
