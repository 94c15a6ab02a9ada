//go:build faults

package faults

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// weather is what happens to bytes on their way through a proxy.
type weather int

const (
	fair     weather = iota // they pass
	slow                    // each piece is 20 to 300 ms late
	hold                    // nothing passes for now, as when all packets are lost and sent again later
	mute                    // what the platform says is swallowed for good
	deaf                    // what the bridge says is swallowed for good
	halfOpen                // the platform's end is gone, and nobody tells the bridge
)

// proxy is the network between the bridge and its platform. Its methods may be
// called from any goroutine.
type proxy struct {
	listener net.Listener
	to       string
	work     sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when weather changes
	weather weather
	pairs   map[*pair]struct{}
	closed  bool
}

// pair is a connection with both of its ends. What was swallowed once is never
// made whole: such a connection stays lame.
type pair struct {
	p                *proxy
	bridge, platform *net.TCPConn
	lame             weather // guarded by p.mu; fair: not lame
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to, changed: make(chan struct{}), pairs: map[*pair]struct{}{}}
	p.work.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.set(fair)
	p.reset()
	p.work.Wait()
}

// set changes the weather. Connections that lose bytes to it stay lame.
func (p *proxy) set(w weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
	for c := range p.pairs {
		switch w {
		case mute, deaf:
			c.lame = w
		case halfOpen:
			c.lame = w
			_ = c.platform.Close()
		case fair, slow, hold:
		}
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// reset ends all connections with RST at both ends.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		for _, end := range []*net.TCPConn{c.bridge, c.platform} {
			_ = end.SetLinger(0)
			_ = end.Close()
		}
	}
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.serve(c.(*net.TCPConn)) }) //nolint:forcetypeassert // of a TCP listener
	}
}

func (p *proxy) serve(bridge *net.TCPConn) {
	platform, err := net.DialTimeout("tcp", p.to, 5*time.Second)
	if err != nil {
		_ = bridge.SetLinger(0)
		_ = bridge.Close()
		return
	}
	c := &pair{p: p, bridge: bridge, platform: platform.(*net.TCPConn)} //nolint:forcetypeassert // it is TCP
	p.mu.Lock()
	if p.weather == mute || p.weather == deaf || p.weather == halfOpen {
		c.lame = p.weather
	}
	p.pairs[c] = struct{}{}
	closed := p.closed
	p.mu.Unlock()
	if closed {
		p.reset()
	}
	var ways sync.WaitGroup
	ways.Go(func() { c.pass(c.platform, c.bridge, deaf) })
	ways.Go(func() { c.pass(c.bridge, c.platform, mute) })
	ways.Wait()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
	_ = c.bridge.Close()
	_ = c.platform.Close()
}

// pass copies one way, on which bytes are lost in that weather.
func (c *pair) pass(to, from *net.TCPConn, lost weather) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		lame := c.wait()
		if n > 0 && lame != lost && lame != halfOpen {
			if _, failed := to.Write(buf[:n]); failed != nil && c.state() != halfOpen {
				c.end()
				return
			}
		}
		if err == nil {
			continue
		}
		if from == c.bridge || c.state() != halfOpen { // then only the bridge may end its end
			c.end()
		}
		return
	}
}

// end tells both ends that the other one has gone.
func (c *pair) end() {
	_ = c.bridge.Close()
	_ = c.platform.Close()
}

func (c *pair) state() weather {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.lame
}

// wait waits out what holds bytes up, and says how lame the connection is.
func (c *pair) wait() weather {
	for {
		c.p.mu.Lock()
		w, changed, lame, closed := c.p.weather, c.p.changed, c.lame, c.p.closed
		c.p.mu.Unlock()
		switch {
		case w == hold && !closed:
			<-changed
		case w == slow && !closed:
			time.Sleep(time.Duration(20+rand.IntN(280)) * time.Millisecond)
			return lame
		default:
			return lame
		}
	}
}
