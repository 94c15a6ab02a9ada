package jt808

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

// registerLayout is the widths of the text fields of message 0x0100.
type registerLayout struct{ maker, model, id int }

// color is the offset of the plate colour, the last field of fixed width.
func (l registerLayout) color() int { return 4 + l.maker + l.model + l.id }

var registerLayouts = [...]registerLayout{
	V2011: {maker: 5, model: 8, id: 7},
	V2013: {maker: 5, model: 20, id: 7},
	V2019: {maker: 11, model: 30, id: 30},
}

// Register is message 0x0100: the terminal asks to be known (JT/T 808).
// The platform answers with 0x8100.
type Register struct {
	// Layout is the edition whose widths the body has, as ParseBody found it: 2011
	// and 2013 have the same header. AppendBody goes by the edition it is given,
	// which it takes for 2013 if it is not 2019, unless this is V2011.
	Layout       Version    `json:"layout"`
	Province     uint16     `json:"province"`     // first two digits of GB/T 2260, 0: the platform's choice
	City         uint16     `json:"city"`         // last four digits of GB/T 2260, 0: the platform's choice
	Manufacturer string     `json:"manufacturer"` // maker's code; at most 5 bytes, in 2019 11
	Model        string     `json:"model"`        // at most 8 bytes in 2011, 20 in 2013, 30 in 2019
	TerminalID   string     `json:"terminal_id"`  // maker's own id; at most 7 bytes, in 2019 30
	PlateColor   PlateColor `json:"plate_color"`  // 0: no plate yet
	Plate        string     `json:"plate"`        // number plate; the VIN if PlateColor is 0
}

// ID is 0x0100.
func (*Register) ID() ID { return IDRegister }

// AppendBody appends the registration with the widths of [Register.Layout].
// Texts that are too long fail with [ErrTooLong].
func (b *Register) AppendBody(dst []byte, v Version) ([]byte, error) {
	if v != V2019 {
		v = V2013
		if b.Layout == V2011 {
			v = V2011
		}
	}
	l := registerLayouts[v]
	w := newWriter(dst)
	w.u16(b.Province)
	w.u16(b.City)
	w.textFixed(b.Manufacturer, l.maker, "manufacturer")
	w.textFixed(b.Model, l.model, "model")
	w.textFixed(b.TerminalID, l.id, "terminal id")
	w.u8(uint8(b.PlateColor))
	w.text(b.Plate)
	return w.done()
}

// ParseBody reads the registration; it wants 25 bytes in 2011, 37 in 2013 and 76
// in 2019, without the plate.
func (b *Register) ParseBody(body []byte, v Version) error {
	if v != V2019 {
		v = registerEdition(body)
	}
	l := registerLayouts[v]
	r := newReader(body)
	*b = Register{
		Layout:       v,
		Province:     r.u16(),
		City:         r.u16(),
		Manufacturer: r.text(l.maker),
		Model:        r.text(l.model),
		TerminalID:   r.text(l.id),
		PlateColor:   PlateColor(r.u8()),
		Plate:        r.textRest(),
	}
	return r.err()
}

// registerEdition tells the layout of 2011 from that of 2013. Length alone does
// not: a body of 2011 with a VIN in place of the plate is 42 bytes long. So the
// colour has to be one, and the field of the model, or in 2011 the plate, to look
// like a padded text.
func registerEdition(body []byte) Version {
	at2011, at2013 := registerLayouts[V2011].color(), registerLayouts[V2013].color()
	is := func(at int) bool { return len(body) > at && PlateColor(body[at]).known() }
	switch {
	case is(at2013) && padded(body[9:29]):
		return V2013
	case is(at2011) && padded(body[at2011+1:]):
		return V2011
	case len(body) > at2013:
		return V2013
	case len(body) > at2011:
		return V2011
	}
	return V2013
}

// padded reports whether b is text without control characters, with NULs in
// front of it or behind it and nowhere else.
func padded(b []byte) bool {
	runs := 0 // of text between NULs
	in := false
	for _, c := range b {
		if c != 0 && c < ' ' {
			return false
		}
		if c != 0 && !in {
			runs++
		}
		in = c != 0
	}
	return runs <= 1
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
