package jt808

import (
	"strings"
	"testing"

	"github.com/linkspan/linkspan/thing"
)

// Mistakes in parameters are told by the names that the page has, with what would be
// right, all of them at once.
func TestMistakesInParameters(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 256)
	x := dial(t).join()
	for input, want := range map[string]string{
		`{"maxSpeed":"x"}`:                               `maxSpeed (0x0055): "x" is no whole number from 0 to 4294967295`,
		`{"heartbeatInterval":-1}`:                       `heartbeatInterval (0x0001): -1 is no whole number from 0 to 4294967295`,
		`{"heartbeatInterval":1.5}`:                      `heartbeatInterval (0x0001): 1.5 is no whole number from 0 to 4294967295`,
		`{"fence_radius":70000}`:                         `fenceRadius (0x0031): 70000 is no whole number from 0 to 65535`,
		`{"plateColor":256}`:                             `plateColor (0x0084): 256 is no whole number from 0 to 255`,
		`{"brightness":true}`:                            `brightness (0x0071): true is no whole number from 0 to 4294967295`,
		`{"brightness":null}`:                            `brightness (0x0071): null is no whole number from 0 to 4294967295`,
		`{"0x0071":[1]}`:                                 `brightness (0x0071): [1] is no whole number from 0 to 4294967295`,
		`{"plate":1}`:                                    `plate (0x0083): 1 is no text: write it in quotation marks`,
		`{"plate":"` + long + `"}`:                       `plate (0x0083): the text has more than 255 bytes as GBK`,
		`{"0xF001":"zz"}`:                                `0xF001: "zz" is no text of hexadecimal digits, two for each byte`,
		`{"0xf001":"abc"}`:                               `0xF001: "abc" is no text of hexadecimal digits, two for each byte`,
		`{"avParameters":7}`:                             `avParameters (0x0075): 7 is no text of hexadecimal digits, two for each byte`,
		`{"0xF001":"` + long + "\"}":                     `0xF001: "xxx`,
		`{"0xF001":"` + strings.Repeat("00", 256) + `"}`: `0xF001: 256 bytes, at most 255 can be sent`,
		`{"heartbeatInterval":-1,"maxSpeed":"x","fenceRadius":70000,"plate":1}`: `65535; plate (0x0083): 1 is`,
		`{"heartbeatIntervall":1,"plate":1}`:                                    `is it heartbeatInterval`,
	} {
		x.Command(set("c", input))
		r := x.wantReply(thing.Invalid, 0)
		if !strings.Contains(r.Text, want) || len(r.Text) > 600 {
			t.Errorf("%s: %s\nwant %s", input, r.Text, want)
		}
		for _, word := range []string{"strconv", "int64", "hex:", "heartbeat_interval", "max_speed"} {
			if strings.Contains(r.Text, word) {
				t.Errorf("%s: %s\nhas %s", input, r.Text, word)
			}
		}
	}
	if len(x.heard()) != 0 {
		t.Error("something was sent")
	}
	x.Command(&thing.Command{ID: "c", Kind: thing.SetProperties, Fields: []thing.Field{{Name: "plate", Value: thing.String("\xff")}}})
	if r := x.wantReply(thing.Invalid, 0); r.Text != "plate (0x0083): the text is no UTF-8" {
		t.Error(r.Text)
	}
	x.order(set("c", `{"maxSpeed":"90","fenceRadius":500.0,"plate":"京A12345","0xF001":"0xBEEF","plateColor":"0x02"}`))
}
