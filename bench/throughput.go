//go:build linux

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// sample is what one turn of a variant has shown, by message.
type sample struct {
	Messages      int     `json:"messages"`
	PerSecond     float64 `json:"perSecond"`
	CPU           float64 `json:"cpuMicros"` // of the server process
	Allocs        float64 `json:"allocs"`    // heap objects
	WritesPerRead float64 `json:"writesPerRead,omitempty"`
	PerRead       float64 `json:"messagesPerRead,omitempty"`
	PayloadBytes  float64 `json:"payloadBytes,omitempty"`
	Arrived       float64 `json:"arrivedPerSecond,omitempty"` // messages, until the platform has the last
	PerSync       float64 `json:"messagesPerSync,omitempty"`
}

// series is the turns of a variant.
type series struct {
	Variant string   `json:"variant"`
	Shape   string   `json:"shape"`
	Devices int      `json:"devices,omitempty"`
	Samples []sample `json:"samples"`
	Median  sample   `json:"median"` // figure by figure
}

func (s *series) close() {
	of := func(figure func(sample) float64) float64 {
		all := make([]float64, len(s.Samples))
		for i, one := range s.Samples {
			all[i] = figure(one)
		}
		return median(all)
	}
	s.Median = sample{
		Messages:      int(of(func(s sample) float64 { return float64(s.Messages) })),
		PerSecond:     of(func(s sample) float64 { return s.PerSecond }),
		CPU:           of(func(s sample) float64 { return s.CPU }),
		Allocs:        of(func(s sample) float64 { return s.Allocs }),
		WritesPerRead: of(func(s sample) float64 { return s.WritesPerRead }),
		PerRead:       of(func(s sample) float64 { return s.PerRead }),
		PayloadBytes:  of(func(s sample) float64 { return s.PayloadBytes }),
		Arrived:       of(func(s sample) float64 { return s.Arrived }),
		PerSync:       of(func(s sample) float64 { return s.PerSync }),
	}
}

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	all = slices.Sorted(slices.Values(all))
	if n := len(all); n%2 == 0 {
		return (all[n/2-1] + all[n/2]) / 2
	}
	return all[len(all)/2]
}

// stand is a server with a fleet that is online there.
type stand struct {
	*child
	fleet  *fleet
	series series
	turn   func() (sent int, took time.Duration, err error)
	// arrival is how long it took until all of the turn was at the platform, if the
	// turn says so.
	arrival time.Duration
}

// open starts a server with n devices.
func (b *bench) open(variant, settings string, n, frames int) (*stand, error) {
	c, err := b.start(variant, settings)
	if err != nil {
		return nil, err
	}
	s := &stand{child: c, series: series{Variant: variant, Devices: n}}
	if s.fleet, err = newFleet(c.addr, 0, n, frames); err == nil {
		_, err = s.fleet.connect(connectWindow)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variant, errors.Join(err, s.shut()))
	}
	return s, nil
}

// connectWindow is how many devices go online at a time.
const connectWindow = 256

func (s *stand) shut() error {
	if s.fleet != nil {
		s.fleet.close()
	}
	return s.end()
}

func shutAll(all []*stand) error {
	errs := make([]error, len(all))
	for i, s := range all {
		errs[i] = s.shut()
	}
	return errors.Join(errs...)
}

// measure makes one turn and checks that the server has counted what the
// generator has.
func (s *stand) measure() (sample, error) {
	before, err := s.ask("state")
	if err != nil {
		return sample{}, err
	}
	sent, took, err := s.turn()
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", s.name, err)
	}
	after, err := s.counted(before.Messages + uint64(sent)) //nolint:gosec // not negative
	if err != nil {
		return sample{}, err
	}
	one := sampleOf(before, after, sent, took)
	if s.arrival > 0 {
		one.Arrived = float64(sent) / s.arrival.Seconds()
	}
	switch n := uint64(sent); { //nolint:gosec // not negative
	case sent == 0:
		return one, fmt.Errorf("%s: nothing was sent", s.name)
	case after.Messages-before.Messages != n && !isBare(s.name):
		return one, fmt.Errorf("%s: counted %d messages of %d", s.name, after.Messages-before.Messages, n)
	case one.PayloadBytes > 0 && after.Payloads-before.Payloads != n:
		return one, fmt.Errorf("%s: counted %d payloads of %d messages", s.name, after.Payloads-before.Payloads, n)
	case after.Failures != before.Failures:
		return one, fmt.Errorf("%s: %d failures", s.name, after.Failures-before.Failures)
	}
	return one, nil
}

