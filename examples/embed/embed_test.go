package embed_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/linkspan/linkspan/examples/embed"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

// A device's bytes reach the local platform, the platform's reach the device,
// and it is offline when its connection has ended.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	cfg := aliyun.DefaultConfig()
	cfg.Endpoint = "tcp://" + p.MQTTAddr()
	cfg.ProductKey, cfg.DeviceName, cfg.DeviceSecret = "gateway", "bridge", "gw-secret"
	connector, err := aliyun.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	up, presence := &tap{Connector: connector}, make(chan string, 20)
	watch, err := p.Subscribe(platform.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- embed.Serve(ctx, l, up, embed.Devices{"m1": {ProductKey: "demo", DeviceName: "meter-1", DeviceSecret: "s1"}},
			session.ListenerFunc(func(e session.Event) { presence <- e.Session.Identity() + " " + e.Kind.String() }))
	}()

	conn, in := dial(t, l)
	say(t, conn, "m1 hello")
	if m := until(t, watch, api.KindRaw); string(m.Raw) != "hello" || m.DeviceName != "meter-1" {
		t.Errorf("the platform got %+v", m)
	}
	say(t, conn, "m1 alarm")
	if m := until(t, watch, api.KindRaw); string(m.Raw) != "alarm" {
		t.Errorf("the platform got %+v", m)
	}
	if _, err = p.SendRaw(ctx, "demo", "meter-1", []byte("wake up")); err != nil {
		t.Fatal(err)
	}
	hear(t, in, "wake up")
	up.host.Broadcast(&thing.Command{Kind: thing.Notice, Topic: "/broadcast/gateway/all", Raw: []byte("storm\n")})
	hear(t, in, "storm")
	_ = conn.Close() // the device hangs up
	until(t, watch, api.KindOffline)

	conn, in = dial(t, l)
	say(t, conn, "m1 again")
	until(t, watch, api.KindRaw)
	stranger, answers := dial(t, l)
	say(t, stranger, "m1 BYE") // nobody ends another one's session
	if text, end := answers.ReadString('\n'); end != io.EOF {
		t.Errorf("a stranger's BYE: %q, %v", text, end)
	}
	if _, err = p.SendRaw(ctx, "demo", "meter-1", []byte("still there")); err != nil {
		t.Fatal(err)
	}
	hear(t, in, "still there")
	say(t, conn, "m1 BYE")
	until(t, watch, api.KindOffline)
	for _, want := range []string{"created", "online", "offline", "created", "online", "offline"} {
		if got := <-presence; got != "m1 "+want {
			t.Errorf("presence %q, want %q", got, want)
		}
	}
	cancel()
	if err = <-served; err != nil {
		t.Error(err)
	}
}

// A device that nobody knows is hung up on, and so is one that says nonsense.
func TestStrangers(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- embed.Serve(ctx, l, nowhere{}, embed.Devices{}, nil) }()
	for _, line := range []string{"m2 hello", "nonsense"} {
		conn, in := dial(t, l)
		say(t, conn, line)
		if text, err := in.ReadString('\n'); err != io.EOF {
			t.Errorf("%s: %q, %v", line, text, err)
		}
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// A listener that fails ends the program, and says why.
func TestAListenerThatFails(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := embed.Serve(t.Context(), l, nowhere{}, embed.Devices{}, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v, want that of the listener", err)
	}
}

// nowhere is a platform that no device reaches.
type nowhere struct{}

func (nowhere) Login(_ upstream.Login, done func(upstream.Device, error)) {
	done(nil, upstream.ErrNotConnected)
}

// tap is a connector that lets the test speak as the platform.
type tap struct {
	*aliyun.Connector

	host upstream.Host
}

func (c *tap) Start(ctx context.Context, h upstream.Host) error {
	c.host = h
	return c.Connector.Start(ctx, h)
}

func dial(t *testing.T, l net.Listener) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

func say(t *testing.T, conn net.Conn, line string) {
	t.Helper()
	if _, err := conn.Write([]byte(line + "\n")); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, in *bufio.Reader, want string) {
	t.Helper()
	if line, err := in.ReadString('\n'); err != nil || line != want+"\n" {
		t.Errorf("the device got %q, %v, want %q", line, err, want)
	}
}

func startPlatform(t *testing.T) *platform.Platform {
	t.Helper()
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress = "127.0.0.1:0", ""
	cfg.Devices = []platform.Device{
		{ProductKey: "gateway", DeviceName: "bridge", DeviceSecret: "gw-secret"},
		{ProductKey: "demo", DeviceName: "meter-1", DeviceSecret: "s1", Gateway: "gateway/bridge"},
	}
	p, err := platform.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

// until waits for the next message of that kind about the meter.
func until(t *testing.T, w *platform.Watch, kind string) api.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		m, err := w.Next(ctx)
		if err != nil {
			t.Fatalf("no %s: %v", kind, err)
		}
		if m.Kind == kind && m.DeviceName == "meter-1" {
			return m
		}
	}
}
