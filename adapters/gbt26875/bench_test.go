package gbt26875

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
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
}

func (l *loop) Write(p []byte) error {
	l.written += len(p)
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

// bench is a connection of a device that is online.
func bench(tb testing.TB, ack string) (*loop, protocol.Handler, *panel) {
	tb.Helper()
	c := DefaultConfig()
	c.Ack = ack
	open, err := New(Name).New(c)
	if err != nil {
		tb.Fatal(err)
	}
	l := &loop{}
	h := open(l, &protocol.Host{Uplink: l})
	x := online(tb) // makes frames
	if _, _, err := h.Data(x.frame(gbt26875.CommandSend, nil)); err != nil {
		tb.Fatal(err)
	}
	l.run()
	if h.Session() == nil {
		tb.Fatal("the device is not online")
	}
	return l, h, x
}

// renumber makes another frame of frame.
func renumber(frame []byte, serial uint16) {
	old := frame[2] + frame[3]
	binary.LittleEndian.PutUint16(frame[2:], serial)
	frame[len(frame)-3] += frame[2] + frame[3] - old
}

// feed sends the frame again and again, with a number of its own each time.
func feed(tb testing.TB, l *loop, h protocol.Handler, frame []byte) func() {
	tb.Helper()
	serial := uint16(0)
	return func() {
		serial++
		renumber(frame, serial)
		if _, _, err := h.Data(frame); err != nil {
			tb.Fatal(err)
		}
		l.run()
	}
}

// What comes every few seconds allocates nothing; a fire little.
func TestAllocations(t *testing.T) {
	for ack, extra := range map[string]float64{ackReceived: 0, ackDelivered: 2} {
		l, h, x := bench(t, ack)
		for name, test := range map[string]struct {
			frame []byte
			most  float64
		}{
			"heartbeat":    {x.frame(gbt26875.CommandSend, nil), 0},
			"device state": {x.unit(x.own(gbt26875.DeviceNormal)), extra},
			"fire":         {x.unit(parts(x.smoke(2, fire))), 14 + 2*extra},
		} {
			said := l.published
			n := testing.AllocsPerRun(500, feed(t, l, h, test.frame))
			if n > test.most && !raceEnabled { // the race detector drops what pools hold
				t.Errorf("%s, %s: %v allocations, want at most %v", ack, name, n, test.most)
			}
			if test.most > 4 && l.published-said != 2*501 {
				t.Errorf("%s, %s: %d reports", ack, name, l.published-said)
			}
		}
	}
}

func BenchmarkFrames(b *testing.B) {
	for _, ack := range []string{ackReceived, ackDelivered} {
		l, h, x := bench(b, ack)
		for _, test := range []struct {
			name  string
			frame []byte
		}{
			{"heartbeat", x.frame(gbt26875.CommandSend, nil)},
			{"state", x.unit(x.own(gbt26875.DeviceNormal))},
			{"fire", x.unit(parts(x.smoke(2, fire)))},
		} {
			b.Run(ack+"/"+test.name, func(b *testing.B) {
				send := feed(b, l, h, test.frame)
				b.ReportAllocs()
				b.SetBytes(int64(len(test.frame)))
				for b.Loop() {
					send()
				}
			})
		}
	}
}
