//go:build linux

package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// latencies are how long devices wait for acknowledgements, in microseconds.
type latencies struct {
	Variant string    `json:"variant"`
	Rate    int       `json:"rate"` // messages per second
	P50s    []float64 `json:"p50s"`
	P99s    []float64 `json:"p99s"`
	P50     float64   `json:"p50"` // medians over the turns
	P99     float64   `json:"p99"`
}

// latency is the time from when a report should have been sent to its
// acknowledgement, at a moderate rate.
func (b *bench) latency(r *report) error {
	b.say("latency")
	var all []*stand
	for _, name := range b.socketVariants() {
		s, err := b.open(name, "", b.opts.Steady, framesPerDevice)
		if err != nil {
			return errors.Join(err, shutAll(all))
		}
		all = append(all, s)
	}
	results, err := b.paced(all)
	r.Latency = results
	return errors.Join(err, shutAll(all))
}

// paced is the latencies of the stands, which take turns.
func (b *bench) paced(all []*stand) ([]latencies, error) {
	results := make([]latencies, len(all))
	for range b.opts.Rounds {
		for i, s := range all {
			sorted, err := s.fleet.pace(b.opts.Duration, b.opts.Rate)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			at := func(part float64) float64 { return float64(sorted[int(part*float64(len(sorted)-1))]) / 1e3 }
			results[i].P50s = append(results[i].P50s, at(0.50))
			results[i].P99s = append(results[i].P99s, at(0.99))
		}
	}
	for i, s := range all {
		l := &results[i]
		l.Variant, l.Rate, l.P50, l.P99 = s.series.Variant, b.opts.Rate, median(l.P50s), median(l.P99s)
	}
	return results, b.ctx.Err()
}

// footprint is what a connection costs that is online and idle, in bytes.
type footprint struct {
	Variant    string  `json:"variant"`
	Conns      int     `json:"conns"`
	RSS        float64 `json:"rss"`   // resident memory of the process
	InUse      float64 `json:"inUse"` // heap spans and stacks
	Heap       float64 `json:"heap"`  // live objects
	Goroutines float64 `json:"goroutines"`
}

// memory is what idle connections cost: every device has logged in and reported
// once, and the server has collected its garbage and given back what it can.
func (b *bench) memory(r *report) error {
	for _, name := range b.wanted(limitName, goroutinesName, discardName, platformName, discardUDPName, goroutinesTLSName, discardTLSName) {
		b.say("memory, %s", name)
		one, err := b.footprint(name)
		if err != nil {
			return err
		}
		r.Memory = append(r.Memory, one)
	}
	return nil
}

func (b *bench) footprint(name string) (one footprint, err error) {
	settings := ""
	if name == platformName {
		broker, e := b.startOn(b.loadCPU, brokerName, "")
		if e != nil {
			return one, e
		}
		defer func() { err = errors.Join(err, broker.end()) }()
		settings = broker.addr + " 1"
	}
	warm, err := b.open(name, settings, 1, 1)
	if err != nil {
		return one, err
	}
	defer func() { err = errors.Join(err, warm.shut()) }()
	if _, _, err = warm.fleet.saturate(0, 1); err != nil {
		return one, err
	}
	before, err := warm.ask("settle")
	if err != nil {
		return one, err
	}
	n := b.opts.Conns
	f, err := newFleet(warm.addr, 1, n, 1) // device 0 is warm's
	if err != nil {
		return one, err
	}
	return b.fill(warm.child, f, before, footprint{Variant: name, Conns: n})
}

// fill connects the fleet, lets each device report once, and measures.
func (b *bench) fill(c *child, f *fleet, before state, one footprint) (footprint, error) {
	defer f.close()
	if _, err := f.connect(connectWindow); err != nil {
		return one, fmt.Errorf("%s: %w", c.name, err)
	}
	if _, _, err := f.saturate(0, 1); err != nil {
		return one, fmt.Errorf("%s: %w", c.name, err)
	}
	after, err := c.ask("settle")
	if err != nil {
		return one, err
	}
	return footprintOf(one.Variant, one.Conns, &before, &after), nil
}

// storms are how fast devices go online that all come at once.
type storms struct {
	Variant   string    `json:"variant"`
	Conns     int       `json:"conns"`
	PerSecond []float64 `json:"perSecond"`
	CPUs      []float64 `json:"cpus"`
	Rate      float64   `json:"rate"` // connections per second, median over the turns
	CPU       float64   `json:"cpu"`  // microseconds of the server per connection, likewise
}

