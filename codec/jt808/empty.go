package jt808

// Empty is a body without fields. It is embedded in the bodies that have none.
type Empty struct {
	// Tail is what a terminal sent all the same: makers put battery or signal
	// levels into heartbeats. Usually nil.
	Tail Hex `json:"tail,omitempty"`
}

// AppendBody appends the tail, which is usually nothing.
func (b *Empty) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return append(dst, b.Tail...), nil
}

// ParseBody keeps a copy of body as the tail; it never fails.
func (b *Empty) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	b.Tail = r.tail()
	return nil
}

// Heartbeat is message 0x0002, a sign of life of the terminal (JT/T 808).
// The platform answers with 0x8001.
type Heartbeat struct{ Empty }

// ID is 0x0002.
func (*Heartbeat) ID() ID { return IDHeartbeat }

// Logout is message 0x0003: the terminal unregisters (JT/T 808). The
// platform answers with 0x8001.
type Logout struct{ Empty }

// ID is 0x0003.
func (*Logout) ID() ID { return IDLogout }

// TimeRequest is message 0x0004: the terminal asks for the platform's time (new
// in JT/T 808-2019). The platform answers with 0x8004.
type TimeRequest struct{ Empty }

// ID is 0x0004.
func (*TimeRequest) ID() ID { return IDTimeRequest }

// QueryAllParameters is message 0x8104: the platform asks for all parameters.
// The terminal answers with 0x0104, usually in several packets.
type QueryAllParameters struct{ Empty }

// ID is 0x8104.
func (*QueryAllParameters) ID() ID { return IDQueryAllParameters }

// QueryAttributes is message 0x8107: the platform asks what the terminal is
// (new in JT/T 808-2013). The terminal answers with 0x0107.
type QueryAttributes struct{ Empty }

// ID is 0x8107.
func (*QueryAttributes) ID() ID { return IDQueryAttributes }

// QueryLocation is message 0x8201: the platform asks where the terminal is. The
// terminal answers with 0x0201.
type QueryLocation struct{ Empty }

// ID is 0x8201.
func (*QueryLocation) ID() ID { return IDQueryLocation }

// LinkCheck is message 0x8204: the platform asks for a sign of life (new in JT/T
// 808-2019). The terminal answers with 0x0001.
type LinkCheck struct{ Empty }

// ID is 0x8204.
func (*LinkCheck) ID() ID { return IDLinkCheck }

// QueryDriver is message 0x8702: the platform asks who is driving (new in JT/T
// 808-2013). The terminal answers with 0x0702, which does not carry the serial
// of the question.
type QueryDriver struct{ Empty }

// ID is 0x8702.
func (*QueryDriver) ID() ID { return IDQueryDriver }

// QueryAVAttributes is message 0x9003: the platform asks for the audio and video
// attributes (JT/T 1078). The terminal answers with 0x1003.
type QueryAVAttributes struct{ Empty }

// ID is 0x9003.
func (*QueryAVAttributes) ID() ID { return IDQueryAVAttributes }
