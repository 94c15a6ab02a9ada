package jt808

// ResendRequest is message 0x0005: the terminal lacks packets of a message of
// the platform (new in JT/T 808-2019). The platform sends them again, as they
// were.
type ResendRequest struct {
	FirstSerial uint16   `json:"first_serial"`   // serial of the message's first packet
	Packets     []uint16 `json:"ids"`            // numbers of the packets that are missing, from 1
	Tail        Hex      `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x0005.
func (*ResendRequest) ID() ID { return IDResendRequest }

// AppendBody appends the request. The count before the packet numbers is a WORD
// in 2019 and a BYTE before.
func (b *ResendRequest) AppendBody(dst []byte, v Version) ([]byte, error) {
	return appendResend(dst, v, b.FirstSerial, b.Packets, b.Tail)
}

// ParseBody reads the request. The count is taken for a BYTE or a WORD as fits
// the body's length; v decides where neither does.
func (b *ResendRequest) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	first, packets := parseResend(&r, v)
	*b = ResendRequest{FirstSerial: first, Packets: packets, Tail: r.tail()}
	return r.err()
}

// PlatformResendRequest is message 0x8003: the platform lacks packets of a
// message of the terminal (new in JT/T 808-2013). The terminal sends them again,
// with the serials they had.
type PlatformResendRequest struct {
	FirstSerial uint16   `json:"first_serial"`   // serial of the message's first packet
	Packets     []uint16 `json:"ids"`            // numbers of the packets that are missing, from 1
	Tail        Hex      `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x8003.
func (*PlatformResendRequest) ID() ID { return IDPlatformResendRequest }

// AppendBody appends the request. The count before the packet numbers is a WORD
// in 2019 and a BYTE before.
func (b *PlatformResendRequest) AppendBody(dst []byte, v Version) ([]byte, error) {
	return appendResend(dst, v, b.FirstSerial, b.Packets, b.Tail)
}

// ParseBody reads the request. The count is taken for a BYTE or a WORD as fits
// the body's length; v decides where neither does.
func (b *PlatformResendRequest) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	first, packets := parseResend(&r, v)
	*b = PlatformResendRequest{FirstSerial: first, Packets: packets, Tail: r.tail()}
	return r.err()
}

func appendResend(dst []byte, v Version, first uint16, packets []uint16, tail Hex) ([]byte, error) {
	w := newWriter(dst)
	w.u16(first)
	if v == V2019 {
		w.count16(len(packets), "packet numbers")
	} else {
		w.count8(len(packets), "packet numbers")
	}
	for _, p := range packets {
		w.u16(p)
	}
	w.bytes(tail)
	return w.done()
}

func parseResend(r *reader, v Version) (first uint16, packets []uint16) {
	left := len(r.data)
	fitsByte := left >= 3 && left == 3+2*int(r.data[2])
	fitsWord := left >= 4 && left == 4+2*(int(r.data[2])<<8|int(r.data[3]))
	first = r.u16()
	var count int
	if fitsWord || v == V2019 && !fitsByte {
		count = int(r.u16())
	} else {
		count = int(r.u8())
	}
	return first, list(r, count, (*reader).u16)
}
