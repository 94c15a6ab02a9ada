package jt808

import (
	"fmt"

	"github.com/linkspan/linkspan/codec/jt808"
)

// Faults are the shares of terminals that misbehave, each from 0 to 1, and 1 in
// all at most: a terminal has one fault or none. Such terminals do all else like
// good ones, so that their reports may well get through.
type Faults struct {
	SlowWriter   float64 `conf:"slowWriter" doc:"share of terminals, from 0 to 1, that send byte by byte"`
	Garbage      float64 `conf:"garbage" doc:"share of terminals, from 0 to 1, that send bytes that are no frames between frames"`
	BadChecksum  float64 `conf:"badChecksum" doc:"share of terminals, from 0 to 1, that send every fourth frame with a wrong check byte"`
	HalfFrames   float64 `conf:"halfFrames" doc:"share of terminals, from 0 to 1, that break off within every tenth report"`
	NeverReads   float64 `conf:"neverReads" doc:"share of terminals, from 0 to 1, that read nothing any more once authenticated"`
	PackageFlood float64 `conf:"packageFlood" doc:"share of terminals, from 0 to 1, that send packages of messages that are never completed"`
}

// Fault is how a terminal misbehaves.
type Fault uint8

// The faults of [Faults].
const (
	FaultNone Fault = iota
	FaultSlowWriter
	FaultGarbage
	FaultBadChecksum
	FaultHalfFrames
	FaultNeverReads
	FaultPackageFlood
)

// String is the fault's key in the configuration, "" for FaultNone.
func (f Fault) String() string {
	names := [...]string{"", "slowWriter", "garbage", "badChecksum", "halfFrames", "neverReads", "packageFlood"}
	if int(f) < len(names) {
		return names[f]
	}
	return fmt.Sprintf("fault%d", uint8(f))
}

// shares are the shares of the faults, in their order.
func (f Faults) shares() [6]float64 {
	return [6]float64{f.SlowWriter, f.Garbage, f.BadChecksum, f.HalfFrames, f.NeverReads, f.PackageFlood}
}

func (f Faults) validate() error {
	sum := 0.0
	for i, share := range f.shares() {
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("simulate: faults.%s: %v, must be a share from 0 to 1", Fault(i+1), share) //nolint:gosec // few
		}
		sum += share
	}
	if sum > 1+1e-9 {
		return fmt.Errorf("simulate: faults: shares of %v in all, must be at most 1", sum)
	}
	return nil
}

// of is the fault of terminal i of n. It is not left to chance: of 100
// terminals a share of 0.01 is one.
func (f Faults) of(i, n int) Fault {
	at, sum := (float64(i)+0.5)/float64(n), 0.0
	for k, share := range f.shares() {
		if sum += share; at < sum {
			return Fault(k + 1) //nolint:gosec // few
		}
	}
	return FaultNone
}

// misbehave spoils the message that is in w.out from start on.
func (t *terminal) misbehave(w *scratch, start int) {
	switch t.fault {
	case FaultGarbage:
		noise := make([]byte, 1+t.rng.Uint64()%64)
		for i := range noise {
			noise[i] = byte(t.rng.Uint64())
		}
		w.out = append(append(w.out, noise...), 0x7E) // so that it does not spoil the next frame
	case FaultBadChecksum:
		// The check byte is before the closing delimiter: in its place comes one
		// that is neither it nor has to be escaped.
		if t.link.frames%4 == 0 {
			last := len(w.out) - 2
			w.out[last] ^= 0x10
			if w.out[last] == 0x7E || w.out[last] == 0x7D {
				w.out[last] ^= 0x20
			}
		}
	case FaultHalfFrames:
		if t.link.frames%10 == 0 {
			w.out = w.out[:start+(len(w.out)-start)/2]
			w.cut = true
		}
	case FaultPackageFlood:
		h := t.header()
		h.ID, h.Total, h.Index = jt808.IDMediaData, uint16(2+t.rng.Uint64()%60_000), 1 //nolint:gosec // in range
		out, err := jt808.AppendFrame(w.out, &jt808.Frame{Header: h, Body: make([]byte, 1000)})
		if err != nil {
			panic(err) // a mistake in the line above
		}
		w.out = out
	case FaultNone, FaultSlowWriter, FaultNeverReads:
	}
}
