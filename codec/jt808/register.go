package jt808

import "encoding/json"

// PlateColor is the colour of a number plate (JT/T 415-2006 5.4.12, extended by
// JT/T 697.7-2014).
type PlateColor uint8

// The colours of number plates. PlateNone says that the vehicle has no plate
// yet: the plate field holds its VIN then.
const (
	PlateNone         PlateColor = 0
	PlateBlue         PlateColor = 1
	PlateYellow       PlateColor = 2
	PlateBlack        PlateColor = 3
	PlateWhite        PlateColor = 4
	PlateGreen        PlateColor = 5
	PlateOther        PlateColor = 9
	PlateYellowGreen  PlateColor = 93
	PlateGradualGreen PlateColor = 94
)

// known reports whether the colour is one of those above.
func (c PlateColor) known() bool {
	return c <= PlateGreen || c == PlateOther || c == PlateYellowGreen || c == PlateGradualGreen
}

// Register is message 0x0100: the terminal asks to be known (JT/T 808).
// The platform answers with 0x8100.
type Register struct {
	// Layout is the edition whose widths the body has, as ParseBody found it: 2011
	// and 2013 have the same header, and the body need not be its header's.
	// AppendBody goes by it; if it is 0, as with Rest, by the edition it is given.
	Layout       Version    `json:"layout"`
	ModelLen     uint8      `json:"model_len,omitempty"` // width of the model's field; 0: that of Layout
	Province     uint16     `json:"province"`            // first two digits of GB/T 2260, 0: the platform's choice
	City         uint16     `json:"city"`                // last four digits of GB/T 2260, 0: the platform's choice
	Manufacturer string     `json:"manufacturer"`        // maker's code; at most 5 bytes, in 2019 11
	Model        string     `json:"model"`               // at most 8 bytes in 2011, 20 in 2013, 30 in 2019
	TerminalID   string     `json:"terminal_id"`         // maker's own id; at most 7 bytes, in 2019 30
	PlateColor   PlateColor `json:"plate_color"`         // 0: no plate yet
	Plate        string     `json:"plate"`               // number plate; the VIN if PlateColor is 0
	Rest         Hex        `json:"rest,omitempty"`      // all behind City, if it has no layout: the other fields are empty then
}

// ID is 0x0100.
func (*Register) ID() ID { return IDRegister }

// MarshalJSON leaves out the fields that nobody could read.
func (b Register) MarshalJSON() ([]byte, error) {
	type fields Register
	if len(b.Rest) == 0 {
		return json.Marshal(fields(b))
	}
	return json.Marshal(struct {
		Province uint16 `json:"province"`
		City     uint16 `json:"city"`
		Rest     Hex    `json:"rest"`
	}{b.Province, b.City, b.Rest})
}

// AppendBody appends the registration with the widths of [Register.Layout].
// Texts that are too long fail with [ErrTooLong].
func (b *Register) AppendBody(dst []byte, v Version) ([]byte, error) {
	l := b.layout(v)
	w := newWriter(dst)
	w.u16(b.Province)
	w.u16(b.City)
	if len(b.Rest) > 0 {
		w.bytes(b.Rest)
		return w.done()
	}
	w.textFixed(b.Manufacturer, l.maker, "manufacturer")
	w.textFixed(b.Model, l.model, "model")
	w.textFixed(b.TerminalID, l.id, "terminal id")
	w.u8(uint8(b.PlateColor))
	w.text(b.Plate)
	return w.done()
}

func (b *Register) layout(v Version) registerLayout {
	switch b.Layout {
	case V2011, V2013, V2019:
		v = b.Layout
	default:
		if v != V2019 {
			v = V2013
		}
	}
	l := registerLayouts[v]
	if b.ModelLen > 0 {
		l.model = int(b.ModelLen)
	}
	return l
}

// ParseBody reads the registration; it wants the 25 bytes that the shortest has,
// of 2011 without a plate. A layout of another edition than v, and another width
// of the model, are recognised by what the fields look like then. In a body that
// looks like none it reads Province and City and leaves the rest.
func (b *Register) ParseBody(body []byte, v Version) error {
	if len(body) < registerShortest {
		return &ShortBodyError{Want: registerShortest, Have: len(body)}
	}
	l, edition, ok := registerFind(body, v)
	r := newReader(body)
	*b = Register{Province: r.u16(), City: r.u16()}
	if !ok {
		b.Rest = r.bytesRest()
		return r.err()
	}
	b.Layout = edition
	if l.model != registerLayouts[edition].model {
		b.ModelLen = uint8(l.model) //nolint:gosec // at most 30
	}
	b.Manufacturer, b.Model, b.TerminalID = r.text(l.maker), r.text(l.model), r.text(l.id)
	b.PlateColor, b.Plate = PlateColor(r.u8()), r.textRest()
	return r.err()
}

// RegisterResult is how a registration ends.
type RegisterResult uint8

// The results of a registration.
const (
	RegisterOK              RegisterResult = 0 // registered
	RegisterVehicleKnown    RegisterResult = 1 // the vehicle is registered already
	RegisterVehicleUnknown  RegisterResult = 2 // there is no such vehicle
	RegisterTerminalKnown   RegisterResult = 3 // the terminal is registered already
	RegisterTerminalUnknown RegisterResult = 4 // there is no such terminal
)

// RegisterResponse is message 0x8100, the platform's answer to a registration
// (JT/T 808).
type RegisterResponse struct {
	Serial uint16         `json:"ack_serial"`          // serial of the registration
	Result RegisterResult `json:"result"`              // 0 to 4
	Code   string         `json:"auth_code,omitempty"` // what the terminal authenticates with; only if Result is 0
	Tail   Hex            `json:"tail,omitempty"`      // bytes behind the result if that is not 0
}

// ID is 0x8100.
func (*RegisterResponse) ID() ID { return IDRegisterResponse }

// AppendBody appends the answer; the code only if the result is 0.
func (b *RegisterResponse) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u16(b.Serial)
	w.u8(uint8(b.Result))
	if b.Result == RegisterOK {
		w.text(b.Code)
	} else {
		w.bytes(b.Tail)
	}
	return w.done()
}

// ParseBody reads the answer; it wants three bytes.
func (b *RegisterResponse) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = RegisterResponse{Serial: r.u16(), Result: RegisterResult(r.u8())}
	if b.Result == RegisterOK {
		b.Code = r.textRest()
	} else {
		b.Tail = r.tail()
	}
	return r.err()
}
