package jt808

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

// packages cuts a message into packages of at most size bytes.
func (x *terminal) packages(b jt808.Body, size int) (all [][]byte) {
	x.t.Helper()
	body, err := b.AppendBody(nil, x.version)
	if err != nil {
		x.t.Fatal(err)
	}
	total := (len(body) + size - 1) / size
	for i := range total {
		h := jt808.Header{
			ID: b.ID(), Version: x.version, Phone: x.phone, Serial: x.serial,
			Total: uint16(total), Index: uint16(i + 1),
		}
		x.serial++
		frame, err := jt808.AppendFrame(nil, &jt808.Frame{Header: h, Body: body[i*size : min(len(body), (i+1)*size)]})
		if err != nil {
			x.t.Fatal(err)
		}
		all = append(all, frame)
	}
	return all
}

// results are those of the 0x8001 in frames, by serial.
func results(tb testing.TB, frames []*jt808.Frame) map[uint16]jt808.Result {
	tb.Helper()
	all := map[uint16]jt808.Result{}
	for _, f := range frames {
		r := parse[jt808.PlatformResponse](tb, f)
		all[r.Serial] = r.Result
	}
	return all
}

func TestPackages(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][]int{"in order": {0, 1, 2}, "backwards": {2, 1, 0}, "with copies": {0, 0, 1, 1, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := dial(t).join()
			first := x.serial
			p := x.packages(batchOf(x, jt808.BatchNormal, 0, 0, 0), 40)
			for _, i := range order {
				x.Send(p[i])
			}
			if got := results(t, x.heard()); len(got) != 3 || got[first] != 0 || got[first+1] != 0 || got[first+2] != 0 {
				t.Errorf("results %v", got)
			}
			wantNames(t, x.TakeSaid(), "property", "property", "property")
		})
	}
}

func TestOnlyTheLastPackageIsAnswered(t *testing.T) {
	t.Parallel()
	x := dial(t, func(c *Config) { c.Packages.Acknowledge = acknowledgeLast }).join()
	p := x.packages(batchOf(x, jt808.BatchNormal, 0, 0, 0), 40)
	for _, frame := range p {
		x.Send(frame)
	}
	x.wantAnswer(x.heard(), jt808.IDBatch, jt808.ResultOK)
}

func TestMissingPackagesAreAskedFor(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	first := x.serial
	p := x.packages(batchOf(x, jt808.BatchNormal, 0, 0, 0), 40)
	x.Send(p[0])
	x.Send(p[2])
	x.heard()
	x.Advance(5 * time.Second)
	r := parse[jt808.PlatformResendRequest](t, only(t, x.heard()))
	if r.FirstSerial != first || !slices.Equal(r.Packets, []uint16{2}) {
		t.Errorf("asked for %+v", *r)
	}
	x.Send(p[1])
	if got := results(t, x.heard()); len(got) != 1 || got[first+1] != jt808.ResultOK {
		t.Errorf("results %v", got)
	}
	wantNames(t, x.TakeSaid(), "property", "property", "property")
	x.Advance(time.Hour)
	if x.Timers() != 0 {
		t.Errorf("%d timers are left", x.Timers())
	}
}

func TestIncompleteMessagesAreGivenUp(t *testing.T) {
	t.Parallel()
	p := New("jt808")
	x := dialVersion(t, jt808.V2013, p).join()
	x.Send(x.packages(batchOf(x, jt808.BatchNormal, 0, 0, 0), 40)[0])
	x.heard()
	x.Advance(2 * time.Minute)
	if got := len(x.heard()); got != 3 {
		t.Errorf("asked %d times, want 3", got)
	}
	if x.Timers() != 0 || len(x.Said) != 0 {
		t.Errorf("%d timers, said %v", x.Timers(), names(x.Said))
	}
	if got := p.Stats().(Stats); got.Incomplete != 1 || got.PackagesMissing != 6 || got.Packages != 1 {
		t.Errorf("counted %+v", got)
	}
}

// TestDisplacedMessagesAreCounted: what newer ones displace is given up as well.
func TestDisplacedMessagesAreCounted(t *testing.T) {
	t.Parallel()
	p := New("jt808")
	x := dialVersion(t, jt808.V2013, p).join()
	for i := range 100 {
		h := jt808.Header{ID: jt808.IDPassthrough, Version: x.version, Phone: x.phone, Serial: x.serial, Total: uint16(3 + i), Index: 1}
		x.serial++
		frame, err := jt808.AppendFrame(nil, &jt808.Frame{Header: h, Body: make([]byte, 50)})
		if err != nil {
			t.Fatal(err)
		}
		x.Send(frame)
	}
	x.heard()
	x.Advance(2 * time.Minute)
	if got := p.Stats().(Stats); got.Incomplete != 100 {
		t.Errorf("counted %d, want 100", got.Incomplete)
	}
}

