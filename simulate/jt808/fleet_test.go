package jt808_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	wire "github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/simulate/jt808"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// balanced fails the test unless every report has been accounted for.
func balanced(t *testing.T, f *jt808.Fleet) jt808.Snapshot {
	t.Helper()
	s := f.Stats()
	if s.Sent != s.Acked+s.Refused+s.Lost+s.Pending {
		t.Errorf("%d sent, but %d acked, %d refused, %d lost, %d pending", s.Sent, s.Acked, s.Refused, s.Lost, s.Pending)
	}
	var sent, acked, refused, lost, pending uint64
	for _, d := range f.Devices(0, 0) {
		sent, acked, refused, lost, pending = sent+d.Sent, acked+d.Acked, refused+d.Refused, lost+d.Lost, pending+uint64(d.Pending)
	}
	if sent != s.Sent || acked != s.Acked || refused != s.Refused || lost != s.Lost || pending != s.Pending {
		t.Errorf("terminals: %d sent, %d acked, %d refused, %d lost, %d pending; the fleet: %+v", sent, acked, refused, lost, pending, s)
	}
	return s
}

// drain waits until everything is acknowledged, and ends the fleet.
func drain(t *testing.T, f *jt808.Fleet, stop func()) jt808.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := f.Drain(ctx); err != nil {
		t.Fatalf("%v\n%v", err, f.Report())
	}
	stop()
	return balanced(t, f)
}

func TestTerminalsLogInAndReport(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	f, stop := start(t, p, func(c *jt808.Config) { c.Devices, c.Rate, c.Batch, c.Alarms = 20, 100, 0.2, 0.05 })
	p.until("20 registrations, and reports", func() bool {
		return p.counts[wire.IDRegister] == 20 && p.counts[wire.IDAuthenticate] == 20 && p.counts[wire.IDLocation] > 500 && p.counts[wire.IDBatch] > 10
	})
	s := drain(t, f, stop)
	if s.Lost+s.Refused+s.BadFrames+s.StrayAcks+s.Resent != 0 || s.Commands != 0 {
		t.Errorf("%v", f.Report())
	}
	for _, d := range f.Devices(0, 0) {
		if got := p.number(d.Phone); uint64(got) != d.Sent {
			t.Errorf("%s: %d reports arrived of %d", d.Phone, got, d.Sent)
		}
	}
	t.Logf("\n%v", f.Report())
}
