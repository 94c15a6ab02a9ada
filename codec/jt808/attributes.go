package jt808

import (
	"fmt"
	"strings"
)

// TerminalType says in bits which vehicles a terminal is for (message 0x0107).
type TerminalType uint16

// The bits of a terminal's type.
const (
	TypePassenger TerminalType = 1 << 0 // fit for passenger vehicles
	TypeDangerous TerminalType = 1 << 1 // fit for dangerous goods
	TypeFreight   TerminalType = 1 << 2 // fit for freight
	TypeTaxi      TerminalType = 1 << 3 // fit for taxis
	TypeHDD       TerminalType = 1 << 6 // records video on a hard disk
	TypeSplit     TerminalType = 1 << 7 // in several units; otherwise in one
)

// attributesLayout is the widths of the text fields of message 0x0107.
type attributesLayout struct{ maker, model, id int }

// attributesBefore2019 are the widths of 2013. attributes2019 are the printed
// ones of 2019 and those of terminals that take the maker's width from 0x0100.
var (
	attributesBefore2019 = []attributesLayout{{maker: 5, model: 20, id: 7}}
	attributes2019       = []attributesLayout{{maker: 5, model: 30, id: 30}, {maker: 11, model: 30, id: 30}}
)

func attributesLayouts(v Version) []attributesLayout {
	if v == V2019 {
		return attributes2019
	}
	return attributesBefore2019
}

// Attributes is message 0x0107, what the terminal is: the answer to 0x8107, whose
// serial it does not carry (JT/T 808; 2013 is the first to have it).
type Attributes struct {
	Type            TerminalType `json:"terminal_type"`    // bits
	ManufacturerLen uint8        `json:"manufacturer_len"` // width of the maker's field: 5 (also meant by 0), or 11 in 2019
	Manufacturer    string       `json:"manufacturer"`     // maker's code, at most ManufacturerLen bytes
	Model           string       `json:"model"`            // at most 20 bytes, in 2019 30
	TerminalID      string       `json:"terminal_id"`      // maker's own id; at most 7 bytes, in 2019 30
	ICCID           string       `json:"iccid"`            // 20 digits of the SIM card
	Hardware        string       `json:"hardware"`         // hardware version, at most 255 bytes
	Firmware        string       `json:"firmware"`         // firmware version, at most 255 bytes
	GNSS            uint8        `json:"gnss"`             // bits: 0 GPS, 1 BeiDou, 2 GLONASS, 3 Galileo
	Comm            uint8        `json:"comm"`             // bits: 0 GPRS, 1 CDMA, 2 TD-SCDMA, 3 WCDMA, 4 CDMA2000, 5 TD-LTE, 7 other
	Tail            Hex          `json:"tail,omitempty"`   // bytes behind the last field
}

// ID is 0x0107.
func (*Attributes) ID() ID { return IDAttributes }

// AppendBody appends the attributes. A ManufacturerLen that edition v does not
// have fails with [ErrTooLong].
func (b *Attributes) AppendBody(dst []byte, v Version) ([]byte, error) {
	w := newWriter(dst)
	layout, ok := b.layout(v)
	if !ok {
		w.fail(fmt.Errorf("%w: manufacturer's field of %d bytes", ErrTooLong, b.ManufacturerLen))
	}
	w.u16(uint16(b.Type))
	w.textFixed(b.Manufacturer, layout.maker, "manufacturer")
	w.textFixed(b.Model, layout.model, "model")
	w.textFixed(b.TerminalID, layout.id, "terminal id")
	w.bcd(b.ICCID, 10)
	w.text8(b.Hardware, "hardware version")
	w.text8(b.Firmware, "firmware version")
	w.u8(b.GNSS)
	w.u8(b.Comm)
	w.bytes(b.Tail)
	return w.done()
}

func (b *Attributes) layout(v Version) (attributesLayout, bool) {
	for _, l := range attributesLayouts(v) {
		if b.ManufacturerLen == 0 || int(b.ManufacturerLen) == l.maker {
			return l, true
		}
	}
	return attributesLayout{}, false
}

// ParseBody reads the attributes. Of the layouts that edition v may have it takes
// the one that uses the body up, else the first that the body is long enough for;
// of two that use it up the one with fewer odd fields: see oddities.
func (b *Attributes) ParseBody(body []byte, v Version) error {
	var first error
	found, least := false, 0
	for i, l := range attributesLayouts(v) {
		var a Attributes
		err := a.parse(body, l)
		if i == 0 {
			first = err
		}
		if err != nil {
			continue
		}
		odd := a.oddities(body, l)
		if !found || a.Tail == nil && (b.Tail != nil || odd < least) {
			*b, found, least = a, true, odd
		}
	}
	if !found {
		return first
	}
	return nil
}

func (b *Attributes) parse(body []byte, l attributesLayout) error {
	r := newReader(body)
	*b = Attributes{
		Type:            TerminalType(r.u16()),
		ManufacturerLen: uint8(l.maker), //nolint:gosec // 5 or 11
		Manufacturer:    r.text(l.maker),
		Model:           r.text(l.model),
		TerminalID:      r.text(l.id),
		ICCID:           r.bcd(10),
		Hardware:        r.text8(),
		Firmware:        r.text8(),
		GNSS:            r.u8(),
		Comm:            r.u8(),
		Tail:            r.tail(),
	}
	return r.err()
}

// oddities is how many fields of a body, which is long enough for l, do not look
// as they mostly do: texts, and an ICCID that has no letters and begins with 89,
// as those of telephone companies do.
func (b *Attributes) oddities(body []byte, l attributesLayout) (n int) {
	r := newReader(body[2:])
	fields := [][]byte{r.take(l.maker), r.take(l.model), r.take(l.id)}
	r.take(10)
	fields = append(fields, r.take(int(r.u8())), r.take(int(r.u8())))
	for _, field := range fields {
		if !padded(field) {
			n++
		}
	}
	if strings.ContainsAny(b.ICCID, "abcdef") {
		n++
	}
	if !strings.HasPrefix(b.ICCID, "89") {
		n++
	}
	return n
}
