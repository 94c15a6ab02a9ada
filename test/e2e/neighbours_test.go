package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
)

// TestBadNeighbours lets fifty good terminals report while others do all that
// one should not do, all at once. Every good report is acknowledged and arrives,
// no good connection ends, and every bad neighbour has met its limit.
func TestBadNeighbours(t *testing.T) {
	t.Parallel()
	const terminals, reports, perAddress = 50, 20, 100
	w := newWorld(t, func(s *setup) {
		s.limits.MaxPerAddress = perAddress
		s.limits.MaxPending = 64 << 10
		s.limits.MaxOutbound = 16 << 10
		s.limits.FirstMessage = 2 * time.Second
		s.limits.MaxFaults = 16
	})
	good := make([]*terminal, terminals)
	for i := range good {
		good[i] = w.online(fmt.Sprintf("138001380%02d", i), jt808.V2013)
	}
	sender, deaf := fmt.Sprintf("139001390%02d", 1), fmt.Sprintf("139001390%02d", 2)
	w.know(sender, deaf)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var bad sync.WaitGroup
	for i, n := range []neighbour{noise, wrongChecksums, slowLoris, endlessFrame, halfOpen, flood, packages(sender), deafEars(deaf)} {
		v := villain{w: w, from: fmt.Sprintf("127.0.1.%d", i+1)}
		bad.Go(func() {
			for ctx.Err() == nil {
				n(ctx, v)
			}
		})
	}

	stop, acknowledged := make(chan struct{}), make([]int, terminals)
	var load sync.WaitGroup
	for i, x := range good {
		load.Go(func() {
			var err error
			if acknowledged[i], err = reporter(x, stop, patience); err != nil {
				t.Errorf("good terminal %s: %v", x.digits, err)
			}
		})
	}
	for _, x := range good {
		await(t, "reports of all good terminals", func() bool { return len(w.seen.first(x.digits)) >= reports })
	}
	for _, cause := range []string{"faults", "first message", "pending", "not reading"} {
		await(t, "a neighbour to be closed for "+cause, func() bool { return w.listener().Closed[cause] > 0 })
	}
	await(t, "a connection to be refused for its address", func() bool { return w.listener().Refused["address"] > 0 })
	await(t, "damaged frames", func() bool { return w.listener().Faults["damaged"] > 100 })
	await(t, "floods of packages", func() bool { return w.adapterStats().Packages > 1000 && w.adapterStats().Incomplete > 0 })
	had := map[string]int{}
	for _, x := range good { // and all of that does not stop anybody
		had[x.digits] = len(w.seen.first(x.digits))
	}
	for _, x := range good {
		await(t, "further reports of all good terminals", func() bool { return len(w.seen.first(x.digits)) >= had[x.digits]+3 })
	}
	close(stop)
	load.Wait()
	cancel()
	bad.Wait()

	await(t, "the neighbours' connections to end", func() bool { return w.listener().Connections == terminals })
	stats := w.listener()
	t.Logf("accepted %d, refused %v, closed %v, faults %v", stats.Accepted, stats.Refused, stats.Closed, stats.Faults)
	for i, x := range good {
		if err := x.report(acknowledged[i]+1, patience); err != nil { // on the connection that it had from the start
			t.Errorf("after all: %v", err)
			continue
		}
		acknowledged[i]++
	}
	if n := w.server.Stats().PendingBytes; n != 0 {
		t.Errorf("%d undecoded bytes are held for nobody", n)
	}
	w.must(w.close())
	for i, x := range good {
		w.seen.check(t, x.digits, acknowledged[i])
	}
}

// villain is where a bad neighbour comes from.
type villain struct {
	w    *world
	from string
}

// connect connects; nil when it is not let in.
func (v villain) connect(ctx context.Context) net.Conn {
	d := net.Dialer{Timeout: time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(v.from)}}
	c, err := d.DialContext(ctx, "tcp", v.w.addr().String())
	if err != nil {
		return nil
	}
	return c
}

