package mqttlink

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// owner sends what a test puts into out, and notes what it is told. It may be
// used from any goroutine.
type owner struct {
	mu       sync.Mutex
	out      [][]byte
	wrote    chan int // sizes of what Fill appended last
	filled   int
	received chan Packet
	hold     chan struct{} // nil, or what Received waits for
}

func newOwner() *owner {
	return &owner{wrote: make(chan int, 100), received: make(chan Packet, 100_000)}
}

func (o *owner) put(packet []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out = append(o.out, packet)
}

func (o *owner) Fill(dst []byte) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.filled = 0
	if len(o.out) > 0 {
		o.filled = len(o.out[0])
		dst = append(dst, o.out[0]...)
		o.out = o.out[1:]
	}
	return dst
}

func (o *owner) Wrote() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wrote <- o.filled
}

func (o *owner) Received(p *Packet) {
	if o.hold != nil {
		<-o.hold
	}
	o.received <- *p
}

// dialed is a link to a broker that the test plays, and how the link ended.
func dialed(tb testing.TB, o *owner, change func(*Options)) (l *Link, broker net.Conn, ended <-chan error) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	accepted := make(chan net.Conn, 1)
	go func() { // ends with Accept
		c, failed := ln.Accept()
		if failed == nil {
			_, _ = packets.ReadPacket(c)
			_, failed = c.Write([]byte{0x20, 2, 1, 0})
		}
		if failed != nil {
			tb.Error(failed)
		}
		accepted <- c
	}()
	options := Options{
		Endpoint: &url.URL{Scheme: "tcp", Host: ln.Addr().String()}, ClientID: "c", KeepAlive: time.Minute,
		PingTimeout: time.Second, WriteTimeout: time.Second, MaxPayload: 1000,
	}
	if change != nil {
		change(&options)
	}
	l, err = Dial(tb.Context(), options)
	if err != nil {
		tb.Fatal(err)
	}
	broker = <-accepted
	done := make(chan error, 1)
	go func() { done <- l.Run(o) }() // ends with the link
	tb.Cleanup(func() {
		l.Close(nil)
		_ = broker.Close()
		<-l.Down()
	})
	return l, broker, done
}

func await[T any](tb testing.TB, what string, from <-chan T) (v T) {
	tb.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		tb.Fatalf("%s never came", what)
	}
	return v
}

func TestLinkEndsInOrder(t *testing.T) {
	t.Parallel()
	o := newOwner()
	l, broker, ended := dialed(t, o, nil)
	if !l.Resumed() {
		t.Error("the CONNACK told of a session")
	}
	one, two := AppendPublish(nil, "t", []byte("one"), 1, 1, false, false), AppendPublish(nil, "t", []byte("second"), 2, 1, false, false)
	o.put(one)
	o.put(two)
	l.Disconnect() // behind what there is to send
	for _, want := range []int{len(one), len(two)} {
		if got := await(t, "Wrote", o.wrote); got != want {
			t.Errorf("%d bytes were written, want %d", got, want)
		}
	}
	all, err := io.ReadAll(broker)
	if want := string(one) + string(two) + "\xe0\x00"; err != nil || string(all) != want {
		t.Errorf("the broker got % x, %v, want % x", all, err, want)
	}
	_ = broker.Close()
	if err := await(t, "the end", ended); !errors.Is(err, ErrClosed) {
		t.Errorf("the link ended with %v", err)
	}
}

// A broker that does not close its side is not waited for.
func TestLinkLeavesAlone(t *testing.T) {
	t.Parallel()
	l, _, ended := dialed(t, newOwner(), func(o *Options) { o.WriteTimeout = 10 * time.Millisecond })
	l.Disconnect()
	if err := await(t, "the end", ended); !errors.Is(err, ErrClosed) {
		t.Errorf("the link ended with %v", err)
	}
}

func TestLinkEndsForACause(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for name, c := range map[string]struct {
		end  func(*Link, net.Conn)
		want error
	}{
		"closed":             {func(l *Link, _ net.Conn) { l.Close(nil); l.Close(cause) }, ErrClosed},
		"closed for a cause": {func(l *Link, _ net.Conn) { l.Close(cause) }, cause},
		"broker gone":        {func(_ *Link, b net.Conn) { _ = b.Close() }, io.EOF},
		"malformed":          {func(_ *Link, b net.Conn) { _, _ = b.Write([]byte{0, 0}) }, ErrMalformed},
		"silent": {func(l *Link, _ net.Conn) {
			l.Tick(time.Now().Add(time.Minute))
			l.Tick(time.Now().Add(time.Minute + 2*time.Second))
		}, ErrSilent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, broker, ended := dialed(t, newOwner(), nil)
			c.end(l, broker)
			if err := await(t, "the end", ended); !errors.Is(err, c.want) {
				t.Errorf("the link ended with %v, want %v", err, c.want)
			}
		})
	}
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	l, broker, _ := dialed(t, newOwner(), nil)
	begin := time.Now()
	l.Tick(begin.Add(44 * time.Second)) // too early
	for round := 1; round <= 2; round++ {
		l.Tick(begin.Add(time.Duration(round) * 50 * time.Second))
		cp, err := packets.ReadPacket(broker)
		if _, ok := cp.(*packets.PingreqPacket); !ok || err != nil {
			t.Fatalf("round %d: got %v, %v", round, cp, err)
		}
		if _, err := broker.Write([]byte{0xd0, 0}); err != nil {
			t.Fatal(err)
		}
		for l.pinged.Load() != 0 { // until the answer was read
			select {
			case <-l.Down():
				t.Fatal("the link has ended")
			case <-time.After(time.Millisecond):
			}
		}
	}
}

