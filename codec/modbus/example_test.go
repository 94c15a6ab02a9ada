package modbus_test

import (
	"errors"
	"fmt"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/modbus"
)

// A master asks unit 1 for a float in the holding registers 40001 and 40002. A
// heartbeat of the modem stands before the response, which comes in two parts.
func Example() {
	address, err := modbus.ParseAddress("40001", 0, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	temperature := modbus.Format{Type: modbus.Float32, Order: modbus.CDAB}
	pdu, err := modbus.Request{
		Function: address.Area.ReadFunction(),
		Address:  address.Offset,
		Quantity: uint16(temperature.Size()),
	}.Append(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("send %x\n", modbus.AppendFrame(nil, modbus.RTU, 0, 1, pdu))

	var expect modbus.Expect
	if err = expect.Bind(modbus.RTU, 0, 1, pdu); err != nil {
		fmt.Println(err)
		return
	}
	in := []byte("www.usr.cn\x01\x03\x04\x20")
	reply, err := expect.Match(in)
	fmt.Println(errors.Is(err, codec.ErrIncomplete), "skipped", string(in[:reply.Skipped]))

	in = append(in[reply.Skipped:], "\x00\x47\xf1\x03\x87"...)
	reply, err = expect.Match(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	response, err := modbus.ParseResponse(reply.PDU)
	if err != nil {
		fmt.Println(err)
		return
	}
	value, err := temperature.Decode(response.Data)
	fmt.Println(value, err)
	// Output:
	// send 010300000002c40b
	// true skipped www.usr.cn
	// 123456 <nil>
}

func ExampleNewDecoder() {
	frames := modbus.NewDecoder(modbus.Options{Mode: modbus.RTU})
	in := []byte("\xfe\x01\x06\x00\x01\x00\x03\x98\x0b\x01\x86\x02\xc3\xa1")
	for len(in) > 0 {
		frame, n, err := frames.Decode(in)
		in = in[n:]
		if errors.Is(err, codec.ErrIncomplete) {
			break
		}
		fmt.Println(frame, err)
	}
	// Output:
	// <nil> codec: bad frame at byte 0: no RTU frame with a right CRC begins here
	// rtu request unit 1 0600010003 <nil>
	// rtu response unit 1 8602 <nil>
}

func ExampleFormat_Append() {
	setpoint := modbus.Format{Type: modbus.Int32, Order: modbus.DCBA}
	data, err := setpoint.Append(nil, modbus.IntValue(-2))
	fmt.Printf("%x %v\n", data, err)
	_, err = modbus.Format{Type: modbus.Int16}.Append(nil, modbus.IntValue(40000))
	fmt.Println(err)
	// Output:
	// feffffff <nil>
	// modbus: value: 40000 does not fit int16
}

func ExampleParseAddress() {
	for _, s := range []string{"40108", "400108", "4x108", "holding:107", "0x6b"} {
		address, err := modbus.ParseAddress(s, modbus.HoldingRegisters, 0)
		fmt.Println(address, err)
	}
	_, err := modbus.ParseAddress("30001", modbus.HoldingRegisters, 0)
	fmt.Println(err)
	// Output:
	// holdingRegister:107 <nil>
	// holdingRegister:107 <nil>
	// holdingRegister:107 <nil>
	// holdingRegister:107 <nil>
	// holdingRegister:107 <nil>
	// modbus: address "30001": in documents that is inputRegister, want holdingRegister; holdingRegister:30001 is the plain number
}
