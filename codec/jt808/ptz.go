package jt808

// PTZRotate is message 0x9301: a camera is to turn (JT/T 1078). The terminal
// answers with 0x0001.
type PTZRotate struct {
	Channel   uint8 `json:"channel"`        // logical channel
	Direction uint8 `json:"direction"`      // 0 stop, 1 up, 2 down, 3 left, 4 right
	Speed     uint8 `json:"speed"`          // 0 to 255
	Tail      Hex   `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x9301.
func (*PTZRotate) ID() ID { return IDPTZRotate }

// AppendBody appends the three bytes of the command.
func (b *PTZRotate) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return append(append(dst, b.Channel, b.Direction, b.Speed), b.Tail...), nil
}

// ParseBody reads the command; it wants three bytes.
func (b *PTZRotate) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = PTZRotate{Channel: r.u8(), Direction: r.u8(), Speed: r.u8(), Tail: r.tail()}
	return r.err()
}

// PTZValue is the body of the commands that set one thing of a camera.
type PTZValue struct {
	Channel uint8 `json:"channel"`        // logical channel
	Value   uint8 `json:"value"`          // see the command
	Tail    Hex   `json:"tail,omitempty"` // bytes behind the last field
}

// AppendBody appends the two bytes of the command.
func (b *PTZValue) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return append(append(dst, b.Channel, b.Value), b.Tail...), nil
}

// ParseBody reads the command; it wants two bytes.
func (b *PTZValue) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = PTZValue{Channel: r.u8(), Value: r.u8(), Tail: r.tail()}
	return r.err()
}

// PTZFocus is message 0x9302: the focus, 0 longer or 1 shorter (JT/T 1078). The
// terminal answers with 0x0001.
type PTZFocus struct{ PTZValue }

// ID is 0x9302.
func (*PTZFocus) ID() ID { return IDPTZFocus }

// PTZIris is message 0x9303: the iris, 0 wider or 1 narrower (JT/T 1078). The
// terminal answers with 0x0001.
type PTZIris struct{ PTZValue }

// ID is 0x9303.
func (*PTZIris) ID() ID { return IDPTZIris }

// PTZWiper is message 0x9304: the wiper, 0 off or 1 on (JT/T 1078). The terminal
// answers with 0x0001.
type PTZWiper struct{ PTZValue }

// ID is 0x9304.
func (*PTZWiper) ID() ID { return IDPTZWiper }

// PTZInfrared is message 0x9305: the infrared light, 0 off or 1 on (JT/T 1078).
// The terminal answers with 0x0001.
type PTZInfrared struct{ PTZValue }

// ID is 0x9305.
func (*PTZInfrared) ID() ID { return IDPTZInfrared }

// PTZZoom is message 0x9306: the zoom, 0 in or 1 out (JT/T 1078). The terminal
// answers with 0x0001.
type PTZZoom struct{ PTZValue }

// ID is 0x9306.
func (*PTZZoom) ID() ID { return IDPTZZoom }
