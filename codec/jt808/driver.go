package jt808

// CardStatus says whether a driver's card was put in or pulled out.
type CardStatus uint8

// The states of a driver's card.
const (
	CardNone CardStatus = 0 // the layout of 2011, which has no status
	CardIn   CardStatus = 1 // put in: driving begins
	CardOut  CardStatus = 2 // pulled out: driving ends
)

// CardResult is how the reading of a driver's card ended.
type CardResult uint8

// The results of reading a driver's card.
const (
	CardRead       CardResult = 0 // read
	CardKeyFailed  CardResult = 1 // authentication by the card's key failed
	CardLocked     CardResult = 2 // the card is locked
	CardPulled     CardResult = 3 // the card was pulled out
	CardDataFailed CardResult = 4 // the check of its data failed
)

// DriverIdentity is message 0x0702, who is driving: sent when a card is put in or
// pulled out, and as the answer to 0x8702, whose serial it does not carry (JT/T
// 808). The platform answers with 0x8001.
//
// In 2011 it has Driver, IDCard, Certificate and Agency only.
type DriverIdentity struct {
	Status      CardStatus `json:"status,omitempty"`      // 1 in, 2 out; 0 for the layout of 2011
	Time        BCDTime    `json:"time,omitzero"`         // of putting in or pulling out
	Result      CardResult `json:"ic_result"`             // of reading the card
	Driver      string     `json:"driver,omitempty"`      // name, at most 255 bytes
	Certificate string     `json:"certificate,omitempty"` // number of the qualification, at most 20 bytes, in 2011 40
	Agency      string     `json:"agency,omitempty"`      // that issued the qualification, at most 255 bytes
	Validity    string     `json:"validity,omitempty"`    // YYYYMMDD, the last day the card is valid
	IDCard      string     `json:"id_card,omitempty"`     // number of the identity card, at most 20 bytes; 2019 and 2011
	Tail        Hex        `json:"tail,omitempty"`        // bytes behind the last field
}

// Widths of the text fields of message 0x0702.
const (
	certificateLen     = 20
	certificateLen2011 = 40
	idCardLen          = 20
	validityLen        = 4
)

// ID is 0x0702.
func (*DriverIdentity) ID() ID { return IDDriverIdentity }

// AppendBody appends the driver's identity: the layout of 2011 if Status is 0,
// nothing behind the result unless the card was put in and read, or there is
// something to say of the card. IDCard is left out before 2019 if it is empty.
func (b *DriverIdentity) AppendBody(dst []byte, v Version) ([]byte, error) {
	w := newWriter(dst)
	if b.Status == CardNone {
		w.text8(b.Driver, "driver")
		w.textFixed(b.IDCard, idCardLen, "identity card")
		w.textFixed(b.Certificate, certificateLen2011, "certificate")
		w.text8(b.Agency, "agency")
		w.bytes(b.Tail)
		return w.done()
	}
	w.u8(uint8(b.Status))
	w.time(b.Time)
	card := b.hasCard()
	if card || b.Status == CardIn || b.Result != CardRead {
		w.u8(uint8(b.Result))
	}
	if card {
		w.text8(b.Driver, "driver")
		w.textFixed(b.Certificate, certificateLen, "certificate")
		w.text8(b.Agency, "agency")
		w.bcd(b.Validity, validityLen)
		if v == V2019 || b.IDCard != "" || len(b.Tail) >= idCardLen {
			w.textFixed(b.IDCard, idCardLen, "identity card")
		}
		w.bytes(b.Tail)
	}
	return w.done()
}

// hasCard reports whether there is something to say of the card.
func (b *DriverIdentity) hasCard() bool {
	return b.Status == CardIn && b.Result == CardRead || len(b.Tail) > 0 ||
		b.Driver != "" || b.Certificate != "" || b.Agency != "" || b.Validity != "" || b.IDCard != ""
}

// ParseBody reads the driver's identity. Before 2019 it is the layout of 2011 if
// the first byte is no status, or if no time follows and all of the body is sound
// in that layout. The identity card is read wherever it is, since terminals of
// 2013 send it too.
func (b *DriverIdentity) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	if v != V2019 && !startsWithStatus(body) {
		b.parse2011(&r)
		return r.err()
	}
	*b = DriverIdentity{Status: CardStatus(r.u8()), Time: r.time()}
	if b.Status != CardIn && b.Status != CardOut {
		r.fail("card status is neither 1 nor 2")
	}
	if r.len() > 0 || b.Status == CardIn {
		b.Result = CardResult(r.u8())
	}
	if r.len() > 0 || b.Status == CardIn && b.Result == CardRead {
		b.parseCard(&r, v)
	}
	return r.err()
}

func (b *DriverIdentity) parseCard(r *reader, v Version) {
	b.Driver = r.text8()
	b.Certificate = r.text(certificateLen)
	b.Agency = r.text8()
	b.Validity = r.bcd(validityLen)
	if r.len() >= idCardLen || v == V2019 {
		b.IDCard = r.text(idCardLen)
	}
	b.Tail = r.tail()
}

func (b *DriverIdentity) parse2011(r *reader) {
	*b = DriverIdentity{
		Driver:      r.text8(),
		IDCard:      r.text(idCardLen),
		Certificate: r.text(certificateLen2011),
		Agency:      r.text8(),
		Tail:        r.tail(),
	}
}

// startsWithStatus reports whether the body has the layout of 2013: a status, and
// a time that is one or is all zero, or is none in a body that would be odd in
// the layout of 2011.
func startsWithStatus(body []byte) bool {
	if len(body) < 7 || body[0] != byte(CardIn) && body[0] != byte(CardOut) {
		return len(body) < 7 // too short for either: let it fail by the layout of 2013
	}
	t := BCDTime(body[1:7])
	_, ok := t.Time()
	return ok || t.IsZero() || !soundDriver2011(body)
}

// soundDriver2011 reports whether the body has the layout of 2011, with texts in
// the text fields and nothing behind the last.
func soundDriver2011(body []byte) bool {
	r := newReader(body)
	name, idCard, certificate := r.take(int(r.u8())), r.take(idCardLen), r.take(certificateLen2011)
	agency := r.take(int(r.u8()))
	return r.err() == nil && r.len() == 0 && padded(name) && padded(idCard) && padded(certificate) && padded(agency)
}
