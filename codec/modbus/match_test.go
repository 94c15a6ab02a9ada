package modbus

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

// bound expects the response to request of unit 1, in TCP of transaction 7.
func bound(tb testing.TB, m Mode, request Request) *Expect {
	tb.Helper()
	pdu, err := request.Append(nil)
	if err != nil {
		tb.Fatal(err)
	}
	e := &Expect{}
	if err := e.Bind(m, 7, 1, pdu); err != nil {
		tb.Fatal(err)
	}
	return e
}

// answer is a response's frame.
func answer(tb testing.TB, m Mode, transaction uint16, unit uint8, response Response) []byte {
	tb.Helper()
	pdu, err := response.Append(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return AppendFrame(nil, m, transaction, unit, pdu)
}

// exchanges are a request of each function, and what a slave answers.
var exchanges = []struct {
	name     string
	request  Request
	response Response
}{
	{"coils", Request{Function: ReadCoils, Quantity: 9}, Response{Function: ReadCoils, Data: []byte{0xff, 1}}},
	{"inputs", Request{Function: ReadDiscreteInputs, Quantity: 8}, Response{Function: ReadDiscreteInputs, Data: []byte{3}}},
	{"holding registers", Request{Function: ReadHoldingRegisters, Quantity: 2}, Response{Function: ReadHoldingRegisters, Data: []byte{0, 1, 0, 2}}},
	{"input registers", Request{Function: ReadInputRegisters, Quantity: 1}, Response{Function: ReadInputRegisters, Data: []byte{0, 1}}},
	{"write coil", Request{Function: WriteSingleCoil, Address: 3, Value: 0xff00}, Response{Function: WriteSingleCoil, Address: 3, Value: 0xff00}},
	{"write register", Request{Function: WriteSingleRegister, Address: 3, Value: 9}, Response{Function: WriteSingleRegister, Address: 3, Value: 9}},
	{"write coils", Request{Function: WriteMultipleCoils, Address: 3, Quantity: 2, Data: []byte{3}}, Response{Function: WriteMultipleCoils, Address: 3, Quantity: 2}},
	{
		"write registers",
		Request{Function: WriteMultipleRegisters, Address: 3, Quantity: 1, Data: []byte{0, 3}},
		Response{Function: WriteMultipleRegisters, Address: 3, Quantity: 1},
	},
	{
		"mask write",
		Request{Function: MaskWriteRegister, Address: 4, AndMask: 0xf2, OrMask: 0x25},
		Response{Function: MaskWriteRegister, Address: 4, AndMask: 0xf2, OrMask: 0x25},
	},
	{
		"read and write",
		Request{Function: ReadWriteMultipleRegisters, Quantity: 1, WriteQuantity: 1, Data: []byte{1, 2}},
		Response{Function: ReadWriteMultipleRegisters, Data: []byte{1, 2}},
	},
	{
		"identification",
		Request{Function: EncapsulatedInterface, MEI: 14, ReadCode: 1},
		Response{Function: EncapsulatedInterface, MEI: 14, ReadCode: 1, Conformity: 0x81, Count: 2, Data: []byte("\x00\x03Abc\x01\x01d")},
	},
	{"status", Request{Function: ReadExceptionStatus}, Response{Function: ReadExceptionStatus, Data: []byte{0x6d}}},
	{"echo", Request{Function: Diagnostics, Data: []byte{0, 0, 0xa5, 0x37}}, Response{Function: Diagnostics, Data: []byte{0, 0, 0xa5, 0x37}}},
	{
		"long echo",
		Request{Function: Diagnostics, Data: []byte{0, 0, 1, 2, 3, 4}},
		Response{Function: Diagnostics, Data: []byte{0, 0, 1, 2, 3, 4}},
	},
	{"event counter", Request{Function: GetCommEventCounter}, Response{Function: GetCommEventCounter, Data: []byte{0xff, 0xff, 1, 8}}},
	{"event log", Request{Function: GetCommEventLog}, Response{Function: GetCommEventLog, Data: []byte{8, 0, 0, 1, 8, 1, 0x21, 0x20, 0}}},
	{"server id", Request{Function: ReportServerID}, Response{Function: ReportServerID, Data: []byte{3, 'm', 1, 0xff}}},
	{
		"file record",
		Request{Function: ReadFileRecord, Data: []byte{7, 6, 0, 4, 0, 1, 0, 2}},
		Response{Function: ReadFileRecord, Data: []byte{6, 5, 6, 0x0d, 0xfe, 0, 0x20}},
	},
	{"queue", Request{Function: ReadFIFOQueue, Data: []byte{4, 0xde}}, Response{Function: ReadFIFOQueue, Data: []byte{0, 6, 0, 2, 1, 0xb8, 0x12, 0x84}}},
	{"a maker's own", Request{Function: 65, Data: []byte("ask")}, Response{Function: 65, Data: []byte("answer")}},
	{"CANopen", Request{Function: EncapsulatedInterface, MEI: 13, Data: []byte("ask")}, Response{Function: EncapsulatedInterface, MEI: 13, Data: []byte("answer")}},
}

// Each function's response, normal and exception, is found at every split of
// what comes, behind a heartbeat, an answer of another unit and a damaged one,
// and nothing before its last byte has come.
func TestMatch(t *testing.T) {
	t.Parallel()
	for _, x := range exchanges {
		for _, m := range []Mode{RTU, TCP, ASCII} {
			for _, response := range []Response{x.response, {Function: x.request.Function, Exception: ServerDeviceBusy}} {
				t.Run(x.name+" "+m.String()+" "+response.Exception.String(), func(t *testing.T) {
					t.Parallel()
					e := bound(t, m, x.request)
					e.Resync = true
					want := answer(t, m, 7, 1, response)
					damaged := slices.Clone(want)
					damaged[len(damaged)-3] ^= 0x40
					noise := slices.Concat([]byte("www.usr.cn"), answer(t, m, 6, 2, response), damaged)
					if m == TCP {
						noise = slices.Concat([]byte("www.usr.cn"), answer(t, m, 6, 1, response))
					}
					checkMatch(t, e, noise, want, response)
					checkMatch(t, e, nil, want, response)
				})
			}
		}
	}
}

func checkMatch(t *testing.T, e *Expect, noise, want []byte, response Response) {
	t.Helper()
	in := slices.Concat(noise, want, []byte("more"))
	whole := len(noise) + len(want)
	for end := range len(in) {
		reply, err := e.Match(in[:end])
		if end < whole {
			if !errors.Is(err, codec.ErrIncomplete) || reply.Skipped > len(noise) {
				t.Fatalf("%d of %d bytes: %+v, %v", end, whole, reply, err)
			}
			continue
		}
		if err != nil || reply.Skipped != len(noise) || reply.Size != len(want) || reply.Exception != response.Exception {
			t.Fatalf("%d of %d bytes: %+v, %v", end, whole, reply, err)
		}
		pdu, _ := response.Append(nil)
		if !bytes.Equal(reply.PDU, pdu) {
			t.Fatalf("PDU %x, want %x", reply.PDU, pdu)
		}
	}
}

// What answers something else is skipped, not taken.
func TestMatchNotThis(t *testing.T) {
	t.Parallel()
	read := Request{Function: ReadHoldingRegisters, Quantity: 2}
	for name, test := range map[string]struct {
		mode     Mode
		request  Request
		response []byte
	}{
		"another unit":      {RTU, read, answer(t, RTU, 0, 2, Response{Function: ReadHoldingRegisters, Data: []byte{0, 1, 0, 2}})},
		"another function":  {RTU, read, answer(t, RTU, 0, 1, Response{Function: ReadInputRegisters, Data: []byte{0, 1, 0, 2}})},
		"another exception": {RTU, read, answer(t, RTU, 0, 1, Response{Function: ReadInputRegisters, Exception: 2})},
		"more registers":    {RTU, read, answer(t, RTU, 0, 1, Response{Function: ReadHoldingRegisters, Data: []byte{0, 1, 0, 2, 0, 3}})},
		"fewer registers":   {ASCII, read, answer(t, ASCII, 0, 1, Response{Function: ReadHoldingRegisters, Data: []byte{0, 1}})},
		"another address": {
			RTU,
			Request{Function: WriteSingleRegister, Address: 1, Value: 2},
			answer(t, RTU, 0, 1, Response{Function: WriteSingleRegister, Address: 2, Value: 2}),
		},
		"a late answer":          {TCP, read, answer(t, TCP, 6, 1, Response{Function: ReadHoldingRegisters, Data: []byte{0, 1, 0, 2}})},
		"another unit of TCP":    {TCP, read, answer(t, TCP, 7, 2, Response{Function: ReadHoldingRegisters, Data: []byte{0, 1, 0, 2}})},
		"a number, another size": {TCP, read, answer(t, TCP, 7, 1, Response{Function: ReadHoldingRegisters, Data: []byte{0, 1}})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := bound(t, test.mode, test.request)
			reply, err := e.Match(test.response)
			if !errors.Is(err, codec.ErrIncomplete) || reply.Skipped != len(test.response) {
				t.Errorf("%+v, %v; want all %d bytes skipped", reply, err, len(test.response))
			}
		})
	}
}

