package jt808_test

import (
	"net"
	"slices"
	"testing"
	"time"

	wire "github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/simulate/jt808"
)

const first = "13800138001" // the first terminal's number

func TestUnansweredReportsAreSentAgain(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	seen := map[uint16]int{} // by serial
	p.answer = func(f *wire.Frame) (wire.Body, bool) {
		if f.ID != wire.IDLocation {
			return nil, false
		}
		seen[f.Serial]++
		return nil, seen[f.Serial] <= 2 // no answer to the first two
	}
	f, stop := start(t, p, func(c *jt808.Config) { c.Rate, c.AckTimeout = 100, 50*time.Millisecond })
	p.until("reports that came three times", func() bool {
		n := 0
		for _, times := range seen {
			if times >= 3 {
				n++
			}
		}
		return n >= 10
	})
	s := drain(t, f, stop)
	if s.Resent < 20 || s.Silences != 0 || s.Acked == 0 || s.Lost != 0 {
		t.Errorf("%v", f.Report())
	}
}

func TestSilentPlatformIsGivenUpAndTheBacklogComesInBatches(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	silent := true
	p.answer = func(f *wire.Frame) (wire.Body, bool) { return nil, silent && f.ID == wire.IDLocation }
	var kinds []wire.BatchKind
	f, stop := start(t, p, func(c *jt808.Config) { c.Rate, c.AckTimeout, c.Retries = 200, 100*time.Millisecond, 1 })
	p.until("a second connection", func() bool {
		if p.accepted < 2 {
			return false
		}
		silent = false
		return true
	})
	p.mu.Lock()
	p.answer = func(f *wire.Frame) (wire.Body, bool) {
		if f.ID == wire.IDBatch {
			kinds = append(kinds, p.parse(f).(*wire.Batch).Kind)
		}
		return nil, false
	}
	p.mu.Unlock()
	p.until("batches", func() bool { return p.counts[wire.IDBatch] > 0 })
	s := drain(t, f, stop)
	if s.Silences == 0 || s.Reconnects == 0 || s.Acked != s.Sent {
		t.Errorf("%v", f.Report())
	}
	if slices.ContainsFunc(kinds, func(k wire.BatchKind) bool { return k != wire.BatchBacklog }) {
		t.Errorf("batches of kinds %v, want backlog", kinds)
	}
	if got := p.counts[wire.IDRegister]; got != 1 {
		t.Errorf("registered %d times, want once: it has its code", got)
	}
	if got := p.number(first); uint64(got) != s.Sent {
		t.Errorf("%d reports arrived of %d", got, s.Sent)
	}
}

func TestReportsMadeWhileDisconnectedArrive(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	f, stop := start(t, p, func(c *jt808.Config) { c.Devices, c.Rate, c.BatchSize = 5, 100, 40 }) // batches of three packages
	p.until("reports", func() bool { return p.counts[wire.IDLocation] > 50 })
	for n := range 5 {
		p.disconnect()
		eventually(t, "all terminals again", func() bool { s := f.Stats(); return s.Reconnects == uint64(5*n+5) && s.Online == 5 })
	}
	s := drain(t, f, stop)
	if s.ClosedByPeer != 25 || s.Reconnects != 25 || s.Lost != 0 || s.Acked != s.Sent {
		t.Errorf("%v", f.Report())
	}
	for _, d := range f.Devices(0, 0) {
		if got := p.number(d.Phone); uint64(got) != d.Sent {
			t.Errorf("%s: %d reports arrived of %d", d.Phone, got, d.Sent)
		}
	}
}

// Batches that take several packages are sent again whole, and what is
// acknowledged for one of their packages is not taken for the batch's.
func TestLargeBatches(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	dropped := 0
	p.answer = func(f *wire.Frame) (wire.Body, bool) {
		if f.ID == wire.IDBatch && dropped < 2 {
			dropped++
			return &wire.PlatformResponse{Serial: f.Serial, Request: f.ID}, true // that of the first package
		}
		return nil, false
	}
	f, stop := start(t, p, func(c *jt808.Config) { c.Rate, c.Batch, c.BatchSize, c.AckTimeout = 500, 1, 30, 100*time.Millisecond })
	p.until("batches", func() bool { return p.counts[wire.IDBatch] > 20 })
	s := drain(t, f, stop)
	if s.Acked != s.Sent || s.StrayAcks != 0 || s.Resent == 0 || uint64(p.number(first)) != s.Sent {
		t.Errorf("%d arrived\n%v", p.number(first), f.Report())
	}
}

func TestWithoutRoomTheOldestReportIsLost(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.answer = func(f *wire.Frame) (wire.Body, bool) { return nil, f.ID == wire.IDLocation || f.ID == wire.IDBatch }
	f, stop := start(t, p, func(c *jt808.Config) { c.Rate, c.Pending, c.Batch, c.BatchSize = 500, 16, 0.5, 3 })
	p.until("more reports than there is room for", func() bool { return p.counts[wire.IDLocation] > 50 && p.counts[wire.IDBatch] > 10 })
	stop()
	s := balanced(t, f)
	if s.Lost == 0 || s.Pending > 16 || s.Acked != 0 {
		t.Errorf("%v", f.Report())
	}
}

