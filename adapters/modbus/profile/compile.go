package profile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/codec/modbus"
)

// Profile is a product's points and how they are read. It does not change and
// may be used from any goroutine.
type Profile struct {
	Name   string
	Points []Compiled // by area and address
	Groups []Group    // one for each interval, the shortest first
	// Careful is the same groups, whose requests read nothing but points: for units
	// that refuse addresses between them. Nil where Groups do so as well.
	Careful []Group

	byName map[string]int
}

// Point is the point of that name, and where it stands in Points; nil when there
// is none.
func (p *Profile) Point(name string) (*Compiled, int) {
	i, ok := p.byName[name]
	if !ok {
		return nil, -1
	}
	return &p.Points[i], i
}

// Reports says whether some point is reported on change only: then somebody has
// to remember what was reported last.
func (p *Profile) Reports() bool {
	return slices.ContainsFunc(p.Points, func(c Compiled) bool { return c.OnChange })
}

// Prefixed is p with that text in front of all names.
func (p *Profile) Prefixed(prefix string) *Profile {
	if prefix == "" {
		return p
	}
	c := &Profile{Name: p.Name, Points: slices.Clone(p.Points), Groups: p.Groups, Careful: p.Careful, byName: make(map[string]int, len(p.Points))}
	for i := range c.Points {
		c.Points[i].Name = prefix + c.Points[i].Name
		c.byName[c.Points[i].Name] = i
	}
	return c
}

// Compile checks a profile and plans its requests. read reads the file of
// c.CSV; it may be nil when there is none. The error has every mistake, each with
// its point and key.
func Compile(name string, c Config, read func(path string) ([]byte, error)) (*Profile, error) {
	b := &builder{config: c}
	points := maps.Clone(c.Points)
	if c.CSV != "" {
		points = b.table(points, read)
	}
	b.check(c)
	p := &Profile{Name: name, byName: make(map[string]int, len(points))}
	if len(points) > MaxPoints {
		b.fail("points", "%d points, at most %d are allowed", len(points), MaxPoints)
		points = nil
	}
	for _, name := range slices.Sorted(maps.Keys(points)) {
		if compiled, ok := b.point(name, points[name]); ok {
			p.Points = append(p.Points, compiled)
		}
	}
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	if len(p.Points) == 0 {
		return nil, errors.New("points: there are none, so nothing can be read: write points { voltage { address = 40001 } }")
	}
	slices.SortStableFunc(p.Points, byAddress)
	for i := range p.Points {
		p.byName[p.Points[i].Name] = i
	}
	p.Groups = b.plan(p.Points, c.MaxGap)
	if slices.ContainsFunc(p.Groups, func(g Group) bool { return slices.ContainsFunc(g.Requests, func(r Request) bool { return r.Gap }) }) {
		p.Careful = b.plan(p.Points, 0)
	}
	return p, nil
}

// builder gathers the mistakes of one profile.
type builder struct {
	config Config
	order  modbus.Order
	holes  []hole
	errs   []error
}

func (b *builder) fail(key, format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf("%s: %w", key, fmt.Errorf(format, args...)))
}

func (b *builder) check(c Config) {
	if c.Interval < MinInterval || c.Interval > MaxInterval {
		b.fail("interval", "%v, must be from %v to %v", c.Interval, MinInterval, MaxInterval)
	}
	if c.Base != 0 && c.Base != 1 {
		b.fail("base", "%d, must be 0 or 1", c.Base)
	}
	if c.MaxGap < 0 || c.MaxGap > modbus.MaxReadRegisters {
		b.fail("maxGap", "%d, must be from 0 to %d", c.MaxGap, modbus.MaxReadRegisters)
	}
	if c.MaxLength < 1 || c.MaxLength > modbus.MaxReadRegisters {
		b.fail("maxLength", "%d, must be from 1 to %d", c.MaxLength, modbus.MaxReadRegisters)
	}
	if c.Report != reportPoll && c.Report != reportChange {
		b.fail("report", "%q, must be poll or change", c.Report)
	}
	if c.AtLeast < 0 {
		b.fail("atLeast", "%v, must be 0 or more", c.AtLeast)
	}
	var err error
	if b.order, err = modbus.ParseOrder(c.Order); err != nil {
		b.fail("order", "%w", err)
	}
	for _, text := range c.Holes {
		h, err := parseHole(text, c.Base)
		if err != nil {
			b.fail("holes", "%q: %w", text, err)
			continue
		}
		b.holes = append(b.holes, h)
	}
}

// checking is one point on its way.
type checking struct {
	*builder
	name string
	from Point
	to   Compiled
	ok   bool
}

func (c *checking) fail(key, format string, args ...any) {
	c.ok = false
	c.builder.fail("point "+c.name+": "+key, format, args...)
}

