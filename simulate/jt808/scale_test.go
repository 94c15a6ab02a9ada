package jt808_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	wire "github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/simulate/jt808"
)

// Two hundred terminals, with churn, commands, alarms and batches at once: every
// report arrives and is accounted for.
func TestFleet(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	var mu sync.Mutex
	acked := map[string]map[uint64]int{}
	f, stop := start(t, p, func(c *jt808.Config) {
		c.Devices, c.Rate, c.Churn, c.Batch, c.Alarms, c.Heartbeat = 200, 10, 30, 0.1, 0.05, 200*time.Millisecond
		c.BackoffMax = 200 * time.Millisecond
	}, jt808.WithAcked(func(phone string, number uint64) {
		mu.Lock()
		defer mu.Unlock()
		if acked[phone] == nil {
			acked[phone] = map[uint64]int{}
		}
		acked[phone][number]++
	}))
	for range 5 {
		before := f.Stats()
		eventually(t, "reconnects and reports", func() bool {
			s := f.Stats()
			return s.Reconnects > before.Reconnects+20 && s.Acked > before.Acked+200
		})
		p.tellAll(&wire.QueryLocation{})
	}
	if s := f.Stats(); s.Acked+s.Refused+s.Lost > s.Sent {
		t.Errorf("more answers than reports: %+v", s)
	}
	s := drain(t, f, stop)
	if s.Lost+s.Refused != 0 || s.Commands == 0 || s.Connected != 0 || s.Online != 0 {
		t.Errorf("%v", f.Report())
	}
	for _, d := range f.Devices(0, 0) {
		if d.Sent != d.Acked || uint64(len(acked[d.Phone])) != d.Sent || d.State != "ended" {
			t.Errorf("%+v; %d observed", d, len(acked[d.Phone]))
		}
		for n := uint64(1); n <= d.Sent; n++ {
			if acked[d.Phone][n] != 1 || p.numbers[d.Phone][n] == 0 {
				t.Errorf("%s: report %d was acknowledged %d times, and arrived %d times", d.Phone, n, acked[d.Phone][n], p.numbers[d.Phone][n])
			}
		}
	}
}

// tellAll sends a command to all who are connected.
func (p *platform) tellAll(b wire.Body) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.conns {
		if !s.phone.IsZero() {
			p.send(s, b)
		}
	}
}

func TestRunEndsAtOnceWhateverIsGoingOn(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 30 * time.Millisecond} {
		p := newPlatform(t)
		cfg := jt808.DefaultConfig()
		cfg.Target, cfg.Devices, cfg.Rate, cfg.ConnectRate = p.listen.Addr().String(), 300, 100, 0
		f, err := jt808.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p.accept()
		ctx, cancel := context.WithTimeout(t.Context(), after)
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		if s := balanced(t, f); s.Connected != 0 || s.Online != 0 {
			t.Errorf("after %v: %+v", after, s)
		}
	}
}

func TestDrainTellsWhatIsPending(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.answer = func(f *wire.Frame) (wire.Body, bool) { return nil, f.ID == wire.IDLocation }
	f, stop := start(t, p, func(c *jt808.Config) { c.Rate = 100 })
	p.until("reports", func() bool { return p.counts[wire.IDLocation] > 5 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Drain(ctx); err == nil {
		t.Error("drained without an acknowledgement")
	}
	sent := f.Stats().Sent
	stop()
	if got := f.Stats().Sent; got != sent {
		t.Errorf("%d reports were made after Drain", got-sent)
	}
}

func TestVersionsAndNumbers(t *testing.T) {
	t.Parallel()
	cfg := jt808.DefaultConfig()
	cfg.Devices, cfg.Versions, cfg.FirstPhone = 2000, "2011=1, 2013=1,2019=2", "013912345678"
	f, err := jt808.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := map[wire.Version]int{}
	var phones []string
	for _, d := range f.Devices(0, 0) {
		got[d.Version]++
		phones = append(phones, d.Phone)
	}
	if n := got[wire.V2011]; n < 400 || n > 600 {
		t.Errorf("editions %v", got)
	}
	if n := got[wire.V2019]; n < 900 || n > 1100 {
		t.Errorf("editions %v", got)
	}
	if !slices.IsSorted(phones) || phones[0] != "13912345678" || phones[1999] != "13912347677" {
		t.Errorf("numbers %s to %s", phones[0], phones[1999])
	}
	if page := f.Devices(1998, 10); len(page) != 2 || page[1].Phone != phones[1999] {
		t.Errorf("the last page is %+v", page)
	}
	if page := f.Devices(5000, 1); len(page) != 0 {
		t.Errorf("behind the last page is %+v", page)
	}
}

// The mileage can be the report's number, for checkers that see nothing else.
func TestMileageAsNumber(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.keep = true
	f, stop := start(t, p, func(c *jt808.Config) { c.Rate, c.Number = 100, jt808.NumberMileage })
	p.until("reports", func() bool { return len(p.reports) > 10 })
	drain(t, f, stop)
	for i := range p.reports {
		if m, ok := p.reports[i].Mileage(); !ok || m != uint32(i+1) {
			t.Fatalf("report %d has mileage %d", i+1, m)
		}
		if _, ok := p.reports[i].Extra(jt808.NumberItemID); ok {
			t.Fatal("it has a number item too")
		}
	}
}

func TestSources(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	f, stop := start(t, p, func(c *jt808.Config) { c.Devices, c.Sources = 9, []string{"127.0.0.7", "127.0.0.8", "127.0.0.9"} })
	eventually(t, "all online", func() bool { return f.Stats().Online == 9 })
	stop()
	for _, from := range []string{"127.0.0.7", "127.0.0.8", "127.0.0.9"} {
		if got := p.accepts[from]; got != 3 {
			t.Errorf("%d connections from %s, want 3: %v", got, from, p.accepts)
		}
	}
}
