package jt808

import "encoding/json"

// VehicleControlDoor is the item of message 0x8500/2019 that locks and unlocks
// the doors; its parameter is one byte, 0 to lock, 1 to unlock.
const VehicleControlDoor uint16 = 0x0001

// VehicleControlItem is one thing to control, in 2019.
type VehicleControlItem struct {
	ID    uint16 `json:"id"`    // 0x0001 the doors; 0xF001 to 0xFFFF makers' own
	Param Hex    `json:"param"` // one byte for the doors
}

// VehicleControl is message 0x8500: the platform controls the vehicle (JT/T
// 808). The terminal answers with 0x0001 at once and with 0x0500 when it has
// done it.
//
// The doors' bit changed its meaning: before 2019 1 locks, in 2019 0 does. Make
// the message with [LockDoors] or [UnlockDoors] to be right for both.
type VehicleControl struct {
	Flag  uint8                `json:"flag"`           // bit 0: 0 unlock, 1 lock; not in 2019
	Items []VehicleControlItem `json:"items"`          // 2019 only, at most 65535; nil when read before
	Tail  Hex                  `json:"tail,omitempty"` // bytes behind the last field
}

// LockDoors is the message that locks the doors, in every edition.
func LockDoors() *VehicleControl { return controlDoors(1, 0) }

// UnlockDoors is the message that unlocks the doors, in every edition.
func UnlockDoors() *VehicleControl { return controlDoors(0, 1) }

func controlDoors(flag, param uint8) *VehicleControl {
	return &VehicleControl{Flag: flag, Items: []VehicleControlItem{{VehicleControlDoor, Hex{param}}}}
}

// ID is 0x8500.
func (*VehicleControl) ID() ID { return IDVehicleControl }

// AppendBody appends the items in 2019, the flag before.
func (b *VehicleControl) AppendBody(dst []byte, v Version) ([]byte, error) {
	w := newWriter(dst)
	if v == V2019 {
		w.count16(len(b.Items), "items")
		for _, item := range b.Items {
			w.u16(item.ID)
			w.bytes(item.Param)
		}
	} else {
		w.u8(b.Flag)
	}
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the flag, or in 2019 the items. How long the parameter of a
// maker's item is nobody knows: it takes all that is left.
func (b *VehicleControl) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	*b = VehicleControl{}
	if v == V2019 {
		b.Items = append([]VehicleControlItem{}, list(&r, int(r.u16()), readVehicleControlItem)...)
	} else {
		b.Flag = r.u8()
	}
	b.Tail = r.tail()
	return r.err()
}

// MarshalJSON gives the flag or the items: a flag of 0, which unlocks, is none if
// there are items, also if their number is 0.
func (b VehicleControl) MarshalJSON() ([]byte, error) {
	s := struct {
		Flag  *uint8                `json:"flag,omitempty"`
		Items *[]VehicleControlItem `json:"items,omitempty"`
		Tail  Hex                   `json:"tail,omitempty"`
	}{Tail: b.Tail}
	if b.Flag != 0 || b.Items == nil {
		s.Flag = &b.Flag
	}
	if b.Items != nil {
		s.Items = &b.Items
	}
	return json.Marshal(s)
}

func readVehicleControlItem(r *reader) VehicleControlItem {
	item := VehicleControlItem{ID: r.u16()}
	if item.ID == VehicleControlDoor {
		item.Param = r.clone(1)
	} else {
		item.Param = r.bytesRest()
	}
	return item
}

// VehicleControlResponse is message 0x0500, what became of a 0x8500: the
// location report whose status bits tell (JT/T 808). It is not answered.
type VehicleControlResponse struct {
	Serial   uint16   `json:"ack_serial"` // serial of the command
	Location Location `json:"location"`   // with its items
}

// ID is 0x0500.
func (*VehicleControlResponse) ID() ID { return IDVehicleControlResponse }

// AppendBody appends the serial and the location report.
func (b *VehicleControlResponse) AppendBody(dst []byte, v Version) ([]byte, error) {
	w := newWriter(dst)
	w.u16(b.Serial)
	w.body(&b.Location, v)
	return w.done()
}

// ParseBody reads the serial and the location report; it wants 30 bytes.
func (b *VehicleControlResponse) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	b.Serial = r.u16()
	return r.body(&b.Location, r.len(), v)
}
