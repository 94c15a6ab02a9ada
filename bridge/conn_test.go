package bridge_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// teller is an adapter of lines: "I name" logs in, "+ name" attaches a further
// device, "= done" ends the command that was told last, another line is a
// report that is acknowledged when the platform has it.
type teller struct {
	on   *session.Session
	told *thing.Command
}

type lineConn = protocol.Conn[string]

func (a *teller) Received(c *lineConn, line string) error {
	word, name, _ := strings.Cut(line, " ")
	switch word {
	case "I":
		c.Online(name, nil, func(err error) { _ = c.Send(fmt.Sprintf("%s: %v", name, err)) })
	case "+":
		c.Attach(name, nil, func(_ *session.Session, err error) { _ = c.Send(fmt.Sprintf("+%s: %v", name, err)) })
	case "=":
		c.Reply(a.on, a.told, thing.Done, nil)
	default:
		return c.Report(&thing.Message{Kind: thing.Raw, Raw: []byte(line)}, func(err error) { _ = c.Send(fmt.Sprintf("%s %v", line, err)) })
	}
	return nil
}

func (a *teller) Command(c *lineConn, s *session.Session, cmd *thing.Command) error {
	a.on, a.told = s, cmd
	return c.Send("do " + cmd.Name)
}

// wired is a device whose connection leads to b.
func wired(tb testing.TB, b *bridge.Bridge) *protocoltest.Device {
	tb.Helper()
	lines := func() codec.Decoder[string] {
		return codec.Map(codec.Line(100), func(line []byte) (string, error) { return string(line), nil })
	}
	plugin := protocol.Define("lines", struct{}{}, func(struct{}) (protocol.Protocol[string], error) {
		return protocol.Protocol[string]{
			Decoder: lines,
			Encoder: codec.AppendFunc[string](func(dst []byte, line string) ([]byte, error) { return append(append(dst, line...), '\n'), nil }),
			Adapter: func() protocol.Adapter[string] { return &teller{} },
		}, nil
	})
	return protocoltest.Connect(tb, plugin, nil, protocoltest.WithHost(func(h *protocol.Host) { h.Uplink = b.Uplink() }))
}

func sent(tb testing.TB, d *protocoltest.Device, want ...string) {
	tb.Helper()
	got := strings.Split(string(bytes.TrimSuffix(d.Take(), []byte("\n"))), "\n")
	if !slices.Equal(got, want) {
		tb.Errorf("the device was sent %q, want %q", got, want)
	}
}

func raws(h *handle) (list []string) {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	for _, m := range h.said {
		list = append(list, string(m.Raw))
	}
	return list
}

// TestConnections is the way from a connection's bytes to the platform and back,
// with its loop stopped at every step.
func TestConnections(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.manual = true
	presence := newPresence()
	b := newBridge(t, p, bridge.DefaultConfig(), bridge.WithListener(presence))

	older := wired(t, b)
	older.Send([]byte("I a\none\n")) // the report waits behind the login
	sent(t, older, "")
	p.last().login.Command(&thing.Command{ID: "0", Kind: thing.Service, Name: "early"})
	p.finish()
	older.Run()
	sent(t, older, "a: <nil>", "do early", "one <nil>")
	first := p.last()
	older.Send([]byte("=\n"))
	if !slices.Equal(raws(first), []string{"one", ""}) || !slices.Equal(first.replies(), []string{"0 done"}) {
		t.Errorf("the platform heard %q with replies %q", raws(first), first.replies())
	}

	newer := wired(t, b)
	newer.Send([]byte("I a\ntwo\n"))
	older.Send([]byte("late\n"))
	if second := p.last(); second == first || first.logouts != 1 {
		t.Fatal("the newer login was not called, or the older not logged out behind it")
	}
	if !older.Closed || !errors.Is(older.Cause, session.ErrTakenOver) {
		t.Errorf("older connection closed %v with %v", older.Closed, older.Cause)
	}
	p.finish()
	newer.Run()
	sent(t, newer, "a: <nil>", "two <nil>")
	older.Hangup() // long over: the newer session is none of its business
	if p.last().logouts != 0 || b.Sessions().Get("a") == nil || slices.Contains(raws(p.last()), "late") {
		t.Error("the older connection disturbs the newer session")
	}

	newer.Send([]byte("+ b\n"))
	newer.Hangup() // with the login of b under way
	p.finish()
	newer.Run()
	if b.Sessions().Len() != 0 || len(p.current) != 0 || p.last().login.Device.DeviceName != "b" || p.last().logouts != 1 {
		t.Errorf("%d sessions, logged in %v, %+v", b.Sessions().Len(), p.current, b.Stats())
	}
	if len(presence.errs) > 0 {
		t.Error(presence.errs)
	}
}

