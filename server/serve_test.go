package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

func TestServe(t *testing.T) {
	t.Parallel()
	b := serve(t, unlimited())

	t.Run("byte by byte", func(t *testing.T) {
		c := b.dial(t)
		for _, p := range []byte("HELLO bytes\nSAY one\nECHO two\n") {
			c.send("%c", p)
		}
		c.want("OK")
		got := []string{c.line(), c.line()}
		slices.Sort(got) // they come in either order
		if !slices.Equal(got, []string{"ACK one", "two"}) {
			t.Errorf("got %q", got)
		}
	})

	t.Run("one write for all frames of a read", func(t *testing.T) {
		alone := serve(t, unlimited()) // what others have sent may be counted late
		c := alone.dial(t)
		before := alone.stats()
		const frames = 500
		in := strings.Repeat("ECHO a\n", frames) // less than one read
		c.send("%s", in)
		for range frames {
			c.want("a")
		}
		until(t, "all counted", func() bool { return alone.stats().Messages-before.Messages == frames })
		after := alone.stats()
		reads, writes := after.Reads-before.Reads, after.Writes-before.Writes
		if writes > reads || reads > 3 {
			t.Errorf("%d messages in %d reads were answered with %d writes, want at most one for each read", frames, reads, writes)
		}
	})

	t.Run("frame of 10 MB", func(t *testing.T) {
		c := b.dial(t)
		big := bytes.Repeat([]byte("y"), 10<<20)
		go func() { c.send("ECHO %s\nECHO small\n", big) }()
		c.want(string(big), "small")
		until(t, "buffers given back", func() bool { return b.Server.Stats().PendingBytes == 0 })
	})

	t.Run("two connections do not mix", func(t *testing.T) {
		one, two := b.dial(t), b.dial(t)
		one.send("ECHO o")
		two.send("ECHO t")
		one.send("ne\n")
		two.send("wo\n")
		one.want("one")
		two.want("two")
	})

	t.Run("panics cost one frame", func(t *testing.T) {
		c := b.dial(t)
		c.send("ECHO a\nPANIC\nECHO b\nBOOM\nECHO c\nBAD\nECHO d\n")
		c.want("a", "b", "c", "d")
		if f := b.stats().Faults; f["panic"] != 2 || f["damaged"] != 1 {
			t.Errorf("faults %v, want 2 panics and 1 damaged", f)
		}
	})

	t.Run("timers", func(t *testing.T) {
		c := b.dial(t)
		before := time.Now()
		c.send("LATER 1\nLATER 250\n")
		c.want("LATER", "LATER")
		if waited := time.Since(before); waited < 250*time.Millisecond {
			t.Errorf("the timer of 250 ms fired after %v", waited)
		}
	})

	t.Run("answer and close", func(t *testing.T) {
		c := b.dial(t)
		c.send("ECHO a\nBYE\nECHO b\n")
		c.want("a", "BYE")
		if rest, err := io.ReadAll(c.r); len(rest) != 0 || err != nil {
			t.Errorf("read %q, %v; want the end", rest, err)
		}
		for !errors.Is(b.end(t), errBye) { // behind the clients of the other subtests
		}
	})
}

func TestBarrierUnderLoad(t *testing.T) {
	t.Parallel()
	b := serve(t, unlimited())
	const devices, each = 200, 50
	var wg sync.WaitGroup
	for d := range devices {
		wg.Go(func() {
			c, err := net.Dial("tcp", b.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			msg, answers := fmt.Appendf(nil, "HELLO d%d\n", d), []byte("OK\n")
			for i := range each { // does not wait for its login
				msg = fmt.Appendf(msg, "SAY %d\n", i)
				answers = fmt.Appendf(answers, "ACK %d\n", i)
			}
			for len(msg) > 0 {
				n := min(len(msg), 7)
				if _, err := c.Write(msg[:n]); err != nil {
					t.Error(err)
					return
				}
				msg = msg[n:]
			}
			_ = c.SetReadDeadline(time.Now().Add(patience))
			got := make([]byte, len(answers))
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, answers) {
				t.Errorf("device %d got %q, %v", d, got, err)
			}
		})
	}
	wg.Wait()
	for d := range devices {
		said := b.heard(fmt.Sprintf("d%d", d))
		for i, s := range said {
			if s != strconv.Itoa(i) {
				t.Fatalf("device %d said %v", d, said)
			}
		}
		if len(said) != each {
			t.Errorf("device %d said %d messages, want %d", d, len(said), each)
		}
	}
}

