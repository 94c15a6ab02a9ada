package modbus

import (
	"errors"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		area Area
		base int
		want string // or the error, in part
	}{
		{"40001", 0, 0, "holdingRegister:0"},
		{"400001", 0, 0, "holdingRegister:0"},
		{"465536", 0, 0, "holdingRegister:65535"},
		{"49999", 0, 1, "holdingRegister:9998"},
		{"40108", HoldingRegisters, 0, "holdingRegister:107"},
		{"30001", 0, 0, "inputRegister:0"},
		{"10020", 0, 0, "discreteInput:19"},
		{"00001", 0, 0, "coil:0"},
		{"000173", 0, 0, "coil:172"},
		{"4x0001", 0, 0, "holdingRegister:0"},
		{"4X1", 0, 0, "holdingRegister:0"},
		{"3x108", 0, 0, "inputRegister:107"},
		{" 107 ", HoldingRegisters, 0, "holdingRegister:107"},
		{"108", HoldingRegisters, 1, "holdingRegister:107"},
		{"0x6b", HoldingRegisters, 0, "holdingRegister:107"},
		{"0x006B", HoldingRegisters, 0, "holdingRegister:107"},
		{"0", Coils, 0, "coil:0"},
		{"0107", HoldingRegisters, 0, "holdingRegister:107"},
		{"holding:107", 0, 0, "holdingRegister:107"},
		{"holdingRegister:40001", 0, 0, "holdingRegister:40001"},
		{"input: 1", 0, 1, "inputRegister:0"},
		{"coils:0x10", 0, 0, "coil:16"},
		{"Discrete:9", DiscreteInputs, 0, "discreteInput:9"},
		{"65535", Coils, 0, "coil:65535"},
		{"65536", HoldingRegisters, 1, "holdingRegister:65535"},

		{"", 0, 0, "want 00001, 10001, 30001 or 40001, or an area and a number from 0, as in holding:107"},
		{"107", 0, 0, "in which area? Write 40001, or holding:107"},
		{"0x6b", 0, 0, "in which area? Write 40001, or holding:0x6b"},
		{"90001", 0, 1, "want 00001, 10001, 30001 or 40001, or an area and a number from 1"},
		{"30001x", 0, 0, "want 00001"},
		{"40000", 0, 0, "from 1 to 65536"},
		{"465537", 0, 0, "from 1 to 65536"},
		{"40001", InputRegisters, 0, "in documents that is holdingRegister, want inputRegister; inputRegister:40001 is the plain number"},
		{"4x0", 0, 0, "from 1 to 65536"},
		{"holding:4a", 0, 0, "want a number"},
		{"memory:1", 0, 0, `"memory" is no area`},
		{"coil:1", HoldingRegisters, 0, "it is of area coil, want holdingRegister"},
		{"0", HoldingRegisters, 1, "from 1 to 65536 here"},
		{"65536", HoldingRegisters, 0, "from 0 to 65535 here"},
		{"-1", HoldingRegisters, 0, "want a number"},
		{"ten", HoldingRegisters, 0, "want a number"},
	} {
		a, err := ParseAddress(test.text, test.area, test.base)
		var bad *AddressError
		switch {
		case err == nil && a.String() != test.want:
			t.Errorf("%q is %v, want %v", test.text, a, test.want)
		case err != nil && (!errors.As(err, &bad) || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%q: error %v, want %v", test.text, err, test.want)
		}
	}
}

func TestAreas(t *testing.T) {
	t.Parallel()
	for a := Coils; a <= HoldingRegisters; a++ {
		if got, err := ParseArea(strings.ToUpper(a.String())); err != nil || got != a {
			t.Errorf("%v is parsed as %v, %v", a, got, err)
		}
		address := Address{a, 0xffff}
		if got, err := ParseAddress(address.Notation(), 0, 0); err != nil || got != address {
			t.Errorf("%s is parsed as %v, %v", address.Notation(), got, err)
		}
		one, several := a.WriteFunctions()
		equal(t, "writable", one != 0 && several != 0, a.Writable())
		request := Request{Function: a.ReadFunction(), Quantity: 1}
		if _, err := request.Append(nil); err != nil {
			t.Errorf("%v: %v", a, err)
		}
		equal(t, "bits", a.Bits(), a == Coils || a == DiscreteInputs)
	}
	equal(t, "name", Area(9).String(), "area 9")
	equal(t, "notation", Address{Area: 9}.Notation(), "area 9:0")
	equal(t, "function", Area(0).ReadFunction(), 0)
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"40001", "4x1", "holding:0x6b", "00001", "107"} {
		f.Add(s, uint8(0), false)
	}
	f.Fuzz(func(t *testing.T, s string, area uint8, one bool) {
		base := 0
		if one {
			base = 1
		}
		a, err := ParseAddress(s, Area(area%5), base)
		var bad *AddressError
		if err != nil {
			if !errors.As(err, &bad) {
				t.Fatal(err)
			}
			return
		}
		for _, text := range []string{a.String(), a.Notation()} {
			if again, err := ParseAddress(text, a.Area, 0); err != nil || again != a {
				t.Fatalf("%q is %v; %q is %v, %v", s, a, text, again, err)
			}
		}
	})
}
