package migrate

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/codectest"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// cloud is a platform in memory.
type cloud struct {
	mu     sync.Mutex
	logins map[string]upstream.Login // guarded by mu
	said   chan *thing.Message
}

func newCloud() *cloud {
	return &cloud{logins: map[string]upstream.Login{}, said: make(chan *thing.Message, 16)}
}

func (c *cloud) Login(l upstream.Login, done func(upstream.Device, error)) {
	go func() {
		if l.Device.DeviceName == "banned" {
			done(nil, &upstream.RefusedError{Code: 520, Reason: "banned"})
			return
		}
		c.mu.Lock()
		c.logins[l.Device.DeviceName] = l
		c.mu.Unlock()
		done(c, nil)
	}()
}

func (c *cloud) Publish(m *thing.Message, done func(error)) {
	c.said <- m.Clone()
	go done(nil)
}

func (c *cloud) Logout(done func(error)) { go done(nil) }

func (c *cloud) tell(name string, cmd *thing.Command) {
	c.mu.Lock()
	l := c.logins[name]
	c.mu.Unlock()
	l.Command(cmd)
}

var known = Database{func(name string) (auth.Identity, bool) {
	return auth.Identity{ProductKey: "pk", DeviceName: name, DeviceSecret: "s"}, name != "stranger"
}}

func start(t *testing.T, b *bridge.Bridge, err error) {
	t.Helper()
	if err == nil {
		err = b.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}

func heard(t *testing.T, said <-chan *thing.Message) *thing.Message {
	t.Helper()
	select {
	case m := <-said:
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("the platform heard nothing")
		return nil
	}
}

func TestCore(t *testing.T) {
	t.Parallel()
	up := newCloud()
	b, err := bridge.New(bridge.DefaultConfig(), up, known, bridge.WithDownlink(Downlink{}), bridge.WithAuth(Passwords{"m1": "credential", "banned": "credential", "m2": "other", "stranger": "credential"}))
	start(t, b, err)
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	if err := Connect(t.Context(), b, "m1", ours); err != nil {
		t.Fatal(err)
	}
	if err := Publish(t.Context(), b, "m1", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if m := heard(t, up.said); m.Topic != "user/update" || string(m.Raw) != "hello" {
		t.Errorf("the platform heard %+v", m)
	}
	result := make(chan error, 1)
	PublishAsync(b, "m1", []byte("again"), func(err error) { result <- err })
	heard(t, up.said)
	if err := <-result; err != nil {
		t.Error(err)
	}
	up.tell("m1", &thing.Command{ID: "1", Kind: thing.Notice, Topic: "user/get", Raw: []byte("wake up")})
	if line, err := bufio.NewReader(theirs).ReadString('\n'); err != nil || line != "user/get wake up\n" {
		t.Errorf("the device got %q, %v", line, err)
	}
	if m := heard(t, up.said); m.Kind != thing.Reply || m.State != thing.Done {
		t.Errorf("the command ended as %+v", m)
	}
	if _, s, err := Look(b, "m1"); err != nil || s == nil {
		t.Errorf("look: %v, %v", s, err)
	}
	if err := Disconnect(t.Context(), b, "m1"); err != nil {
		t.Error(err)
	}
	if _, s, _ := Look(b, "m1"); s != nil {
		t.Error("still online")
	}
	if _, _, err := Look(b, "stranger"); !errors.Is(err, bridge.ErrUnknownDevice) {
		t.Errorf("look for a stranger: %v", err)
	}
}

func TestLoginsThatFail(t *testing.T) {
	t.Parallel()
	b, err := bridge.New(bridge.DefaultConfig(), newCloud(), known, bridge.WithAuth(Passwords{"banned": "credential", "m2": "other", "stranger": "credential"}))
	start(t, b, err)
	for name, want := range map[string]error{"stranger": bridge.ErrUnknownDevice, "m2": auth.ErrBadCredentials, "m3": auth.ErrBadCredentials, "banned": nil} {
		ours, theirs := net.Pipe()
		err := Connect(t.Context(), b, name, ours)
		var refused *upstream.RefusedError
		if want != nil && !errors.Is(err, want) || want == nil && (!errors.As(err, &refused) || refused.Code != 520) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		_, _ = ours.Close(), theirs.Close()
	}
}

func TestCustomComponents(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.InfoLevel)
	b, err := Custom(newCloud(), known, Passwords{"m1": "credential"}, zap.New(core))
	start(t, b, err)
	connection := &channel{ended: make(chan struct{})}
	s := session.New("m1", connection)
	if err := b.Online(t.Context(), s, "wrong"); !errors.Is(err, auth.ErrBadCredentials) {
		t.Errorf("a wrong password: %v", err)
	}
	s = session.New("m1", connection, session.Heartbeat(50*time.Millisecond, 0))
	if err := b.Online(t.Context(), s, "credential"); err != nil {
		t.Fatal(err)
	}
	<-connection.ended // no heartbeat came
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := b.Close(ctx); err != nil { // the listener has been told all when it returns
		t.Error(err)
	}
	if logs.FilterMessage("heartbeats lost").Len() != 1 {
		t.Errorf("the listener logged %v", logs.All())
	}
}

// channel is a connection that knows when it was closed.
type channel struct {
	once  sync.Once
	ended chan struct{}
}

func (c *channel) Close(error) { c.once.Do(func() { close(c.ended) }) }

func TestCodec(t *testing.T) {
	t.Parallel()
	codectest.Suite[string]{
		New:      NewDecoder,
		Encoder:  codec.AppendFunc[string](Append),
		Frames:   [][]byte{[]byte("\x00\x02m1"), []byte("\x00\x05hello")},
		Want:     []string{"m1", "hello"},
		MaxFrame: 1024,
		Endless:  [][]byte{[]byte("\xff\xff")},
		Resync:   -1, // a length alone tells nothing about damage
	}.Run(t)
}

func TestServer(t *testing.T) {
	t.Parallel()
	for network, p := range map[string]protocol.Plugin{"tcp": Plugin, "udp": Datagrams} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			up := newCloud()
			b, err := bridge.New(bridge.DefaultConfig(), up, known)
			start(t, b, err)
			s, err := Listen(t.Context(), b, p, network, "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close(context.Background()) })
			conn, err := new(net.Dialer).DialContext(t.Context(), network, s.Addr("devices").String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			frame := func(text string) []byte {
				if network == "udp" {
					return []byte(text)
				}
				p, _ := Append(nil, text)
				return p
			}
			for _, text := range []string{"m1", "hello"} {
				if _, err := conn.Write(frame(text)); err != nil {
					t.Fatal(err)
				}
			}
			if m := heard(t, up.said); m.Kind != thing.Publication || string(m.Raw) != "hello" {
				t.Errorf("the platform heard %+v", m)
			}
			want := func(text string) {
				t.Helper()
				got := make([]byte, len(frame(text)))
				if _, err := io.ReadFull(conn, got); err != nil || !slices.Equal(got, frame(text)) {
					t.Errorf("the device got %q, %v, want %q", got, err, frame(text))
				}
			}
			want("ok")
			up.tell("m1", &thing.Command{ID: "1", Kind: thing.Notice, Topic: "user/get", Raw: []byte("wake up")})
			want("wake up")
			if m := heard(t, up.said); m.Kind != thing.Reply || m.State != thing.Done {
				t.Errorf("the command ended as %+v", m)
			}
		})
	}
}

func TestBootSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := Boot(t.Context(), "", "", ""); err == nil {
		t.Error("no error without a gateway")
	}
}
