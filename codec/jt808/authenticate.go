package jt808

const (
	imeiLen     = 15 // CHAR[15]
	softwareLen = 20 // CHAR[20]
)

// Authenticate is message 0x0102: the terminal shows the code it got when it
// registered (JT/T 808). The platform answers with 0x8001.
type Authenticate struct {
	Code     string `json:"auth_code"`          // the code of 0x8100; in 2019 at most 255 bytes
	IMEI     string `json:"imei,omitempty"`     // 15 digits; 2019 only
	Software string `json:"software,omitempty"` // maker's software version, at most 20 bytes; 2019 only
	Tail     Hex    `json:"tail,omitempty"`     // bytes behind the last field; 2019 only
}

// ID is 0x0102.
func (*Authenticate) ID() ID { return IDAuthenticate }

// AppendBody appends the authentication: before 2019 the code alone.
func (b *Authenticate) AppendBody(dst []byte, v Version) ([]byte, error) {
	w := newWriter(dst)
	if v != V2019 {
		w.text(b.Code)
		return w.done()
	}
	w.text8(b.Code, "authentication code")
	w.textFixed(b.IMEI, imeiLen, "IMEI")
	w.textFixed(b.Software, softwareLen, "software version")
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the authentication. Terminals of 2019 leave out the software
// version, shorten it, or end behind the code.
func (b *Authenticate) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	if v != V2019 {
		*b = Authenticate{Code: r.textRest()}
		return r.err()
	}
	*b = Authenticate{Code: r.text8()}
	if r.len() > 0 {
		b.IMEI = r.text(imeiLen)
		b.Software = r.text(min(softwareLen, r.len()))
	}
	b.Tail = r.tail()
	return r.err()
}
