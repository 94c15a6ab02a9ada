package modbus

import (
	"fmt"
	"time"

	"github.com/linkspan/linkspan/codec/modbus"
)

// fault is what goes wrong with one answer.
type fault uint8

const (
	faultSilence fault = iota
	faultException
	faultBadChecksum
	faultHalf
	faultSplit
	faultGlued
	faultNoise
	faultLate
	faults
	faultNone = faults
)

var faultNames = [faults]string{"silence", "exception", "badChecksum", "half", "split", "glued", "noise", "late"}

// splitBy is how far apart the parts of an answer are that is split.
const splitBy = 20 * time.Millisecond

const maxNoise = 16

func (f Faults) shares() [faults]float64 {
	return [faults]float64{f.Silence, f.Exception, f.BadChecksum, f.Half, f.Split, f.Glued, f.Noise, f.Late}
}

func (f Faults) validate() error {
	sum := 0.0
	for i, share := range f.shares() {
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("simulate: faults.%s: %v, must be a share from 0 to 1", faultNames[i], share)
		}
		sum += share
	}
	if sum > 1+1e-9 {
		return fmt.Errorf("simulate: faults: shares of %v in all, must be at most 1", sum)
	}
	if f.LateBy < 0 {
		return fmt.Errorf("simulate: faults.lateBy: %v, must be 0 or more", f.LateBy)
	}
	return nil
}

// choose is the fault of the next answer.
func (f Faults) choose(random float64) fault {
	sum := 0.0
	for i, share := range f.shares() {
		if sum += share; random < sum {
			return fault(i) //nolint:gosec // an index of eight
		}
	}
	return faultNone
}

// refusals are the exceptions of faultException.
var refusals = [...]modbus.Exception{modbus.ServerDeviceFailure, modbus.ServerDeviceBusy, modbus.GatewayTargetFailed}
