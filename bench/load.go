//go:build linux

package main

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// shape is how the load of the throughput looks.
type shape struct {
	Name    string `json:"name"`
	Devices int    `json:"devices"`
	Burst   int    `json:"burst"` // reports that a device writes at once; they are all acknowledged before the next
}

// saturate sends as fast as the server acknowledges: every device burst reports
// at a time, and every device once however short the time is. It returns when all
// that was sent is acknowledged.
func (f *fleet) saturate(d time.Duration, burst int) (sent int, took time.Duration, err error) {
	over := false
	send := func(d *device) error {
		if over || d.waiting > 0 {
			return nil
		}
		d.waiting += burst
		sent += burst
		if f.packets {
			return f.writeEach(d, burst)
		}
		if burst == 1 {
			return f.write(d, d.report())
		}
		return f.write(d, d.reports(burst))
	}
	f.acks = 0
	f.answered = func(d *device, _ int) error { return send(d) }
	began := time.Now()
	for i := range f.devices {
		if err := send(&f.devices[i]); err != nil {
			return sent, 0, err
		}
	}
	over = d <= 0
	for end := began.Add(d); f.acks < sent; {
		if err := f.wait(100 * time.Millisecond); err != nil {
			return sent, 0, err
		}
		now := time.Now()
		over = over || now.After(end)
		if now.After(end.Add(patience)) {
			return sent, 0, fmt.Errorf("%d of %d reports were acknowledged", f.acks, sent)
		}
	}
	return sent, time.Since(began), f.check()
}

// report is the device's next one.
func (d *device) report() []byte {
	from := int32(0)
	if d.next > 0 {
		from = d.ends[d.next-1]
	}
	p := d.out[from:d.ends[d.next]]
	if d.next++; d.next == len(d.ends) {
		d.next = 0
	}
	return p
}

// reports are burst of them; burst is a multiple of how many there are.
func (d *device) reports(burst int) []byte {
	size := int(d.ends[len(d.ends)-1])
	for want := size * (burst / len(d.ends)); len(d.out) < want; {
		d.out = append(d.out, d.out[:size]...)
	}
	return d.out
}

// rotate sends one report of each device in turn, width of them at a time, so
// that every report comes from another device.
func (f *fleet) rotate(d time.Duration, width int) (sent int, took time.Duration, err error) {
	next, over := 0, false
	send := func() error {
		if over {
			return nil
		}
		d := &f.devices[next]
		if next++; next == len(f.devices) {
			next = 0
		}
		d.waiting++
		sent++
		return f.write(d, d.report())
	}
	f.acks = 0
	f.answered = func(_ *device, n int) error {
		for range n {
			if err := send(); err != nil {
				return err
			}
		}
		return nil
	}
	began := time.Now()
	for range min(width, len(f.devices)) {
		if err := send(); err != nil {
			return sent, 0, err
		}
	}
	for end := began.Add(d); f.acks < sent; {
		if err := f.wait(100 * time.Millisecond); err != nil {
			return sent, 0, err
		}
		now := time.Now()
		over = over || now.After(end)
		if now.After(end.Add(patience)) {
			return sent, 0, fmt.Errorf("%d of %d reports were acknowledged", f.acks, sent)
		}
	}
	return sent, time.Since(began), f.check()
}

// pace sends rate reports per second, evenly, from all devices in turn, whether
// earlier ones were acknowledged or not, and returns how long each
// acknowledgement took since its report should have been sent, sorted.
func (f *fleet) pace(d time.Duration, rate int) ([]int64, error) {
	f.late, f.acks = f.late[:0], 0
	began := time.Now()
	f.answered = func(d *device, n int) error {
		now := int64(time.Since(began))
		for _, due := range d.due[:n] {
			f.late = append(f.late, now-due)
		}
		d.due = d.due[:copy(d.due, d.due[n:])]
		return nil
	}
	step := time.Second / time.Duration(rate)
	total := int(d / step)
	for sent := 0; f.acks < total; {
		now := time.Since(began)
		for ; sent < total && time.Duration(sent)*step <= now; sent++ {
			d := &f.devices[sent%len(f.devices)]
			d.due = append(d.due, int64(sent)*int64(step))
			d.waiting++
			if err := f.write(d, d.report()); err != nil {
				return nil, err
			}
		}
		if err := f.wait(0); err != nil { // no sleep: the core is ours, and waking up takes longer than what is measured
			return nil, err
		}
		if f.shares { // but for the system's own threads, which write to the disk
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 20_000}, nil)
		}
		if now > d+patience {
			return nil, fmt.Errorf("%d of %d reports were acknowledged", f.acks, total)
		}
	}
	slices.Sort(f.late)
	return f.late, f.check()
}

// check tells acknowledgements that refused.
func (f *fleet) check() error {
	if f.refused > 0 {
		return fmt.Errorf("%d reports or logins were refused", f.refused)
	}
	return nil
}