func (b *builder) point(name string, from Point) (Compiled, bool) {
	c := &checking{builder: b, name: name, from: from, ok: true}
	c.to = Compiled{Name: name, decimals: -1, Interval: b.config.Interval, AtLeast: b.config.AtLeast}
	if name == "" || len(name) > MaxName || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		c.fail("name", "%q, must have 1 to %d characters and no blanks", name, MaxName)
	}
	c.address()
	c.format()
	c.numbers()
	c.enumeration()
	c.access()
	c.reporting()
	return c.to, c.ok
}

// address reads where the point is.
func (c *checking) address() {
	var area modbus.Area
	var err error
	if c.from.Area != "" {
		if area, err = modbus.ParseArea(c.from.Area); err != nil {
			c.fail("area", "%w", err)
			return
		}
	}
	if f := c.from.Function; f != 0 {
		byFunction := [...]modbus.Area{1: modbus.Coils, 2: modbus.DiscreteInputs, 3: modbus.HoldingRegisters, 4: modbus.InputRegisters}
		switch {
		case f < 1 || f >= len(byFunction):
			c.fail("function", "%d, must be from 1 to 4", f)
			return
		case area != 0 && area != byFunction[f]:
			c.fail("function", "%d reads a %s, but area is %s: remove one of the two", f, byFunction[f], area)
			return
		}
		area = byFunction[f]
	}
	if c.to.Address, err = modbus.ParseAddress(c.from.Address, area, c.config.Base); err != nil {
		c.fail("address", "%w", err)
	}
}

// format reads what is at the address.
func (c *checking) format() {
	if !c.ok {
		return
	}
	kind := strings.ToLower(c.from.Type)
	if alias, ok := aliases[kind]; ok {
		kind = alias
	}
	bits := c.to.Address.Area.Bits()
	switch {
	case bits && (kind == "" || kind == "bit"):
		c.to.Truth = true
		if c.from.Bit != 0 || c.from.Bits != 0 || c.from.Registers != 0 {
			c.fail("type", "a %s has no bits or registers", c.to.Address.Area)
		}
		return
	case bits:
		c.fail("type", "%q, but a %s is a bit: write bit, or a holdingRegister's address", c.from.Type, c.to.Address.Area)
		return
	case kind == "bit":
		c.to.Truth, kind = true, modbus.BitField.String()
		if c.from.Bits > 1 {
			c.fail("bits", "%d, but a bit is one: write type = bitField", c.from.Bits)
		}
	case kind == "":
		kind = modbus.Uint16.String()
	}
	f := modbus.Format{Order: c.order, Registers: c.from.Registers, Bit: c.from.Bit, Bits: c.from.Bits}
	var err error
	if f.Type, err = modbus.ParseType(kind); err != nil {
		c.fail("type", "%w, or bit", err)
		return
	}
	if c.from.Order != "" {
		if f.Order, err = modbus.ParseOrder(c.from.Order); err != nil {
			c.fail("order", "%w", err)
			return
		}
	}
	if err := f.Validate(); err != nil {
		c.fail("type", "%w", err)
		return
	}
	c.to.Format = f
	if n := f.Size(); n > c.config.MaxLength {
		c.fail("registers", "%d are more than maxLength, which is %d", n, c.config.MaxLength)
	} else if int(c.to.Address.Offset)+n > 1<<16 {
		c.fail("address", "%d registers from there go past the last one, 65535", n)
	}
}

// aliases are other names of types.
var aliases = map[string]string{"bool": "bit", "float": "float32", "double": "float64", "bits": "bitfield", "text": "string"}

// text says whether the point has no number.
func (c *checking) text() bool { return c.to.Format.Type == modbus.String }

// numbers reads scale, offset and what else is for numbers alone.
func (c *checking) numbers() {
	c.to.scale = decimal{n: 1}
	number := func(key, text string, into *decimal) bool {
		if text == "" {
			return false
		}
		if c.to.Truth || c.text() || c.from.Enum != nil {
			c.fail(key, "only for numbers without enum")
			return false
		}
		d, err := parseDecimal(text)
		if err != nil {
			c.fail(key, "%w", err)
			return false
		}
		*into = d
		return true
	}
	scaled := number("scale", c.from.Scale, &c.to.scale)
	if scaled && c.to.scale.n == 0 {
		c.fail("scale", "0 makes every value 0")
	}
	c.to.scaled = number("offset", c.from.Offset, &c.to.offset) || scaled
	var deadband, low, high decimal
	if number("deadband", c.from.Deadband, &deadband) {
		if c.to.deadband = deadband.float(); deadband.n < 0 {
			c.fail("deadband", "%s, must be 0 or more", c.from.Deadband)
		}
	}
	if number("min", c.from.Min, &low) {
		c.to.min = low.rat()
	}
	if number("max", c.from.Max, &high) {
		c.to.max = high.rat()
	}
	if c.to.min != nil && c.to.max != nil && c.to.min.Cmp(c.to.max) > 0 {
		c.fail("min", "%s is more than max, which is %s", c.from.Min, c.from.Max)
	}
	if d := c.from.Decimals; d != nil {
		if c.to.decimals = *d; *d < 0 || *d > 9 {
			c.fail("decimals", "%d, must be from 0 to 9", *d)
		}
	}
	if c.to.asText = c.from.AsText; c.to.asText {
		c.wholeText()
	}
	c.invalid()
}

