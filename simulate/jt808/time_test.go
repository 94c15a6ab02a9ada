package jt808_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	wire "github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/simulate/jt808"
)

// pipe is a platform's end of a connection that is no socket: what is written is
// kept until the terminal reads, as a socket would.
type pipe struct {
	net.Conn
	out chan []byte
}

func (p *pipe) Write(b []byte) (int, error) {
	select {
	case p.out <- append([]byte(nil), b...):
		return len(b), nil
	default:
		return 0, errors.New("too much for a test")
	}
}

// inBubble runs a fleet against a platform without sockets, in a bubble whose time
// goes by as fast as it can. do is called once the fleet runs, after which it is ended.
func inBubble(t *testing.T, change func(*jt808.Config), do func(*platform, *jt808.Fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := makePlatform(t)
		dial := func(context.Context, string, net.IP) (net.Conn, error) {
			ours, theirs := net.Pipe()
			end := &pipe{ours, make(chan []byte, 4096)}
			gone := make(chan struct{})
			p.work.Go(func() { p.serve(end); close(gone) })
			p.work.Go(func() {
				for {
					select {
					case b := <-end.out:
						if _, err := ours.Write(b); err != nil {
							return
						}
					case <-gone:
						return
					}
				}
			})
			return theirs, nil
		}
		cfg := jt808.DefaultConfig()
		cfg.Devices, cfg.Number, cfg.Batch, cfg.Alarms, cfg.Workers, cfg.ConnectRate = 1, jt808.NumberItem, 0, 0, 1, 0
		change(&cfg)
		f, err := jt808.New(cfg, jt808.WithDialer(dial))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		p.work.Go(func() {
			if err := f.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		do(p, f)
		cancel()
		p.work.Wait()
		balanced(t, f)
	})
}

// pass lets time go by, and all that happens in it happen. In a bubble that takes none.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (p *platform) count(id wire.ID) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[id]
}

func TestRates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rate  float64
		every time.Duration // looked at
		want  int           // of 20 terminals, each time
	}{
		"one in twenty seconds": {0.05, 20 * time.Second, 20},
		"one a second":          {1, 5 * time.Second, 100},
		"forty a second":        {40, time.Second, 800},
		"none":                  {0, time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(cfg *jt808.Config) { cfg.Devices, cfg.Rate, cfg.Heartbeat = 20, c.rate, 0 }, func(p *platform, f *jt808.Fleet) {
				pass(c.every + time.Second) // all have made their first
				for range 5 {
					before := p.count(wire.IDLocation)
					pass(c.every)
					if got := p.count(wire.IDLocation) - before; got < c.want-2 || got > c.want+2 {
						p.t.Errorf("%d reports in %v, want about %d", got, c.every, c.want)
					}
				}
				if s := f.Stats(); s.Skipped != 0 || s.Resent != 0 {
					p.t.Errorf("%v", f.Report())
				}
			})
		})
	}
}

// Terminals do not all report at one moment.
func TestReportsAreSpread(t *testing.T) {
	t.Parallel()
	inBubble(t, func(cfg *jt808.Config) { cfg.Devices, cfg.Rate, cfg.Heartbeat = 200, 0.1, 0 }, func(p *platform, _ *jt808.Fleet) {
		pass(20 * time.Second)
		for range 10 {
			before := p.count(wire.IDLocation)
			pass(time.Second)
			if got := p.count(wire.IDLocation) - before; got < 5 || got > 45 {
				p.t.Errorf("%d reports in a second, want about 20", got)
			}
		}
	})
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	inBubble(t, func(cfg *jt808.Config) { cfg.Devices, cfg.Rate, cfg.Heartbeat = 10, 0, 30*time.Second }, func(p *platform, f *jt808.Fleet) {
		pass(10 * time.Minute)
		if got := p.count(wire.IDHeartbeat); got < 190 || got > 210 {
			p.t.Errorf("%d heartbeats in ten minutes, want about 200", got)
		}
		for _, d := range f.Devices(0, 0) {
			p.tell(d.Phone, &wire.SetParameters{Params: []wire.Parameter{{ID: 0x0001, Value: wire.Hex{0, 0, 0, 5}}}})
		}
		before := p.count(wire.IDHeartbeat)
		pass(time.Minute)
		if got := p.count(wire.IDHeartbeat) - before; got < 110 || got > 130 {
			p.t.Errorf("%d heartbeats in a minute, want about 120", got)
		}
	})
}

