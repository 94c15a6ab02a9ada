package mqtt_test

import (
	"context"
	"net"
	"sync"
	"testing"
)

// gate is a network between a connector and its broker that can stand still.
type gate struct {
	addr string
	mu   sync.Mutex
	open chan struct{} // closed while bytes flow
}

func newGate(tb testing.TB, to string) *gate {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	g := &gate{addr: ln.Addr().String(), open: make(chan struct{})}
	close(g.open)
	var running sync.WaitGroup
	ended := make(chan struct{})
	pipe := func(from, into net.Conn) {
		defer func() {
			_ = from.Close()
			_ = into.Close()
		}()
		buf := make([]byte, 32<<10)
		for {
			g.mu.Lock()
			open := g.open
			g.mu.Unlock()
			select {
			case <-open:
			case <-ended:
				return
			}
			n, err := from.Read(buf)
			if n > 0 {
				if _, failed := into.Write(buf[:n]); failed != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	running.Go(func() {
		for {
			a, err := ln.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				_ = a.Close()
				continue
			}
			running.Go(func() { pipe(a, b) })
			running.Go(func() { pipe(b, a) })
			running.Go(func() {
				<-ended
				_ = a.Close()
				_ = b.Close()
			})
		}
	})
	tb.Cleanup(func() {
		_ = ln.Close()
		close(ended)
		running.Wait()
	})
	return g
}

func (g *gate) stall() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

func (g *gate) flow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.open)
}

// timeoutContext is a context that ends, at last.
func timeoutContext() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	context.AfterFunc(ctx, cancel)
	return ctx
}