// Over TCP the unit of the device itself is 0 or 255, and it may answer as any.
func TestMatchDeviceItself(t *testing.T) {
	t.Parallel()
	pdu, _ := Request{Function: ReadCoils, Quantity: 1}.Append(nil)
	for _, unit := range []uint8{0, 255} {
		var e Expect
		if err := e.Bind(TCP, 1, unit, pdu); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Match(answer(t, TCP, 1, 1, Response{Function: ReadCoils, Data: []byte{1}})); err != nil {
			t.Errorf("unit %d: %v", unit, err)
		}
	}
}

func TestMatchLostStep(t *testing.T) {
	t.Parallel()
	e := bound(t, TCP, Request{Function: ReadCoils, Quantity: 1})
	for _, in := range []string{"00070001", "000700000001", "0007000000ff", "GET / HTTP/1.1"} {
		b, err := hex.DecodeString(in)
		if err != nil {
			b = []byte(in)
		}
		var fatal *codec.FatalError
		if _, err := e.Match(b); !errors.As(err, &fatal) {
			t.Errorf("%q: error %v", in, err)
		}
	}
	if err := e.Bind(RTU, 0, 1, []byte{1, 0}); err == nil {
		t.Error("half a request is bound")
	}
}

// A response that ends early gives way to the answer to the next try.
func TestMatchHalfThenWhole(t *testing.T) {
	t.Parallel()
	e := bound(t, RTU, Request{Function: ReadHoldingRegisters, Quantity: 2})
	whole := answer(t, RTU, 0, 1, Response{Function: ReadHoldingRegisters, Data: []byte{0, 1, 0, 2}})
	reply, err := e.Match(slices.Concat(whole[:5], whole))
	if err != nil || reply.Skipped != 5 {
		t.Errorf("%+v, %v", reply, err)
	}
}

