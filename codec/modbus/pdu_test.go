package modbus

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

func TestCRCVectors(t *testing.T) {
	t.Parallel()
	ofProto(t, "modbus-crc16", 11, func(t *testing.T, v vector) {
		t.Helper()
		crc := CRC(unhex(t, v.Hex))
		if crc != *v.Expect.CRC {
			t.Errorf("CRC %04x, want %04x", crc, *v.Expect.CRC)
		}
		if wire := hex.EncodeToString(binary.LittleEndian.AppendUint16(nil, crc)); wire != v.Expect.Wire {
			t.Errorf("on the wire %s, want %s", wire, v.Expect.Wire)
		}
	})
	if got := CRC([]byte("123456789")); got != 0x4b37 {
		t.Errorf("CRC of 123456789 is %04x, want 4b37", got)
	}
	if got := CRC(nil); got != 0xffff {
		t.Errorf("CRC of nothing is %04x, want ffff", got)
	}
}

func TestPDUVectors(t *testing.T) {
	t.Parallel()
	ofProto(t, "modbus-pdu", 69, func(t *testing.T, v vector) {
		t.Helper()
		checkPDU(t, v, unhex(t, v.Hex))
	})
}

// checkPDU wants of a PDU what v expects, and the PDU again from what it means.
func checkPDU(t *testing.T, v vector, pdu []byte) {
	t.Helper()
	var again []byte
	if v.Direction == "request" {
		r, err := ParseRequest(pdu)
		if err != nil {
			t.Fatal(err)
		}
		checkRequest(t, v.Expect, r)
		if again, err = r.Append(nil); err != nil {
			t.Fatal(err)
		}
	} else {
		r, err := ParseResponse(pdu)
		if err != nil {
			t.Fatal(err)
		}
		checkResponse(t, v.Expect, r)
		if again, err = r.Append(nil); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(again, pdu) {
		t.Errorf("written again %x, want %x", again, pdu)
	}
}

func checkRequest(t *testing.T, e expect, r Request) {
	t.Helper()
	equal(t, "function", uint8(r.Function), e.Function)
	switch r.Function {
	case ReadWriteMultipleRegisters:
		equal(t, "read address", r.Address, e.ReadAddress)
		equal(t, "read quantity", r.Quantity, e.ReadQuantity)
		equal(t, "write address", r.WriteAddress, e.WriteAddress)
		equal(t, "write quantity", r.WriteQuantity, e.WriteQuantity)
	default:
		equal(t, "address", r.Address, e.Address)
		equal(t, "quantity", r.Quantity, e.Quantity)
	}
	equal(t, "and", r.AndMask, e.And)
	equal(t, "or", r.OrMask, e.Or)
	equal(t, "MEI", r.MEI, e.MEI)
	equal(t, "read code", r.ReadCode, e.ReadCode)
	equal(t, "object", r.Object, e.ObjectID)
	checkValue(t, e, r.Function, r.Value)
	checkData(t, e, r.Data)
}

func checkResponse(t *testing.T, e expect, r Response) {
	t.Helper()
	if e.Kind == "exception" {
		equal(t, "function", uint8(r.Function), e.Request)
		equal(t, "exception", uint8(r.Exception), e.Exception)
		equal(t, "name", r.Exception.String(), e.Name)
		return
	}
	equal(t, "function", uint8(r.Function), e.Function)
	equal(t, "exception", r.Exception, 0)
	equal(t, "address", r.Address, e.Address)
	equal(t, "quantity", r.Quantity, e.Quantity)
	equal(t, "and", r.AndMask, e.And)
	equal(t, "or", r.OrMask, e.Or)
	equal(t, "MEI", r.MEI, e.MEI)
	equal(t, "read code", r.ReadCode, e.ReadCode)
	equal(t, "conformity", r.Conformity, e.Conformity)
	equal(t, "more", r.More, e.More != 0)
	equal(t, "next object", r.NextObject, e.Next)
	equal(t, "count", r.Count, e.Count)
	checkValue(t, e, r.Function, r.Value)
	if r.MEI == ReadDeviceIdentification {
		i := 0
		for id, text := range r.Objects() {
			equal(t, "object", object{id, string(text)}, e.Objects[i])
			i++
		}
		equal(t, "objects", i, len(e.Objects))
		return
	}
	checkData(t, e, r.Data)
}

func checkValue(t *testing.T, e expect, f Function, value uint16) {
	t.Helper()
	switch {
	case e.Raw != nil:
		equal(t, "value", value, *e.Raw)
	case f == WriteSingleRegister:
		equal(t, "value", any(float64(value)), e.AnyValue)
	default:
		equal(t, "value", value, 0)
	}
}

func checkData(t *testing.T, e expect, data []byte) {
	t.Helper()
	for i, want := range e.Registers {
		equal(t, fmt.Sprint("register ", i), Register(data, i), want)
	}
	for i, want := range e.Bits {
		equal(t, fmt.Sprint("bit ", i), Bit(data, i), want != 0)
	}
	if e.Data != nil {
		equal(t, "data", hex.EncodeToString(data), *e.Data)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s %v, want %v", what, got, want)
	}
}

func TestMaskWriteVectors(t *testing.T) {
	t.Parallel()
	ofProto(t, "modbus-maskwrite", 3, func(t *testing.T, v vector) {
		t.Helper()
		r, err := ParseRequest(unhex(t, v.Hex))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "and", r.AndMask, v.Expect.And)
		equal(t, "or", r.OrMask, v.Expect.Or)
		equal(t, "result", r.Masked(v.Expect.Current), v.Expect.Result)
	})
}

