package gbt26875_test

import (
	"encoding/hex"
	"fmt"

	"github.com/linkspan/linkspan/codec/gbt26875"
)

// A device says that a smoke detector has found a fire; the centre confirms.
func Example() {
	wire, _ := hex.DecodeString("404001000101203a091a090c790300000000385b01000000300002" +
		"02010101280a0002000200" + "33c2a5b6ab0000000000000000000000000000000000000000000000000000" + "023a091a090c" + "812323")
	decoder := gbt26875.NewDecoder(gbt26875.DefaultOptions())
	frame, _, err := decoder.Decode(wire)
	if err != nil {
		fmt.Println(err)
		return
	}
	unit, err := frame.Parse()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("device %d, frame %d: %s\n", frame.Source.Uint(), frame.Serial, unit.Type().Name())
	for _, part := range unit.(*gbt26875.PartStates).Objects {
		fmt.Println(part.Type.Name(), part.Address, part.Description, part.State.Names(), part.Time)
	}
	answer := gbt26875.Frame{Header: frame.Reply(gbt26875.CommandConfirm, frame.Time)}
	out, err := gbt26875.AppendFrame(nil, &answer)
	fmt.Printf("%x %v\n", out, err)
	// Output:
	// device 889, frame 1: part state
	// smoke detector 0a000200 3楼东 [fire] 2012-09-26 09:58:02
	// 404001000101203a091a090c385b01000000790300000000000003a82323 <nil>
}

// A centre asks for the state of two parts.
func ExampleAppendUnit() {
	panel := gbt26875.System{Type: gbt26875.SystemFireAlarm, Address: 1}
	read := &gbt26875.ReadPart{Query: gbt26875.TypeReadPartState, Objects: []gbt26875.PartName{
		{System: panel, Address: gbt26875.NewPartAddress(10, 2)},
		{System: panel, Address: gbt26875.NewPartAddress(10, 3)},
	}}
	header := gbt26875.Header{
		Serial: 2, Version: gbt26875.Version{Main: 1},
		Source: gbt26875.NewAddress(88888), Destination: gbt26875.NewAddress(889), Command: read.Type().Command(),
	}
	out, err := gbt26875.AppendUnit(nil, header, read)
	fmt.Printf("%x %v\n", out, err)
	// Output:
	// 404002000100000000000000385b010000007903000000000e00043e0201010a00020001010a000300822323 <nil>
}
