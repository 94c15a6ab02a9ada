// Package modbus is the wire protocol of Modbus: MODBUS Application Protocol
// V1.1b3 in the framings RTU and ASCII of MODBUS over Serial Line V1.02, both
// also over TCP connections as modems of the field tunnel them, and Modbus TCP.
// It turns bytes into requests and responses and back, and registers into
// values. It knows no sockets and no clock, and polls nothing.
//
//	RTU      unit  PDU  CRC(low, high)
//	TCP      transaction[2]  0000  length[2]  unit  PDU
//	ASCII    ":"  hex of ( unit  PDU  LRC )  CR LF
//	PDU      function  data                          253 bytes at most
//
// A master sends what [Request.Append] and [AppendFrame] make, and finds the
// response with [Expect], which knows what was asked:
//
//	pdu, err = modbus.Request{Function: modbus.ReadHoldingRegisters, Address: 0, Quantity: 2}.Append(pdu[:0])
//	out = modbus.AppendFrame(out[:0], modbus.RTU, 0, 1, pdu)
//	err = expect.Bind(modbus.RTU, 0, 1, pdu)
//	...
//	reply, err := expect.Match(in) // err == codec.ErrIncomplete: read more
//	response, err := modbus.ParseResponse(reply.PDU)
//	v, err := modbus.Format{Type: modbus.Float32, Order: modbus.CDAB}.Decode(response.Data)
//
// Who listens to a line, or plays a slave, takes frames off a stream with
// [NewDecoder].
//
// Things to know:
//
//   - The end of an RTU frame is a pause on a serial line, which does not survive
//     TCP: here a frame's own bytes tell its size, and its CRC is the proof.
//   - Addresses are those of the wire, from 0. [ParseAddress] reads what documents
//     write: 40001, 400001, 4x1.
//   - PDUs and Data alias what they were read from. Nothing on the way of a
//     response to its numbers allocates.
//
// Errors: bytes that are no frame and PDUs that cannot be are *codec.FrameError;
// of these *codec.FatalError ends the stream of Modbus TCP. What must not be
// sent wraps [ErrLimit]; a slave's refusal is an [ExceptionError]; values wrap
// [ErrValue], formats [ErrFormat]; addresses are [AddressError].
//
// Decoders and Expects are for one goroutine at a time; the rest is for all.
package modbus