// An owner that gets no answers has a silent broker asked, once, and one that talks
// left alone.
func TestProbe(t *testing.T) {
	t.Parallel()
	l, broker, ended := dialed(t, newOwner(), func(o *Options) { o.PingTimeout = 50 * time.Millisecond })
	l.heard.Store(time.Now().UnixMilli())
	l.Probe() // it was just heard
	if l.pinged.Load() != 0 {
		t.Error("a broker that talks was asked")
	}
	l.heard.Store(time.Now().Add(-time.Second).UnixMilli())
	l.Probe()
	l.Probe()
	cp, err := packets.ReadPacket(broker)
	if _, ok := cp.(*packets.PingreqPacket); !ok || err != nil {
		t.Fatalf("got %v, %v", cp, err)
	}
	l.Tick(time.Now().Add(time.Second)) // without an answer
	if err := await(t, "the end", ended); !errors.Is(err, ErrSilent) {
		t.Errorf("the link ended with %v", err)
	}
	if cp, err := packets.ReadPacket(broker); err == nil {
		t.Errorf("it was asked twice: %v", cp)
	}
}

// What comes at QoS 1 is acknowledged behind Received, in order. While the broker
// does not read the acknowledgements, no more of it is read.
func TestAcknowledgements(t *testing.T) {
	t.Parallel()
	o := newOwner()
	o.hold = make(chan struct{})
	_, broker, _ := dialed(t, o, nil)
	var wire []byte
	for id := range uint16(3) {
		wire = AppendPublish(wire, "t", []byte("x"), id+1, 1, false, false)
	}
	if _, err := broker.Write(wire); err != nil {
		t.Fatal(err)
	}
	for id := range uint16(3) {
		o.hold <- struct{}{}
		cp, err := packets.ReadPacket(broker)
		if a, ok := cp.(*packets.PubackPacket); !ok || err != nil || a.MessageID != id+1 {
			t.Fatalf("got %v, %v, want the PUBACK of %d", cp, err, id+1)
		}
	}
	close(o.hold)
}

func TestConnectRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer string
		want   func(error) bool
	}{
		"code 5": {"\x20\x02\x00\x05", func(err error) bool { var e *ConnackError; return errors.As(err, &e) && e.Code == CodeNotAuthorized }},
		"code 99": {"\x20\x02\x00\x63", func(err error) bool {
			var e *ConnackError
			return errors.As(err, &e) && e.Code == 99 && e.Error() != ""
		}},
		"no CONNACK":  {"\xd0\x00", func(err error) bool { return errors.Is(err, ErrMalformed) }},
		"odd flags":   {"\x20\x02\x08\x00", func(err error) bool { return errors.Is(err, ErrMalformed) }},
		"hung up":     {"", func(err error) bool { return errors.Is(err, io.EOF) }},
		"half of one": {"\x20\x02", func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ln.Close() }()
			var serving sync.WaitGroup
			serving.Go(func() {
				if conn, failed := ln.Accept(); failed == nil {
					_, _ = packets.ReadPacket(conn)
					_, _ = conn.Write([]byte(c.answer))
					_ = conn.Close()
				}
			})
			_, err = Dial(t.Context(), Options{Endpoint: &url.URL{Scheme: "tcp", Host: ln.Addr().String()}, KeepAlive: time.Minute})
			if !c.want(err) {
				t.Errorf("Dial: %v", err)
			}
			serving.Wait()
		})
	}
}

// A broker that takes the connection and says nothing is given up with the
// context.
func TestConnectHangs(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	for _, scheme := range []string{"tcp", "ssl", "ws"} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := Dial(ctx, Options{Endpoint: &url.URL{Scheme: scheme, Host: ln.Addr().String()}, KeepAlive: time.Minute})
		cancel()
		if err == nil {
			t.Errorf("%s: a connection to nobody", scheme)
		}
	}
}

// Whoever gives up does not wait for a broker that says nothing.
func TestConnectGivenUp(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"tcp", "ssl", "ws"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		failed := make(chan error, 1)
		go func() { // ends with Dial
			_, err := Dial(ctx, Options{Endpoint: &url.URL{Scheme: scheme, Host: ln.Addr().String()}, KeepAlive: time.Minute})
			failed <- err
		}()
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil { // it waits for an answer
			t.Error(err)
		}
		cancel()
		select {
		case err := <-failed:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", scheme, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: Dial does not return", scheme)
		}
		_ = conn.Close()
	}
	_ = ln.Close()
}

// A password in an endpoint is no part of what is said about it.
func TestEndpointsKeepPasswords(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"tcp://user:s3cret@host", "tcp://user:s3cret@host:port", "tcp://user:s3 cret@host", "tcp://user:1#s3cret@host", "tcp://user:#s3cret@host",
		"tcp://user:1/s3cret@host", "ssl://user:1?s3cret@host", "user:s3cret@host", "ws://user:s3cret@host",
	} {
		u, err := ParseEndpoint(text)
		switch {
		case !errors.Is(err, ErrEndpoint):
			t.Errorf("%s is %v, %v", text, u, err)
		case strings.Contains(err.Error(), "cret"):
			t.Errorf("%s is told: %v", text, err)
		}
	}
}
