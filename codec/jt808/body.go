package jt808

import "fmt"

// Body is the body of one message. Structs of this package implement it by
// pointer; their fields hold the wire's numbers, with units in the comments.
type Body interface {
	// ID is the id of the message whose body this is.
	ID() ID

	// AppendBody appends the body as edition v lays it out. It fails with
	// [ErrTooLong], [ErrDigits] or an error of text that has no GBK form.
	AppendBody(dst []byte, v Version) ([]byte, error)

	// ParseBody overwrites the receiver with what body holds, which it does not
	// keep. Its errors wrap [ErrShortBody] or are a *codec.FrameError; the
	// receiver is then in between and not to be used.
	ParseBody(body []byte, v Version) error
}

// ParseBody reads the body of message id. Messages that this package does not
// know become [*Unknown]. The result does not alias body.
func ParseBody(id ID, v Version, body []byte) (Body, error) {
	b := NewBody(id)
	if err := b.ParseBody(body, v); err != nil {
		return nil, fmt.Errorf("jt808: body of %v: %w", id, err)
	}
	return b, nil
}

// Unknown is the body of a message that this package does not know: a maker's
// own, or one of a later edition.
type Unknown struct {
	MessageID ID  `json:"message_id"`
	Data      Hex `json:"data"` // the body as it is
}

// ID is the message's id.
func (u *Unknown) ID() ID { return u.MessageID }

// AppendBody appends the body as it is.
func (u *Unknown) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return append(dst, u.Data...), nil
}

// ParseBody keeps a copy of body.
func (u *Unknown) ParseBody(body []byte, _ Version) error {
	u.Data = append(u.Data[:0], body...)
	return nil
}
