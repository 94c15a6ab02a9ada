package modbus

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestValueVectors(t *testing.T) {
	t.Parallel()
	ofProto(t, "modbus-value", 7, func(t *testing.T, v vector) {
		t.Helper()
		typ, err := ParseType(v.Type)
		if err != nil {
			t.Fatal(err)
		}
		order, err := ParseOrder(v.Order)
		if err != nil {
			t.Fatal(err)
		}
		f := Format{Type: typ, Order: order}
		got, err := f.Decode(unhex(t, v.Hex))
		if err != nil {
			t.Fatal(err)
		}
		want, _ := json.Marshal(v.Expect.AnyValue)
		equal(t, "value", got.String(), string(want))
		again, err := f.Append(nil, got)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "registers", hex.EncodeToString(again), v.Hex)
	})
}

// formats are a value of each type in each order, and how it lies in registers.
var formats = []struct {
	format Format
	value  Value
	hex    string
}{
	{Format{Type: Float32}, float32Value(123456), "47f12000"},
	{Format{Type: Float32, Order: CDAB}, float32Value(123456), "200047f1"},
	{Format{Type: Float32, Order: BADC}, float32Value(123456), "f1470020"},
	{Format{Type: Float32, Order: DCBA}, float32Value(123456), "0020f147"},
	{Format{Type: Int16}, IntValue(-200), "ff38"},
	{Format{Type: Int16, Order: CDAB}, IntValue(-200), "ff38"},
	{Format{Type: Int16, Order: BADC}, IntValue(-200), "38ff"},
	{Format{Type: Int16, Order: DCBA}, IntValue(math.MinInt16), "0080"},
	{Format{Type: Uint16}, UintValue(65535), "ffff"},
	{Format{Type: Int32}, IntValue(math.MinInt32), "80000000"},
	{Format{Type: Int32, Order: DCBA}, IntValue(0x01020304), "04030201"},
	{Format{Type: Uint32, Order: CDAB}, UintValue(0x01020304), "03040102"},
	{Format{Type: Uint32, Order: BADC}, UintValue(0x01020304), "02010403"},
	{Format{Type: Uint32, Registers: 2}, UintValue(math.MaxUint32), "ffffffff"},
	{Format{Type: Int64}, IntValue(math.MinInt64), "8000000000000000"},
	{Format{Type: Int64, Order: CDAB}, IntValue(math.MaxInt64), "ffffffffffff7fff"},
	{Format{Type: Uint64}, UintValue(0x0102030405060708), "0102030405060708"},
	{Format{Type: Uint64, Order: CDAB}, UintValue(0x0102030405060708), "0708050603040102"},
	{Format{Type: Uint64, Order: BADC}, UintValue(0x0102030405060708), "0201040306050807"},
	{Format{Type: Uint64, Order: DCBA}, UintValue(math.MaxUint64 - 1), "feffffffffffffff"},
	{Format{Type: Float64}, FloatValue(-123.456), "c05edd2f1a9fbe77"},
	{Format{Type: Float64, Order: CDAB}, FloatValue(-123.456), "be771a9fdd2fc05e"},
	{Format{Type: BCD}, UintValue(1234), "1234"},
	{Format{Type: BCD, Registers: 2, Order: CDAB}, UintValue(12345678), "56781234"},
	{Format{Type: BCD, Registers: 3}, UintValue(987654321098), "987654321098"},
	{Format{Type: BCD, Registers: 4}, UintValue(9999999999999999), "9999999999999999"},
	{Format{Type: SignMagnitude}, IntValue(-5), "8005"},
	{Format{Type: SignMagnitude, Registers: 2, Order: CDAB}, IntValue(-65536), "00008001"},
	{Format{Type: SignMagnitude, Registers: 4}, IntValue(math.MaxInt64), "7fffffffffffffff"},
	{Format{Type: BitField, Bit: 0}, UintValue(1), "0001"},
	{Format{Type: BitField, Bit: 15}, UintValue(1), "8000"},
	{Format{Type: BitField, Bit: 4, Bits: 3}, UintValue(5), "0050"},
	{Format{Type: BitField, Bit: 16, Bits: 16, Registers: 2, Order: CDAB}, UintValue(0x1234), "00001234"},
	{Format{Type: BitField, Bits: 64, Registers: 4}, UintValue(math.MaxUint64), "ffffffffffffffff"},
	{Format{Type: String, Registers: 3}, TextValue("Meter"), "4d6574657200"},
	{Format{Type: String, Registers: 2, Order: BADC}, TextValue("Abcd"), "62416463"},
	{Format{Type: String, Registers: 2, Order: CDAB}, TextValue("Abcd"), "63644162"},
	{Format{Type: String, Registers: 2, Order: DCBA}, TextValue("Abcd"), "64636241"},
	{Format{Type: String, Registers: 2}, TextValue(""), "00000000"},
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for _, x := range formats {
		name := fmt.Sprintf("%v %v %d %v", x.format.Type, x.format.Order, x.format.Registers, x.value)
		if err := x.format.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := x.format.Decode(append(unhex(t, x.hex), 0xaa))
		if err != nil || got != x.value {
			t.Errorf("%s: decoded %v, %v", name, got, err)
		}
		again, err := x.format.Append([]byte("x"), x.value)
		if err != nil || hex.EncodeToString(again) != "78"+x.hex {
			t.Errorf("%s: written %x, %v", name, again, err)
		}
		if _, err := x.format.Decode(make([]byte, len(x.hex)/2-1)); !errors.Is(err, ErrValue) {
			t.Errorf("%s: decoded from too little: %v", name, err)
		}
	}
}