// TestBridgeClosesConnections: its devices are logged out, their connections end.
func TestBridgeClosesConnections(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.inline = func(int) bool { return true }
	b, err := bridge.New(bridge.DefaultConfig(), p, names{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := wired(t, b)
	d.Send([]byte("I a\n+ b\none\n"))
	sent(t, d, "a: <nil>", "+b: <nil>", "one <nil>")
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.Send([]byte("two\n"))
	if !d.Closed || !errors.Is(d.Cause, bridge.ErrClosed) {
		t.Errorf("closed %v with %v", d.Closed, d.Cause)
	}
	for _, h := range p.all {
		if h.logouts != 1 {
			t.Errorf("%s was logged out %d times", h.login.Device.DeviceName, h.logouts)
		}
	}
	again := wired(t, b)
	again.Send([]byte("I a\n"))
	sent(t, again, "a: "+bridge.ErrClosed.Error())
}

// TestConnectionsStorm: connections of few devices come, take each other over,
// and go, while the platform answers on goroutines of its own and ends logins
// by itself. Afterwards nobody is online, and every login has ended once.
func TestConnectionsStorm(t *testing.T) {
	t.Parallel()
	p, presence := newPlatform(), newPresence()
	b, err := bridge.New(bridge.DefaultConfig(), p, names{}, bridge.WithListener(presence))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	const loops, connections = 4, 200
	devices := make([][connections]*protocoltest.Device, loops)
	var running sync.WaitGroup
	for loop := range loops {
		running.Go(func() {
			dice := rand.New(rand.NewPCG(1, uint64(loop))) // a storm that can be repeated
			for i := range devices[loop] {
				d := wired(t, b)
				devices[loop][i] = d
				live(d, p, dice)
			}
		})
	}
	running.Wait()
	for range 3 { // what completes after the end: logins, and then the logouts that undo them
		p.async.Wait()
		for loop := range devices {
			for _, d := range devices[loop] {
				d.Run()
			}
		}
	}
	if b.Sessions().Len() != 0 || len(p.current) != 0 {
		t.Errorf("%d sessions, logged in %v", b.Sessions().Len(), p.current)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, h := range p.all {
		if h.logouts > 1 || h.logouts == 0 && !h.lost {
			t.Fatalf("a login of %s was logged out %d times", h.login.Device.DeviceName, h.logouts)
		}
	}
	for s, times := range presence.online {
		if times != 1 || presence.gone[s] != 1 {
			t.Errorf("%s was online %d times and went offline %d times", s.Identity(), times, presence.gone[s])
		}
	}
	st := b.Stats()
	if len(presence.errs) > 0 || st.InFlight != 0 {
		t.Errorf("presence %q, %+v", presence.errs, st)
	}
	t.Logf("%d logins, %d of them taken back by the platform, %d messages", st.Logins, st.Lost, st.Delivered)
}

// live is the life of one connection.
func live(d *protocoltest.Device, p *platform, dice *rand.Rand) {
	d.Send(fmt.Appendf(nil, "I d%d\n", dice.IntN(3)))
	for range dice.IntN(8) {
		d.Send(fmt.Appendf(nil, "+ d%d\nhello\n", dice.IntN(3)))
		if dice.IntN(4) == 0 {
			p.lose(p.any(dice))
		}
	}
	d.Hangup()
}

// any is one of the logins so far.
func (p *platform) any(dice *rand.Rand) *handle {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[dice.IntN(len(p.all))]
}