// counted is the server's state once it has counted that many messages, or a
// second has passed: it counts a message after it has answered it.
func (s *stand) counted(messages uint64) (state, error) {
	for end := time.Now().Add(time.Second); ; {
		now, err := s.ask("state")
		if err != nil || now.Messages >= messages || isBare(s.name) || time.Now().After(end) {
			return now, err
		}
		time.Sleep(time.Millisecond)
	}
}

func sampleOf(before, after state, sent int, took time.Duration) sample {
	n := float64(max(sent, 1))
	one := sample{
		Messages:     sent,
		PerSecond:    n / took.Seconds(),
		CPU:          float64((after.CPU - before.CPU).Microseconds()) / n,
		Allocs:       float64(after.Mallocs-before.Mallocs) / n,
		PayloadBytes: float64(after.Bytes-before.Bytes) / n,
	}
	if syncs := float64(after.Syncs - before.Syncs); syncs > 0 {
		one.PerSync = n / syncs
	}
	if reads := float64(after.Reads - before.Reads); reads > 0 {
		one.WritesPerRead = float64(after.Writes-before.Writes) / reads
		one.PerRead = n / reads
	}
	return one
}

// rounds lets the stands take turns, after one that does not count.
func (b *bench) rounds(all []*stand) error {
	for _, s := range all {
		if _, err := s.measure(); err != nil {
			return err
		}
	}
	for i := range b.opts.Rounds {
		for _, s := range all {
			if err := b.ctx.Err(); err != nil {
				return err
			}
			one, err := s.measure()
			if err != nil {
				return err
			}
			s.series.Samples = append(s.series.Samples, one)
		}
		b.say("  round %d of %d", i+1, b.opts.Rounds)
	}
	for _, s := range all {
		s.series.close()
	}
	return nil
}

// profiled makes the rounds with CPU profiles, if these are wanted.
func (b *bench) profiled(all []*stand) error {
	if b.opts.Profile == "" {
		return b.rounds(all)
	}
	for _, s := range all {
		path := filepath.Join(b.opts.Profile, fmt.Sprintf("%s-%s.pprof", s.series.Variant, s.series.Shape))
		if _, err := s.ask("profile " + path); err != nil {
			return err
		}
	}
	err := b.rounds(all)
	for _, s := range all {
		_, e := s.ask("profile")
		err = errors.Join(err, e)
	}
	return err
}

// burstDevices is how many devices the shape burst has.
const burstDevices = 8

// throughput is how many reports per second a server takes, and what each costs.
func (b *bench) throughput(r *report) (err error) {
	r.Throughput, err = b.saturated("throughput", b.opts.Burst, b.socketVariants())
	return err
}

// saturated is what variants take in bursts of that many reports and one by one,
// of devices that never wait longer than for an acknowledgement.
func (b *bench) saturated(title string, burst int, variants []string) ([]series, error) {
	var done []series
	for _, sh := range []shape{
		{Name: "burst", Devices: burstDevices, Burst: burst},
		{Name: "steady", Devices: b.opts.Steady, Burst: 1},
	} {
		b.say("%s, %s", title, sh.Name)
		var all []*stand
		for _, name := range variants {
			s, err := b.open(name, "", sh.Devices, framesPerDevice)
			if err != nil {
				return nil, errors.Join(err, shutAll(all))
			}
			s.series.Shape = sh.Name
			s.turn = func() (int, time.Duration, error) { return s.fleet.saturate(b.opts.Duration, sh.Burst) }
			all = append(all, s)
		}
		if err := errors.Join(b.profiled(all), shutAll(all)); err != nil {
			return nil, err
		}
		for _, s := range all {
			done = append(done, s.series)
		}
	}
	return done, nil
}