// send writes what next makes until the connection ends. Answers are read by
// nobody.
func send(ctx context.Context, c net.Conn, next func() []byte) {
	for ctx.Err() == nil {
		_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := c.Write(next()); err != nil && !isTimeout(err) {
			return
		}
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// rest waits so that a neighbour who is refused does not spin.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// A neighbour does one bad thing on one or more connections and returns when
// these have ended, or ctx has.
type neighbour func(ctx context.Context, v villain)

// alone is a neighbour with one connection.
func alone(ctx context.Context, v villain, do func(c net.Conn)) {
	c := v.connect(ctx)
	if c == nil {
		rest(ctx, 10*time.Millisecond)
		return
	}
	defer func() { _ = c.Close() }()
	do(c)
	rest(ctx, 10*time.Millisecond)
}

// noise sends random bytes.
func noise(ctx context.Context, v villain) {
	alone(ctx, v, func(c net.Conn) {
		seed := rand.NewChaCha8([32]byte{1})
		buf := make([]byte, 4096)
		send(ctx, c, func() []byte { rest(ctx, time.Millisecond); _, _ = seed.Read(buf); return buf })
	})
}

// wrongChecksums sends frames that are right but for their check byte.
func wrongChecksums(ctx context.Context, v villain) {
	alone(ctx, v, func(c net.Conn) {
		x := stranger("13900139000")
		send(ctx, c, func() []byte {
			body, _ := location(1).AppendBody(nil, x.version) // a location always has one
			frame, _ := x.frame(jt808.IDLocation, body)
			frame[len(frame)-2] ^= 0x55
			rest(ctx, time.Millisecond)
			return frame
		})
	})
}

// stranger is a terminal without a connection, which only makes frames.
func stranger(digits string) *terminal {
	phone, err := jt808.ParsePhone(digits, jt808.V2013)
	if err != nil {
		panic(err)
	}
	return &terminal{digits: digits, phone: phone, version: jt808.V2013}
}

// slowLoris holds ten connections, each with a frame that comes byte by byte.
func slowLoris(ctx context.Context, v villain) {
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			alone(ctx, v, func(c net.Conn) {
				frame, _ := stranger("13900139000").frame(jt808.IDRegister, make([]byte, 500))
				at := 0
				send(ctx, c, func() []byte {
					rest(ctx, 20*time.Millisecond)
					at = (at + 1) % (len(frame) - 1)
					return frame[at : at+1]
				})
			})
		})
	}
	all.Wait()
}

// endlessFrame sends a frame of 10 MB, again and again.
func endlessFrame(ctx context.Context, v villain) {
	alone(ctx, v, func(c net.Conn) {
		body := make([]byte, 10<<20)
		body[0] = 0x7E
		for i := range body[1:] {
			body[1+i] = 0x30
		}
		_ = c.SetWriteDeadline(time.Now().Add(2 * time.Second))
		_, _ = c.Write(body) // it ends in between
	})
	alone(ctx, v, func(c net.Conn) { // and whole messages, which wait for a login that takes its time
		x := stranger("13900139009")
		send(ctx, c, func() (many []byte) {
			for range 100 {
				frame, _ := x.frame(jt808.IDRegister, make([]byte, 60))
				many = append(many, frame...)
			}
			return many
		})
	})
}

// halfOpen connects and says half a frame, or nothing, and half of the
// connections are closed for writing; then it waits.
func halfOpen(ctx context.Context, v villain) {
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			alone(ctx, v, func(c net.Conn) {
				defer context.AfterFunc(ctx, func() { _ = c.Close() })()
				if i%2 == 0 {
					_, _ = c.Write([]byte{0x7E, 0x01, 0x00, 0x00})
				}
				if tcp, ok := c.(*net.TCPConn); ok && i%4 < 2 {
					_ = tcp.CloseWrite()
				}
				_, _ = io.Copy(io.Discard, c)
			})
		})
	}
	all.Wait()
}

// flood makes connections as fast as it can, holds on to twice as many as one
// address may have, and lets go of all of them.
func flood(ctx context.Context, v villain) {
	var held []net.Conn
	for range 2 * v.w.setup.limits.MaxPerAddress {
		if c := v.connect(ctx); c != nil {
			held = append(held, c)
		}
	}
	rest(ctx, 50*time.Millisecond)
	for _, c := range held {
		_ = c.Close()
	}
}

// packages logs in and begins message upon message of which a package is
// missing.
func packages(phone string) neighbour {
	return func(ctx context.Context, v villain) {
		x, err := dial(ctx, v.w.t, v.w.addr().String(), v.from, phone, jt808.V2013)
		if err != nil {
			return
		}
		defer x.close()
		go func() { // ends with the connection: answers are read and thrown away
			<-ctx.Done()
			_ = x.conn.Close()
		}()
		if x.login() != nil {
			return
		}
		go func() {
			for range x.frames { // until it ends
			}
		}()
		data := make([]byte, 900)
		send(ctx, x.conn, func() (many []byte) {
			for range 5 {
				x.serial += 3
				h := jt808.Header{ID: jt808.IDMediaData, Version: x.version, Phone: x.phone, Serial: x.serial, Total: 40, Index: 1}
				many, err = jt808.AppendFrame(many, &jt808.Frame{Header: h, Body: data})
				if err != nil {
					panic(err)
				}
			}
			rest(ctx, 2*time.Millisecond)
			return many
		})
	}
}

// deafEars logs in, reports as fast as it can and reads no answers.
func deafEars(phone string) neighbour {
	return func(ctx context.Context, v villain) {
		x, err := dial(ctx, v.w.t, v.w.addr().String(), v.from, phone, jt808.V2013)
		if err != nil {
			return
		}
		defer x.close()
		if x.login() != nil {
			return
		}
		// Its reader stops once frames are many, and then the small window of TCP.
		if tcp, ok := x.conn.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(4 << 10)
		}
		send(ctx, x.conn, func() (many []byte) {
			for range 200 {
				frame, _ := x.frame(jt808.IDHeartbeat, nil)
				many = append(many, frame...)
			}
			return many
		})
	}
}
