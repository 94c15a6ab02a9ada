package jt808

import (
	"slices"
	"testing"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/thing"
)

// terminal is a scripted terminal on a connection in memory.
type terminal struct {
	*protocoltest.Device
	t       testing.TB
	decoder interface {
		Decode(in []byte) (*jt808.Frame, int, error)
	}
	phone   jt808.Phone
	version jt808.Version
	serial  uint16
}

const digits = "13800138000"

// dial connects a terminal to the plugin.
func dial(tb testing.TB, change ...func(*Config)) *terminal {
	tb.Helper()
	return dialVersion(tb, jt808.V2013, New("jt808"), change...)
}

func dialVersion(tb testing.TB, v jt808.Version, p protocol.Plugin, change ...func(*Config)) *terminal {
	tb.Helper()
	c := DefaultConfig()
	for _, f := range change {
		f(&c)
	}
	return &terminal{
		Device:  protocoltest.Connect(tb, p, c),
		t:       tb,
		decoder: jt808.NewDecoder(jt808.DefaultOptions()),
		phone:   phoneOf(tb, digits, v),
		version: v,
	}
}

func phoneOf(tb testing.TB, number string, v jt808.Version) jt808.Phone {
	tb.Helper()
	p, err := jt808.ParsePhone(number, v)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// frame is one frame of the terminal's.
func (x *terminal) frame(id jt808.ID, body []byte) []byte {
	x.t.Helper()
	h := jt808.Header{ID: id, Version: x.version, Phone: x.phone, Serial: x.serial}
	if x.version == jt808.V2019 {
		h.ProtocolVersion = 1
	}
	x.serial++
	b, err := jt808.AppendFrame(nil, &jt808.Frame{Header: h, Body: body})
	if err != nil {
		x.t.Fatal(err)
	}
	return b
}

func (x *terminal) message(b jt808.Body) []byte {
	x.t.Helper()
	body, err := b.AppendBody(nil, x.version)
	if err != nil {
		x.t.Fatal(err)
	}
	return x.frame(b.ID(), body)
}

// say sends one message and returns what was sent back.
func (x *terminal) say(b jt808.Body) []*jt808.Frame {
	x.t.Helper()
	x.Send(x.message(b))
	return x.heard()
}

// heard is the frames that the terminal was sent since the last time.
func (x *terminal) heard() (all []*jt808.Frame) {
	x.t.Helper()
	in := x.Take()
	for len(in) > 0 {
		f, n, err := x.decoder.Decode(in)
		if err != nil {
			x.t.Fatalf("bad frame from the platform: %v in %x", err, in)
		}
		in = in[n:]
		all = append(all, f.Clone())
	}
	return all
}

// parse reads the body of a frame that the terminal was sent.
func parse[B any, P interface {
	*B
	jt808.Body
}](tb testing.TB, f *jt808.Frame) *B {
	tb.Helper()
	b := P(new(B))
	if f.ID != b.ID() {
		tb.Fatalf("message %v, want %v", f.ID, b.ID())
	}
	if err := b.ParseBody(f.Body, f.Version); err != nil {
		tb.Fatal(err)
	}
	return (*B)(b)
}

// only is the one frame that there is.
func only(tb testing.TB, frames []*jt808.Frame) *jt808.Frame {
	tb.Helper()
	if len(frames) != 1 {
		tb.Fatalf("%d frames, want one: %v", len(frames), ids(frames))
	}
	return frames[0]
}

func ids(frames []*jt808.Frame) (all []jt808.ID) {
	for _, f := range frames {
		all = append(all, f.ID)
	}
	return all
}

// wantAnswer checks that frames is one 0x8001 for the terminal's last message.
func (x *terminal) wantAnswer(frames []*jt808.Frame, request jt808.ID, result jt808.Result) {
	x.t.Helper()
	r := parse[jt808.PlatformResponse](x.t, only(x.t, frames))
	if r.Serial != x.serial-1 || r.Request != request || r.Result != result {
		x.t.Fatalf("answer %+v, want serial %d, id %v, result %d", *r, x.serial-1, request, result)
	}
}

// join registers and authenticates, and forgets what was said so far.
func (x *terminal) join() *terminal {
	x.t.Helper()
	r := parse[jt808.RegisterResponse](x.t, only(x.t, x.say(&jt808.Register{Plate: "京A12345", PlateColor: jt808.PlateBlue})))
	if r.Result != jt808.RegisterOK || r.Code == "" {
		x.t.Fatalf("registration: %+v", *r)
	}
	x.wantAnswer(x.say(&jt808.Authenticate{Code: r.Code}), jt808.IDAuthenticate, jt808.ResultOK)
	x.TakeSaid()
	return x
}

// place is a location at the device's time.
func (x *terminal) place() *jt808.Location {
	l := &jt808.Location{Status: jt808.StatusACC | jt808.StatusLocated, Altitude: 44, Speed: 605, Direction: 90, Time: jt808.NewBCDTime(x.Now())}
	l.SetPosition(31_234_567, 121_456_789)
	return l
}

// text is a message's fields as JSON.
func text(fields []thing.Field) string { return string(thing.AppendFields(nil, fields)) }

// names of what the platform was told, in order.
func names(said []protocoltest.Said) (all []string) {
	for _, s := range said {
		name := s.Kind.String()
		if s.Name != "" {
			name += " " + s.Name
		}
		all = append(all, name)
	}
	return all
}

func wantNames(tb testing.TB, said []protocoltest.Said, want ...string) {
	tb.Helper()
	if got := names(said); !slices.Equal(got, want) {
		tb.Fatalf("the platform heard %q, want %q", got, want)
	}
}

func wantField(tb testing.TB, fields []thing.Field, name, want string) {
	tb.Helper()
	v, ok := thing.Get(fields, name)
	if !ok || v.String() != want {
		tb.Errorf("field %s is %v, want %s, in %s", name, v, want, text(fields))
	}
}
