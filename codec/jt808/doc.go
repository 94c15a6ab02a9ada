// Package jt808 is the wire protocol of JT/T 808, which vehicle terminals in China
// and many trackers elsewhere speak, in its editions of 2011, 2013 and 2019, with
// the messages of JT/T 1078-2016 that go over the same connection. It turns bytes
// into frames and bodies and back. It knows no sockets and no clock, answers
// nothing and keeps no session.
//
//	         7E | header | body | check | 7E        check: XOR of header and body
//	             \_______ escaped ______/           7D is 7D 01, 7E is 7D 02
//
//	header 2013: id  attr  phone BCD[6]           serial  [packages, number]   12 or 16 bytes
//	       2019: id  attr  version phone BCD[10]  serial  [packages, number]   17 or 21 bytes
//	             2   2     1       6 or 10        2       2         2
//
// [NewDecoder] finds frames in a stream, however it is cut, and skips what
// is damaged. [ParseBody] makes structs of their bodies: one for each message,
// named after it. [AppendMessage] writes a message.
//
//	decoder := jt808.NewDecoder(jt808.DefaultOptions())
//	frame, n, err := decoder.Decode(in) // err == codec.ErrIncomplete: read more
//	body, err := frame.Parse()
//	switch body := body.(type) {
//	case *jt808.Location:
//		mileage, ok := body.Mileage()
//	}
//	answer := jt808.PlatformResponse{Serial: frame.Serial, Request: frame.ID}
//	out, _, err = jt808.AppendMessage(out, frame.Reply(serial), &answer)
//
// Things to know:
//
//   - Answer in the layout a terminal speaks, with its own phone bytes:
//     [Header.Reply]. The header cannot tell 2011 from 2013; bodies that differ between
//     these are told apart by their length.
//   - Long messages come in packages: a [Reassembler] puts them together.
//   - A frame is valid until the next Decode. A [Location] that is parsed into
//     again and again allocates nothing; its items are valid until the next time.
//   - Fields hold the wire's numbers; the comments have the units. Texts are GBK on
//     the wire and UTF-8 in structs; terminals that send UTF-8 are understood.
//   - Times are UTC+8 but in message 0x8004, and may be no dates: [BCDTime].
//
// Errors: bytes that are no frame and bodies that cannot be are *codec.FrameError
// or [*ShortBodyError]; encrypted bodies are [*EncryptedError]; what cannot be
// written wraps [ErrTooLong], [ErrDigits] or [ErrPhone]. None ends the stream.
//
// Decoders, reassemblers and structs are for one goroutine at a time; functions
// are for all.
package jt808
