package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(idleEnv); spec != "" {
		if err := idleFleet(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	if os.Getenv(filesEnv) != "" {
		if err := serveWithFewFiles(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // gnet's goroutine pool runs from the start
}

// patience bounds what a test waits for: it is never reached unless something
// is broken.
const patience = time.Minute

// cloud is a platform that answers from a goroutine of its own, in order.
type cloud struct {
	answers chan func()

	mu     sync.Mutex
	gate   chan struct{}       // logins wait until it is closed; nil: they do not
	refuse error               // the outcome of logins
	live   map[string]int      // sessions online
	said   map[string][]string // what devices said
	logins int
	outs   int
}

func newCloud(tb testing.TB) *cloud {
	tb.Helper()
	c := &cloud{answers: make(chan func(), 1<<16), live: map[string]int{}, said: map[string][]string{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for f := range c.answers {
			f()
		}
	}()
	tb.Cleanup(func() { close(c.answers); <-done })
	return c
}

func (c *cloud) Online(s *session.Session, _ []string, done func(error)) {
	c.answers <- func() {
		c.mu.Lock()
		gate, err := c.gate, c.refuse
		c.mu.Unlock()
		if gate != nil {
			<-gate
		}
		if err == nil {
			c.mu.Lock()
			c.logins++
			c.live[s.Identity()]++
			c.mu.Unlock()
		}
		done(err)
	}
}

func (c *cloud) Publish(s *session.Session, m *thing.Message, done func(error)) error {
	text := string(m.Raw)
	c.mu.Lock()
	c.said[s.Identity()] = append(c.said[s.Identity()], text)
	c.mu.Unlock()
	if done != nil {
		c.answers <- func() { done(nil) }
	}
	return nil
}

func (c *cloud) Offline(s *session.Session, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live[s.Identity()]--; c.live[s.Identity()] <= 0 {
		delete(c.live, s.Identity())
	}
	c.outs++
}

// hold makes logins wait until the function that it returns is called.
func (c *cloud) hold() (release func()) {
	gate := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gate = gate
	return func() { close(gate) }
}

func (c *cloud) refuseWith(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = err
}

func (c *cloud) heard(identity string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.said[identity]...)
}

// chat is the tests' protocol: lines.
//
//	HELLO id   login; answered OK, or NO and closed
//	OUT        logout
//	SAY text   report, answered ACK text when it is published
//	ECHO text  answered with text
//	WELCOME    the connection needs no login from now on
//	TARGET     answered with what was dialled
//	BIG n      answered with n bytes and a newline
//	LATER n    answered LATER after n milliseconds
//	PANIC      the adapter panics
//	BOOM       the decoder panics
//	BAD        the decoder refuses the line
//	DENY id    the adapter refuses the login of that device
//	SEALED     a frame that the adapter cannot read
//	DIE        the decoder gives the stream up
//	BYE        answered BYE and closed
type chat struct {
	ends    chan<- error
	welcome bool
}

func (a *chat) AwaitsLogin() bool { return !a.welcome }

func (a *chat) Received(c *protocol.Conn[string], line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "HELLO":
		c.Online(rest, nil, func(err error) {
			if err != nil {
				_ = c.Send("NO")
				c.Close(err)
				return
			}
			_ = c.Send("OK")
		})
	case "DENY":
		c.Denied(rest, errBadCode)
	case "SEALED":
		c.Fault(protocol.ErrUnsupported, []byte(line))
	case "OUT":
		c.Offline(errBye)
	case "SAY":
		return c.Report(&thing.Message{Kind: thing.Raw, Raw: []byte(rest)}, func(error) { _ = c.Send("ACK " + rest) })
	case "ECHO":
		return c.Send(rest)
	case "WELCOME":
		a.welcome = true
	case "TARGET":
		return c.Send(c.Target())
	case "BIG":
		n, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		return c.Send(strings.Repeat("x", n))
	case "LATER":
		n, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		c.After(time.Duration(n)*time.Millisecond, func() { _ = c.Send("LATER") })
	case "PANIC":
		panic("adapter")
	case "BYE":
		_ = c.Send("BYE")
		return errBye
	}
	return nil
}

func (a *chat) Closed(_ *protocol.Conn[string], cause error) {
	if a.ends != nil {
		a.ends <- cause
	}
}

var errBye = errors.New("bye")

type chatDecoder struct{}

func (chatDecoder) Decode(in []byte) (string, int, error) {
	if bytes.HasPrefix(in, []byte("BOOM")) {
		panic("decoder")
	}
	i := bytes.IndexByte(in, '\n')
	if i < 0 {
		return "", 0, codec.ErrIncomplete
	}
	switch line := string(in[:i]); line {
	case "BAD":
		return "", i + 1, &codec.FrameError{Reason: "bad line"}
	case "DIE":
		return "", i + 1, &codec.FatalError{Err: errors.New("dead")}
	default:
		return line, i + 1, nil
	}
}

func openChat(tb testing.TB, ends chan<- error) protocol.Open {
	tb.Helper()
	p := protocol.Define("chat", struct{}{}, func(struct{}) (protocol.Protocol[string], error) {
		return protocol.Protocol[string]{
			Decoder: func() codec.Decoder[string] { return chatDecoder{} },
			Encoder: codec.AppendFunc[string](func(dst []byte, line string) ([]byte, error) {
				return append(append(dst, line...), '\n'), nil
			}),
			Adapter: func() protocol.Adapter[string] { return &chat{ends: ends} },
		}, nil
	})
	open, err := p.New(p.Config)
	if err != nil {
		tb.Fatal(err)
	}
	return open
}

// bench is a server with one listener of the chat protocol.
type bench struct {
	*server.Server
	*cloud
	ends chan error // causes, of every connection
	addr string
}

// unlimited is limits that no test comes near.
func unlimited() server.Limits {
	return server.Limits{MaxPending: 16 << 20, MaxOutbound: 64 << 20, NoDelay: true, Linger: time.Second}
}

func listenerFor(tb testing.TB, c *cloud, ends chan<- error, limits server.Limits) server.Listener {
	tb.Helper()
	return server.Listener{
		Name: "test", Address: "127.0.0.1:0", Protocol: "chat",
		Open: openChat(tb, ends), Host: &protocol.Host{Uplink: c, Listener: "test"}, Limits: limits,
	}
}

func serve(tb testing.TB, limits server.Limits, opts ...server.Option) *bench {
	tb.Helper()
	return serveWith(tb, server.Config{Loops: 2}, limits, opts...)
}

func serveWith(tb testing.TB, cfg server.Config, limits server.Limits, opts ...server.Option) *bench {
	tb.Helper()
	b := &bench{cloud: newCloud(tb), ends: make(chan error, 1<<14)}
	s, err := server.New(cfg, []server.Listener{listenerFor(tb, b.cloud, b.ends, limits)}, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	start(tb, s)
	b.Server, b.addr = s, s.Addr("test").String()
	return b
}

func start(tb testing.TB, s *server.Server) {
	tb.Helper()
	if err := s.Start(context.Background()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { stop(tb, s) })
}

func stop(tb testing.TB, s *server.Server) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		tb.Errorf("Close: %v", err)
	}
}

// client is a device.
type client struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func (b *bench) dial(tb testing.TB) *client {
	tb.Helper()
	return dial(tb, b.addr)
}

func dial(tb testing.TB, addr string) *client {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &client{Conn: c, t: tb, r: bufio.NewReader(c)}
}

func (c *client) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		c.t.Errorf("send: %v", err)
	}
}