// storm is devices that connect, authenticate and wait for the acknowledgement.
func (b *bench) storm(r *report) error {
	b.say("storm")
	var all []*child
	var results []storms
	for _, name := range append(b.socketVariants(), b.tlsVariants()...) {
		c, err := b.start(name, "")
		if err != nil {
			return errors.Join(err, endAll(all))
		}
		all = append(all, c)
		conns := b.opts.Storm
		if strings.HasPrefix(c.addr, tlsPrefix) {
			conns /= 4 // what is done within the time that a handshake may take
		}
		results = append(results, storms{Variant: name, Conns: conns})
	}
	err := func() error {
		for turn := range b.opts.Rounds + 1 { // the first does not count
			for i, c := range all {
				rate, cpu, err := b.oneStorm(c, results[i].Conns)
				if err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				if turn > 0 {
					results[i].PerSecond = append(results[i].PerSecond, rate)
					results[i].CPUs = append(results[i].CPUs, cpu)
				}
			}
		}
		return b.ctx.Err()
	}()
	for i := range results {
		results[i].Rate, results[i].CPU = median(results[i].PerSecond), median(results[i].CPUs)
	}
	r.Storm = results
	return errors.Join(err, endAll(all))
}

func (b *bench) oneStorm(c *child, conns int) (rate, cpu float64, err error) {
	f, err := newFleet(c.addr, 0, conns, 1)
	if err != nil {
		return 0, 0, err
	}
	defer f.close()
	before, err := c.ask("state")
	if err != nil {
		return 0, 0, err
	}
	took, err := f.connect(conns)
	if err != nil {
		return 0, 0, err
	}
	after, err := c.ask("state")
	if err != nil {
		return 0, 0, err
	}
	n := float64(conns)
	return n / took.Seconds(), float64((after.CPU - before.CPU).Microseconds()) / n, f.check()
}

// platform is what a report costs all the way to the platform, beside a client
// of the same MQTT library that publishes the same payloads and does nothing
// else. Each has a platform of its own, on the generator's core.
func (b *bench) platform(r *report) error {
	for qos := range 2 {
		b.say("platform, QoS %d", qos)
		if err := b.platformAt(r, qos); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) platformAt(r *report, qos int) (err error) {
	var all []*stand
	var brokers []*child
	defer func() { err = errors.Join(err, shutAll(all), endAll(brokers)) }()
	broker := func() (string, error) {
		c, err := b.startOn(b.loadCPU, brokerName, "")
		if err != nil {
			return "", err
		}
		brokers = append(brokers, c)
		return fmt.Sprintf("%s %d", c.addr, qos), nil
	}
	for _, sh := range []shape{
		{Name: "burst", Devices: burstDevices, Burst: b.opts.Burst},
		{Name: "steady", Devices: b.opts.Steady, Burst: 1},
	} {
		if !b.opts.wants(platformName) {
			continue
		}
		settings, err := broker()
		if err != nil {
			return err
		}
		s, err := b.open(platformName, settings, sh.Devices, framesPerDevice)
		if err != nil {
			return err
		}
		s.series.Shape = fmt.Sprintf("qos%d-%s", qos, sh.Name)
		s.turn = b.untilPublished(brokers[len(brokers)-1], func() (int, time.Duration, error) {
			return s.fleet.saturate(b.opts.Duration, sh.Burst)
		})
		all = append(all, s)
	}
	if b.opts.wants(bareName) {
		settings, err := broker()
		if err != nil {
			return err
		}
		c, err := b.start(bareName, settings)
		if err != nil {
			return err
		}
		s := &stand{child: c, series: series{Variant: bareName, Shape: fmt.Sprintf("qos%d", qos)}}
		s.turn = b.untilPublished(brokers[len(brokers)-1], func() (int, time.Duration, error) {
			began := time.Now()
			done, err := c.ask("drive " + b.opts.Duration.String())
			return done.Done, time.Since(began), err
		})
		all = append(all, s)
	}
	if err := b.profiled(all); err != nil {
		return err
	}
	for _, s := range all {
		r.Platform = append(r.Platform, s.series)
	}
	return nil
}

// untilPublished is turn and the wait until the platform has counted what was
// sent.
func (b *bench) untilPublished(broker *child, turn func() (int, time.Duration, error)) func() (int, time.Duration, error) {
	return func() (int, time.Duration, error) {
		before, err := broker.ask("state")
		if err != nil {
			return 0, 0, err
		}
		sent, took, err := turn()
		if err != nil {
			return sent, took, err
		}
		for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			after, err := broker.ask("state")
			if err != nil {
				return sent, took, err
			}
			switch have := int(after.Payloads - before.Payloads); { //nolint:gosec // small
			case after.Failures != before.Failures:
				return sent, took, fmt.Errorf("the platform refused %d messages", after.Failures-before.Failures)
			case have == sent:
				return sent, took, nil
			case have > sent || time.Now().After(deadline):
				return sent, took, fmt.Errorf("%d messages of %d arrived at the platform", have, sent)
			}
		}
	}
}
