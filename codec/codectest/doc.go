// Package codectest checks that a codec keeps the contracts of package codec.
// The test of a codec is a [Suite]:
//
//	func TestCodec(t *testing.T) {
//		codectest.Suite[acme.Message]{
//			New:      acme.NewDecoder,
//			Encoder:  codec.AppendFunc[acme.Message](acme.Append),
//			Frames:   [][]byte{[]byte("HELLO m1\n"), []byte("TEMP 21.5\n")},
//			Want:     []string{"{Verb:HELLO Args:[m1]}", "{Verb:TEMP Args:[21.5]}"},
//			MaxFrame: 256,
//		}.Run(t)
//	}
//
//	func FuzzCodec(f *testing.F) { codectest.Fuzz(f, acme.NewDecoder, []byte("HELLO m1\n")) }
//
// [Run] checks one stream, whatever is in it, and [Allocs] what decoding costs.
//
// Whatever else it looks at, the kit checks in every call of Decode that the
// number of bytes done with is in range, that there is progress or
// codec.ErrIncomplete, that codec.ErrIncomplete is not wrapped and leaves no
// message behind, that the message does not alias the input, that the rest of
// the input is not changed, and that nothing panics.
package codectest
