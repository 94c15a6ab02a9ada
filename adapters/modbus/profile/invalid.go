package profile

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/codec/modbus"
)

// wire is a number as its registers have it, the highest first; of a bit field it
// is the field.
func (p *Compiled) wire(raw modbus.Value) (n uint64, ok bool) {
	if p.Format.Type == modbus.BitField {
		return raw.Uint(), raw.Kind() != modbus.KindInt || raw.Int() >= 0
	}
	f := p.Format
	f.Order = modbus.ABCD
	var room [8]byte
	data, err := f.Append(room[:0], raw)
	for ; err == nil && len(data) > 0; data = data[2:] {
		n = n<<16 | uint64(binary.BigEndian.Uint16(data))
	}
	return n, err == nil
}

// invalid reads the numbers that mean no value.
func (c *checking) invalid() {
	if c.to.Format.Type == 0 && !c.to.Address.Area.Bits() {
		return // it has mistakes that say so
	}
	for _, text := range c.from.Invalid {
		if c.to.Address.Area.Bits() || c.text() {
			c.fail("invalid", "only for numbers in registers")
			continue
		}
		n, err := c.to.invalidNumber(text)
		if err != nil {
			c.fail("invalid", "%w", err)
			continue
		}
		if c.to.invalid == nil {
			c.to.invalid = map[uint64]bool{}
		}
		c.to.invalid[n] = true
	}
}

// invalidNumber is what text means in the registers: 0x7FFF is that, 32767 is a
// number as it is read, or as the registers have it if it cannot be read.
func (p *Compiled) invalidNumber(text string) (uint64, error) {
	all := uint64(math.MaxUint64) >> (64 - 16*p.Format.Size())
	unsigned, notUnsigned := strconv.ParseUint(text, 0, 64)
	if strings.HasPrefix(strings.ToLower(text), "0x") && notUnsigned == nil {
		return unsigned & all, nil
	}
	if p.Format.Type == modbus.Float32 || p.Format.Type == modbus.Float64 {
		f, err := strconv.ParseFloat(text, 64)
		if n, ok := p.wire(modbus.FloatValue(f)); ok && err == nil {
			return n, nil
		}
		return 0, fmt.Errorf("%q is no number such as -9999 or 0xFF7FFFFF", text)
	}
	signed, notSigned := strconv.ParseInt(text, 0, 64)
	v, n := modbus.IntValue(signed), uint64(signed) //nolint:gosec // two's complement
	switch {
	case notSigned != nil && notUnsigned != nil:
		return 0, fmt.Errorf("%q is no whole number such as 32767 or 0x7FFF", text)
	case notSigned != nil:
		v, n = modbus.UintValue(unsigned), unsigned
	}
	if packed, ok := p.wire(v); ok {
		return packed, nil
	}
	return n & all, nil
}
