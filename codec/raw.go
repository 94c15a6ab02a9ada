package codec

type raw struct{}

// Raw frames nothing: a frame is all that is there. Over datagrams that is what
// one datagram holds. Over a stream it is what happened to arrive together, so
// that it suits those who pass bytes on, or frame them themselves. Frames alias
// the input.
func Raw() Decoder[[]byte] { return raw{} }

// Decode implements Decoder.
func (raw) Decode(in []byte) ([]byte, int, error) {
	if len(in) == 0 {
		return nil, 0, ErrIncomplete
	}
	return in[:len(in):len(in)], len(in), nil
}

// AppendRaw appends msg as it is: an [AppendFunc].
func AppendRaw(dst, msg []byte) ([]byte, error) { return append(dst, msg...), nil }
