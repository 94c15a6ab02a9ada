package gbt26875

import (
	"fmt"

	"github.com/linkspan/linkspan/codec/gbt26875"
)

// Faults are the shares of panels that misbehave, each from 0 to 1, and 1 in all
// at most: a panel has one fault or none. Such panels do all else like good ones, so
// that their reports get through.
type Faults struct {
	BadChecksum float64 `conf:"badChecksum" doc:"share of panels, from 0 to 1, that send every fourth frame with a wrong check sum"`
	HalfFrames  float64 `conf:"halfFrames" doc:"share of panels, from 0 to 1, that break off within every tenth frame"`
	Glued       float64 `conf:"glued" doc:"share of panels, from 0 to 1, that send a heartbeat (command 2 without data) behind each frame, in one packet"`
	BCD         float64 `conf:"bcd" doc:"share of panels, from 0 to 1, that tell times in BCD, and want them so"`
	NoClock     float64 `conf:"noClock" doc:"share of panels, from 0 to 1, that have no clock: all times are zero"`
	Version     float64 `conf:"version" doc:"share of panels, from 0 to 1, that write other versions than 1.1"`
	Spaces      float64 `conf:"spaces" doc:"share of panels, from 0 to 1, that pad descriptions with spaces"`
	Noise       float64 `conf:"noise" doc:"share of panels, from 0 to 1, that send packets of a private protocol with the same markers before frames"`
}

// Fault is how a panel misbehaves.
type Fault uint8

// The faults of [Faults].
const (
	FaultNone Fault = iota
	FaultBadChecksum
	FaultHalfFrames
	FaultGlued
	FaultBCD
	FaultNoClock
	FaultVersion
	FaultSpaces
	FaultNoise
	faults
)

// String is the fault's key in the configuration, "" for FaultNone.
func (f Fault) String() string {
	names := [faults]string{"", "badChecksum", "halfFrames", "glued", "bcd", "noClock", "version", "spaces", "noise"}
	if f < faults {
		return names[f]
	}
	return fmt.Sprintf("fault%d", uint8(f))
}

// shares are the shares of the faults, in their order.
func (f Faults) shares() [faults - 1]float64 {
	return [faults - 1]float64{f.BadChecksum, f.HalfFrames, f.Glued, f.BCD, f.NoClock, f.Version, f.Spaces, f.Noise}
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

// of is the fault of panel i of n. It is not left to chance: of 100 panels a
// share of 0.01 is one.
func (f Faults) of(i, n int) Fault {
	at, sum := (float64(i)+0.5)/float64(n), 0.0
	for k, share := range f.shares() {
		if sum += share; at < sum {
			return Fault(k + 1) //nolint:gosec // few
		}
	}
	return FaultNone
}

const trail = 3 // check sum and end marker

// misbehave spoils the frame that is in w.out from start on.
func (p *panel) misbehave(now int64, w *scratch, start int) {
	switch p.fault {
	case FaultBadChecksum:
		if p.link.frames%4 == 0 {
			w.out[len(w.out)-trail] ^= 0x55
		}
	case FaultHalfFrames:
		if p.link.frames%10 == 0 {
			w.out = w.out[:start+(len(w.out)-start)/2]
			w.cut = true
		}
	case FaultGlued:
		h := p.header(now, gbt26875.CommandSend)
		out, err := gbt26875.AppendFrame(w.out, &gbt26875.Frame{Header: h})
		if err != nil {
			panic(err) // it has no data
		}
		w.out = out
	case FaultNoise:
		w.out = append(w.out[:start], p.noisy(w.out[start:])...)
	case FaultNone, FaultBCD, FaultNoClock, FaultVersion, FaultSpaces, faults:
	}
}

// noisy is frame with a packet of a private protocol before it: no length, no
// check sum of the standard's, 19 bytes.
func (p *panel) noisy(frame []byte) []byte {
	noise := make([]byte, 0, 19+len(frame))
	noise = append(noise, "@@"...)
	for len(noise) < 17 {
		noise = append(noise, byte(p.rng.Uint64()))
	}
	noise = append(noise, "##"...)
	return append(noise, frame...)
}
