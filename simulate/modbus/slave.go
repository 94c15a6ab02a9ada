package modbus

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/linkspan/linkspan/codec/modbus"
)

// maxWritten is how many registers and bits a slave takes that were written;
// further ones are an exception.
const maxWritten = 16384

// bus is the slaves of one line. It may be used by several goroutines at once.
type bus struct {
	fleet *Fleet
	line  int
	phase float64 // of what drifts, in turns

	mu     sync.Mutex
	slaves []slave // guarded by mu, as all that they hold
	buffer []byte  // guarded by mu
}

// slave is one unit.
type slave struct {
	unit    uint8
	dead    bool
	sheet   *sheet // nil: every register up to plainLast holds its own address
	written map[key]uint16
	drifted *row   // whose registers are in data
	data    []byte // of drifted, at the time of the request
}

// Written is something that was written into a slave.
type Written struct {
	Line     int // from 0
	Unit     uint8
	Function modbus.Function
	Address  modbus.Address // the first that was written
	Data     []byte         // bits or registers as on the wire; not valid after the call
	Quantity int            // of bits or registers
}

// find is the slave of that unit; nil if there is none.
func (b *bus) find(unit uint8) *slave {
	for i := range b.slaves {
		if b.slaves[i].unit == unit {
			return &b.slaves[i]
		}
	}
	return nil
}

// errAddress and errFull are why a slave refuses a request.
var (
	errAddress = errors.New("simulate: no such register")
	errFull    = errors.New("simulate: too much was written")
)

// answer returns dst with the PDU of the slave's answer to a request behind it;
// ok is whether the slave answers at all.
func (b *bus) answer(dst []byte, unit uint8, pdu []byte, broadcast bool) (out []byte, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if broadcast {
		for i := range b.slaves {
			b.do(&b.slaves[i], pdu)
		}
		return dst, false
	}
	s := b.find(unit)
	if s == nil || s.dead {
		return dst, false
	}
	return appendResponse(dst, b.do(s, pdu)), true
}

// appendResponse returns dst with r's PDU behind it.
func appendResponse(dst []byte, r modbus.Response) []byte {
	out, err := r.Append(dst)
	if err != nil {
		panic(err) // the slave has made a response that there cannot be
	}
	return out
}

// do is what a slave makes of a request.
func (b *bus) do(s *slave, pdu []byte) modbus.Response {
	r, err := modbus.ParseRequest(pdu)
	function := modbus.Function(pdu[0])
	refuse := func(e modbus.Exception) modbus.Response { return modbus.Response{Function: function, Exception: e} }
	if err != nil {
		return refuse(modbus.IllegalDataValue)
	}
	s.drifted = nil
	response := modbus.Response{Function: function, Address: r.Address}
	switch function {
	case modbus.ReadCoils, modbus.ReadDiscreteInputs:
		response.Address = 0
		response.Data, err = b.readBits(s, areaOf(function), r)
	case modbus.ReadHoldingRegisters, modbus.ReadInputRegisters:
		response.Address = 0
		response.Data, err = b.readRegisters(s, areaOf(function), r)
	case modbus.WriteSingleCoil, modbus.WriteSingleRegister:
		response.Value = r.Value
		err = b.writeSingle(s, r)
	case modbus.WriteMultipleCoils, modbus.WriteMultipleRegisters:
		response.Quantity = r.Quantity
		err = b.write(s, function, areaOf(function), r.Address, r.Quantity, r.Data)
	case modbus.MaskWriteRegister:
		response.AndMask, response.OrMask = r.AndMask, r.OrMask
		err = b.mask(s, r)
	case modbus.ReadWriteMultipleRegisters:
		response.Address = 0
		if err = b.write(s, function, modbus.HoldingRegisters, r.WriteAddress, r.WriteQuantity, r.Data); err == nil {
			response.Data, err = b.readRegisters(s, modbus.HoldingRegisters, r)
		}
	case modbus.EncapsulatedInterface:
		return identify(r)
	default:
		return refuse(modbus.IllegalFunction)
	}
	switch {
	case err == nil:
		return response
	case errors.Is(err, errFull):
		b.fleet.full.Add(1)
		return refuse(modbus.ServerDeviceFailure)
	}
	return refuse(modbus.IllegalDataAddress)
}

func areaOf(f modbus.Function) modbus.Area {
	switch f {
	case modbus.ReadCoils, modbus.WriteSingleCoil, modbus.WriteMultipleCoils:
		return modbus.Coils
	case modbus.ReadDiscreteInputs:
		return modbus.DiscreteInputs
	case modbus.ReadInputRegisters:
		return modbus.InputRegisters
	default:
		return modbus.HoldingRegisters
	}
}

