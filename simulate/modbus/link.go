package modbus

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/simulate/internal/crew"
)

const (
	dialTimeout = 10 * time.Second
	writeWithin = time.Second // for a peer that does not read
	readBuffer  = 512
	maxDelayed  = 16 // packets of a link that wait for their time
)

// Why modems give up connections.
var (
	errChurn = errors.New("simulate: broken off at random")
	errStuck = errors.New("simulate: the bridge does not read")
)

// dialTCP is the Dialer of a fleet that was given none.
func dialTCP(ctx context.Context, target string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: -1}
	return d.DialContext(ctx, "tcp", target)
}

// link is a modem with its connection or, of a listener, a connection.
type link struct {
	fleet *Fleet
	shard *shard
	bus   *bus
	name  string

	registration, heartbeat []byte // nil: none
	prefix                  []byte // before each packet

	entry crew.Entry[*link] // on the shard's agenda

	mu        sync.Mutex
	rng       rand.PCG  // guarded by mu, as all that follows
	conn      net.Conn  // nil: none
	dials     bool      // makes its connections
	gone      bool      // for good
	attempts  int       // to connect, without success
	connectAt int64     // never: it is connected, or being so
	beatAt    int64     // next heartbeat
	pushAt    int64     // next push
	breakAt   int64     // end of the connection
	delayed   []delayed // by their time, the next one first
	out, pdu  []byte
}

// delayed is a packet that waits for its time.
type delayed struct {
	at     int64
	packet []byte
}

// newLink is the link of a bus that dials.
func (f *Fleet) newLink(b *bus) (*link, error) {
	id := countID(f.cfg.ID, b.line)
	registration, err := parsePacket(f.cfg.Registration, id)
	if err != nil {
		return nil, err
	}
	heartbeat, err := parsePacket(f.cfg.Heartbeat, id)
	if err != nil {
		return nil, err
	}
	l := f.makeLink(b)
	l.name, l.dials, l.heartbeat = id, true, heartbeat
	if f.cfg.RegistrationMode != RegisterWithData {
		l.registration = registration
	}
	if f.cfg.RegistrationMode != RegisterOnConnect {
		l.prefix = registration
	}
	return l, nil
}

func (f *Fleet) makeLink(b *bus) *link {
	l := &link{fleet: f, bus: b, shard: f.shards[b.line%len(f.shards)]}
	l.entry.Value = l
	l.rng.Seed(f.cfg.Seed, uint64(b.line)) //nolint:gosec // an index
	l.rest()
	return l
}

// rest leaves a link with nothing to do.
func (l *link) rest() {
	l.connectAt, l.beatAt, l.pushAt, l.breakAt, l.delayed = never, never, never, never, nil
}

// random is a number from 0 up to 1.
func (l *link) random() float64 { return float64(l.rng.Uint64()>>11) / (1 << 53) }

// run does what is due.
func (l *link) run(now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.gone:
		return
	case l.connectAt <= now:
		l.connectAt = never
		l.fleet.work.Go(l.connect)
	case l.conn == nil:
	case l.breakAt <= now:
		l.fleet.broken.Add(1)
		l.drop(now, errChurn)
	default:
		l.sendDelayed(now)
		if l.beatAt <= now {
			l.beatAt = now + int64(l.fleet.cfg.HeartbeatEvery)
			l.fleet.heartbeats.Add(1)
			l.write(now, l.heartbeat)
		}
		if l.pushAt <= now && l.conn != nil {
			l.pushAt = now + int64(l.fleet.cfg.Push)
			l.push(now)
		}
	}
	l.schedule()
}

// schedule tells the shard what is due next.
func (l *link) schedule() {
	due := min(l.connectAt, l.beatAt, l.pushAt, l.breakAt)
	if len(l.delayed) > 0 {
		due = min(due, l.delayed[0].at)
	}
	l.shard.set(l, due)
}