// Numbers are taken for one another where nothing is lost.
func TestAppendOtherKinds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		format Format
		value  Value
		hex    string
	}{
		"int as float":        {Format{Type: Float32}, IntValue(-1), "bf800000"},
		"uint as float":       {Format{Type: Float64}, UintValue(1 << 60), "43b0000000000000"},
		"a power of two":      {Format{Type: Float32}, UintValue(1 << 40), "53800000"},
		"float as int":        {Format{Type: Int16}, FloatValue(-2), "fffe"},
		"float as uint":       {Format{Type: Uint32}, FloatValue(4294967295), "ffffffff"},
		"uint as int":         {Format{Type: Int16}, UintValue(32767), "7fff"},
		"int as uint":         {Format{Type: Uint64}, IntValue(math.MaxInt64), "7fffffffffffffff"},
		"the nearest float32": {Format{Type: Float32}, FloatValue(0.1), "3dcccccd"},
		"a negative zero":     {Format{Type: Uint16}, FloatValue(math.Copysign(0, -1)), "0000"},
	} {
		out, err := test.format.Append(nil, test.value)
		if err != nil || hex.EncodeToString(out) != test.hex {
			t.Errorf("%s: %x, %v; want %s", name, out, err, test.hex)
		}
	}
}

func TestAppendMisfits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		format Format
		value  Value
	}{
		"int16 above":           {Format{Type: Int16}, IntValue(32768)},
		"int16 below":           {Format{Type: Int16}, IntValue(-32769)},
		"uint16 above":          {Format{Type: Uint16}, UintValue(65536)},
		"uint16 below":          {Format{Type: Uint16}, IntValue(-1)},
		"int32 above":           {Format{Type: Int32}, IntValue(1 << 31)},
		"int64 above":           {Format{Type: Int64}, UintValue(1 << 63)},
		"uint64 below":          {Format{Type: Uint64}, IntValue(math.MinInt64)},
		"a fraction":            {Format{Type: Int16}, FloatValue(0.5)},
		"a huge float":          {Format{Type: Uint64}, FloatValue(1e30)},
		"no number":             {Format{Type: Float64}, FloatValue(math.NaN())},
		"infinite":              {Format{Type: Float32}, FloatValue(math.Inf(1))},
		"float32 above":         {Format{Type: Float32}, FloatValue(1e39)},
		"an int that no float":  {Format{Type: Float64}, IntValue(math.MaxInt64)},
		"an int past 24 bits":   {Format{Type: Float32}, IntValue(1<<24 + 1)},
		"a uint past 24 bits":   {Format{Type: Float32}, UintValue(1<<40 + 1)},
		"a uint that no float":  {Format{Type: Float64}, UintValue(math.MaxUint64)},
		"BCD of 5 digits":       {Format{Type: BCD}, UintValue(10000)},
		"BCD below":             {Format{Type: BCD}, IntValue(-1)},
		"BCD of 17 digits":      {Format{Type: BCD, Registers: 4}, UintValue(1e16)},
		"sign and 16 bits":      {Format{Type: SignMagnitude}, IntValue(-32768)},
		"a field of 3 bits":     {Format{Type: BitField, Bit: 2, Bits: 3}, UintValue(8)},
		"a text for a number":   {Format{Type: Int16}, TextValue("1")},
		"a text for a float":    {Format{Type: Float32}, TextValue("1")},
		"a text too long":       {Format{Type: String, Registers: 2}, TextValue("abcde")},
		"a number for a text":   {Format{Type: String, Registers: 2}, IntValue(1)},
		"nothing":               {Format{Type: Int16}, Value{}},
		"nothing for a text":    {Format{Type: String}, Value{}},
		"nothing for a float32": {Format{Type: Float32}, Value{}},
	} {
		if out, err := test.format.Append([]byte("x"), test.value); !errors.Is(err, ErrValue) || string(out) != "x" {
			t.Errorf("%s: %x, %v", name, out, err)
		}
	}
}

