package jt808

// Parameters is message 0x0104, the terminal's parameters: the answer to 0x8104
// and 0x8106 (JT/T 808).
type Parameters struct {
	Serial uint16      `json:"ack_serial"`      // serial of the query
	Total  uint8       `json:"total,omitempty"` // of all packets; only in the layout of the 2011 draft, otherwise 0
	Params []Parameter `json:"params"`          // as the terminal gave them, at most 255
}

// ID is 0x0104.
func (*Parameters) ID() ID { return IDParameters }

// AppendBody appends the parameters; Total too unless it is 0.
func (b *Parameters) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u16(b.Serial)
	w.parameters(b.Total, b.Params)
	return w.done()
}

// ParseBody reads parameters to the body's end, whatever number of them it says
// it has.
func (b *Parameters) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	*b = Parameters{Serial: r.u16()}
	b.Total, b.Params = counted(&r, v, readParameter)
	return r.err()
}

// Get is the parameter of that id, false if the answer does not have it.
func (b *Parameters) Get(id ParameterID) (Parameter, bool) {
	for _, p := range b.Params {
		if p.ID == id {
			return p, true
		}
	}
	return Parameter{}, false
}

// SetParameters is message 0x8103: the platform sets parameters (JT/T 808). The terminal answers with 0x0001.
type SetParameters struct {
	Total  uint8       `json:"total,omitempty"` // of all packets; only in the layout of the 2011 draft, otherwise 0
	Params []Parameter `json:"params"`          // at most 255
}

// ID is 0x8103.
func (*SetParameters) ID() ID { return IDSetParameters }

// AppendBody appends the parameters; Total too unless it is 0. A value of more
// than 255 bytes fails with [ErrTooLong].
func (b *SetParameters) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.parameters(b.Total, b.Params)
	return w.done()
}

// ParseBody reads parameters to the body's end, whatever number of them it says
// it has.
func (b *SetParameters) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	*b = SetParameters{}
	b.Total, b.Params = counted(&r, v, readParameter)
	return r.err()
}

// Set adds the parameter name, or replaces it where it was set before. See
// [NewParameter] for names, values and errors.
func (b *SetParameters) Set(name string, value any) error {
	p, err := NewParameter(name, value)
	if err != nil {
		return err
	}
	for i := range b.Params {
		if b.Params[i].ID == p.ID {
			b.Params[i] = p
			return nil
		}
	}
	b.Params = append(b.Params, p)
	return nil
}

func readParameter(r *reader) Parameter {
	return Parameter{ID: ParameterID(r.u32()), Value: r.clone(int(r.u8()))}
}

func (w *writer) parameters(total uint8, params []Parameter) {
	w.count8s(total, len(params), "parameters")
	for _, p := range params {
		w.u32(uint32(p.ID))
		w.count8(len(p.Value), "bytes of parameter "+p.ID.String())
		w.bytes(p.Value)
	}
}

// QueryParameters is message 0x8106: the platform asks for some parameters (new
// in JT/T 808-2013). The terminal answers with 0x0104.
type QueryParameters struct {
	IDs  []ParameterID `json:"ids"`            // at most 255
	Tail Hex           `json:"tail,omitempty"` // bytes behind the last id
}

// ID is 0x8106.
func (*QueryParameters) ID() ID { return IDQueryParameters }

// AppendBody appends the ids with their count.
func (b *QueryParameters) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.count8(len(b.IDs), "parameter ids")
	for _, id := range b.IDs {
		w.u32(uint32(id))
	}
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads ids to the body's end.
func (b *QueryParameters) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	ids := list(&r, int(r.u8()), func(r *reader) ParameterID { return ParameterID(r.u32()) })
	*b = QueryParameters{IDs: ids, Tail: r.tail()}
	return r.err()
}
