package gbt26875

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/gbt26875"
)

// Why panels give up connections.
var (
	errChurn  = errors.New("simulate: broken off at random")
	errSilent = errors.New("simulate: the centre does not answer")
	errStuck  = errors.New("simulate: the centre does not read")
	errHalf   = errors.New("simulate: broken off within a frame")
	errFrames = errors.New("simulate: the centre sends no frames")
	errScript = errors.New("simulate: told to")
)

const (
	dialTimeout  = 10 * time.Second
	flushEvery   = int64(20 * time.Millisecond)
	maxOut       = 64 << 10                // bytes waiting to be written
	stuckFor     = int64(30 * time.Second) // without a byte written
	readBuffer   = 512
	maxBadFrames = 16
)

// link is a panel's connection.
type link struct {
	conn    net.Conn
	raw     syscall.RawConn // nil if it has none
	out     []byte          // what could not be written yet
	flushAt int64           // when to try again; never with nothing in out
	stuck   int64           // since when nothing could be written
	frames  int             // written, for faults
}

// dial makes connections for a fleet that was given no Dialer.
func (c Config) dial(ctx context.Context, target string, from net.IP) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: -1}
	if from != nil && c.Network == NetworkTCP {
		d.LocalAddr = &net.TCPAddr{IP: from}
	} else if from != nil {
		d.LocalAddr = &net.UDPAddr{IP: from}
	}
	return d.DialContext(ctx, c.Network, target)
}

// connect begins to make a connection.
func (p *panel) connect() {
	if p.fleet.ended.Load() || p.fleet.ctx.Err() != nil {
		return
	}
	p.state = stateConnecting
	p.fleet.work.Go(p.makeLink)
}

// makeLink makes a connection, and leaves it to a goroutine of its own, whose
// stack has not grown by that.
func (p *panel) makeLink() {
	f := p.fleet
	select {
	case f.dials <- struct{}{}:
	case <-f.ctx.Done():
		return
	}
	began := f.now()
	conn, err := f.dial(f.ctx, f.cfg.Target, p.source)
	<-f.dials

	w := f.scratches.Get().(*scratch)
	defer f.scratches.Put(w)
	w.reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := f.now()
	switch {
	case err != nil:
		p.shard.dialErrors.Add(1)
		f.log.Debug("no connection", zap.String("device", p.name), zap.NamedError("err", err))
		p.wait(now)
	case f.ended.Load():
		_ = conn.Close() // nothing was sent
		return
	default:
		p.shard.latency[kindConnect].Add(now - began)
		p.attach(now, conn)
		p.hello(now, w)
		p.send(now, w)
		f.work.Go(func() { p.read(conn) })
	}
	p.schedule()
}

func (p *panel) attach(now int64, conn net.Conn) {
	p.link = link{conn: conn, flushAt: never}
	if c, ok := conn.(syscall.Conn); ok {
		p.link.raw, _ = c.SyscallConn() // without it writes have a deadline
	}
	p.state = stateConnected
	p.shard.connects.Add(1)
	p.shard.connected.Add(1)
	if p.connects++; p.connects > 1 {
		p.shard.reconnects.Add(1)
	}
	if c := p.fleet.cfg.Churn; c > 0 {
		p.breakAt = now + p.exponential(60e9/c)
	}
	p.stateAt = p.phase(now, p.fleet.interval)
	p.beatAt = p.phase(now, int64(p.fleet.cfg.Heartbeat))
}

// wait sets when to connect next.
func (p *panel) wait(now int64) {
	p.attempts++
	p.state = stateWaiting
	p.connectAt = now + p.backoff(p.attempts)
}

// drop gives the connection up, to make another one later.
func (p *panel) drop(now int64, cause error) {
	if p.link.conn == nil {
		return
	}
	p.fleet.log.Debug("connection given up", zap.String("device", p.name), zap.NamedError("cause", cause))
	p.close(cause)
	p.wait(now)
}

// close ends the connection, if there is one. Of those broken off at random half
// are reset, as links that break are.
func (p *panel) close(cause error) {
	conn := p.link.conn
	if conn == nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok && cause == errChurn && p.rng.Uint64()%2 == 0 { //nolint:errorlint // never wrapped
		_ = tcp.SetLinger(0) // else it is not reset
	}
	_ = conn.Close() // there is nothing to be done about it
	p.link = link{flushAt: never}
	p.stateAt, p.beatAt, p.breakAt = never, never, never
	p.shard.connected.Add(-1)
	p.unlink()
}

// read takes what the centre sends until the connection ends or has been given
// up.
func (p *panel) read(conn net.Conn) {
	defer func() { _ = conn.Close() }() // mostly for the second time
	decoder := gbt26875.NewDecoder(gbt26875.DefaultOptions())
	size := readBuffer
	if p.fleet.cfg.Network == NetworkUDP {
		size = 4 * gbt26875.MaxData // a datagram has to fit
	}
	in := make([]byte, 0, size)
	bad := 0
	for {
		if len(in) == cap(in) {
			in = append(in, 0)[:len(in)]
		}
		n, err := conn.Read(in[len(in):cap(in)])
		in = in[:len(in)+n]
		if n > 0 {
			used, open := p.receive(conn, decoder, in, &bad)
			in = in[:copy(in, in[used:])]
			if len(in) == 0 && cap(in) > size {
				in = make([]byte, 0, size)
			}
			if !open {
				return
			}
		}
		if err != nil {
			p.disconnected(conn, err)
			return
		}
	}
}

// disconnected is told by the reader that the connection has ended.
func (p *panel) disconnected(conn net.Conn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link.conn == conn {
		p.shard.closedByPeer.Add(1)
		p.drop(p.fleet.now(), err)
		p.schedule()
	}
}

// receive takes the frames that are at the front of in, and says how many bytes
// they were, and whether the connection has not been given up.
func (p *panel) receive(conn net.Conn, decoder codec.Decoder[*gbt26875.Frame], in []byte, bad *int) (used int, open bool) {
	w := p.fleet.scratches.Get().(*scratch)
	defer p.fleet.scratches.Put(w)
	w.reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.fleet.now()
	for p.link.conn == conn {
		frame, n, err := decoder.Decode(in[used:])
		used += n
		if errors.Is(err, codec.ErrIncomplete) {
			break
		}
		if err != nil {
			p.shard.badFrames.Add(1)
			if *bad++; *bad > maxBadFrames {
				p.drop(now, errFrames)
			}
			continue
		}
		p.handle(now, w, frame)
	}
	p.pump(now, w)
	p.send(now, w)
	p.schedule()
	return used, p.link.conn == conn
}
