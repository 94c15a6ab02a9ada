package profile

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/thing"
)

// Compiled is a point that was checked. It does not change.
type Compiled struct {
	Name     string         // of its property
	Address  modbus.Address // of its first register or bit
	Format   modbus.Format  // of what is in registers; the zero value in areas of bits
	Truth    bool           // its value is a truth
	Readable bool           // it is polled and may be asked for
	Writable bool           // it may be set
	Interval time.Duration  // between polls
	OnChange bool           // it is reported when it has changed
	AtLeast  time.Duration  // and after so long in any case; 0: not
	// Modify says that the unit has no function 22: the register of a bit has to be
	// read, changed by the masks of [Compiled.Writing], and written back.
	Modify bool

	scale, offset decimal
	scaled        bool
	asText        bool
	decimals      int // -1: all
	deadband      float64
	enum          map[uint64]string // by the bits of the number
	fromEnum      map[string]int64
	invalid       map[uint64]bool
	multiple      bool
	min, max      *big.Rat
}

// Size is how many registers or bits the point has.
func (p *Compiled) Size() int {
	if p.Address.Area.Bits() {
		return 1
	}
	return p.Format.Size()
}

// ErrNoValue is returned for registers that hold a number that means no value,
// by the profile's key invalid. Leave the point out.
var ErrNoValue = errors.New("profile: no value")

// Mark is what a value is compared by with the one reported before. Marks of one
// point can be compared with ==.
type Mark uint64

// markSeed makes marks of texts.
var markSeed = maphash.MakeSeed()

// Bit is the value of a point in an area of bits.
func (p *Compiled) Bit(on bool) (thing.Value, Mark) {
	n := uint64(0)
	if on {
		n = 1
	}
	if text, ok := p.enum[n]; ok {
		return thing.String(text), Mark(n)
	}
	if p.Truth {
		return thing.Bool(on), Mark(n)
	}
	return thing.Int(int64(n)), Mark(n) //nolint:gosec // 0 or 1
}

// Decode is the value in data, which begins with the point's first register. An
// error is [ErrNoValue], or wraps modbus.ErrValue.
func (p *Compiled) Decode(data []byte) (thing.Value, Mark, error) {
	raw, err := p.Format.Decode(data)
	if err != nil {
		return thing.Value{}, 0, err
	}
	if raw.Kind() == modbus.KindText {
		return thing.String(raw.Text()), Mark(maphash.String(markSeed, raw.Text())), nil
	}
	bits := bitsOf(raw)
	if p.invalid != nil {
		if n, _ := p.wire(raw); p.invalid[n] {
			return thing.Value{}, 0, ErrNoValue
		}
	}
	if p.Truth {
		return thing.Bool(bits != 0), Mark(bits), nil
	}
	if p.enum != nil {
		if text, ok := p.enum[bits]; ok {
			return thing.String(text), Mark(bits), nil
		}
		return thing.String(raw.String()), Mark(bits), nil
	}
	if p.asText {
		return thing.String(raw.String()), Mark(bits), nil
	}
	v := p.scaledUp(raw)
	if p.deadband > 0 {
		f, _ := v.Float()
		return v, Mark(math.Float64bits(f)), nil
	}
	return v, Mark(bits), nil
}

// bitsOf tells numbers of one kind apart.
func bitsOf(v modbus.Value) uint64 {
	switch v.Kind() {
	case modbus.KindInt:
		return uint64(v.Int()) //nolint:gosec // the same bits
	case modbus.KindUint:
		return v.Uint()
	default:
		return math.Float64bits(v.Float())
	}
}

// scaledUp is raw times scale plus offset, exactly where that can be told in 18
// digits.
func (p *Compiled) scaledUp(raw modbus.Value) thing.Value {
	d, ok := decimalOf(raw)
	if ok && p.scaled {
		if d, ok = d.times(p.scale); ok {
			d, ok = d.plus(p.offset)
		}
	}
	if !ok {
		return p.inexact(raw)
	}
	if p.decimals >= 0 {
		d = d.rounded(uint8(p.decimals)) //nolint:gosec // 0 to 9
	}
	return d.value()
}

