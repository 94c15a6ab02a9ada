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
	old, known := m.parts[o.Part]
	if !known {
		if len(m.parts)+len(m.systems) >= most {
			return everything, false
		}
		if m.parts == nil {
			m.parts = make(map[gbt26875.Part]gbt26875.PartBits)
		}
	}
	m.parts[o.Part] = o.State
	if !known {
		return everything, true
	}
	return old ^ o.State, true
}

// system is part for systems.
func (m *memory) system(o *gbt26875.SystemState, most int) (changed gbt26875.SystemBits, room bool) {
	old, known := m.systems[o.System]
	if !known {
		if len(m.parts)+len(m.systems) >= most {
			return everything, false
		}
		if m.systems == nil {
			m.systems = make(map[gbt26875.System]gbt26875.SystemBits)
		}
	}
	m.systems[o.System] = o.State
	if !known {
		return everything, true
	}
	return old ^ o.State, true
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
