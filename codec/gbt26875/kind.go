package gbt26875

import "strconv"

// SystemType is what kind of fire protection system (GB/T 26875.3-2011). Values from 128 on are a maker's own.
type SystemType uint8

// Some types of system.
const (
	SystemGeneral   SystemType = 0
	SystemFireAlarm SystemType = 1
	SystemHydrant   SystemType = 11
	SystemSprinkler SystemType = 12
)

var systemTypeNames = [...]string{
	0: "general", 1: "fire alarm", 10: "fire linkage controller", 11: "hydrant", 12: "sprinkler", 13: "gas extinguishing",
	14: "water spray (pump)", 15: "water spray (pressure vessel)", 16: "foam", 17: "dry powder", 18: "smoke control",
	19: "fire doors and shutters", 20: "fire lift", 21: "emergency broadcast", 22: "emergency lighting",
	23: "fire power supply", 24: "fire telephone",
}

// Name is what the type is, "fire alarm"; empty if the standard does not say.
func (s SystemType) Name() string {
	if int(s) < len(systemTypeNames) {
		return systemTypeNames[s]
	}
	return ""
}

// MarshalText is the number, with its name if it has one: "1 fire alarm".
func (s SystemType) MarshalText() ([]byte, error) { return numberAndName(uint8(s), s.Name()), nil }

// PartType is what kind of part of a system. Values from 128
// on are a maker's own.
type PartType uint8

// Some types of part.
const (
	PartGeneral       PartType = 0
	PartController    PartType = 1 // of a fire alarm system
	PartCallPoint     PartType = 23
	PartFireDetector  PartType = 25
	PartHeatDetector  PartType = 30
	PartSmokeDetector PartType = 40
	PartPump          PartType = 91
	PartTank          PartType = 92
)

var partTypeNames = [...]string{
	0: "general", 1: "fire alarm controller", 10: "combustible gas detector", 11: "point gas detector",
	12: "stand-alone gas detector", 13: "line gas detector", 16: "electrical fire monitor",
	17: "residual current detector", 18: "electrical temperature detector", 21: "detection loop", 22: "display panel",
	23: "manual call point", 24: "hydrant button", 25: "fire detector", 30: "heat detector", 31: "point heat detector",
	32: "point heat detector (S)", 33: "point heat detector (R)", 34: "line heat detector", 35: "line heat detector (S)",
	36: "line heat detector (R)", 37: "fibre heat detector", 40: "smoke detector", 41: "point ionisation smoke detector",
	42: "point photoelectric smoke detector", 43: "beam smoke detector", 44: "aspirating smoke detector",
	50: "combined detector", 51: "combined smoke and heat detector", 52: "combined flame and heat detector",
	53: "combined flame and smoke detector", 61: "ultraviolet flame detector", 62: "infrared flame detector",
	69: "flame detector", 74: "gas detector", 78: "image detector", 79: "sound detector",
	81: "gas extinguishing controller", 82: "electric fire control", 83: "graphic display", 84: "module",
	85: "input module", 86: "output module", 87: "input and output module", 88: "relay module", 91: "fire pump",
	92: "fire water tank", 95: "sprinkler pump", 96: "flow indicator", 97: "signal valve", 98: "alarm valve",
	99: "pressure switch", 101: "valve drive", 102: "fire door", 103: "fire damper", 104: "ventilation",
	105: "foam pump", 106: "pipe solenoid valve", 111: "smoke exhaust fan", 113: "smoke exhaust damper",
	114: "supply vent", 115: "exhaust vent", 116: "smoke curtain", 117: "shutter controller", 118: "door monitor",
	121: "alarm device",
}

// Name is what the type is, "smoke detector"; empty if the standard does not say.
func (p PartType) Name() string {
	if int(p) < len(partTypeNames) {
		return partTypeNames[p]
	}
	return ""
}

// MarshalText is the number, with its name if it has one: "40 smoke detector".
func (p PartType) MarshalText() ([]byte, error) { return numberAndName(uint8(p), p.Name()), nil }

// AnalogType is what a value measures, and in which unit.
// Values from 128 on are a maker's own.
type AnalogType uint8

// Analog is what is fixed about a type of value.
type Analog struct {
	Name     string // "temperature"
	Unit     string // of the number when it is divided by 10 to the power of Decimals: "°C"
	Decimals uint8  // how many of the number's digits are behind the point
}

var analogs = [...]Analog{
	1: {"count", "", 0}, 2: {"height", "m", 2}, 3: {"temperature", "°C", 1}, 4: {"pressure", "MPa", 1},
	5: {"pressure", "kPa", 1}, 6: {"gas concentration", "%LEL", 1}, 7: {"time", "s", 0}, 8: {"voltage", "V", 1},
	9: {"current", "A", 1}, 10: {"flow", "L/s", 1}, 11: {"flow", "m³/min", 1}, 12: {"speed", "m/s", 0},
}

// Analog is what is fixed about the type; of a type that the standard does not
// know nothing is, and the value is a whole number without a unit.
func (a AnalogType) Analog() Analog {
	if int(a) < len(analogs) {
		return analogs[a]
	}
	return Analog{}
}

// MarshalText is the number, with its name if it has one: "3 temperature".
func (a AnalogType) MarshalText() ([]byte, error) {
	return numberAndName(uint8(a), a.Analog().Name), nil
}

func numberAndName(n uint8, name string) []byte {
	text := strconv.AppendUint(nil, uint64(n), 10)
	if name != "" {
		text = append(append(text, ' '), name...)
	}
	return text
}
