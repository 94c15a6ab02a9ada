//go:build linux

package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// limit is gnet alone with one loop: frames are found, unescaped, checked and
// acknowledged, with one write for each read. Nothing built on gnet can be
// cheaper. All but the counters belongs to the loop.
type limit struct {
	gnet.BuiltinEventEngine
	engine  gnet.Engine
	booted  chan struct{}
	out     []byte
	scratch []byte

	messages, reads, writes, failures atomic.Uint64
}

func (l *limit) OnBoot(e gnet.Engine) gnet.Action {
	l.engine = e
	close(l.booted)
	return gnet.None
}

func (l *limit) OnTraffic(c gnet.Conn) gnet.Action {
	in, err := c.Peek(-1)
	if err != nil {
		return gnet.Close
	}
	acks, scratch, used, frames := acknowledgeAll(l.out[:0], l.scratch, in)
	l.out, l.scratch = acks, scratch
	if used > 0 { // Discard(0) would discard all
		_, _ = c.Discard(used)
	}
	own := func(n *atomic.Uint64, by int) { n.Store(n.Load() + uint64(by)) } //nolint:gosec // only the loop writes
	own(&l.messages, frames)
	own(&l.reads, 1)
	if len(acks) > 0 {
		own(&l.writes, 1)
		if _, err := c.Write(acks); err != nil {
			own(&l.failures, 1)
		}
	}
	return gnet.None
}

func startLimit(string) (*role, error) {
	l := &limit{booted: make(chan struct{}), out: make([]byte, 0, 64<<10), scratch: make([]byte, 0, 4096)}
	ended := make(chan error, 1)
	go func() { // ends with the engine, which close stops
		ended <- gnet.Run(l, "tcp://127.0.0.1:0", gnet.WithNumEventLoop(1), gnet.WithTCPNoDelay(gnet.TCPNoDelay), gnet.WithLogger(silent{}))
	}()
	select {
	case err := <-ended:
		return nil, err
	case <-l.booted:
	}
	addr, err := addressOf(l.engine)
	if err != nil {
		return nil, err
	}
	return &role{
		addr: addr,
		count: func() counts {
			return counts{Messages: l.messages.Load(), Reads: l.reads.Load(), Writes: l.writes.Load(), Failures: l.failures.Load()}
		},
		close: func(ctx context.Context) error { return errors.Join(l.engine.Stop(ctx), <-ended) },
	}, nil
}

// addressOf is where an engine with one listener listens; gnet does not tell.
func addressOf(e gnet.Engine) (string, error) {
	fd, err := e.Dup()
	if err != nil {
		return "", err
	}
	defer func() { _ = unix.Close(fd) }()
	name, err := unix.Getsockname(fd)
	if err != nil {
		return "", err
	}
	at, ok := name.(*unix.SockaddrInet4)
	if !ok {
		return "", errors.New("not an IPv4 listener")
	}
	return (&net.TCPAddr{IP: at.Addr[:], Port: at.Port}).String(), nil
}

// silent is a logger of gnet that says nothing.
type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}

// goroutines is the same work by a goroutine for each connection.
type goroutines struct {
	listener net.Listener
	conns    sync.Map // open ones
	running  sync.WaitGroup

	messages, reads, writes, failures atomic.Uint64
}

const readBuffer = 4096 // of a connection, as bufio has it

func startGoroutines(string) (*role, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // until the process ends
	if err != nil {
		return nil, err
	}
	return goroutinesOn(listener), nil
}

func goroutinesOn(listener net.Listener) *role {
	g := &goroutines{listener: listener}
	g.running.Go(g.accept)
	return &role{
		addr: listener.Addr().String(),
		count: func() counts {
			return counts{Messages: g.messages.Load(), Reads: g.reads.Load(), Writes: g.writes.Load(), Failures: g.failures.Load()}
		},
		close: func(context.Context) error {
			err := listener.Close()
			for c := range g.conns.Range {
				_ = c.(net.Conn).Close() //nolint:forcetypeassert // nothing else is put there
			}
			g.running.Wait()
			return err
		},
	}
}

func (g *goroutines) accept() {
	for {
		c, err := g.listener.Accept()
		if err != nil {
			return
		}
		g.conns.Store(c, nil)
		g.running.Go(func() { g.serve(c) }) // ends when c is closed, by either side
	}
}

func (g *goroutines) serve(c net.Conn) {
	defer func() {
		g.conns.Delete(c)
		_ = c.Close()
	}()
	in := make([]byte, readBuffer)
	var out, scratch []byte
	held := 0
	for {
		n, err := c.Read(in[held:])
		if err != nil {
			return
		}
		held += n
		var used, frames int
		out, scratch, used, frames = acknowledgeAll(out[:0], scratch, in[:held])
		held = copy(in, in[used:held])
		g.messages.Add(uint64(frames)) //nolint:gosec // not negative
		g.reads.Add(1)
		if len(out) == 0 {
			if held == len(in) {
				return // longer than any frame
			}
			continue
		}
		g.writes.Add(1)
		if _, err := c.Write(out); err != nil {
			g.failures.Add(1)
			return
		}
	}
}
