package components

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) } // a pool of a library is made before

// Cloud is a platform that knows everyone: a connector of one's own.
type Cloud struct {
	host  upstream.Host
	said  chan string // "DEVICE: TEXT", and "DEVICE online", "DEVICE offline"
	calls sync.WaitGroup

	mu     sync.Mutex
	logins map[string]upstream.Login // guarded by mu; by device name
}

func newCloud() *Cloud {
	return &Cloud{said: make(chan string, 100), logins: map[string]upstream.Login{}}
}

// Start implements upstream.Starter.
func (c *Cloud) Start(_ context.Context, h upstream.Host) error {
	c.host = h
	return nil
}

// Close implements upstream.Closer.
func (c *Cloud) Close(context.Context) error {
	c.calls.Wait()
	return nil
}

// Login implements upstream.Connector.
func (c *Cloud) Login(l upstream.Login, done func(upstream.Device, error)) {
	c.mu.Lock()
	c.logins[l.Device.DeviceName] = l
	c.mu.Unlock()
	c.said <- l.Device.DeviceName + " online"
	c.calls.Go(func() { done(seat{c, l.Device.DeviceName}, nil) })
}

// tell tells a device that is logged in.
func (c *Cloud) tell(device string, cmd *thing.Command) {
	c.mu.Lock()
	l := c.logins[device]
	c.mu.Unlock()
	l.Command(cmd)
}

// seat is a device that is logged in.
type seat struct {
	c    *Cloud
	name string
}

// Publish implements upstream.Device.
func (s seat) Publish(m *thing.Message, done func(error)) {
	text := string(m.Raw)
	if m.Kind == thing.Reply {
		text = fmt.Sprintf("reply %s to %s", m.State, m.ID)
	}
	s.c.said <- s.name + ": " + text
	s.c.calls.Go(func() { done(nil) })
}

// Logout implements upstream.Device.
func (s seat) Logout(done func(error)) {
	s.c.said <- s.name + " offline"
	s.c.calls.Go(func() { done(nil) })
}

// expect waits for the next things that come out of a channel.
func expect(t *testing.T, from <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-from:
			if got != w {
				t.Errorf("got %q, want %q", got, w)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("waited for %q", w)
		}
	}
}

// everyone is devices that are named at the platform as they name themselves.
type everyone struct{}

func (everyone) Identity(name string) (auth.Identity, error) {
	return auth.Identity{ProductKey: "demo", DeviceName: name}, nil
}

// start starts a bridge, and closes it at the test's end.
func start(t *testing.T, cloud *Cloud, devices bridge.Devices, opts ...bridge.Option) *bridge.Bridge {
	t.Helper()
	b, err := bridge.New(bridge.DefaultConfig(), cloud, devices, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// line is what devices of the tests' own protocol send.
type line struct{ verb, text string }

// greeter brings a device online that says "HELLO NAME WORD", and reports what
// it says as "SAY TEXT".
type greeter struct{}

var errVerb = errors.New("components: want HELLO or SAY")

func (greeter) Received(c *protocol.Conn[line], m line) error {
	switch m.verb {
	case "HELLO":
		name, word, _ := strings.Cut(m.text, " ")
		c.Online(name, []string{word}, func(err error) {
			if err != nil {
				c.Close(err)
				return
			}
			_ = c.Send(line{"WELCOME", name})
		})
		return nil
	case "SAY":
		return c.Report(&thing.Message{Kind: thing.Raw, Raw: []byte(m.text)}, nil)
	default:
		return errVerb
	}
}

var lines = protocol.Define("acme.lines", struct{}{}, func(struct{}) (protocol.Protocol[line], error) {
	return protocol.Protocol[line]{
		Decoder: func() codec.Decoder[line] {
			return codec.Map(codec.Line(256), func(frame []byte) (line, error) {
				verb, text, _ := strings.Cut(string(frame), " ")
				return line{verb, text}, nil
			})
		},
		Encoder: codec.AppendFunc[line](func(dst []byte, m line) ([]byte, error) {
			return append(dst, m.verb+" "+m.text+"\n"...), nil
		}),
		Adapter: func() protocol.Adapter[line] { return greeter{} },
	}, nil
})

// device is a device of that protocol.
type device struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, addr net.Addr) *device {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &device{t, conn, bufio.NewReader(conn)}
}

func (d *device) send(text string) {
	d.t.Helper()
	if _, err := d.conn.Write([]byte(text + "\n")); err != nil {
		d.t.Fatal(err)
	}
}

// hear is the next line that the device gets; empty when it is hung up on.
func (d *device) hear() string {
	text, err := d.in.ReadString('\n')
	if err != nil {
		return ""
	}
	return strings.TrimSpace(text)
}

// pipe is a session's channel that keeps what is written to it.
type pipe struct {
	written chan string
	closed  chan struct{}
	once    sync.Once
}

func newPipe() *pipe { return &pipe{written: make(chan string, 10), closed: make(chan struct{})} }

func (p *pipe) Write(b []byte) (int, error) {
	p.written <- string(b)
	return len(b), nil
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func online(t *testing.T, b *bridge.Bridge, s *session.Session, credentials ...string) {
	t.Helper()
	if err := b.Online(t.Context(), s, credentials...); err != nil {
		t.Fatal(err)
	}
}
