// Package gbt26875 is the wire protocol of GB/T 26875.3-2011, which user
// information transmission devices in China speak: a device takes the states of
// fire alarm systems in a building and sends them to a monitoring centre. The
// package turns bytes into frames and application data, and back, for both ends. It
// knows no sockets and no clock, answers nothing and keeps no session.
//
//	off  0    2       4        6     12      18           24      26       27    27+n  28+n
//	     @@ | serial| version| time| source| destination| n     | command| data | sum | ##
//	size 2    2       1 + 1    6     6       6            2       1        n      1     2
//
// Numbers and addresses begin with their low byte. The check sum is the low byte
// of the sum of everything from serial to data. Frames are found by their length n:
// data may hold @@ and ##.
//
//	data:  type BYTE  count BYTE  object  object ...
//
// [NewDecoder] finds frames in a stream, however it is cut, and skips what is
// damaged. [ParseUnit] makes a struct of a frame's data: one for each type, named
// after it. [AppendUnit] writes a frame.
//
//	decoder := gbt26875.NewDecoder(gbt26875.DefaultOptions())
//	frame, n, err := decoder.Decode(in) // err == codec.ErrIncomplete: read more
//	unit, err := frame.Parse()
//	switch unit := unit.(type) {
//	case *gbt26875.PartStates:
//		for _, part := range unit.Objects { ... }
//	}
//	answer := gbt26875.Frame{Header: frame.Reply(gbt26875.CommandConfirm, now)}
//	out, err = gbt26875.AppendFrame(out, &answer)
//
// Things to know:
//
//   - A frame is valid until the next Decode. A unit that is parsed into again
//     and again allocates nothing; its objects are valid until the next time.
//   - Data whose count does not fit its length is parsed as far as it goes: the
//     error is a [*CountError] then, and the unit holds the objects that are whole.
//   - Fields hold the wire's numbers; the comments have the units. Texts are GB18030
//     on the wire and kept so: their String is UTF-8.
//   - Clocks are local time without a zone, in binary, though some devices send BCD:
//     [Time.Near] tells the two apart.
//
// Errors: bytes that are no frame and data that cannot be are *codec.FrameError;
// what cannot be written wraps [ErrTooLong]. None ends the stream.
//
// Decoders and units are for one goroutine at a time; functions are for all.
package gbt26875