func (c *client) line() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Errorf("read: %v", err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (c *client) want(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		if got := c.line(); got != want {
			c.t.Fatalf("got %.60q, want %.60q", got, want)
		}
	}
}

// wantRefused connects, which may already fail, and waits for the end.
func (b *bench) wantRefused(tb testing.TB) {
	tb.Helper()
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	(&client{Conn: c, t: tb, r: bufio.NewReader(c)}).wantClosed()
}

// wantClosed waits for the server to close the connection; what is read before
// does not matter.
func (c *client) wantClosed() {
	c.t.Helper()
	buf := make([]byte, 64<<10)
	for {
		_, err := c.r.Read(buf)
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			c.t.Fatal("the connection was not closed")
		}
		if err != nil {
			return
		}
	}
}

// end waits for the next connection to end, and returns why.
func (b *bench) end(tb testing.TB) error {
	tb.Helper()
	select {
	case err := <-b.ends:
		return err
	case <-time.After(patience):
		tb.Fatal("no connection ended")
		return nil
	}
}

// wantEnd waits for the next connection to end, and checks why; also are
// errors that the cause has to be, too.
func (b *bench) wantEnd(tb testing.TB, cause server.Cause, also ...error) {
	tb.Helper()
	err := b.end(tb)
	var e *server.CloseError
	if !errors.As(err, &e) || e.Cause != cause {
		tb.Errorf("connection ended with %v, want cause %v", err, cause)
	}
	for _, is := range append(also, cause, net.ErrClosed) {
		if !errors.Is(err, is) {
			tb.Errorf("connection ended with %v, which is not %v", err, is)
		}
	}
}

// until waits for something that has no event.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			tb.Fatalf("not in time: %s", what)
		}
	}
}

func (b *bench) stats() server.ListenerStats { return b.Server.Stats().Listeners[0] }