func TestCloseDuringLogin(t *testing.T) {
	t.Parallel()
	b := serve(t, unlimited())
	release := b.hold()
	const devices = 50
	for d := range devices {
		c := b.dial(t)
		c.send("HELLO d%d\n", d)
		until(t, "login seen", func() bool { return b.stats().Messages == uint64(d)+1 })
		_ = c.Close()
	}
	for range devices {
		b.wantEnd(t, server.CausePeerClosed)
	}
	release()
	until(t, "logins undone", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.logins == devices && b.outs == devices && len(b.live) == 0
	})
}

func TestRefusedLoginIsTold(t *testing.T) {
	t.Parallel()
	b := serve(t, unlimited())
	no := errors.New("no such device")
	b.refuseWith(no)
	c := b.dial(t)
	c.send("HELLO x\nSAY 1\nSAY 2\n") // what is behind the login must not reset the connection
	c.want("NO")
	if rest, err := io.ReadAll(c.r); len(rest) != 0 || err != nil {
		t.Errorf("read %q, %v; want the end", rest, err)
	}
	b.wantEnd(t, server.CauseProtocol, no)
}

// asks is a transport's functions, taken out of a handler for tests of Do.
type asks struct {
	protocol.Handler
	transport protocol.Transport
}

func TestDo(t *testing.T) {
	t.Parallel()
	opened := make(chan asks, 1)
	cl := newCloud(t)
	l := listenerFor(t, cl, nil, unlimited())
	chat := l.Open
	l.Open = func(tr protocol.Transport, h *protocol.Host) protocol.Handler {
		inner := chat(tr, h)
		opened <- asks{inner, tr}
		return inner
	}
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	c := dial(t, s.Addr("test").String())
	tr := (<-opened).transport

	t.Run("keeps order, is never inline", func(t *testing.T) {
		const goroutines, each = 8, 1000
		var wg sync.WaitGroup
		var got [goroutines][]int // of the loop
		done := make(chan struct{})
		inline := false // of the loop
		tr.Do(func() {
			ran := false
			tr.Do(func() { ran = true })
			inline = ran
		})
		for g := range goroutines {
			wg.Go(func() {
				for i := range each {
					tr.Do(func() { got[g] = append(got[g], i) })
				}
			})
		}
		wg.Wait()
		tr.Do(func() { close(done) })
		<-done
		for g := range got {
			for i, n := range got[g] {
				if n != i {
					t.Fatalf("goroutine %d: function %d ran in place %d", g, n, i)
				}
			}
			if len(got[g]) != each {
				t.Errorf("goroutine %d: %d of %d functions ran", g, len(got[g]), each)
			}
		}
		if inline {
			t.Error("Do ran inline")
		}
	})

	t.Run("a panic ends nothing", func(t *testing.T) {
		tr.Do(func() { panic("task") })
		c.send("ECHO still here\n")
		c.want("still here")
	})

	t.Run("after the connection and after the server", func(t *testing.T) {
		_ = c.Close()
		until(t, "closed", func() bool { return s.Stats().Listeners[0].Connections == 0 })
		ran := make(chan error, 3)
		tr.Do(func() { ran <- tr.Write([]byte("x")) })
		if err := <-ran; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after the end: %v", err)
		}
		tr.Do(func() {
			tr.After(time.Millisecond, func() { t.Error("timer of a closed connection") })()
			ran <- nil
		})
		<-ran
		stop(t, s)
		var order []int // of the drain's goroutines, one after the other
		for i := range 100 {
			tr.Do(func() { order = append(order, i) })
		}
		tr.Do(func() { ran <- nil })
		<-ran
		if len(order) != 100 || order[99] != 99 {
			t.Errorf("after Close %d of 100 functions ran, in order %v", len(order), order)
		}
		tr.Close(io.EOF)
	})
}

func TestRandomBytes(t *testing.T) {
	t.Parallel()
	b := serve(t, server.Limits{MaxFaults: 8})
	var wg sync.WaitGroup
	for seed := range 20 {
		wg.Go(func() {
			c, err := net.Dial("tcp", b.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			r := rand.New(rand.NewPCG(1, uint64(seed)))
			p := make([]byte, 4096)
			for range 100 {
				for i := range p {
					p[i] = byte(r.Uint32())
				}
				if _, err := c.Write(p); err != nil {
					return // closed for it: as good
				}
			}
		})
	}
	wg.Wait()
	c := b.dial(t)
	c.send("ECHO alive\n")
	c.want("alive")
}
