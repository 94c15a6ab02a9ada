package aliyun_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/linkspan/linkspan/thing"
)

// Close keeps the time that it is given, whatever the platform does not do: here it
// takes no more bytes, with messages on their way.
func TestCloseKeepsItsTime(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{t: t, listener: l, got: make(chan arrival, 10_000)}
	c := &reluctant{full: make(chan struct{}), end: make(chan struct{})}
	s.ended.Go(func() {
		var err error
		if c.Conn, err = l.Accept(); err != nil {
			t.Error(err)
			return
		}
		s.serve(1, c)
	})
	defer s.close()
	defer close(c.end)
	cfg := s.config()
	cfg.WriteTimeout, cfg.RequestTimeout, cfg.HoldTimeout = time.Hour, time.Hour, time.Hour
	up, d := online(t, cfg)
	large := &thing.Message{Kind: thing.Raw, Raw: make([]byte, 200<<10), QoS: thing.AtLeastOnce}
	for range 200 { // more than the network holds
		d.Publish(large, func(error) {})
	}
	wait(t, c.full, "the last bytes to be read")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- up.Close(ctx) }() // ends with Close
	if err := wait(t, closed, "the end of Close"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v, want what was left", err)
	}
}

// reluctant reads a login and some of what is behind it, and no more until its end.
type reluctant struct {
	net.Conn
	n         int
	full, end chan struct{}
}

// Read implements net.Conn.
func (r *reluctant) Read(b []byte) (int, error) {
	if r.n > 16<<10 {
		close(r.full)
		<-r.end
		return 0, net.ErrClosed
	}
	n, err := r.Conn.Read(b)
	r.n += n
	return n, err
}
