package jt808

// RecorderData is message 0x0700, data of the driving recorder: the answer to
// 0x8700 (JT/T 808). It is not answered.
type RecorderData struct {
	Serial  uint16 `json:"ack_serial"`       // serial of the question
	Command uint8  `json:"command"`          // command of GB/T 19056
	Total   uint16 `json:"total,omitempty"`  // number of packets; only in the layout of the 2011 draft, otherwise 0
	Packet  uint16 `json:"packet,omitempty"` // number of this packet; only if Total is not 0
	Data    Hex    `json:"data_hex"`         // block of GB/T 19056: 55 7A, command, length, data, check byte
}

// ID is 0x0700.
func (*RecorderData) ID() ID { return IDRecorderData }

// AppendBody appends the data; Total and Packet too unless Total is 0.
func (b *RecorderData) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u16(b.Serial)
	w.u8(b.Command)
	if b.Total != 0 {
		w.u16(b.Total)
		w.u16(b.Packet)
	}
	w.bytes(b.Data)
	return w.done()
}

// ParseBody reads the data. It has the layout of the 2011 draft when the block
// begins, with its 55 7A, four bytes later than it should.
func (b *RecorderData) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	*b = RecorderData{Serial: r.u16(), Command: r.u8()}
	draft := v != V2019 && !recorderBlock(body, 3) && recorderBlock(body, 7)
	if draft && (body[3] != 0 || body[4] != 0) {
		b.Total, b.Packet = r.u16(), r.u16()
	}
	b.Data = r.bytesRest()
	return r.err()
}

// recorderBlock reports whether a block that a recorder answers begins at at.
func recorderBlock(body []byte, at int) bool {
	return len(body) >= at+2 && body[at] == 0x55 && body[at+1] == 0x7A
}

// ReadRecorder is message 0x8700: the platform asks the driving recorder (JT/T
// 808). The terminal answers with 0x0700.
type ReadRecorder struct {
	Command uint8 `json:"command"`  // command of GB/T 19056
	Data    Hex   `json:"data_hex"` // block of GB/T 19056: AA 75, command, length, data, check byte
}

// ID is 0x8700.
func (*ReadRecorder) ID() ID { return IDReadRecorder }

// AppendBody appends the command and its block.
func (b *ReadRecorder) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return append(append(dst, b.Command), b.Data...), nil
}

// ParseBody reads the command and its block; it wants one byte.
func (b *ReadRecorder) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = ReadRecorder{Command: r.u8(), Data: r.bytesRest()}
	return r.err()
}

// WriteRecorder is message 0x8701: the platform sets the driving recorder (JT/T
// 808; the text of 2011 prints its id once as 0x8101). The terminal
// answers with 0x0001.
type WriteRecorder struct {
	Command uint8 `json:"command"`  // command of GB/T 19056
	Data    Hex   `json:"data_hex"` // block of GB/T 19056: AA 75, command, length, data, check byte
}

// ID is 0x8701.
func (*WriteRecorder) ID() ID { return IDWriteRecorder }

// AppendBody appends the command and its block.
func (b *WriteRecorder) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return append(append(dst, b.Command), b.Data...), nil
}

// ParseBody reads the command and its block; it wants one byte.
func (b *WriteRecorder) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = WriteRecorder{Command: r.u8(), Data: r.bytesRest()}
	return r.err()
}

// Waybill is message 0x0701, an electronic waybill (JT/T 808). Makers
// put other texts into it, such as answers to texts. The platform answers with
// 0x8001.
type Waybill struct {
	Content Hex `json:"content_hex"`    // as agreed; often text, see Text
	Tail    Hex `json:"tail,omitempty"` // bytes behind the content
}

// ID is 0x0701.
func (*Waybill) ID() ID { return IDWaybill }

// Text is the content read as GBK.
func (b *Waybill) Text() string { return decodeText(b.Content) }

// AppendBody appends the content with its length.
func (b *Waybill) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.count32(len(b.Content), "waybill")
	w.bytes(b.Content)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the content; all of it has to be there.
func (b *Waybill) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = Waybill{Content: r.clone(int(r.u32())), Tail: r.tail()}
	return r.err()
}
