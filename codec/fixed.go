package codec

type fixed struct{ size int }

// Fixed frames messages that are all of one size in bytes. Frames alias the
// input. There is nothing in such a stream by which to find the way back after
// damage: where bytes may get lost, use a protocol that has marks.
func Fixed(size int) Decoder[[]byte] {
	mustBePositive("Fixed", "size", size)
	return fixed{size}
}

// Decode implements Decoder.
func (d fixed) Decode(in []byte) ([]byte, int, error) {
	if len(in) < d.size {
		return nil, 0, ErrIncomplete
	}
	return in[:d.size:d.size], d.size, nil
}
