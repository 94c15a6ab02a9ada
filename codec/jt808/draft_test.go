package jt808

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// The layouts of the approval draft of 2011 are found by length, written back as
// they were, and never written of our own accord nor found in 2019.
func TestDraftLayouts(t *testing.T) {
	t.Parallel()
	location := bytes.Repeat([]byte{0}, 22)
	location = append(location, 0x24, 0x02, 0x29, 0x10, 0, 0)
	for _, tt := range []struct {
		name string
		hex  string
		want Body
	}{
		{"parameters", "0003" + "0501" + "00000001040000001e", &Parameters{Serial: 3, Total: 5, Params: []Parameter{{1, Hex{0, 0, 0, 30}}}}},
		{"set parameters", "0501" + "00000001040000001e", &SetParameters{Total: 5, Params: []Parameter{{1, Hex{0, 0, 0, 30}}}}},
		{"events", "01" + "0302" + "010141" + "02024243", &SetEvents{Action: 1, Total: 3, Events: []Event{{1, "A"}, {2, "BC"}}}},
		{"menu", "02" + "0302" + "01000141" + "0200024243", &SetInfoMenu{Action: 2, Total: 3, Items: []InfoItem{{1, "A"}, {2, "BC"}}}},
		{"phone book", "01" + "0301" + "03" + "023131" + "0141", &SetPhoneBook{Action: 1, Total: 3, Contacts: []Contact{{3, "11", "A"}}}},
		{"phone book emptied, in packets", "00" + "3700", &SetPhoneBook{Total: 0x37}},
		{"circles", "01" + "0301" + "00000001" + "0000" + "000000020000000300000004", &SetCircles{
			Action: AreaAppend, Total: 3, Items: []Circle{{ID: 1, Latitude: 2, Longitude: 3, Radius: 4}},
		}},
		{"rectangles", "02" + "0301" + "00000001" + "0000" + "00000002000000030000000400000005", &SetRectangles{
			Action: AreaChange, Total: 3, Items: []Rectangle{{ID: 1, Top: 2, Left: 3, Bottom: 4, Right: 5}},
		}},
		{"information", "07" + "0003" + "0002" + "41424344", &Info{Type: 7, Total: 3, Packet: 2, Content: "ABCD"}},
		{"recorder", "0009" + "08" + "0003" + "0002" + "557a08", &RecorderData{Serial: 9, Command: 8, Total: 3, Packet: 2, Data: Hex{0x55, 0x7A, 8}}},
		{"media", "00000009" + "00000102" + "00000003" + "00000002" + "ffd8", &MediaData{
			MediaID: 9, Cause: MediaTimed, Channel: 2, Total: 3, Packet: 2, Data: Hex{0xFF, 0xD8},
		}},
		{"media, a long image that begins with zeros", "00000009" + "00000102" + "00000001" + "00000001" + "ffd8ffe0" + strings.Repeat("00", 40), &MediaData{
			MediaID: 9, Cause: MediaTimed, Channel: 2, Total: 1, Packet: 1, Data: append(Hex{0xFF, 0xD8, 0xFF, 0xE0}, make([]byte, 40)...),
		}},
		{"media, a long package in the middle", "00000009" + "00000102" + "00000003" + "00000002" + strings.Repeat("ab", 40), &MediaData{
			MediaID: 9, Cause: MediaTimed, Channel: 2, Total: 3, Packet: 2, Data: bytes.Repeat([]byte{0xAB}, 40),
		}},
		{"media without a location", "00000009" + "00000102" + "ffd8" + "000000", &MediaData{
			MediaID: 9, Cause: MediaTimed, Channel: 2, Data: Hex{0xFF, 0xD8, 0, 0, 0},
		}},
		{"media answer", "0102" + "00000009" + "02" + "00030005", &MediaResponse{
			Draft: true, Serial: 0x0102, MediaID: 9, Packets: []uint16{3, 5},
		}},
		{"media answer without packets", "0102" + "00000009", &MediaResponse{Draft: true, Serial: 0x0102, MediaID: 9}},
		{"found media", "0102" + "0001" + "000201" + Hex(location).String(), &MediaSearchResponse{
			Serial: 0x0102, Total: 1, NoIDs: true,
			Items: []MediaItem{{Channel: 2, Cause: MediaTimed, Location: Location{Time: BCDTime{0x24, 2, 0x29, 0x10}}}},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wire := unhex(t, tt.hex)
			for _, v := range []Version{V2011, V2013} {
				got, err := ParseBody(tt.want.ID(), v, wire)
				if err != nil || toString(t, got) != toString(t, tt.want) {
					t.Fatalf("%v: %s, %v, want %s", v, toString(t, got), err, toString(t, tt.want))
				}
				if out, err := got.AppendBody(nil, v); err != nil || !bytes.Equal(out, wire) {
					t.Errorf("%v: written as %x, %v, want %x", v, out, err, wire)
				}
			}
			if got, err := ParseBody(tt.want.ID(), V2019, wire); err == nil && reflect.DeepEqual(got, tt.want) {
				t.Error("found in 2019 too")
			}
		})
	}
}
