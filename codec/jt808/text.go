package jt808

// TextFlag says in bits what a terminal does with a text (JT/T 808, message
// 0x8300).
type TextFlag uint8

// The bits of a text's flag. Bits 0 and 1 are a number in 2019: see TextService,
// TextUrgent and TextNotice.
const (
	TextDisplay TextFlag = 1 << 2 // show on the terminal's display
	TextSpeak   TextFlag = 1 << 3 // read aloud
	TextLED     TextFlag = 1 << 4 // show on the advertising display; reserved in 2019
	TextCAN     TextFlag = 1 << 5 // is a CAN fault code; otherwise navigation
)

// What bits 0 and 1 of a text's flag say: before 2019 only TextService, which is
// "urgent" then.
const (
	TextService TextFlag = 1 // 2019: service; before: urgent
	TextUrgent  TextFlag = 2 // 2019: urgent
	TextNotice  TextFlag = 3 // 2019: notice
)

// TextType is the type of a text in 2019.
type TextType uint8

// The types of texts.
const (
	TextTypeNotice  TextType = 1
	TextTypeService TextType = 2
)

// Text is message 0x8300, a text for the terminal (JT/T 808). The terminal
// answers with 0x0001.
type Text struct {
	Flag TextFlag `json:"flag"`           // bits
	Type TextType `json:"type,omitempty"` // 1 notice, 2 service; 2019 only
	Text string   `json:"text"`           // at most 1024 bytes of GBK
}

// ID is 0x8300.
func (*Text) ID() ID { return IDText }

// AppendBody appends the text; the type in 2019 only.
func (b *Text) AppendBody(dst []byte, v Version) ([]byte, error) {
	w := newWriter(dst)
	w.u8(uint8(b.Flag))
	if v == V2019 {
		w.u8(uint8(b.Type))
	}
	w.text(b.Text)
	return w.done()
}

// ParseBody reads the text; it wants one byte, in 2019 two.
func (b *Text) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	*b = Text{Flag: TextFlag(r.u8())}
	if v == V2019 {
		b.Type = TextType(r.u8())
	}
	b.Text = r.textRest()
	return r.err()
}

// QuestionAnswer is one of the answers that a driver can choose from.
type QuestionAnswer struct {
	ID      uint8  `json:"id"`      // what message 0x0302 says
	Content string `json:"content"` // at most 65535 bytes of GBK
}

// Question is message 0x8302, a question to the driver (JT/T 808; not in 2019).
// The terminal answers with 0x0001, and with 0x0302 when the driver has chosen.
type Question struct {
	Flag    TextFlag         `json:"flag"`              // bits 0 urgent, 3 read aloud, 4 advertising display
	Text    string           `json:"question"`          // at most 255 bytes of GBK
	Answers []QuestionAnswer `json:"answers,omitempty"` // to choose from
}

// ID is 0x8302.
func (*Question) ID() ID { return IDQuestion }

// AppendBody appends the question and its answers, whose lengths are WORDs.
func (b *Question) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u8(uint8(b.Flag))
	w.text8(b.Text, "question")
	for _, a := range b.Answers {
		w.u8(a.ID)
		w.text16(a.Content, "answer")
	}
	return w.done()
}

// ParseBody reads the question, and answers to the body's end.
func (b *Question) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = Question{Flag: TextFlag(r.u8()), Text: r.text8()}
	b.Answers = list(&r, uncounted, func(r *reader) QuestionAnswer {
		return QuestionAnswer{ID: r.u8(), Content: r.text16()}
	})
	return r.err()
}

// Answer is message 0x0302, what the driver chose (JT/T 808; not in 2019). The
// platform answers with 0x8001.
type Answer struct {
	Serial   uint16 `json:"ack_serial"`     // serial of the question
	AnswerID uint8  `json:"answer_id"`      // of the answer chosen
	Tail     Hex    `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x0302.
func (*Answer) ID() ID { return IDAnswer }

// AppendBody appends the three bytes of the answer.
func (b *Answer) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u16(b.Serial)
	w.u8(b.AnswerID)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the answer; it wants three bytes.
func (b *Answer) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = Answer{Serial: r.u16(), AnswerID: r.u8(), Tail: r.tail()}
	return r.err()
}