// What must not be sent is not, and what was sent all the same is refused.
func TestRequestLimits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request Request
		pdu     string // "" when it cannot be written down
	}{
		"no bits":                    {Request{Function: ReadCoils}, "0100000000"},
		"2001 bits":                  {Request{Function: ReadDiscreteInputs, Quantity: 2001}, "02000007d1"},
		"126 registers":              {Request{Function: ReadHoldingRegisters, Quantity: 126}, "030000007e"},
		"past the end":               {Request{Function: ReadInputRegisters, Address: 0xffff, Quantity: 2}, "04ffff0002"},
		"a coil half on":             {Request{Function: WriteSingleCoil, Value: 1}, "0500000001"},
		"1969 coils":                 {Request{Function: WriteMultipleCoils, Quantity: 1969, Data: make([]byte, 247)}, ""},
		"bits without data":          {Request{Function: WriteMultipleCoils, Quantity: 9, Data: []byte{1}}, "0f000000090101"},
		"124 registers written":      {Request{Function: WriteMultipleRegisters, Quantity: 124, Data: make([]byte, 248)}, ""},
		"a register without data":    {Request{Function: WriteMultipleRegisters, Quantity: 2, Data: []byte{0, 1}}, "10000000020200010000"},
		"122 registers exchanged":    {Request{Function: ReadWriteMultipleRegisters, Quantity: 1, WriteQuantity: 122, Data: make([]byte, 244)}, ""},
		"none read when exchanged":   {Request{Function: ReadWriteMultipleRegisters, WriteQuantity: 1, Data: make([]byte, 2)}, "170000000000000001020000"},
		"identification of 5":        {Request{Function: EncapsulatedInterface, MEI: 14, ReadCode: 5}, "2b0e0500"},
		"function 0":                 {Request{}, "00"},
		"the function of a response": {Request{Function: 0x83}, "83"},
		"too much of a raw one":      {Request{Function: 65, Data: make([]byte, MaxPDU)}, ""},
		"too much of another MEI":    {Request{Function: EncapsulatedInterface, MEI: 13, Data: make([]byte, MaxPDU-1)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, err := test.request.Append([]byte("x")); !errors.Is(err, ErrLimit) || string(out) != "x" {
				t.Errorf("Append is %x, %v", out, err)
			}
			if test.pdu == "" {
				return
			}
			var bad *codec.FrameError
			if r, err := ParseRequest(unhex(t, test.pdu)); !errors.As(err, &bad) {
				t.Errorf("ParseRequest is %+v, %v", r, err)
			}
		})
	}
}