// wholeText checks that the point is a whole number as it stands in its registers.
func (c *checking) wholeText() {
	switch c.to.Format.Type {
	case modbus.String, modbus.Float32, modbus.Float64, 0:
		c.fail("asText", "only for whole numbers in registers")
	default:
	}
	if c.to.scaled || c.from.Decimals != nil || c.from.Deadband != "" || c.to.Truth || c.from.Enum != nil {
		c.fail("asText", "does not go with scale, offset, decimals, deadband, enum and bits")
	}
}

// enumeration reads the texts in place of numbers.
func (c *checking) enumeration() {
	if c.from.Enum == nil {
		return
	}
	switch c.to.Format.Type {
	case modbus.String, modbus.Float32, modbus.Float64:
		c.fail("enum", "not for type %s", c.to.Format.Type)
	default:
	}
	c.to.enum, c.to.fromEnum = map[uint64]string{}, map[string]int64{}
	for _, key := range slices.Sorted(maps.Keys(c.from.Enum)) {
		text := c.from.Enum[key]
		n, err := strconv.ParseInt(key, 0, 64)
		if err != nil {
			c.fail("enum", "%q is no whole number: write enum { 0 = off, 1 = on }", key)
			continue
		}
		if _, twice := c.to.fromEnum[text]; twice {
			c.fail("enum", "%q stands there twice, so it cannot be written", text)
		}
		c.to.enum[uint64(n)], c.to.fromEnum[text] = text, n //nolint:gosec // two's complement
	}
	if c.to.Format.Type != 0 {
		c.to.Truth = false
	}
}

// access reads who may do what.
func (c *checking) access() {
	p := &c.to
	switch c.from.Access {
	case accessRead, "":
		p.Readable = true
	case accessWrite:
		p.Writable = true
	case accessBoth:
		p.Readable, p.Writable = true, true
	default:
		c.fail("access", "%q, must be r, w or rw", c.from.Access)
	}
	switch c.from.Write {
	case writeAuto, "":
	case writeSingle:
		if p.Size() > 1 {
			c.fail("write", "single writes one register, but it has %d: write auto or multiple", p.Size())
		}
	case writeMultiple:
		p.multiple = true
	case writeModify:
		p.Modify = true
		if p.Format.Type != modbus.BitField {
			c.fail("write", "modify is for bits of a register")
		}
	default:
		c.fail("write", "%q, must be single, multiple, modify or auto", c.from.Write)
	}
	switch {
	case !p.Writable || !c.ok:
	case !p.Address.Area.Writable():
		c.fail("access", "%s, but area %s is only read", c.from.Access, p.Address.Area)
	case p.Format.Type == modbus.BitField && p.partial() && p.Format.Size() > 1:
		c.fail("access", "%s, but bits of several registers are only read", c.from.Access)
	case p.Format.Type != 0 && p.Size() > modbus.MaxWriteRegisters:
		c.fail("access", "%s, but %d registers are more than the %d that can be written at once", c.from.Access, p.Size(), modbus.MaxWriteRegisters)
	}
}

// reporting reads when it is read and reported.
func (c *checking) reporting() {
	p := &c.to
	if c.from.Interval != 0 {
		if p.Interval = c.from.Interval; p.Interval < MinInterval || p.Interval > MaxInterval {
			c.fail("interval", "%v, must be from %v to %v", p.Interval, MinInterval, MaxInterval)
		}
	}
	report := c.from.Report
	if report == "" {
		report = c.config.Report
	}
	switch report {
	case reportPoll:
		if c.from.Deadband != "" {
			c.fail("deadband", "only with report = change")
		}
	case reportChange:
		p.OnChange = true
	default:
		if c.from.Report != "" {
			c.fail("report", "%q, must be poll or change", report)
		}
	}
	if c.from.AtLeast != nil {
		if p.AtLeast = *c.from.AtLeast; p.AtLeast < 0 {
			c.fail("atLeast", "%v, must be 0 or more", p.AtLeast)
		}
	}
}
