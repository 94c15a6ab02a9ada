package modbus

import (
	"fmt"
	"strconv"
	"strings"
)

// Area is one of the four tables of a slave's data model (MODBUS Application
// Protocol V1.1b3, section 4.3).
type Area uint8

// The areas. Documents number their elements from 1 and put a digit in front:
// coil 1 is 00001, holding register 1 is 40001 or, with six digits, 400001.
const (
	Coils            Area = iota + 1 // 0xxxx: bits that are read and written
	DiscreteInputs                   // 1xxxx: bits that are read
	InputRegisters                   // 3xxxx: registers that are read
	HoldingRegisters                 // 4xxxx: registers that are read and written
)

var areas = [...]struct {
	name        string
	digit       byte
	read        Function
	write, many Function
}{
	Coils:            {"coil", '0', ReadCoils, WriteSingleCoil, WriteMultipleCoils},
	DiscreteInputs:   {"discreteInput", '1', ReadDiscreteInputs, 0, 0},
	InputRegisters:   {"inputRegister", '3', ReadInputRegisters, 0, 0},
	HoldingRegisters: {"holdingRegister", '4', ReadHoldingRegisters, WriteSingleRegister, WriteMultipleRegisters},
}

var areaAliases = map[string]Area{
	"coils": Coils, "discrete": DiscreteInputs, "discreteinputs": DiscreteInputs,
	"input": InputRegisters, "inputregisters": InputRegisters,
	"holding": HoldingRegisters, "holdingregisters": HoldingRegisters,
}

func (a Area) valid() bool { return a >= Coils && a <= HoldingRegisters }

// String is coil, discreteInput, inputRegister or holdingRegister.
func (a Area) String() string {
	if a.valid() {
		return areas[a].name
	}
	return fmt.Sprintf("area %d", uint8(a))
}

// ParseArea reads what [Area.String] writes, in any case, also in the plural,
// and discrete, input (registers) and holding.
func ParseArea(s string) (Area, error) {
	for a := Coils; a <= HoldingRegisters; a++ {
		if strings.EqualFold(s, areas[a].name) {
			return a, nil
		}
	}
	if a, ok := areaAliases[strings.ToLower(s)]; ok {
		return a, nil
	}
	return 0, fmt.Errorf("modbus: area %q, want coil, discreteInput, inputRegister or holdingRegister", s)
}

// Bits says whether a holds bits rather than registers.
func (a Area) Bits() bool { return a == Coils || a == DiscreteInputs }

// Writable says whether a can be written.
func (a Area) Writable() bool { return a == Coils || a == HoldingRegisters }

// ReadFunction is the function that reads a; 0 if a is none.
func (a Area) ReadFunction() Function {
	if !a.valid() {
		return 0
	}
	return areas[a].read
}

// WriteFunctions are the functions that write one element of a, and several; 0
// for areas that are only read.
func (a Area) WriteFunctions() (one, several Function) {
	if !a.valid() {
		return 0, 0
	}
	return areas[a].write, areas[a].many
}

// Address is an element of a slave's data: a bit or a register.
type Address struct {
	Area   Area
	Offset uint16 // as on the wire, from 0
}

// String is the address as [ParseAddress] reads it: holdingRegister:0.
func (a Address) String() string { return a.Area.String() + ":" + strconv.Itoa(int(a.Offset)) }

// Notation is a's number in documents, of six digits: 400001.
func (a Address) Notation() string {
	if !a.Area.valid() {
		return a.String()
	}
	return fmt.Sprintf("%c%05d", areas[a.Area].digit, int(a.Offset)+1)
}

// AddressError is a text that is no address.
type AddressError struct {
	Text   string
	Reason string
}

func (e *AddressError) Error() string {
	return fmt.Sprintf("modbus: address %q: %s", e.Text, e.Reason)
}

// ParseAddress reads an address as configurations and documents write it. area
// is where it is when s does not say so, 0 if nothing says; base, 0 or 1, is the
// number of the first element in plain numbers.
//
//	40001, 400001     documents' numbers, from 1, of five or six digits; also 00001, 10001, 30001
//	4x0001, 4x1       the same, with the x that some write
//	holding:107       an area's name and a plain number
//	107, 0x6b         a plain number, in area
//
// A plain number of five or six digits that would be a document's number of the
// area is taken for that; holding:40001 is the plain number 40001. An error is an
// *[AddressError].
func ParseAddress(s string, area Area, base int) (Address, error) {
	text := strings.TrimSpace(s)
	fail := func(format string, args ...any) (Address, error) {
		return Address{}, &AddressError{s, fmt.Sprintf(format, args...)}
	}
	if name, number, ok := strings.Cut(text, ":"); ok {
		named, err := ParseArea(strings.TrimSpace(name))
		switch {
		case err != nil:
			return fail("%q is no area: want coil, discreteInput, inputRegister or holdingRegister", name)
		case area != 0 && named != area:
			return fail("it is of area %s, want %s", named, area)
		}
		return plainAddress(s, strings.TrimSpace(number), named, base)
	}
	if numbered, number, ok := documentNumber(text); ok {
		if area != 0 && numbered != area {
			return fail("in documents that is %s, want %s; %s:%s is the plain number", numbered, area, area, text)
		}
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n < 1 || n > 1<<16 {
			return fail("numbers of this form go from 1 to 65536")
		}
		return Address{numbered, uint16(n - 1)}, nil //nolint:gosec // checked
	}
	if !area.valid() {
		if _, err := strconv.ParseUint(text, 0, 16); err != nil {
			return fail("want 00001, 10001, 30001 or 40001, or an area and a number from %d, as in holding:107", base)
		}
		return fail("in which area? Write 40001, or holding:%s", text)
	}
	return plainAddress(s, text, area, base)
}

// documentNumber takes 40001, 400001 and 4x1 apart.
func documentNumber(text string) (area Area, number string, ok bool) {
	if len(text) < 3 {
		return 0, "", false
	}
	number = text[1:]
	switch {
	case (number[0] == 'x' || number[0] == 'X') && text[0] != '0':
		number = number[1:]
	case len(text) != 5 && len(text) != 6:
		return 0, "", false
	}
	for i := range len(number) {
		if number[i] < '0' || number[i] > '9' {
			return 0, "", false
		}
	}
	for a := Coils; a <= HoldingRegisters; a++ {
		if areas[a].digit == text[0] {
			return a, number, true
		}
	}
	return 0, "", false
}

func plainAddress(s, number string, area Area, base int) (Address, error) {
	n, err := strconv.ParseUint(number, 0, 32)
	if len(number) > 1 && number[0] == '0' && number[1] >= '0' && number[1] <= '9' { // no octal
		n, err = strconv.ParseUint(number, 10, 32)
	}
	if err != nil {
		return Address{}, &AddressError{s, "want a number such as 107, 0x6b or 40108"}
	}
	if n < uint64(base) || n-uint64(base) > 0xffff { //nolint:gosec // 0 or 1
		return Address{}, &AddressError{s, fmt.Sprintf("plain numbers go from %d to %d here", base, 0xffff+base)}
	}
	return Address{area, uint16(n) - uint16(base)}, nil //nolint:gosec // checked
}
