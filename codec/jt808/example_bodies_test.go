package jt808_test

import (
	"encoding/json"
	"fmt"

	"github.com/linkspan/linkspan/codec/jt808"
)

// Parameters have names, so that properties of a platform can become message
// 0x8103 and the answer 0x0104 can become properties.
func ExampleSetParameters_Set() {
	var set jt808.SetParameters
	fmt.Println(set.Set("heartbeatInterval", 30), set.Set("max_speed", 90.0))
	fmt.Println(set.Set("maxSpeed", -1))

	body, err := set.AppendBody(nil, jt808.V2013)
	fmt.Printf("%x %v\n", body, err)

	var answer jt808.Parameters
	err = answer.ParseBody(append([]byte{0, 7}, body...), jt808.V2013)
	for _, p := range answer.Params {
		info := p.Info()
		fmt.Println(info.LowerCamel(), p.Any(), info.Unit, err)
	}
	// Output:
	// <nil> <nil>
	// jt808: no value for this parameter: 0x0055 max_speed: -1, want a number that is not negative
	// 0200000001040000001e00000055040000005a <nil>
	// heartbeatInterval 30 s <nil>
	// maxSpeed 90 km/h <nil>
}

func ExampleParseBody() {
	body, err := jt808.ParseBody(jt808.IDPlatformResponse, jt808.V2013, []byte{0, 123, 2, 0, 0})
	text, _ := json.Marshal(body)
	fmt.Println(string(text), err)

	_, err = jt808.ParseBody(jt808.IDPlatformResponse, jt808.V2013, []byte{0, 123, 2})
	fmt.Println(err)
	// Output:
	// {"ack_serial":123,"ack_id":"0x0200","result":0} <nil>
	// jt808: body of 0x8001: jt808: body too short: field at byte 2 needs 2 bytes, 1 are left
}