// inexact is for numbers of more digits than a decimal has.
func (p *Compiled) inexact(raw modbus.Value) thing.Value {
	var f float64
	switch raw.Kind() {
	case modbus.KindInt:
		f = float64(raw.Int())
	case modbus.KindUint:
		f = float64(raw.Uint())
	default:
		f = raw.Float()
	}
	if p.scaled {
		f = f*p.scale.float() + p.offset.float()
	}
	if p.decimals >= 0 {
		unit := float64(powers[p.decimals])
		if x := math.Round(f * unit); !math.IsInf(x, 0) {
			f = x / unit
		}
	}
	return thing.Float(f)
}

// Changed says whether a value with the mark now is to be reported, when the one
// reported last has the mark last.
func (p *Compiled) Changed(now, last Mark) bool {
	if p.deadband > 0 {
		return math.Abs(math.Float64frombits(uint64(now))-math.Float64frombits(uint64(last))) > p.deadband
	}
	return now != last
}

// ErrRefused is wrapped by errors about values that cannot be written: not of
// the point's type, between two steps of its scale, or out of its range.
var ErrRefused = errors.New("profile: cannot be written")

// number is what v is in the registers, as a fraction.
func (p *Compiled) number(v thing.Value) (*big.Rat, error) {
	if text, ok := v.Text(); ok {
		if n, known := p.fromEnum[text]; known {
			return new(big.Rat).SetInt64(n), nil
		}
		if p.enum == nil {
			if r, isNumber := fractionOf(text); isNumber {
				return p.scaledDown(r)
			}
		}
		return nil, fmt.Errorf("%w: %s: %q is none of its values", ErrRefused, p.Name, text)
	}
	if b, ok := v.Bool(); ok && (p.Truth || v.Type() == thing.BoolType) {
		if b {
			return big.NewRat(1, 1), nil
		}
		return new(big.Rat), nil
	}
	if p.Truth {
		return nil, fmt.Errorf("%w: %s: %s is neither true nor false", ErrRefused, p.Name, v)
	}
	r, ok := new(big.Rat).SetString(v.String())
	if !ok {
		return nil, fmt.Errorf("%w: %s: %s is no number", ErrRefused, p.Name, v)
	}
	if p.enum != nil {
		return r, nil
	}
	return p.scaledDown(r)
}

// scaledDown is what r is in the registers, when it is in the point's range.
func (p *Compiled) scaledDown(r *big.Rat) (*big.Rat, error) {
	text := func(r *big.Rat) string { f, _ := r.Float64(); return strconv.FormatFloat(f, 'g', -1, 64) }
	if p.min != nil && r.Cmp(p.min) < 0 {
		return nil, fmt.Errorf("%w: %s: %s is less than %s", ErrRefused, p.Name, text(r), text(p.min))
	}
	if p.max != nil && r.Cmp(p.max) > 0 {
		return nil, fmt.Errorf("%w: %s: %s is more than %s", ErrRefused, p.Name, text(r), text(p.max))
	}
	if p.scaled {
		r = new(big.Rat).Sub(r, p.offset.rat())
		r.Quo(r, p.scale.rat())
	}
	return r, nil
}

// raw is v as the number or text that its registers hold.
func (p *Compiled) raw(v thing.Value) (modbus.Value, error) {
	if p.Format.Type == modbus.String {
		text, ok := v.Text()
		if !ok {
			return modbus.Value{}, fmt.Errorf("%w: %s: %s is no text", ErrRefused, p.Name, v)
		}
		return modbus.TextValue(text), nil
	}
	r, err := p.number(v)
	if err != nil {
		return modbus.Value{}, err
	}
	if p.Format.Type == modbus.Float32 || p.Format.Type == modbus.Float64 {
		f, _ := r.Float64()
		return modbus.FloatValue(f), nil
	}
	n, ok := nearest(r)
	if v.Type() == thing.FloatType && n.CmpAbs(sure) > 0 {
		return modbus.Value{}, fmt.Errorf("%w: %s: %s may not be the number that was meant, for so many digits are not exact on their way: write it as a text, in quotes", ErrRefused, p.Name, v)
	}
	if !ok {
		return modbus.Value{}, fmt.Errorf("%w: %s: %s lies between two steps of its scale", ErrRefused, p.Name, v)
	}
	switch {
	case n.IsInt64():
		return modbus.IntValue(n.Int64()), nil
	case n.IsUint64():
		return modbus.UintValue(n.Uint64()), nil
	}
	return modbus.Value{}, fmt.Errorf("%w: %s: %s is out of range", ErrRefused, p.Name, v)
}