func TestDecodeNoValue(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		format Format
		hex    string
	}{
		"BCD with an A":    {Format{Type: BCD}, "12a4"},
		"NaN":              {Format{Type: Float32}, "7fc00000"},
		"NaN of 64 bits":   {Format{Type: Float64}, "7ff8000000000001"},
		"infinite swapped": {Format{Type: Float32, Order: CDAB}, "00007f80"},
	} {
		if v, err := test.format.Decode(unhex(t, test.hex)); !errors.Is(err, ErrValue) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

func TestMasks(t *testing.T) {
	t.Parallel()
	f := Format{Type: BitField, Bit: 4, Bits: 3, Order: BADC}
	and, or, err := f.Masks(UintValue(5))
	if err != nil {
		t.Fatal(err)
	}
	r := Request{AndMask: and, OrMask: or}
	masked := AppendRegisters(nil, r.Masked(0xffff))
	v, err := f.Decode(masked)
	if err != nil || v != UintValue(5) || hex.EncodeToString(masked) != "dfff" {
		t.Errorf("all ones become %x, %v, %v", masked, v, err)
	}
	if _, _, err := f.Masks(UintValue(8)); !errors.Is(err, ErrValue) {
		t.Errorf("8 in 3 bits: %v", err)
	}
	if _, _, err := (Format{Type: Uint16}).Masks(UintValue(8)); !errors.Is(err, ErrValue) {
		t.Errorf("masks of a number: %v", err)
	}
}

func TestFormatValidate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		format Format
		want   []string
	}{
		"no type":          {Format{}, []string{"no type"}},
		"too many at once": {Format{Type: Int16, Order: 9, Registers: 2, Bit: 1}, []string{"order 9", "registers 2", "bit and bits"}},
		"BCD of 5":         {Format{Type: BCD, Registers: 5}, []string{"registers 5, want 1 to 4"}},
		"a long text":      {Format{Type: String, Registers: 126}, []string{"registers 126, want 1 to 125"}},
		"bit 16":           {Format{Type: BitField, Bit: 16}, []string{"bits 16 to 16, of a number of 16 bits"}},
		"bits below":       {Format{Type: BitField, Bit: -1}, []string{"bits -1 to -1"}},
	} {
		err := test.format.Validate()
		if !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	}
	if _, err := ParseType("int24"); err == nil || !strings.Contains(err.Error(), "signMagnitude") {
		t.Errorf("int24: %v", err)
	}
	if _, err := ParseOrder("ACBD"); err == nil {
		t.Error("order ACBD is no error")
	}
	if typ, err := ParseType("SIGNmagnitude"); err != nil || typ != SignMagnitude {
		t.Errorf("SIGNmagnitude is %v, %v", typ, err)
	}
}

// What is decoded from any registers gives them again, but for what a float or a
// text has several forms of.
func FuzzFormat(f *testing.F) {
	for _, x := range formats {
		f.Add(uint8(x.format.Type), uint8(x.format.Order), uint8(x.format.Registers), uint8(x.format.Bit), uint8(x.format.Bits), unhex(f, x.hex))
	}
	f.Fuzz(func(t *testing.T, typ, order, registers, bit, bits uint8, data []byte) {
		format := Format{Type: Type(typ), Order: Order(order), Registers: int(registers), Bit: int(bit), Bits: int(bits)}
		if format.Validate() != nil {
			return
		}
		v, err := format.Decode(data)
		if err != nil {
			if !errors.Is(err, ErrValue) {
				t.Fatal(err)
			}
			return
		}
		out, err := format.Append(nil, v)
		if err != nil {
			t.Fatalf("%+v: %v of %x cannot be written: %v", format, v, data, err)
		}
		again, err := format.Decode(out)
		if err != nil || again != v && v.Kind() != KindText {
			t.Fatalf("%+v: %v of %x is %v from %x, %v", format, v, data, again, out, err)
		}
		if exact := format.Type != BitField && format.Type != String && format.Type != SignMagnitude; exact && string(out) != string(data[:2*format.Size()]) {
			t.Fatalf("%+v: %v of %x is written %x", format, v, data, out)
		}
	})
}