func FuzzMatch(f *testing.F) {
	for i, x := range exchanges {
		for _, m := range []Mode{RTU, TCP, ASCII} {
			f.Add(uint8(i), uint8(m), answer(f, m, 7, 1, x.response))
		}
	}
	f.Fuzz(func(t *testing.T, which, mode uint8, in []byte) {
		x := exchanges[int(which)%len(exchanges)]
		m := Mode(mode % 3)
		e := bound(t, m, x.request)
		e.Resync = mode >= 128
		reply, err := e.Match(in)
		var fatal *codec.FatalError
		switch {
		case errors.As(err, &fatal):
			return
		case errors.Is(err, codec.ErrIncomplete):
			kept := len(in) - reply.Skipped
			if reply.Skipped < 0 || kept < 0 || kept >= m.MaxFrame() {
				t.Fatalf("%d of %d bytes are kept", kept, len(in))
			}
			return
		case err != nil:
			t.Fatal(err)
		}
		frame := in[reply.Skipped : reply.Skipped+reply.Size]
		response, err := ParseResponse(reply.PDU)
		if err != nil || response.Function != e.Function || response.Exception != reply.Exception {
			t.Fatalf("PDU %x of frame %x: %+v, %v", reply.PDU, frame, response, err)
		}
		if again := AppendFrame(nil, m, 7, frame[0], reply.PDU); m == RTU && !bytes.Equal(again, frame) {
			t.Fatalf("frame %x, want %x", frame, again)
		}
	})
}
