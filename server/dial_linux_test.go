package server_test

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linkspan/linkspan/server"
)

// deafYard listens on all loopback addresses, and answers no attempt to connect
// until somebody accepts.
func deafYard(t *testing.T) (l net.Listener, port int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "")
	defer func() { _ = file.Close() }() // FileListener has a duplicate
	if err = unix.Bind(fd, &unix.SockaddrInet4{}); err != nil {
		t.Fatal(err)
	}
	if err = unix.Listen(fd, 0); err != nil { // one may wait; of others the kernel drops the SYN
		t.Fatal(err)
	}
	if l, err = net.FileListener(file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, l.Addr().(*net.TCPAddr).Port
}

// Targets that wait for others to be connected to cost no goroutine, however many
// they are, and get their turn.
func TestDeadTargetsCostNoGoroutine(t *testing.T) { //nolint:paralleltest // counts goroutines
	const targets, most = 10_000, 8
	yard, port := deafYard(t)
	before := runtime.NumGoroutine()
	l := listenerFor(t, newCloud(t), nil, unlimited())
	l.Address, l.Reconnect = "", server.DialConfig{Min: 100 * time.Millisecond, Max: time.Hour, Timeout: 500 * time.Millisecond, Most: most}
	for i := range targets {
		l.Connect = append(l.Connect, fmt.Sprintf("127.1.%d.%d:%d", i/250, 1+i%250, port))
	}
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	until(t, "all but a few to wait, and their timers to have ended", func() bool {
		n := s.Stats().Listeners[0]
		return n.Dialling == most && n.Due >= targets*9/10 && // others wait for their next attempt
			runtime.NumGoroutine()-before <= 3*most+20
	})
	accepted := make(chan net.Conn, targets)
	go func() { // ends when the listener closes
		defer close(accepted)
		for {
			c, err := yard.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	until(t, "those that waited to be connected", func() bool { return s.Stats().Listeners[0].Connections > 10*most })
	_ = yard.Close()
	for c := range accepted {
		_ = c.Close()
	}
}
