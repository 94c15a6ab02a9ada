package profile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/thing"
)

// Group is what is polled together.
type Group struct {
	Interval time.Duration
	Requests []Request
}

// Request reads neighbouring points.
type Request struct {
	Area              modbus.Area
	Address, Quantity uint16
	PDU               []byte // as it is sent
	Points            []int  // places in Profile.Points, by address
	Gap               bool   // it reads addresses that no point has
}

// String names what is read, for people: holdingRegister:100+10.
func (r *Request) String() string {
	return fmt.Sprintf("%s+%d", modbus.Address{Area: r.Area, Offset: r.Address}, r.Quantity)
}

// Covers says whether r reads all of p.
func (r *Request) Covers(p *Compiled) bool {
	return p.Address.Area == r.Area && p.Address.Offset >= r.Address && int(p.Address.Offset)+p.Size() <= int(r.Address)+int(r.Quantity)
}

// byAddress is the order of points.
func byAddress(a, b Compiled) int {
	return cmp.Or(cmp.Compare(a.Address.Area, b.Address.Area), cmp.Compare(a.Address.Offset, b.Address.Offset), cmp.Compare(a.Name, b.Name))
}

// hole is addresses that must not be read: from first to last.
type hole struct {
	area        modbus.Area
	first, last int
}

func parseHole(text string, base int) (hole, error) {
	from, to, isRange := strings.Cut(text, "-")
	a, err := modbus.ParseAddress(from, 0, base)
	if err != nil {
		return hole{}, err
	}
	h := hole{a.Area, int(a.Offset), int(a.Offset)}
	if isRange {
		b, err := modbus.ParseAddress(to, a.Area, base)
		if err != nil {
			return hole{}, err
		}
		h.last = int(b.Offset)
	}
	if h.last < h.first {
		return hole{}, errors.New("it ends before it begins")
	}
	return h, nil
}

const bitsPerRegister = 16

// plan puts points, in their order, into the fewest requests with gaps of at most
// maxGap.
func (b *builder) plan(points []Compiled, maxGap int) []Group {
	byInterval := map[time.Duration]*Group{}
	var order []time.Duration
	for i := range points {
		p := &points[i]
		if !p.Readable {
			continue
		}
		g := byInterval[p.Interval]
		if g == nil {
			g = &Group{Interval: p.Interval}
			byInterval[p.Interval] = g
			order = append(order, p.Interval)
		}
		b.place(g, p, i, maxGap)
	}
	slices.Sort(order)
	groups := make([]Group, 0, len(order))
	for _, interval := range order {
		g := byInterval[interval]
		for i := range g.Requests {
			r := &g.Requests[i]
			// What is planned is allowed by the standard: it cannot fail.
			r.PDU, _ = modbus.Request{Function: r.Area.ReadFunction(), Address: r.Address, Quantity: r.Quantity}.Append(nil)
		}
		groups = append(groups, *g)
	}
	return groups
}

// place puts a point into the last request of g, or into a new one.
func (b *builder) place(g *Group, p *Compiled, index, maxGap int) {
	start, end := int(p.Address.Offset), int(p.Address.Offset)+p.Size()
	if n := len(g.Requests); n > 0 {
		r := &g.Requests[n-1]
		have := int(r.Address) + int(r.Quantity)
		gap, length := maxGap, b.config.MaxLength
		if p.Address.Area.Bits() {
			gap, length = gap*bitsPerRegister, min(length*bitsPerRegister, modbus.MaxReadBits)
		}
		if joined := max(have, end); r.Area == p.Address.Area && start-have <= gap && joined-int(r.Address) <= length && !b.holed(r.Area, have, start) {
			r.Quantity = uint16(joined - int(r.Address)) //nolint:gosec // 2000 at most
			r.Points = append(r.Points, index)
			r.Gap = r.Gap || start > have
			return
		}
	}
	g.Requests = append(g.Requests, Request{Area: p.Address.Area, Address: p.Address.Offset, Quantity: uint16(end - start), Points: []int{index}}) //nolint:gosec // 125 at most
}

// holed says whether there is a hole from from to before to.
func (b *builder) holed(area modbus.Area, from, to int) bool {
	return slices.ContainsFunc(b.holes, func(h hole) bool { return h.area == area && h.first < to && h.last >= from })
}

// Value is the value of point i in the data of a response to a request that
// covers it. An error is that of [Compiled.Decode].
func (p *Profile) Value(i int, r *Request, data []byte) (thing.Value, Mark, error) {
	c := &p.Points[i]
	at := int(c.Address.Offset) - int(r.Address)
	if r.Area.Bits() {
		v, mark := c.Bit(modbus.Bit(data, at))
		return v, mark, nil
	}
	return c.Decode(data[2*at:])
}

// AppendFields appends the values of all points of r in the data of a response
// to it, and says how many had none.
func (p *Profile) AppendFields(fields []thing.Field, r *Request, data []byte) (all []thing.Field, missing int) {
	for _, i := range r.Points {
		v, _, err := p.Value(i, r, data)
		if err != nil {
			missing++
			continue
		}
		fields = append(fields, thing.Field{Name: p.Points[i].Name, Value: v})
	}
	return fields, missing
}
