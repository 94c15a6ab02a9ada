package protocoltest_test

import (
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/thing"
)

func connect(t *testing.T) (d *protocoltest.Device, closed *error) {
	t.Helper()
	closed = new(error)
	return protocoltest.Connect(t, newToy(closed), nil), closed
}

func want(t *testing.T, d *protocoltest.Device, text string) {
	t.Helper()
	if got := string(d.Take()); got != text {
		t.Errorf("device was sent %q, want %q", got, text)
	}
}

func TestLoginReportCommand(t *testing.T) {
	t.Parallel()
	d, _ := connect(t)
	d.Send([]byte("HELLO m1\nSAY one\nSAY two\n"))
	want(t, d, "OK\nACK one\nACK two\n")
	if len(d.Said) != 2 || string(d.Said[0].Raw) != "one" || d.Said[1].Identity != "m1" {
		t.Errorf("platform heard %+v", d.Said)
	}
	if len(d.Online) != 1 || d.Online[0].Identity != "m1" || !slices.Equal(d.Online[0].Credentials, []string{"secret"}) {
		t.Errorf("logins %+v", d.Online)
	}
	d.Command(&thing.Command{ID: "7", Kind: thing.Service, Name: "open"})
	want(t, d, "DO m1 open\n")
	if got := d.Live(); !slices.Equal(got, []string{"m1"}) {
		t.Errorf("live %v", got)
	}
	d.Hangup()
	if len(d.Offline) != 1 || !errors.Is(d.Offline[0].Cause, io.EOF) || len(d.Live()) != 0 {
		t.Errorf("offline %+v, live %v", d.Offline, d.Live())
	}
}

func TestByteByByte(t *testing.T) {
	t.Parallel()
	d, _ := connect(t)
	d.SendEach(1, []byte("HELLO m1\nSAY one\n"))
	want(t, d, "OK\nACK one\n")
}

func TestHeldLogin(t *testing.T) {
	t.Parallel()
	d, _ := connect(t)
	d.HoldLogins = true
	d.Send([]byte("HELLO m1\nSAY one\n"))
	want(t, d, "")
	if d.Pending() != len("SAY one\n") || len(d.Tried) != 1 || len(d.Online) != 0 {
		t.Errorf("%d bytes pending, tried %v, online %v", d.Pending(), d.Tried, d.Online)
	}
	if l, p := d.Held(); l != 1 || p != 0 {
		t.Errorf("held %d logins, %d publishes", l, p)
	}
	d.ReleaseLogins(nil)
	want(t, d, "OK\nACK one\n")
}

func TestRefusedLogin(t *testing.T) {
	t.Parallel()
	d, _ := connect(t)
	d.Refuse = errors.New("no such device")
	d.Send([]byte("HELLO m1\n"))
	want(t, d, "NO\n")
	if len(d.Online) != 0 || len(d.Live()) != 0 {
		t.Errorf("online %v, live %v", d.Online, d.Live())
	}
}

func TestLoginReleasedAfterClose(t *testing.T) {
	t.Parallel()
	d, _ := connect(t)
	d.HoldLogins = true
	d.Send([]byte("HELLO m1\n"))
	d.Hangup()
	d.ReleaseLogins(nil)
	if len(d.Online) != 1 || len(d.Offline) != 1 || len(d.Live()) != 0 {
		t.Errorf("online %v, offline %v, live %v: a login that comes too late is undone", d.Online, d.Offline, d.Live())
	}
}

func TestHeldAndFailedPublishes(t *testing.T) {
	t.Parallel()
	d, _ := connect(t)
	d.HoldPublishes = true
	d.Send([]byte("HELLO m1\nSAY 1\nSAY 2\nSAY 3\n"))
	want(t, d, "OK\n")
	d.ReleasePublish(1, nil)
	want(t, d, "ACK 1\n")
	writes := d.Writes
	d.ReleasePublishes(errors.New("away"))
	want(t, d, "NAK 2\nNAK 3\n")
	if d.Writes != writes+1 {
		t.Errorf("%d writes, want one for all completions of a turn", d.Writes-writes)
	}
	d.HoldPublishes, d.FailPublish = false, errors.New("away")
	d.Send([]byte("SAY 4\n"))
	want(t, d, "NAK 4\n")
}

