package jt808

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/jt808"
)

// Why terminals give up connections.
var (
	errChurn   = errors.New("simulate: broken off at random")
	errSilent  = errors.New("simulate: the platform does not answer")
	errStuck   = errors.New("simulate: the platform does not read")
	errRefused = errors.New("simulate: the platform refuses the terminal")
	errHalf    = errors.New("simulate: broken off within a frame")
	errCommand = errors.New("simulate: commanded to")
	errFrames  = errors.New("simulate: the platform sends no frames")
)

const (
	dialTimeout  = 10 * time.Second
	flushEvery   = int64(20 * time.Millisecond)
	slowByte     = int64(2 * time.Millisecond) // between bytes of FaultSlowWriter
	maxOut       = 256 << 10                   // bytes waiting to be written
	stuckFor     = int64(30 * time.Second)     // without a byte written
	readBuffer   = 512
	farewell     = time.Second // for the platform to end a connection that the terminal has ended
	maxBadFrames = 16
)

// dialTCP is the Dialer of a fleet that was given none.
func dialTCP(ctx context.Context, target string, from net.IP) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: -1}
	if from != nil {
		d.LocalAddr = &net.TCPAddr{IP: from}
	}
	return d.DialContext(ctx, "tcp", target)
}

// connect begins to make a connection.
func (t *terminal) connect() {
	if t.fleet.ended.Load() || t.fleet.ctx.Err() != nil {
		return
	}
	t.state = stateConnecting
	t.fleet.work.Go(t.makeLink)
}

// makeLink makes a connection, and leaves it to a goroutine of its own, whose
// stack has not grown by that.
func (t *terminal) makeLink() {
	f := t.fleet
	select {
	case f.dials <- struct{}{}:
	case <-f.ctx.Done():
		return
	}
	began := f.now()
	conn, err := f.dial(f.ctx, f.cfg.Target, t.source)
	<-f.dials

	w := f.scratches.Get().(*scratch)
	defer f.scratches.Put(w)
	w.reset()
	t.mu.Lock()
	defer t.mu.Unlock()
	now := f.now()
	switch {
	case err != nil:
		t.shard.dialErrors.Add(1)
		f.log.Debug("no connection", zap.String("device", t.name), zap.NamedError("err", err))
		t.wait(now)
	case f.ended.Load():
		_ = conn.Close() // nothing was sent
		return
	default:
		t.shard.connects.Add(1)
		t.shard.latency[kindConnect].Add(now - began)
		t.attach(conn, began)
		t.login(now, w)
		t.send(now, w)
		f.work.Go(func() { t.read(conn) })
	}
	t.schedule()
}

func (t *terminal) attach(conn net.Conn, began int64) {
	t.link = link{conn: conn, began: began, flushAt: never}
	if c, ok := conn.(syscall.Conn); ok {
		t.link.raw, _ = c.SyscallConn() // without it writes have a deadline
	}
	t.shard.connected.Add(1)
}

// wait sets when to connect next.
func (t *terminal) wait(now int64) {
	t.attempts++
	t.state = stateWaiting
	t.connectAt = now + t.backoff(t.attempts)
}

// drop gives the connection up, to make another one later.
func (t *terminal) drop(now int64, cause error) {
	if t.link.conn == nil {
		return
	}
	t.fleet.log.Debug("connection given up", zap.String("device", t.name), zap.NamedError("cause", cause))
	t.close(cause)
	t.wait(now)
}

// close ends the connection, if there is one. Of those broken off at random half
// are reset, as links that break are; those ended by command are ended in order,
// so that the answer gets through.
func (t *terminal) close(cause error) {
	conn := t.link.conn
	if conn == nil {
		return
	}
	tcp, _ := conn.(*net.TCPConn)
	switch {
	case tcp != nil && cause == errCommand && tcp.CloseWrite() == nil: //nolint:errorlint // never wrapped
		_ = conn.SetReadDeadline(time.Now().Add(farewell)) // the reader closes it
	case tcp != nil && cause == errChurn && t.rng.Uint64()%2 == 0: //nolint:errorlint // never wrapped
		_ = tcp.SetLinger(0) // else it is not reset
		fallthrough
	default:
		_ = conn.Close() // there is nothing to be done about it
	}
	t.link = link{flushAt: never}
	t.ask = request{}
	t.nextBeat, t.nextBreak = never, never
	t.shard.connected.Add(-1)
	if t.state == stateOnline {
		t.shard.online.Add(-1)
	}
	t.backlog.disconnected()
	t.commands.disconnected()
}

