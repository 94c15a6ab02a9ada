package gbt26875

import "github.com/linkspan/linkspan/codec/gbt26875"

// memory is the states that were reported, to tell what changes. The zero value
// remembers nothing. Everything that is not remembered counts as changed.
type memory struct {
	parts   map[gbt26875.Part]gbt26875.PartBits
	systems map[gbt26875.System]gbt26875.SystemBits
	own     gbt26875.DeviceBits
	known   bool // whether own is
}

// forget makes everything count as changed.
func (m *memory) forget() { *m = memory{} }

// everything is all bits.
const everything = 1<<16 - 1

// part remembers a part's state and says which bits have changed. room is false
// when it could not be remembered.
func (m *memory) part(o *gbt26875.PartState, most int) (changed gbt26875.PartBits, room bool) {
	return remember(&m.parts, o.Part, o.State, most-len(m.systems))
}

// system is part for systems.
func (m *memory) system(o *gbt26875.SystemState, most int) (changed gbt26875.SystemBits, room bool) {
	return remember(&m.systems, o.System, o.State, most-len(m.parts))
}

// remember is part for anything that has a state, of which most are remembered.
func remember[K comparable, B ~uint16](states *map[K]B, of K, state B, most int) (changed B, room bool) {
	old, known := (*states)[of]
	switch {
	case !known && len(*states) >= most:
		return everything, false
	case *states == nil:
		*states = make(map[K]B)
	}
	(*states)[of] = state
	if !known {
		return everything, true
	}
	return old ^ state, true
}

// device is part for the device itself.
func (m *memory) device(state gbt26875.DeviceBits) (changed gbt26875.DeviceBits) {
	changed = state ^ m.own
	if !m.known {
		changed = everything & 0xFF
	}
	m.own, m.known = state, true
	return changed
}