func TestIntervalsAreCommanded(t *testing.T) {
	t.Parallel()
	inBubble(t, func(cfg *jt808.Config) { cfg.Rate, cfg.Heartbeat = 0, 0 }, func(p *platform, f *jt808.Fleet) {
		expect := func(what string, in time.Duration, want int) {
			p.t.Helper()
			before := p.count(wire.IDLocation)
			pass(in)
			if got := p.count(wire.IDLocation) - before; got != want {
				p.t.Errorf("%s: %d reports in %v, want %d", what, got, in, want)
			}
		}
		pass(time.Second)
		expect("no rate", time.Minute, 0)
		p.tell(first, &wire.Track{Interval: 2, Validity: 30})
		expect("tracking", 31*time.Second, 15)
		expect("tracking is over", time.Minute, 0)
		p.tell(first, &wire.SetParameters{Params: []wire.Parameter{{ID: 0x0029, Value: wire.Hex{0, 0, 0, 10}}}})
		expect("interval set", 101*time.Second, 10)
		p.tell(first, &wire.Track{Interval: 1, Validity: 1000})
		expect("tracking", 10500*time.Millisecond, 10)
		p.tell(first, &wire.Track{})
		expect("tracking ended", 50500*time.Millisecond, 5)
	})
}

func TestRetriesGoByTheStandard(t *testing.T) {
	t.Parallel()
	var at []time.Duration
	inBubble(t, func(cfg *jt808.Config) {
		cfg.Rate, cfg.Heartbeat, cfg.AckTimeout, cfg.Retries = 0, 0, 10*time.Second, 3
	}, func(p *platform, f *jt808.Fleet) {
		begin := time.Now()
		p.mu.Lock()
		p.answer = func(f *wire.Frame) (wire.Body, bool) {
			if f.ID == wire.IDRegister && p.accepted == 1 {
				at = append(at, time.Since(begin).Round(time.Second))
			}
			return nil, f.ID == wire.IDRegister
		}
		p.mu.Unlock()
		p.untilIn(time.Hour, func() bool { return p.accepted > 1 })
		at = append(at, time.Since(begin).Round(time.Second))
	})
	want := []time.Duration{0, 10 * time.Second, 30 * time.Second, 90 * time.Second, 331 * time.Second}
	if len(at) != len(want) {
		t.Fatalf("attempts at %v, want about %v", at, want)
	}
	for i := range want {
		if d := at[i] - want[i]; d < -time.Second || d > 2*time.Second {
			t.Errorf("attempts at %v, want about %v", at, want)
			break
		}
	}
}

// untilIn waits in a bubble.
func (p *platform) untilIn(most time.Duration, ok func() bool) {
	p.t.Helper()
	for end := time.Now().Add(most); ; pass(100 * time.Millisecond) {
		p.mu.Lock()
		done := ok()
		p.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("not in %v", most)
		}
	}
}

func TestChurn(t *testing.T) {
	t.Parallel()
	inBubble(t, func(cfg *jt808.Config) { cfg.Devices, cfg.Rate, cfg.Churn = 50, 0.2, 0.5 }, func(p *platform, f *jt808.Fleet) {
		pass(20 * time.Minute)
		s := f.Stats()
		if s.Broken < 350 || s.Broken > 650 {
			p.t.Errorf("%d connections broken off in 20 minutes, want about 500", s.Broken)
		}
		if s.Sent < 11_500 || s.Lost != 0 || s.Online < 45 || s.Reconnects < s.Broken-5 || s.ClosedByPeer != 0 {
			p.t.Errorf("%v", f.Report())
		}
	})
}