// sure is the largest number whose digits binary floating point numbers keep.
var sure = big.NewInt(1e15)

// tolerance is how far, in steps, a number may be from one of its steps: what
// binary floating point makes of decimal numbers on their way.
var tolerance = big.NewRat(1, 1_000_000)

// nearest is the whole number that r is, nearly.
func nearest(r *big.Rat) (*big.Int, bool) {
	half := big.NewRat(1, 2)
	if r.Sign() < 0 {
		half.Neg(half)
	}
	up := new(big.Rat).Add(r, half)
	n := new(big.Int).Quo(up.Num(), up.Denom())
	off := new(big.Rat).Sub(r, new(big.Rat).SetInt(n))
	return n, off.Abs(off).Cmp(tolerance) <= 0
}

// Writing is the request that sets p to v; its Data is its own. An error wraps
// [ErrRefused] or modbus.ErrValue.
func (p *Compiled) Writing(v thing.Value) (modbus.Request, error) {
	if !p.Writable {
		return modbus.Request{}, fmt.Errorf("%w: %s is only read: its access is r", ErrRefused, p.Name)
	}
	one, several := p.Address.Area.WriteFunctions()
	r := modbus.Request{Function: one, Address: p.Address.Offset}
	if p.Address.Area.Bits() {
		n, err := p.number(v)
		if err != nil {
			return modbus.Request{}, err
		}
		on := n.Sign() != 0
		r.Value = modbus.CoilValue(on)
		if p.multiple {
			r = modbus.Request{Function: several, Address: p.Address.Offset, Quantity: 1, Data: modbus.AppendBits(nil, on)}
		}
		return r, nil
	}
	raw, err := p.raw(v)
	if err != nil {
		return modbus.Request{}, err
	}
	if p.Format.Type == modbus.BitField && p.partial() {
		r.Function = modbus.MaskWriteRegister
		r.AndMask, r.OrMask, err = p.Format.Masks(raw)
		return r, named(p, err)
	}
	data, err := p.Format.Append(nil, raw)
	if err != nil {
		return modbus.Request{}, named(p, err)
	}
	if len(data) == 2 && !p.multiple {
		r.Value = modbus.Register(data, 0)
		return r, nil
	}
	return modbus.Request{Function: several, Address: p.Address.Offset, Quantity: uint16(len(data) / 2), Data: data}, nil //nolint:gosec // 125 at most
}

// partial says whether the register has other bits than the field's.
func (p *Compiled) partial() bool { return max(1, p.Format.Bits) < 16*p.Format.Size() }

func named(p *Compiled, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", p.Name, err)
}

// Kept says whether data, as read from the point's registers or bits, is what
// setting the point to v has written: the same bytes or, where a unit has written a
// value in another way, the same value.
func (p *Compiled) Kept(v thing.Value, data []byte) bool {
	w, err := p.Writing(v)
	switch {
	case err != nil:
		return false
	case p.Address.Area.Bits():
		return modbus.Bit(data, 0) == (w.Value != 0 || len(w.Data) > 0 && modbus.Bit(w.Data, 0))
	case w.Function == modbus.MaskWriteRegister:
		return modbus.Register(data, 0)&^w.AndMask == w.OrMask&^w.AndMask
	case w.Data == nil && modbus.Register(data, 0) == w.Value, w.Data != nil && bytes.Equal(data, w.Data):
		return true
	}
	have, _, err := p.Decode(data)
	return err == nil && p.Same(have, v)
}

// Same says whether a and b are the same in the point's registers.
func (p *Compiled) Same(a, b thing.Value) bool {
	x, err := p.Writing(a)
	y, err2 := p.Writing(b)
	return err == nil && err2 == nil && x.Value == y.Value && x.OrMask == y.OrMask && bytes.Equal(x.Data, y.Data)
}