func TestClock(t *testing.T) {
	t.Parallel()
	d, _ := connect(t)
	d.Send([]byte("WAIT\n"))
	d.Advance(59 * time.Second)
	want(t, d, "")
	d.Send([]byte("WAIT\n"))
	d.Advance(time.Second)
	want(t, d, "WAITED\n")
	if d.Timers() != 1 {
		t.Errorf("%d timers, want 1", d.Timers())
	}
	d.Advance(time.Hour)
	want(t, d, "WAITED\n")
	if got := d.Now().Sub(protocoltest.Start); got != time.Hour+time.Minute {
		t.Errorf("clock moved by %v", got)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	d, closed := connect(t)
	d.MaxFaults = 3
	d.AllowPanics = true
	d.Send([]byte("BAD\nPANIC\nWAIT\n"))
	if len(d.Faults) != 2 || string(d.Faults[0].Frame) != "BAD\n" || d.Closed {
		t.Errorf("faults %+v, closed %v", d.Faults, d.Closed)
	}
	var p *protocol.PanicError
	if !errors.As(d.Faults[1].Err, &p) || d.Timers() != 1 {
		t.Errorf("second fault %v, %d timers; want a panic, and what is behind it handled", d.Faults[1].Err, d.Timers())
	}
	d.Send([]byte("BAD\nWAIT\n"))
	if !d.Closed || !errors.Is(d.Cause, protocoltest.ErrTooManyFaults) || !errors.Is(*closed, d.Cause) {
		t.Errorf("closed %v, cause %v, adapter got %v", d.Closed, d.Cause, *closed)
	}
	if d.Timers() != 0 {
		t.Errorf("%d timers after the end", d.Timers())
	}
}

func TestAdapterCloses(t *testing.T) {
	t.Parallel()
	d, closed := connect(t)
	d.Send([]byte("HELLO m1\n"))
	d.Send([]byte("BYE\nSAY no\n"))
	if !errors.Is(d.Cause, errBye) || !errors.Is(*closed, errBye) || len(d.Said) != 0 {
		t.Errorf("cause %v, adapter got %v, said %v", d.Cause, *closed, d.Said)
	}
}

func TestWriteFails(t *testing.T) {
	t.Parallel()
	d, closed := connect(t)
	d.FailWrite = io.ErrClosedPipe
	d.Send([]byte("HELLO m1\n"))
	if !errors.Is(d.Cause, io.ErrClosedPipe) || !errors.Is(*closed, io.ErrClosedPipe) || len(d.Live()) != 0 {
		t.Errorf("cause %v, adapter got %v, live %v", d.Cause, *closed, d.Live())
	}
}

func TestTakeOver(t *testing.T) {
	t.Parallel()
	d, closed := connect(t)
	d.Send([]byte("HELLO m1\n"))
	taken := errors.New("taken over")
	d.TakeOver(d.Online[0].Session, taken)
	if !d.Closed || !errors.Is(*closed, taken) {
		t.Errorf("closed %v, adapter got %v", d.Closed, *closed)
	}
}

func TestHostOption(t *testing.T) {
	t.Parallel()
	var name string
	d := protocoltest.Connect(t, newToy(new(error)), toyConfig{Greeting: "hi"},
		protocoltest.WithHost(func(h *protocol.Host) { name = h.Listener; h.MaxAttached = 1 }))
	d.Send([]byte("HELLO m1\n"))
	want(t, d, "OK\n")
	if name != "test" {
		t.Errorf("listener %q", name)
	}
}

// recorder is a test that notes its errors instead of failing.
type recorder struct {
	testing.TB
	errors int
}

func (r *recorder) Errorf(string, ...any) { r.errors++ }
func (r *recorder) Error(...any)          { r.errors++ }

func TestPanicsFailTheTest(t *testing.T) {
	t.Parallel()
	for allowed, want := range map[bool]int{false: 1, true: 0} {
		r := &recorder{TB: t}
		d := protocoltest.Connect(r, newToy(new(error)), nil)
		d.AllowPanics = allowed
		d.Send([]byte("PANIC\n"))
		if r.errors != want {
			t.Errorf("panics allowed: %v, %d errors, want %d", allowed, r.errors, want)
		}
	}
}

func TestInputIsTakenBack(t *testing.T) {
	t.Parallel()
	var kept []byte
	p := protocol.Define("keeper", struct{}{}, func(struct{}) (protocol.Protocol[[]byte], error) {
		return protocol.Protocol[[]byte]{
			Decoder: func() codec.Decoder[[]byte] { return aliasing{} },
			Adapter: func() protocol.Adapter[[]byte] { return keeper{&kept} },
		}, nil
	})
	d := protocoltest.Connect(t, p, nil)
	d.Send([]byte("abc"))
	if string(kept) == "abc" {
		t.Error("an adapter kept the input and was not found out")
	}
}

type aliasing struct{}

func (aliasing) Decode(in []byte) ([]byte, int, error) { return in, len(in), nil }

type keeper struct{ kept *[]byte }

func (k keeper) Received(_ *protocol.Conn[[]byte], msg []byte) error { *k.kept = msg; return nil }