// connect makes a connection, and reads it until it ends.
func (l *link) connect() {
	f := l.fleet
	select {
	case f.dials <- struct{}{}:
	case <-f.ctx.Done():
		return
	}
	conn, err := f.dial(f.ctx, f.cfg.Target)
	<-f.dials
	l.mu.Lock()
	switch now := f.now(); {
	case err != nil:
		f.dialErrors.Add(1)
		f.log.Debug("no connection", zap.String("device", l.name), zap.NamedError("err", err))
		l.wait(now)
	case l.gone:
		_ = conn.Close() // nothing was sent
		conn = nil
	default:
		l.attach(now, conn)
		if l.registration != nil {
			f.registrations.Add(1)
			l.write(now, l.registration)
		}
	}
	l.schedule()
	l.mu.Unlock()
	if conn != nil {
		l.read(conn)
	}
}

// attach begins a connection.
func (l *link) attach(now int64, conn net.Conn) {
	cfg := &l.fleet.cfg
	l.conn, l.attempts = conn, 0
	l.fleet.connects.Add(1)
	l.fleet.connected.Add(1)
	if len(l.heartbeat) > 0 {
		l.beatAt = now + int64(cfg.HeartbeatEvery)
	}
	if cfg.Push > 0 {
		l.pushAt = now + int64(float64(cfg.Push)*l.random()) // not all at once
	}
	if cfg.Churn > 0 && l.dials {
		l.breakAt = now + int64(float64(time.Minute)/cfg.Churn*2*l.random())
	}
}

// wait sets when to connect next.
func (l *link) wait(now int64) {
	limit := min(l.fleet.cfg.BackoffMin<<min(l.attempts, 20), l.fleet.cfg.BackoffMax)
	l.attempts++
	l.connectAt = now + int64(float64(limit)*(0.5+l.random()/2))
}

// drop gives the connection up, to make another one later.
func (l *link) drop(now int64, cause error) {
	if l.conn == nil {
		return
	}
	l.fleet.log.Debug("connection given up", zap.String("device", l.name), zap.NamedError("cause", cause))
	_ = l.conn.Close() // there is nothing to be done about it
	l.conn = nil
	l.fleet.connected.Add(-1)
	l.rest()
	if l.dials && !l.gone {
		l.wait(now)
	}
}

// end ends the link for good.
func (l *link) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	l.drop(l.fleet.now(), context.Canceled)
	l.connectAt = never
	l.schedule()
}

// read takes requests until the connection ends.
func (l *link) read(conn net.Conn) {
	decoder := modbus.NewDecoder(modbus.Options{Mode: l.fleet.mode, Requests: true})
	in := make([]byte, 0, readBuffer)
	for {
		if len(in) == cap(in) { // no frame is so long but a text's
			in = append(in, 0)[:len(in)]
		}
		n, err := conn.Read(in[len(in):cap(in)])
		in = in[:len(in)+n]
		if n > 0 {
			used := l.receive(conn, decoder, in)
			in = in[:copy(in, in[used:])]
		}
		if err != nil {
			l.disconnected(conn, err)
			return
		}
	}
}

// disconnected is told by the reader that the connection has ended.
func (l *link) disconnected(conn net.Conn, err error) {
	_ = conn.Close() // mostly for the second time
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == conn {
		l.fleet.closedByPeer.Add(1)
		l.drop(l.fleet.now(), err)
		l.schedule()
	}
}

// receive answers the requests at the front of in, and says how many bytes they
// were.
func (l *link) receive(conn net.Conn, decoder codec.Decoder[*modbus.Frame], in []byte) (used int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.fleet.now()
	for l.conn == conn {
		request, n, err := decoder.Decode(in[used:])
		used += n
		var fatal *codec.FatalError
		switch {
		case err == codec.ErrIncomplete:
			l.schedule()
			return used
		case errors.As(err, &fatal):
			l.fleet.badFrames.Add(1)
			l.drop(now, err)
		case err != nil:
			l.fleet.badFrames.Add(1)
		default:
			l.answer(now, request)
		}
	}
	l.schedule()
	return used
}

// write sends a packet, in front of which comes what comes before each.
func (l *link) write(now int64, packet []byte) {
	if l.conn == nil || len(packet) == 0 {
		return
	}
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		l.drop(now, err)
		return
	}
	if _, err := l.conn.Write(packet); err != nil {
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			err = errors.Join(errStuck, err)
		}
		l.drop(now, err)
	}
}
