package server_test

import (
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

	"github.com/linkspan/linkspan/server"
)

// TestDisturbedNeighbour serves a good device on the one loop that every kind
// of bad one is on, too.
func TestDisturbedNeighbour(t *testing.T) {
	t.Parallel()
	b := serveWith(t, server.Config{Loops: 1}, server.Limits{
		MaxPending: 64 << 10, MaxOutbound: 64 << 10, MaxFaults: 16, MaxPerAddress: 60,
		FirstMessage: 200 * time.Millisecond, Linger: 100 * time.Millisecond, NoDelay: true,
	})
	good := b.dial(t)
	good.send("HELLO good\n")
	good.want("OK")

	end := make(chan struct{})
	var wg sync.WaitGroup
	stop := sync.OnceFunc(func() {
		close(end)
		wg.Wait()
	})
	defer stop()
	for name, misuse := range map[string]func(c net.Conn, i int){
		"random": func(c net.Conn, i int) {
			r := rand.New(rand.NewPCG(7, uint64(i)))
			p := make([]byte, 2000)
			for j := range p {
				p[j] = byte(r.Uint32())
			}
			_, _ = c.Write(p)
		},
		"slow":       func(c net.Conn, _ int) { _, _ = io.WriteString(c, "x"); <-time.After(150 * time.Millisecond) },
		"flood":      func(c net.Conn, _ int) { _, _ = io.WriteString(c, strings.Repeat("x", 100<<10)) },
		"panic":      func(c net.Conn, _ int) { _, _ = io.WriteString(c, "PANIC\nBOOM\n") },
		"damage":     func(c net.Conn, _ int) { _, _ = io.WriteString(c, strings.Repeat("BAD\n", 100)) },
		"no reading": func(c net.Conn, _ int) { _, _ = io.WriteString(c, strings.Repeat("BIG 100000\n", 50)) },
		"vanishing":  func(c net.Conn, i int) { fmt.Fprintf(c, "HELLO v%d\nSAY x\n", i); _ = c.Close() },
		"resetting": func(c net.Conn, i int) {
			fmt.Fprintf(c, "HELLO r%d\nBIG 100000\n", i)
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		},
	} {
		for range 2 {
			wg.Go(func() { misbehave(t, b.addr, end, name, misuse) })
		}
	}
	for i := range 100 {
		good.send("SAY %d\nECHO %d\n", i, i)
		got := []string{good.line(), good.line()}
		slices.Sort(got) // they come in either order
		if want := []string{strconv.Itoa(i), fmt.Sprintf("ACK %d", i)}; !slices.Equal(got, want) {
			t.Fatalf("round %d: got %q, want %q", i, got, want)
		}
	}
	stop()
	said := b.heard("good")
	for i, s := range said {
		if s != strconv.Itoa(i) {
			t.Fatalf("message %d is %q", i, s)
		}
	}
	_ = good.Close()
	until(t, "all ended", func() bool { return b.stats().Connections == 0 })
	if n := b.Server.Stats().PendingBytes; n != 0 {
		t.Errorf("%d bytes are still counted as pending", n)
	}
	t.Logf("closed %v, refused %v, faults %v", b.stats().Closed, b.stats().Refused, b.stats().Faults)
}

// misbehave is bad devices, one after the other, until end is closed.
func misbehave(t *testing.T, addr string, end chan struct{}, name string, misuse func(c net.Conn, i int)) {
	t.Helper()
	for i := 0; ; i++ {
		select {
		case <-end:
			return
		default:
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		for range 3 {
			misuse(c, i)
		}
		_ = c.Close()
	}
}
