//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/simulate/modbus"
)

// polls are how a variant keeps the schedule of many Modbus lines.
type polls struct {
	Variant  string        `json:"variant"`
	Lines    int           `json:"lines"`
	Interval time.Duration `json:"interval"`
	Phases   []pollPhase   `json:"phases"`
	Memory   footprint     `json:"memory"` // of a line
}

// pollPhase is some time of it. Times are in milliseconds.
type pollPhase struct {
	Name        string  `json:"name"`
	PerSecond   float64 `json:"perSecond"` // polls
	CPU         float64 `json:"cpu"`       // share of a core
	LatenessP99 float64 `json:"latenessP99"`
	LatenessMax float64 `json:"latenessMax"`
	UnevenP99   float64 `json:"unevenP99"` // as units see it: by how much the time between two polls is not the interval
	UnevenMax   float64 `json:"unevenMax"`
	Skipped     uint64  `json:"skipped"`
	Timeouts    uint64  `json:"timeouts"`
}

// comeOnline bounds how long a fleet may take to be there.
const comeOnline = 5 * time.Minute

// polling polls a fleet of Modbus lines: all of them; while a tenth does not answer;
// and when the tenth has gone.
func (b *bench) polling(r *report) error {
	for _, name := range b.wanted(modbusDiscardName, modbusPlatformName) {
		b.say("polls, %s", name)
		one, err := b.pollLines(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		r.Polls = append(r.Polls, one)
	}
	return nil
}

func (b *bench) pollLines(name string) (one polls, err error) {
	one = polls{Variant: name, Lines: b.opts.Lines, Interval: b.opts.Interval}
	settings := b.opts.Interval.String()
	if name == modbusPlatformName {
		broker, e := b.startOn(b.loadCPU, brokerName, "")
		if e != nil {
			return one, e
		}
		defer func() { err = errors.Join(err, broker.end()) }()
		settings += " " + broker.addr
	}
	server, err := b.start(name, settings)
	if err != nil {
		return one, err
	}
	defer func() { err = errors.Join(err, server.end()) }()
	before, err := server.ask("settle")
	if err != nil {
		return one, err
	}
	clock := &evenness{interval: b.opts.Interval}
	dying := max(one.Lines/10, 1)
	living, err := b.startLines(server.addr, 0, one.Lines-dying, clock.dial)
	if err != nil {
		return one, err
	}
	defer func() { err = errors.Join(err, living.end()) }()
	tenth, err := b.startLines(server.addr, one.Lines-dying, dying, nil)
	if err != nil {
		return one, err
	}
	defer func() { err = errors.Join(err, tenth.end()) }()
	if err = b.until(func() (bool, error) {
		s, e := server.ask("state")
		return s.Logins >= uint64(one.Lines*unitsPerLine), e //nolint:gosec // positive
	}); err != nil {
		return one, err
	}
	if err = b.pass(2 * b.opts.Interval); err != nil { // all are at their places then
		return one, err
	}
	for _, phase := range []struct {
		name  string
		begin func() error
	}{
		{"all", func() error { return nil }},
		{"a tenth does not answer", func() error { tenth.silence(); return nil }},
		{"the tenth is gone", tenth.end},
	} {
		if err = phase.begin(); err != nil {
			return one, err
		}
		p, err := b.pollFor(server, clock, phase.name)
		if err != nil {
			return one, err
		}
		one.Phases = append(one.Phases, p)
		if len(one.Phases) > 1 {
			continue
		}
		after, err := server.ask("settle")
		if err != nil {
			return one, err
		}
		one.Memory = footprintOf(name, one.Lines, &before, &after)
	}
	return one, nil
}

// pollFor measures a phase.
func (b *bench) pollFor(server *child, clock *evenness, name string) (p pollPhase, err error) {
	p.Name = name
	began, err := server.ask("state")
	if err != nil {
		return p, err
	}
	clock.reset()
	start := time.Now()
	if err = b.pass(max(b.opts.Duration, 2*b.opts.Interval)); err != nil {
		return p, err
	}
	ended, err := server.ask("state")
	if err != nil {
		return p, err
	}
	took := time.Since(start).Seconds()
	from, to := began.Polling, ended.Polling
	p.PerSecond, p.CPU = float64(to.Polls-from.Polls)/took, (ended.CPU-began.CPU).Seconds()/took
	p.LatenessP99, p.LatenessMax = 1000*to.LatenessP99, 1000*to.LatenessMax
	p.UnevenP99, p.UnevenMax = clock.quantiles()
	p.Skipped, p.Timeouts = to.Skipped-from.Skipped, to.Timeouts-from.Timeouts
	b.say("  %s: %.0f polls/s, %.1f %% of a core, late p99 %.0f ms, max %.0f ms; as units see it %.0f, %.0f ms; %d skipped, %d not answered; load %s", name,
		p.PerSecond, 100*p.CPU, p.LatenessP99, p.LatenessMax, p.UnevenP99, p.UnevenMax, p.Skipped, p.Timeouts, loadAverage())
	if ended.Failures > 0 {
		return p, fmt.Errorf("%d messages were lost", ended.Failures)
	}
	return p, nil
}

// pass lets time pass.
func (b *bench) pass(d time.Duration) error {
	select {
	case <-b.ctx.Done():
		return b.ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// until waits until a fleet is there.
func (b *bench) until(there func() (bool, error)) error {
	for end := time.Now().Add(comeOnline); ; {
		ok, err := there()
		if ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w in %v", errNotThere, comeOnline)
		}
		if err := b.pass(200 * time.Millisecond); err != nil {
			return err
		}
	}
}

// footprintOf is what each of n costs.
func footprintOf(name string, n int, before, after *state) footprint {
	each := func(from, to uint64) float64 { return (float64(to) - float64(from)) / float64(n) }
	return footprint{
		Variant: name, Conns: n, RSS: each(before.RSS, after.RSS), InUse: each(before.InUse, after.InUse), Heap: each(before.Heap, after.Heap),
		Goroutines: float64(after.Threads-before.Threads) / float64(n),
	}
}

// lines are simulated lines that are there until they end.
type lines struct {
	fleet *modbus.Fleet
	count int
	stop  context.CancelFunc
	done  chan error
	once  sync.Once
	err   error
}

// startLines connects lines from number first on, whose units take 100 to 200 ms to
// answer, as over a mobile network.
func (b *bench) startLines(addr string, first, count int, dial modbus.Dialer) (*lines, error) {
	cfg := modbus.DefaultConfig()
	cfg.Target, cfg.Lines, cfg.Units = addr, count, lineUnits
	cfg.ID = fmt.Sprintf("8612345%08d", first)
	cfg.Latency, cfg.Jitter = b.opts.Answer, b.opts.Answer
	var opts []modbus.Option
	if dial != nil {
		opts = append(opts, modbus.WithDialer(dial))
	}
	fleet, err := modbus.New(cfg, opts...)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(b.ctx)
	l := &lines{fleet: fleet, count: count, stop: stop, done: make(chan error, 1)}
	go func() { l.done <- fleet.Run(ctx) }() // ends with end
	return l, nil
}

// silence makes no unit answer any more.
func (l *lines) silence() {
	for line := range l.count {
		for unit := range uint8(unitsPerLine) {
			l.fleet.SetDead(line, unit+1, true)
		}
	}
}

// end breaks the connections off.
func (l *lines) end() error {
	l.once.Do(func() {
		l.stop()
		l.err = <-l.done
	})
	return l.err
}

// evenness is how even polls are, as units see them. Its methods may be called from
// any goroutine.
type evenness struct {
	interval time.Duration
	by       [20_001]atomic.Uint32 // milliseconds that the time between two polls was not the interval
}

func (e *evenness) reset() {
	for i := range e.by {
		e.by[i].Store(0)
	}
}

func (e *evenness) quantiles() (p99, most float64) {
	var total, seen uint64
	for i := range e.by {
		total += uint64(e.by[i].Load())
	}
	for i := range e.by {
		n := uint64(e.by[i].Load())
		if n == 0 {
			continue
		}
		if before := seen; before*100 < total*99 {
			p99 = float64(i)
		}
		seen += n
		most = float64(i)
	}
	return p99, most
}

// dial makes connections that note when requests come.
func (e *evenness) dial(ctx context.Context, target string) (net.Conn, error) {
	c, err := (&net.Dialer{KeepAlive: -1}).DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c, nil
	}
	return &watched{TCPConn: tcp, evenness: e}, nil
}

// watched is a line's connection.
type watched struct {
	*net.TCPConn
	*evenness
	last [unitsPerLine + 1]time.Time // polls of the units
}

// Read implements net.Conn.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.TCPConn.Read(p)
	if n == 0 || p[0] == 0 || int(p[0]) > unitsPerLine {
		return n, err
	}
	now, last := time.Now(), &w.last[p[0]] // one request is under way at a time
	if !last.IsZero() {
		off := (now.Sub(*last) - w.interval).Abs().Milliseconds()
		w.by[min(off, int64(len(w.by)-1))].Add(1)
	}
	*last = now
	return n, err
}