// read reads what the platform sends until the connection ends.
func (t *terminal) read(conn net.Conn) {
	if t.readFrames(conn) {
		return // it stays open, and nobody reads
	}
	_, _ = io.Copy(io.Discard, conn) // ends at once unless only the terminal's side has
	_ = conn.Close()                 // mostly for the second time
}

// readFrames takes what the platform sends until the connection ends or has been
// given up, or the terminal has stopped reading.
func (t *terminal) readFrames(conn net.Conn) (deaf bool) {
	decoder := jt808.NewDecoder(jt808.DefaultOptions())
	in := make([]byte, 0, readBuffer)
	bad := 0
	for {
		if len(in) == cap(in) {
			in = append(in, 0)[:len(in)]
		}
		n, err := conn.Read(in[len(in):cap(in)])
		in = in[:len(in)+n]
		if n > 0 {
			used, open := t.receive(conn, decoder, in, &bad)
			in = in[:copy(in, in[used:])]
			if len(in) == 0 && cap(in) > readBuffer {
				in = make([]byte, 0, readBuffer)
			}
			if !open {
				return false
			}
			if t.fault == FaultNeverReads && t.isOnline() {
				return true
			}
		}
		if err != nil {
			t.disconnected(conn, err)
			return false
		}
	}
}

// disconnected is told by the reader that the connection has ended.
func (t *terminal) disconnected(conn net.Conn, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.link.conn == conn {
		t.shard.closedByPeer.Add(1)
		t.drop(t.fleet.now(), err)
		t.schedule()
	}
}

// receive takes the frames in that are at the front of in, and says how many bytes they
// were, and whether the connection has not been given up.
func (t *terminal) receive(conn net.Conn, decoder codec.Decoder[*jt808.Frame], in []byte, bad *int) (used int, open bool) {
	w := t.fleet.scratches.Get().(*scratch)
	defer t.fleet.scratches.Put(w)
	w.reset()
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.fleet.now()
	for t.link.conn == conn {
		frame, n, err := decoder.Decode(in[used:])
		used += n
		if errors.Is(err, codec.ErrIncomplete) {
			break
		}
		if err != nil {
			t.shard.badFrames.Add(1)
			if *bad++; *bad > maxBadFrames {
				t.drop(now, errFrames)
			}
			continue
		}
		t.handle(now, w, frame)
	}
	t.send(now, w)
	t.schedule()
	return used, t.link.conn == conn
}

func (t *terminal) isOnline() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state == stateOnline
}

// send writes what was put into w.
func (t *terminal) send(now int64, w *scratch) {
	out, cut := w.out, w.cut
	w.out, w.cut = w.out[:0], false
	if len(out) == 0 || t.link.conn == nil {
		return
	}
	if t.fault == FaultSlowWriter || len(t.link.out) > 0 {
		t.keep(now, out)
		return
	}
	n, err := w.writer.Write(t.link.conn, t.link.raw, out)
	if err != nil {
		t.shard.closedByPeer.Add(1)
		t.drop(now, err)
		return
	}
	if n < len(out) {
		t.shard.stalls.Add(1)
		t.link.stuck = now
		t.keep(now, out[n:])
	}
	if cut {
		t.shard.broken.Add(1)
		t.drop(now, errHalf)
	}
}

// keep holds what cannot be written yet.
func (t *terminal) keep(now int64, rest []byte) {
	if len(t.link.out)+len(rest) > maxOut {
		t.drop(now, errStuck)
		return
	}
	if len(t.link.out) == 0 {
		t.link.flushAt = now + flushEvery
		if t.fault == FaultSlowWriter {
			t.link.flushAt, t.link.stuck = now+slowByte, now
		}
	}
	t.link.out = append(t.link.out, rest...)
}

// flush tries to write what was kept.
func (t *terminal) flush(now int64, w *scratch) {
	if now < t.link.flushAt {
		return
	}
	most, every := len(t.link.out), flushEvery
	if t.fault == FaultSlowWriter {
		most, every = min(most, 1), slowByte
	}
	n, err := w.writer.Write(t.link.conn, t.link.raw, t.link.out[:most])
	switch {
	case err != nil:
		t.shard.closedByPeer.Add(1)
		t.drop(now, err)
		return
	case n > 0:
		t.link.stuck = now
		t.link.out = t.link.out[:copy(t.link.out, t.link.out[n:])]
	case now-t.link.stuck > stuckFor:
		t.drop(now, errStuck)
		return
	}
	t.link.flushAt = now + every
	if len(t.link.out) == 0 {
		t.link.out, t.link.flushAt = nil, never
	}
}
