package jt808_test

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/jt808"
)

func Example() {
	// Noise, a location report, and half a heartbeat, as a read may give them.
	in, _ := hex.DecodeString("0d0a" +
		"7e0200002c013800138000002a00000000000c000301dc8a50073d8ee5000c025d010f2403071530450104000003e80202012c30011531010c317e" +
		"7e00020000")
	decoder := jt808.NewDecoder(jt808.DefaultOptions())
	for {
		frame, n, err := decoder.Decode(in)
		in = in[n:]
		if err == codec.ErrIncomplete { //nolint:errorlint // never wrapped
			break
		}
		if err != nil {
			fmt.Println("damaged:", err)
			continue
		}
		body, err := frame.Parse()
		if err != nil {
			fmt.Println("wrong:", err)
			continue
		}
		location, ok := body.(*jt808.Location)
		if !ok {
			continue
		}
		at, _ := location.Time.Time()
		mileage, _ := location.Mileage()
		fmt.Println(frame.ID, frame.ID.Name(), "of", frame.Phone.Stripped(), "at", at.Format(time.RFC3339))
		fmt.Println(location.LatitudeE6(), location.LongitudeE6(), location.Status.Names(frame.Version), mileage)

		answer := jt808.PlatformResponse{Serial: frame.Serial, Request: frame.ID}
		out, _, err := jt808.AppendMessage(nil, frame.Reply(0), &answer)
		fmt.Printf("%x %v\n", out, err)
	}
	fmt.Println(len(in), "bytes wait for more")
	// Output:
	// 0x0200 location report of 13800138000 at 2024-03-07T07:30:45Z
	// 31230544 121474789 [acc located gps beidou] 1000
	// 7e800100050138001380000000002a020000067e <nil>
	// 4 bytes wait for more
}

func ExampleReassembler() {
	phone, _ := jt808.ParsePhone("13800138000", jt808.V2013)
	packages := jt808.NewReassembler(jt808.DefaultReassemblyOptions())
	now := time.Date(2024, 3, 7, 12, 0, 0, 0, time.UTC)
	for _, number := range []uint16{1, 3} { // 2 got lost
		whole, err := packages.Add(&jt808.Frame{
			Header: jt808.Header{ID: jt808.IDMediaData, Version: jt808.V2013, Phone: phone, Serial: 99 + number, Total: 3, Index: number},
			Body:   []byte("part"),
		}, now)
		fmt.Println(whole != nil, err)
	}
	for _, m := range packages.Missing(now.Add(5 * time.Second)) {
		fmt.Println("ask for", m.Indexes, "of the message that began with serial", m.FirstSerial)
	}
	for _, d := range packages.Expire(now.Add(time.Minute)) {
		fmt.Println(d.Header.ID, d.Received, "packages:", d.Cause)
	}
	// Output:
	// false <nil>
	// false <nil>
	// ask for [2] of the message that began with serial 100
	// 0x0801 2 packages: jt808: message incomplete: no package came for too long
}