func TestAttemptsToConnectGetRarer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		cfg := jt808.DefaultConfig()
		cfg.Devices, cfg.BackoffMin, cfg.BackoffMax, cfg.Duration = 1, time.Second, 30*time.Second, 10*time.Minute
		f, err := jt808.New(cfg, jt808.WithDialer(func(context.Context, string, net.IP) (net.Conn, error) {
			at = append(at, time.Now())
			return nil, errors.New("refused")
		}))
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d != cfg.Duration {
			t.Errorf("ran for %v, want %v", d, cfg.Duration)
		}
		if err := f.Run(t.Context()); !errors.Is(err, jt808.ErrRun) {
			t.Errorf("the second Run: %v, want ErrRun", err)
		}
		if len(at) < 20 || len(at) > 50 {
			t.Fatalf("%d attempts in ten minutes, want about 28", len(at))
		}
		for i := 1; i < len(at); i++ {
			most := min(time.Second<<min(i-1, 10), cfg.BackoffMax)
			if wait := at[i].Sub(at[i-1]); wait < most/2 || wait > most+time.Second {
				t.Errorf("wait %d was %v, want %v to %v", i, wait, most/2, most)
			}
		}
	})
}

func TestAnswersAreDelayed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(cfg *jt808.Config) { cfg.Rate, cfg.AnswerDelay = 0, 3*time.Second }, func(p *platform, _ *jt808.Fleet) {
		pass(time.Second)
		p.tell(first, &wire.LinkCheck{})
		pass(2900 * time.Millisecond)
		if got := p.count(wire.IDTerminalResponse); got != 0 {
			p.t.Error("answered at once")
		}
		pass(200 * time.Millisecond)
		if got := p.count(wire.IDTerminalResponse); got != 1 {
			p.t.Errorf("%d answers after 3.1 s, want 1", got)
		}
	})
}

// What is reported is one drive: each report is as far from the one before as
// speed and mileage say, and less fuel is left, or more after filling up.
func TestReportsBelongTogether(t *testing.T) {
	t.Parallel()
	inBubble(t, func(cfg *jt808.Config) { cfg.Rate, cfg.Versions, cfg.Alarms = 1, "2019", 0.02 }, func(p *platform, _ *jt808.Fleet) {
		p.mu.Lock()
		p.keep = true
		p.mu.Unlock()
		pass(20 * time.Minute)
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.reports) < 1190 {
			p.t.Fatalf("%d reports in 20 minutes", len(p.reports))
		}
		stops, alarms := 0, map[wire.Alarm]bool{}
		for i := 1; i < len(p.reports); i++ {
			a, b := &p.reports[i-1], &p.reports[i]
			mean := float64(a.Speed+b.Speed) / 2 / 36
			if d := distance(a, b); d > mean+0.5 { // a corner is cut at most
				p.t.Errorf("report %d is %.1f m from the one before, at %.1f m/s", i, d, mean)
			}
			am, _ := a.Mileage()
			bm, _ := b.Mileage()
			if driven := float64(bm-am) * 100; driven < mean-101 || driven > mean+101 {
				p.t.Errorf("report %d: %v m driven at %v m/s", i, driven, mean)
			}
			at, ok1 := a.Time.Time()
			bt, ok2 := b.Time.Time()
			if d := bt.Sub(at); !ok1 || !ok2 || d < 0 || d > 2*time.Second {
				p.t.Errorf("report %d is %v after the one before", i, d)
			}
			if b.Alarm.Has(wire.AlarmOverspeed) != (b.Speed > 800) {
				p.t.Errorf("report %d: alarms %v at %d", i, b.Alarm.Names(wire.V2019), b.Speed)
			}
			if !b.InRange() || b.Direction > 359 || b.Speed > 1100 || b.Altitude < 1 || b.Status.Has(wire.StatusMoving) != (b.Speed > 18) && b.Speed != 18 {
				p.t.Errorf("report %d: %+v", i, b)
			}
			if b.Speed == 0 {
				stops++
			}
			for bit := range 32 {
				if b.Alarm.Has(1 << bit) {
					alarms[1<<bit] = true
				}
			}
		}
		if stops == 0 || stops > 700 {
			p.t.Errorf("it stood still in %d of %d reports", stops, len(p.reports))
		}
		if len(alarms) < 2 || alarms[wire.AlarmSOS] && p.reports[len(p.reports)-1].Alarm.Has(wire.AlarmSOS) && p.reports[len(p.reports)-3].Alarm.Has(wire.AlarmSOS) {
			p.t.Errorf("alarms %v", alarms)
		}
	})
}