// TestSerialsUsedAgain: a terminal that begins every message with the same serial is
// heard every time, and what it repeats is still known.
func TestSerialsUsedAgain(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	first := x.serial
	for i := range 3 {
		x.serial = first
		b := batchOf(x, jt808.BatchNormal, 0, 0, 0)
		for j := range b.Locations {
			b.Locations[j].Direction = uint16(10*i + j)
		}
		p := x.packages(b, 40)
		for _, frame := range p {
			x.Send(frame)
		}
		if got := results(t, x.heard()); len(got) != 3 || got[first] != 0 || got[first+1] != 0 || got[first+2] != 0 {
			t.Errorf("message %d: results %v", i, got)
		}
		wantNames(t, x.TakeSaid(), "property", "property", "property")
		x.Send(p[1])
		if got := results(t, x.heard()); len(got) != 1 || got[first+1] != 0 || len(x.TakeSaid()) != 0 {
			t.Errorf("message %d: a late copy: %v", i, got)
		}
	}
}

func TestPackageFloodsAreBounded(t *testing.T) {
	t.Parallel()
	x := dial(t, func(c *Config) { c.Packages.MaxBytes = 4096; c.Packages.MaxMessages = 2 }).join()
	body := make([]byte, 900)
	for i := range 200 {
		h := jt808.Header{ID: 0x0F00 + jt808.ID(i%40), Version: x.version, Phone: x.phone, Serial: x.serial, Total: 60000, Index: uint16(1 + i/40)}
		x.serial++
		frame, err := jt808.AppendFrame(nil, &jt808.Frame{Header: h, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		x.Send(frame)
	}
	x.heard()
	if x.Closed || len(x.Said) != 0 {
		t.Errorf("closed %v, said %d", x.Closed, len(x.Said))
	}
	for range 10 { // one message that is too large by itself
		h := jt808.Header{ID: 0x0F77, Version: x.version, Phone: x.phone, Serial: x.serial, Total: 60000, Index: x.serial}
		x.serial++
		frame, _ := jt808.AppendFrame(nil, &jt808.Frame{Header: h, Body: body})
		x.Send(frame)
	}
	got := results(t, x.heard())
	if got[x.serial-1] != jt808.ResultFailed {
		t.Errorf("a message that is too large is answered by %v", got)
	}
	x.wantAnswer(x.say(x.place()), jt808.IDLocation, jt808.ResultOK)
}

func TestUndeliveredPackagesAreTakenAgain(t *testing.T) {
	t.Parallel()
	x := dial(t, delivered).join()
	x.HoldPublishes = true
	first := x.serial
	p := x.packages(batchOf(x, jt808.BatchNormal, 0, 0, 0), 40)
	for _, frame := range p {
		x.Send(frame)
	}
	if got := results(t, x.heard()); len(got) != 2 {
		t.Errorf("before the platform has it: %v", got)
	}
	x.Send(p[2]) // it is being delivered: no answer yet
	if got := x.heard(); len(got) != 0 {
		t.Errorf("a copy was answered by %v", ids(got))
	}
	x.ReleasePublishes(errors.New("platform is away"))
	if got := results(t, x.heard()); got[first+2] != jt808.ResultFailed {
		t.Errorf("results %v", got)
	}
	x.TakeSaid()
	x.HoldPublishes = false
	for _, frame := range p {
		x.Send(frame)
	}
	if got := results(t, x.heard()); len(got) != 3 || got[first+2] != jt808.ResultOK {
		t.Errorf("results %v", got)
	}
	wantNames(t, x.TakeSaid(), "property", "property", "property")
	x.Send(p[2])
	if got := results(t, x.heard()); got[first+2] != jt808.ResultOK || len(x.TakeSaid()) != 0 {
		t.Errorf("a late copy: %v", got)
	}
}

func TestWhatIsKnownOfMessagesLastsAWhile(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	p := x.packages(batchOf(x, jt808.BatchNormal, 0, 0, 0), 40)
	for _, frame := range p {
		x.Send(frame)
	}
	x.heard()
	x.TakeSaid()
	x.Advance(30 * time.Second)
	x.Send(p[2])
	only(t, x.heard())
	if got := x.TakeSaid(); len(got) != 0 {
		t.Errorf("a late copy is new: %v", names(got))
	}
	x.Advance(2 * time.Minute)
	if x.Timers() != 0 {
		t.Errorf("%d timers", x.Timers())
	}
}

func TestPlatformMessagesAreNotAnswered(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	if got := x.say(&jt808.PlatformResponse{}); len(got) != 0 {
		t.Errorf("answered by %v", ids(got))
	}
}

func TestStrangersHaveNoRoomForPackages(t *testing.T) {
	t.Parallel()
	x := dial(t)
	x.Send(x.packages(batchOf(x, jt808.BatchNormal, 0, 0, 0), 40)[0])
	if got := results(t, x.heard()); got[0] != jt808.ResultFailed || x.Timers() != 0 {
		t.Errorf("results %v, %d timers", got, x.Timers())
	}
}

func TestAnswersInPackages(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	x.Command(&thing.Command{ID: "1", Kind: thing.GetProperties})
	f := only(t, x.heard())
	b := &jt808.Parameters{Serial: f.Serial}
	for i := range 40 {
		b.Params = append(b.Params, jt808.Parameter{ID: jt808.ParameterID(0xF000 + i), Value: make([]byte, 60)})
	}
	for _, frame := range x.packages(b, 500) {
		x.Send(frame)
	}
	if got := x.heard(); len(got) != 0 {
		t.Errorf("an answer was answered by %v", ids(got))
	}
	said := x.TakeSaid()
	wantNames(t, said, "reply")
	if said[0].State != thing.Done || len(said[0].Fields) != 40 {
		t.Errorf("reply %+v", said[0].Message)
	}
}
