package jt808

// CallBack is message 0x8400: the terminal is to call a number (JT/T 808). It
// answers with 0x0001.
type CallBack struct {
	Flag  uint8  `json:"flag"`  // 0 ordinary call, 1 listening in
	Phone string `json:"phone"` // at most 20 bytes
}

// ID is 0x8400.
func (*CallBack) ID() ID { return IDCallBack }

// AppendBody appends the flag and the number.
func (b *CallBack) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u8(b.Flag)
	w.text(b.Phone)
	return w.done()
}

// ParseBody reads the flag and the number, which may be padded with NULs; it
// wants one byte.
func (b *CallBack) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = CallBack{Flag: r.u8(), Phone: r.textRest()}
	return r.err()
}

// Contact is one entry of the phone book.
type Contact struct {
	Flag  uint8  `json:"flag"`  // 1 incoming calls, 2 outgoing calls, 3 both
	Phone string `json:"phone"` // at most 255 bytes
	Name  string `json:"name"`  // at most 255 bytes of GBK
}

// SetPhoneBook is message 0x8401: the platform sets the phone book (JT/T 808).
// The terminal answers with 0x0001.
type SetPhoneBook struct {
	Action   MenuAction `json:"type"`               // what to do with the phone book: 0 to 3
	Total    uint8      `json:"total,omitempty"`    // of all packets; only in the layout of the 2011 draft, otherwise 0
	Contacts []Contact  `json:"contacts,omitempty"` // at most 255
}

// ID is 0x8401.
func (*SetPhoneBook) ID() ID { return IDSetPhoneBook }

// AppendBody appends the contacts; for MenuDeleteAll without contacts the action
// alone.
func (b *SetPhoneBook) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return appendMenu(dst, b.Action, b.Total, b.Contacts, "contacts", func(w *writer, c *Contact) {
		w.u8(c.Flag)
		w.text8(c.Phone, "phone number")
		w.text8(c.Name, "name")
	})
}

// ParseBody reads contacts to the body's end.
func (b *SetPhoneBook) ParseBody(body []byte, v Version) (err error) {
	b.Action, b.Total, b.Contacts, err = parseMenu(body, v, func(r *reader) Contact {
		return Contact{Flag: r.u8(), Phone: r.text8(), Name: r.text8()}
	})
	return err
}
