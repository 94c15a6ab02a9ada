// Package codec turns bytes into messages and messages into bytes. It knows no
// sockets, sessions or platforms, and imports nothing but the standard library.
//
// A [Decoder] takes messages off the front of a byte stream, an [Encoder]
// appends them to a buffer. Most protocols need a decoder in two steps: a framer
// that finds where a frame begins and ends, and a function that reads one frame:
//
//	frames := codec.LengthField(codec.LengthFieldOptions{Offset: 2, Size: 2, MaxFrame: 1024})
//	decoder := codec.Map(frames, parse) // parse(frame []byte) (Message, error)
//
// The framers are [Line], [Delimiter], [Marked], [LengthField], [Fixed] and, for
// datagrams, [Raw]. They have in common:
//
//   - A frame aliases the input, unlike what [Decoder] asks of decoders, so that
//     nothing is copied: give a framer to [Map] with a function that copies what
//     it keeps.
//   - They never keep more bytes waiting than one frame of the largest size.
//   - They find their way back after damage, and report each stretch of damage
//     once, as a [FrameError], however the stream was cut into reads; a stretch
//     that does not end is reported again every 64 KiB.
//   - They remember how far they have searched, so that a frame that comes in
//     byte by byte is not searched from its front each time.
//   - A constructor that is given impossible options panics with an
//     [OptionError], for the options are part of the program. Whoever takes them
//     from a configuration checks that first.
//
// A decoder, framers included, serves one stream and one goroutine at a time.
// Encoders hold no state and are shared.
//
// Package codectest checks that a codec keeps the contracts of this package.
package codec
