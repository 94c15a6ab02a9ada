package jt808

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/thing"
)

// acks are all that a terminal's ack may be.
var acks = []string{ackReceived, ackStored, ackDelivered}

func withAck(ack string) func(*Config) { return func(c *Config) { c.Ack = ack } }

// What is refused at once is not acknowledged, whatever ack says.
func TestRefusedReports(t *testing.T) {
	t.Parallel()
	for _, ack := range acks {
		t.Run(ack, func(t *testing.T) {
			t.Parallel()
			p := New("jt808")
			x := dialVersion(t, jt808.V2013, p, withAck(ack)).join()
			l := x.place()
			l.Alarm = jt808.AlarmSOS
			x.RefusePublish = errors.New("too much under way")
			x.wantAnswer(x.say(l), jt808.IDLocation, jt808.ResultFailed)
			x.wantAnswer(x.say(batchOf(x, jt808.BatchBacklog, 0, 0)), jt808.IDBatch, jt808.ResultFailed)
			x.wantAnswer(x.say(&jt808.EventReport{EventID: 7}), jt808.IDEventReport, jt808.ResultFailed)
			x.RefusePublish = nil
			x.wantAnswer(x.say(l), jt808.IDLocation, jt808.ResultOK)
			wantNames(t, x.TakeSaid(), "property", "event alarm") // the alarm is new, for nobody has heard of it
			if got := p.Stats().(Stats).Undelivered; got != 3 {
				t.Errorf("%d undelivered, want 3", got)
			}
		})
	}
}

// longBatch sends a batch of n locations in packages, with that alarm in the last.
func (x *terminal) longBatch(n int, last jt808.Alarm) {
	x.t.Helper()
	alarms := make([]jt808.Alarm, n)
	alarms[n-1] = last
	x.Send(slices.Concat(x.packages(batchOf(x, jt808.BatchBacklog, alarms...), 1000)...))
}

// wantEnd checks the answer to the last package; those to the others may be there.
func (x *terminal) wantEnd(result jt808.Result) {
	x.t.Helper()
	if got, ok := results(x.t, x.heard())[x.serial-1]; !ok || got != result {
		x.t.Errorf("result %d, told %v, want %d", got, ok, result)
	}
}

// A long batch is not reported faster than it arrives, and answered when all of it
// has.
func TestLongBatchesArePaced(t *testing.T) {
	t.Parallel()
	for _, ack := range acks {
		t.Run(ack, func(t *testing.T) {
			t.Parallel()
			x := dial(t, withAck(ack)).join()
			x.HoldPublishes = true
			const n = 3000
			x.longBatch(n, jt808.AlarmSOS)
			serial, most := x.serial-1, 0
			for {
				_, held := x.Held()
				if held == 0 {
					break
				}
				most = max(most, held)
				if _, told := results(t, x.heard())[serial]; told {
					t.Fatalf("answered with %d reports under way", held)
				}
				x.Advance(7 * time.Second) // nobody forgets a batch that takes long
				x.ReleasePublish(min(held, 100), nil)
			}
			x.wantEnd(jt808.ResultOK)
			if most > batchUnderWay+1 {
				t.Errorf("%d reports were under way", most)
			}
			wantInOrder(t, x.TakeSaid(), n)
			if len(x.Faults) != 0 {
				t.Errorf("faults %v", x.Faults)
			}
			x.Advance(time.Hour)
			if x.Timers() != 0 {
				t.Errorf("%d timers are left", x.Timers())
			}
		})
	}
}

// wantInOrder checks that said has n locations in their order, and the alarm behind them.
func wantInOrder(t *testing.T, said []protocoltest.Said, n int) {
	t.Helper()
	if len(said) != n+1 || said[n].Kind != thing.Event {
		t.Fatalf("%d reports, want %d and an alarm", len(said), n)
	}
	for i := 1; i < n; i++ {
		if !said[i].Time.After(said[i-1].Time) {
			t.Fatalf("report %d is of %v, after one of %v", i, said[i].Time, said[i-1].Time)
		}
	}
}

// Locations that are not taken keep no others back, but when nothing arrives any more
// the rest is left to the terminal.
func TestLongBatchesThatAreNotTaken(t *testing.T) {
	t.Parallel()
	for _, ack := range acks {
		t.Run(ack, func(t *testing.T) {
			t.Parallel()
			x := dial(t, withAck(ack)).join()
			away := errors.New("platform is away")
			const n = 1000
			x.HoldPublishes = true
			x.longBatch(n, 0)
			x.ReleasePublish(1, away)
			for _, held := x.Held(); held > 0; _, held = x.Held() {
				x.ReleasePublish(held, nil)
			}
			x.wantEnd(jt808.ResultFailed)
			if got := len(x.TakeSaid()); got != n {
				t.Errorf("%d reports, want all %d", got, n)
			}
			x.HoldPublishes, x.FailPublish = false, away
			x.longBatch(n, 0)
			x.wantEnd(jt808.ResultFailed)
			if got := len(x.TakeSaid()); got > 3*batchUnderWay {
				t.Errorf("%d reports to nobody", got)
			}
			x.FailPublish, x.RefusePublish = nil, away
			x.longBatch(n, 0)
			x.wantEnd(jt808.ResultFailed)
			x.RefusePublish = nil
			x.longBatch(n, 0)
			x.wantEnd(jt808.ResultOK)
			if got := len(x.TakeSaid()); got != n {
				t.Errorf("%d reports, want %d", got, n)
			}
		})
	}
}

// A session that ends in the middle of a batch ends the batch.
func TestLongBatchesOfSessionsThatEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(x *terminal){
		"logout": func(x *terminal) { x.say(&jt808.Logout{}) },
		"hangup": func(x *terminal) { x.Hangup() },
		"another": func(x *terminal) {
			x.phone = phoneOf(x.t, "13900139000", jt808.V2013)
			x.Send(x.message(&jt808.Register{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := dial(t).join()
			x.HoldPublishes = true
			const n = 3000
			x.longBatch(n, 0)
			serial := x.serial - 1
			x.heard()
			end(x)
			x.RefusePublish = errors.New("offline")
			_, held := x.Held()
			x.ReleasePublish(held, nil)
			if _, held = x.Held(); held != 0 {
				t.Errorf("%d reports are under way", held)
			}
			x.RefusePublish, x.HoldPublishes = nil, false
			if len(x.TakeSaid()) > batchUnderWay+2 {
				t.Error("the batch went on")
			}
			for _, f := range x.heard() {
				if f.ID != jt808.IDPlatformResponse {
					continue
				}
				if r := parse[jt808.PlatformResponse](t, f); r.Serial == serial && r.Result != jt808.ResultFailed {
					t.Errorf("answer %+v", *r)
				}
			}
			if x.Closed {
				return
			}
			x.join()
			x.longBatch(n, 0)
			x.wantEnd(jt808.ResultOK)
		})
	}
}