// get is what a register or bit holds; ok is whether there is one.
func (b *bus) get(s *slave, area modbus.Area, address uint16) (word uint16, ok bool) {
	k := keyOf(area, address)
	if word, ok = s.written[k]; ok {
		return word, true
	}
	if s.sheet == nil {
		if area.Bits() {
			return address & 1, address <= plainLast
		}
		return address, address <= plainLast
	}
	c, ok := (*s.sheet)[k]
	if c.row == nil {
		return c.word, ok
	}
	if s.drifted != c.row {
		s.drifted, s.data = c.row, c.row.at(s.data[:0], b.fleet.now(), b.phase)
	}
	return modbus.Register(s.data, int(c.part)), true
}

func (b *bus) readBits(s *slave, area modbus.Area, r modbus.Request) ([]byte, error) {
	data := b.buffer[:0]
	for i := range int(r.Quantity) {
		word, ok := b.get(s, area, r.Address+uint16(i)) //nolint:gosec // checked
		if !ok {
			return nil, errAddress
		}
		if i%8 == 0 {
			data = append(data, 0)
		}
		data[i/8] |= byte(word&1) << (i % 8)
	}
	b.buffer = data
	return data, nil
}

func (b *bus) readRegisters(s *slave, area modbus.Area, r modbus.Request) ([]byte, error) {
	data := b.buffer[:0]
	for i := range r.Quantity {
		word, ok := b.get(s, area, r.Address+i)
		if !ok {
			return nil, errAddress
		}
		data = append(data, byte(word>>8), byte(word))
	}
	b.buffer = data
	return data, nil
}

// write writes bits or registers, all or none.
func (b *bus) write(s *slave, f modbus.Function, area modbus.Area, address, quantity uint16, data []byte) error {
	for i := range quantity {
		if _, ok := b.get(s, area, address+i); !ok {
			return errAddress
		}
	}
	if len(s.written)+int(quantity) > maxWritten {
		return errFull
	}
	if s.written == nil {
		s.written = map[key]uint16{}
	}
	for i := range quantity {
		word := uint16(0)
		if !area.Bits() {
			word = modbus.Register(data, int(i))
		} else if modbus.Bit(data, int(i)) {
			word = 1
		}
		s.written[keyOf(area, address+i)] = word
	}
	b.fleet.writes.Add(1)
	if b.fleet.written != nil {
		b.fleet.written(Written{b.line, s.unit, f, modbus.Address{Area: area, Offset: address}, data, int(quantity)})
	}
	return nil
}

func (b *bus) writeSingle(s *slave, r modbus.Request) error {
	data := [2]byte{byte(r.Value >> 8), byte(r.Value)}
	if r.Function == modbus.WriteSingleCoil {
		data[0] &= 1
	}
	return b.write(s, r.Function, areaOf(r.Function), r.Address, 1, data[:])
}

func (b *bus) mask(s *slave, r modbus.Request) error {
	current, ok := b.get(s, modbus.HoldingRegisters, r.Address)
	if !ok {
		return errAddress
	}
	word := r.Masked(current)
	return b.write(s, r.Function, modbus.HoldingRegisters, r.Address, 1, []byte{byte(word >> 8), byte(word)})
}

// objects are what slaves say of themselves: vendor, product code, revision.
var objects = [...]string{"linkspan", "simulator", "1.0"}

// identify answers a request for the identification, basic or of one object.
func identify(r modbus.Request) modbus.Response {
	response := modbus.Response{Function: r.Function, MEI: r.MEI, ReadCode: r.ReadCode, Conformity: 0x81}
	if r.MEI != modbus.ReadDeviceIdentification {
		return modbus.Response{Function: r.Function, Exception: modbus.IllegalFunction}
	}
	first, last := int(r.Object), len(objects)
	if r.ReadCode == 4 {
		last = first + 1
	} else if first >= last {
		first = 0 // from the front, says the standard
	}
	if first >= len(objects) {
		return modbus.Response{Function: r.Function, Exception: modbus.IllegalDataAddress}
	}
	for i := first; i < last; i++ {
		response.Data = append(append(response.Data, byte(i), byte(len(objects[i]))), objects[i]...)
		response.Count++
	}
	return response
}

// counters of all lines.
type counters struct {
	connected                                            atomic.Int64
	connects, dialErrors, broken, closedByPeer           atomic.Uint64
	requests, answers, exceptions, unanswered, badFrames atomic.Uint64
	writes, full, heartbeats, registrations, pushes      atomic.Uint64
	dropped                                              atomic.Uint64
	faults                                               [faults]atomic.Uint64
}