// Every function's longest request and response can be written and read.
func TestLongest(t *testing.T) {
	t.Parallel()
	for _, r := range []Request{
		{Function: ReadCoils, Quantity: MaxReadBits},
		{Function: ReadInputRegisters, Address: 0xffff, Quantity: 1},
		{Function: WriteMultipleCoils, Quantity: MaxWriteBits, Data: make([]byte, MaxWriteBits/8)},
		{Function: WriteMultipleRegisters, Quantity: MaxWriteRegisters, Data: make([]byte, 2*MaxWriteRegisters)},
		{Function: ReadWriteMultipleRegisters, Quantity: MaxReadRegisters, WriteQuantity: MaxReadWriteRegisters, Data: make([]byte, 2*MaxReadWriteRegisters)},
		{Function: 65, Data: make([]byte, MaxPDU-1)},
	} {
		pdu, err := r.Append(nil)
		if err != nil || len(pdu) > MaxPDU {
			t.Errorf("%v: %d bytes, %v", r.Function, len(pdu), err)
		}
		if again, err := ParseRequest(pdu); err != nil || fmt.Sprint(again) != fmt.Sprint(r) {
			t.Errorf("%v: read again %v, %v", r.Function, again, err)
		}
	}
	for _, r := range []Response{
		{Function: ReadCoils, Data: make([]byte, MaxReadBits/8)},
		{Function: ReadHoldingRegisters, Data: make([]byte, 2*MaxReadRegisters)},
		{Function: ReportServerID, Data: append([]byte{MaxPDU - 2}, make([]byte, MaxPDU-2)...)},
		{Function: ReadFIFOQueue, Data: append([]byte{0, 64}, make([]byte, 64)...)},
		{Function: Diagnostics, Data: []byte{0, 0, 1, 2}},
		{Function: ReadExceptionStatus, Data: []byte{1}},
		{Function: GetCommEventCounter, Data: []byte{0xff, 0xff, 0, 1}},
		{Function: EncapsulatedInterface, MEI: 13, Data: []byte("CANopen")},
	} {
		pdu, err := r.Append(nil)
		if err != nil || len(pdu) > MaxPDU {
			t.Errorf("%v: %d bytes, %v", r.Function, len(pdu), err)
		}
		if again, err := ParseResponse(pdu); err != nil || fmt.Sprint(again) != fmt.Sprint(r) {
			t.Errorf("%v: read again %v, %v", r.Function, again, err)
		}
	}
}

func TestResponsesThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, pdu := range map[string]string{
		"nothing":                "",
		"function 0":             "00",
		"no data":                "0300",
		"an odd count":           "0303000102",
		"a count too many":       "0304000102",
		"a byte too many":        "030400010002ff",
		"252 bytes":              "01fb" + fmt.Sprintf("%0502d", 0),
		"exception 0":            "8300",
		"an exception that ends": "83",
		"the exception 80":       "8001",
		"a queue too long":       "180042",
		"half a text":            "2b0e0181000001000666",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var bad *codec.FrameError
			if r, err := ParseResponse(unhex(t, pdu)); !errors.As(err, &bad) {
				t.Errorf("ParseResponse is %+v, %v", r, err)
			}
		})
	}
	for name, r := range map[string]Response{
		"no data":        {Function: ReadCoils},
		"odd registers":  {Function: ReadHoldingRegisters, Data: []byte{1}},
		"300 bytes":      {Function: ReadHoldingRegisters, Data: make([]byte, 300)},
		"no function":    {},
		"count of texts": {Function: EncapsulatedInterface, MEI: 14, Count: 2, Data: []byte{0, 1, 'a'}},
	} {
		if out, err := r.Append([]byte("x")); !errors.Is(err, ErrLimit) || string(out) != "x" {
			t.Errorf("%s: Append is %x, %v", name, out, err)
		}
	}
}

func TestExceptions(t *testing.T) {
	t.Parallel()
	r, err := ParseResponse([]byte{0x83, 6})
	if err != nil {
		t.Fatal(err)
	}
	var refused *ExceptionError
	if err := r.Err(9); !errors.As(err, &refused) || !refused.Exception.Temporary() ||
		err.Error() != "modbus: unit 9 refused to read holding registers: exception 6, server device busy" {
		t.Errorf("error %v", err)
	}
	if err := (&Response{Function: ReadCoils}).Err(1); err != nil {
		t.Errorf("a normal response is error %v", err)
	}
	equal(t, "name", Exception(9).String(), "exception 9")
	equal(t, "name", Exception(200).String(), "exception 200")
	equal(t, "temporary", IllegalDataAddress.Temporary(), false)
	equal(t, "function", Function(65).String(), "function 65")
	equal(t, "writes", MaskWriteRegister.Writes(), true)
	equal(t, "writes", ReadCoils.Writes(), false)
}

func TestPacking(t *testing.T) {
	t.Parallel()
	// Application Protocol V1.1b3, 6.11: ten coils from 20 on.
	equal(t, "bits", hex.EncodeToString(AppendBits(nil, true, false, true, true, false, false, true, true, true, false)), "cd01")
	equal(t, "registers", hex.EncodeToString(AppendRegisters(nil, 10, 0x102)), "000a0102")
	equal(t, "on", CoilValue(true), 0xff00)
	equal(t, "off", CoilValue(false), 0)
}
