package jt808

import (
	"net/netip"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// loop is a transport and an uplink that do as little as can be. It is used by
// one goroutine.
type loop struct {
	queue, spare []func()
	published    int
	written      int
	last         []byte
}

func (l *loop) Write(p []byte) error {
	l.written += len(p)
	l.last = append(l.last[:0], p...)
	return nil
}
func (l *loop) Do(f func())    { l.queue = append(l.queue, f) }
func (l *loop) Now() time.Time { return time.Unix(1767323045, 0) }
func (l *loop) Close(error)    {}

func (l *loop) After(time.Duration, func()) func()                      { return func() {} }
func (l *loop) Fault(err error, _ []byte) error                         { return err }
func (l *loop) Remote() netip.AddrPort                                  { return netip.AddrPort{} }
func (l *loop) Online(_ *session.Session, _ []string, done func(error)) { done(nil) }
func (l *loop) Offline(*session.Session, error)                         {}
func (l *loop) Publish(_ *session.Session, _ *thing.Message, done func(error)) error {
	l.published++
	if done != nil {
		done(nil)
	}
	return nil
}

func (l *loop) run() {
	for len(l.queue) > 0 {
		queue := l.queue
		l.queue = l.spare[:0]
		for _, f := range queue {
			f()
		}
		l.spare = queue
	}
}

// online is a connection of a terminal that is online, and a location of it.
func online(tb testing.TB, ack string) (l *loop, h protocol.Handler, report []byte) {
	tb.Helper()
	c := DefaultConfig()
	c.Ack = ack
	c.Authentication.Policy = policyAccept
	open, err := New("jt808").New(c)
	if err != nil {
		tb.Fatal(err)
	}
	l = &loop{}
	h = open(l, &protocol.Host{Uplink: l})
	x := &terminal{t: tb, phone: phoneOf(tb, digits, jt808.V2013), version: jt808.V2013}
	place := &jt808.Location{Status: jt808.StatusACC | jt808.StatusLocated, Speed: 605, Time: jt808.NewBCDTime(l.Now()), Extras: []jt808.Extra{
		{ID: jt808.ExtraMileage, Value: []byte{0, 0, 1, 2}},
		{ID: jt808.ExtraFuel, Value: []byte{1, 2}},
		{ID: jt808.ExtraVehicleSignals, Value: []byte{0, 0, 0, 1}},
		{ID: jt808.ExtraSignalStrength, Value: []byte{31}},
		{ID: jt808.ExtraSatellites, Value: []byte{12}},
	}}
	place.SetPosition(31_234_567, 121_456_789)
	login := x.message(&jt808.Authenticate{Code: "any"})
	if n, _, err := h.Data(login); n != len(login) || err != nil {
		tb.Fatal(n, err)
	}
	l.run()
	if h.Session() == nil {
		tb.Fatal("the terminal is not online")
	}
	return l, h, x.message(place)
}

func TestLocationAllocations(t *testing.T) {
	for ack, most := range map[string]float64{ackReceived: 0, ackDelivered: 2} {
		t.Run(ack, func(t *testing.T) {
			l, h, report := online(t, ack)
			said := l.published
			n := testing.AllocsPerRun(1000, func() {
				if _, _, err := h.Data(report); err != nil {
					t.Fatal(err)
				}
				l.run()
			})
			if n > most && !raceEnabled { // the race detector drops what pools hold
				t.Errorf("%v allocations for each location, want at most %v", n, most)
			}
			if l.published-said != 1001 || l.written == 0 {
				t.Errorf("%d reports, %d bytes", l.published-said, l.written)
			}
		})
	}
}

func BenchmarkLocation(b *testing.B) {
	for _, ack := range []string{ackReceived, ackDelivered} {
		b.Run(ack, func(b *testing.B) {
			l, h, report := online(b, ack)
			b.ReportAllocs()
			b.SetBytes(int64(len(report)))
			for b.Loop() {
				if _, _, err := h.Data(report); err != nil {
					b.Fatal(err)
				}
				l.run()
			}
		})
	}
}

func BenchmarkHeartbeat(b *testing.B) {
	l, h, _ := online(b, ackReceived)
	x := &terminal{t: b, phone: phoneOf(b, digits, jt808.V2013), version: jt808.V2013}
	beat := x.message(&jt808.Heartbeat{})
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := h.Data(beat); err != nil {
			b.Fatal(err)
		}
		l.run()
	}
}