func TestNegativeAnswers(t *testing.T) {
	t.Parallel()
	for result, want := range map[wire.Result]func(jt808.Snapshot) bool{
		wire.ResultFailed: func(s jt808.Snapshot) bool {
			return s.Acked == s.Sent && s.Refused == 0 && s.Resent > 0 && s.Failed > 0
		},
		wire.ResultWrong:          func(s jt808.Snapshot) bool { return s.Refused > 0 && s.Acked+s.Refused == s.Sent && s.Resent == 0 },
		wire.ResultAlarmConfirmed: func(s jt808.Snapshot) bool { return s.Acked == s.Sent && s.Failed == 0 },
	} {
		t.Run(result.String(), func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			seen := map[uint16]bool{}
			p.answer = func(f *wire.Frame) (wire.Body, bool) {
				if f.ID != wire.IDLocation || seen[f.Serial] {
					return nil, false
				}
				seen[f.Serial] = true
				return &wire.PlatformResponse{Serial: f.Serial, Request: f.ID, Result: result}, true
			}
			f, stop := start(t, p, func(c *jt808.Config) { c.Rate, c.AckTimeout = 200, 300*time.Millisecond })
			p.until("reports", func() bool { return p.counts[wire.IDLocation] >= 20 })
			if s := drain(t, f, stop); !want(s) {
				t.Errorf("%v", f.Report())
			}
		})
	}
}

func TestRefusedLoginsAreTriedAgain(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.answer = func(f *wire.Frame) (wire.Body, bool) {
		switch n := p.counts[f.ID]; {
		case f.ID == wire.IDRegister && n == 1:
			return &wire.RegisterResponse{Serial: f.Serial, Result: wire.RegisterTerminalUnknown}, true
		case f.ID == wire.IDAuthenticate && n == 1:
			return &wire.PlatformResponse{Serial: f.Serial, Request: f.ID, Result: wire.ResultFailed}, true
		}
		return nil, false
	}
	f, stop := start(t, p, func(c *jt808.Config) { c.Rate = 100 })
	p.until("reports", func() bool { return p.counts[wire.IDLocation] > 3 })
	drain(t, f, stop)
	if p.counts[wire.IDRegister] != 3 || p.counts[wire.IDAuthenticate] != 2 || p.accepted != 3 {
		t.Errorf("%d registrations, %d authentications, %d connections; want 3, 2, 3", p.counts[wire.IDRegister], p.counts[wire.IDAuthenticate], p.accepted)
	}
}

// A terminal whose code is not taken any more registers on the same connection.
func TestOldCode(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.answer = func(f *wire.Frame) (wire.Body, bool) {
		if f.ID == wire.IDAuthenticate && p.counts[f.ID] == 2 {
			return &wire.PlatformResponse{Serial: f.Serial, Request: f.ID, Result: wire.ResultFailed}, true
		}
		return nil, false
	}
	f, stop := start(t, p, nil)
	p.until("a login", func() bool { return p.counts[wire.IDAuthenticate] == 1 })
	eventually(t, "the terminal is online", func() bool { return f.Stats().Online == 1 })
	p.disconnect()
	p.until("another code", func() bool { return p.counts[wire.IDAuthenticate] == 3 && p.counts[wire.IDRegister] == 2 })
	stop()
	if p.accepted != 2 {
		t.Errorf("%d connections, want 2", p.accepted)
	}
}

func TestUnansweredLoginsAndHeartbeatsAreRepeatedThenGivenUp(t *testing.T) {
	t.Parallel()
	for _, id := range []wire.ID{wire.IDRegister, wire.IDAuthenticate, wire.IDHeartbeat} {
		t.Run(id.Name(), func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			var serials []uint16
			p.answer = func(f *wire.Frame) (wire.Body, bool) {
				if f.ID == id && p.accepted == 1 {
					serials = append(serials, f.Serial)
				}
				return nil, f.ID == id
			}
			_, stop := start(t, p, func(c *jt808.Config) {
				c.Rate, c.AckTimeout, c.Retries, c.Heartbeat = 0, 30*time.Millisecond, 2, 30*time.Millisecond
			})
			p.until("a second connection", func() bool { return p.accepted > 1 })
			stop()
			if len(serials) != 3 || serials[0] != serials[1] || serials[0] != serials[2] {
				t.Errorf("serials %v, want three times the same", serials)
			}
		})
	}
}

func TestWhereNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := l.Addr().String()
	_ = l.Close()
	p := newPlatform(t)
	f, stop := start(t, p, func(c *jt808.Config) { c.Target, c.Devices = target, 3 })
	eventually(t, "attempts", func() bool { return f.Stats().DialErrors >= 6 })
	stop()
	if s := balanced(t, f); s.Connects != 0 || s.Sent != 0 {
		t.Errorf("%+v", s)
	}
}
