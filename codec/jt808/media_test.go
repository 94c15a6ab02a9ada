package jt808

import (
	"errors"
	"strings"
	"testing"
)

func TestMediaDataLayouts(t *testing.T) {
	t.Parallel()
	const head = "00000009" + "00000102"
	fix := "00000001000c000301dc89d0073d8aa5000c025d010f" + "240229235959"
	noTime := strings.Repeat("00", 28)
	place := "000301dc89d0073d8aa5000c025d010f" // but for the alarm, half the status and the time
	for _, tt := range []struct {
		name, hex string
		v         Version
		located   bool
		data      string
	}{
		{"2013", head + fix + "ffd8", V2013, true, "ffd8"},
		{"2013 without data", head + fix, V2013, true, ""},
		{"2013 before the first fix", head + noTime + "ffd8", V2013, true, "ffd8"},
		{"2011, a short image", head + "ffd8ffe0", V2013, false, "ffd8ffe0"},
		{"2011, a long image", head + "ffd8" + strings.Repeat("00", 40), V2013, false, "ffd8" + strings.Repeat("00", 40)},
		{"2011, sound", head + strings.Repeat("ab", 40), V2013, false, strings.Repeat("ab", 40)},
		{"2013, time with month 13", head + "00000000" + "0000" + place + "241301000000" + "ffd8ffe0", V2013, true, "ffd8ffe0"},
		{"2013, time with a digit above nine", head + "00000000" + "0000" + place + "2a0101000000" + "ffd8ffe0", V2013, true, "ffd8ffe0"},
		{"2013, time with no digits", head + "00000000" + "0000" + place + "ffffffffffff" + "ffd8ffe0", V2013, true, "ffd8ffe0"},
		{"2013, time with second 60", head + "00000000" + "0000" + place + "240229235960" + "ffd8ffe0", V2013, true, "ffd8ffe0"},
		{"2013, time with 30 February", head + "00000000" + "0000" + place + "240230101010" + "ffd8ffe0", V2013, true, "ffd8ffe0"},
		{"2013, time with 29 February of another year", head + "00000000" + "0000" + place + "250229000000" + "ffd8ffe0", V2013, true, "ffd8ffe0"},
		{"2013, time with month 0", head + "00000000" + "0000" + place + "000000000001" + "ffd8ffe0", V2013, true, "ffd8ffe0"},
		{"2013, impossible time, sound that nothing tells", head + "00000000" + "0000" + place + "241301000000" + "a1b2c3d4", V2013, true, "a1b2c3d4"},
		{"2013, impossible time, no data", head + "00000000" + "0000" + place + "241301000000", V2013, true, ""},
		{"2013, impossible time, words as of packets", head + "00000003" + "00000001" + "01dc89d0073d8aa5000c025d010f" + "241301000000" + "ffd8ffe0", V2013, true, "ffd8ffe0"},
		{"2013, impossible time and place, an image", head + strings.Repeat("ff", 28) + "ffd8ffe0", V2013, true, "ffd8ffe0"},
		{"2013, impossible time and place, a sound", head + strings.Repeat("ff", 28) + "524946460000000057415645", V2013, true, "524946460000000057415645"},
		{"2011, RIFF before zeros", head + "52494646" + strings.Repeat("00", 40), V2013, false, "52494646" + strings.Repeat("00", 40)},
		{"2011, film in a file of boxes", head + "0000001866747970" + strings.Repeat("00", 40), V2013, false, "0000001866747970" + strings.Repeat("00", 40)},
		{"2011, ID3 before zeros", head + "494433" + strings.Repeat("00", 40), V2013, false, "494433" + strings.Repeat("00", 40)},
		{"2019", head + fix + "ffd8", V2019, true, "ffd8"},
		{"2019 with an impossible time", head + strings.Repeat("ff", 28) + "ffd8", V2019, true, "ffd8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wire := unhex(t, tt.hex)
			var b MediaData
			if err := b.ParseBody(wire, tt.v); err != nil {
				t.Fatal(err)
			}
			if (b.Location != nil) != tt.located || b.Data.String() != tt.data || b.Total != 0 {
				t.Errorf("location %v, data %v", b.Location, b.Data)
			}
			if out, err := b.AppendBody(nil, tt.v); err != nil || Hex(out).String() != tt.hex {
				t.Errorf("written as %x, %v", out, err)
			}
		})
	}
	var b MediaData
	if err := b.ParseBody(unhex(t, head+fix[:54]), V2019); !errors.Is(err, ErrShortBody) {
		t.Errorf("27 bytes of location: %v, want ErrShortBody", err)
	}
}

// The 28 basic bytes are all of a location that media has: its items do not go out.
func TestMediaLocationIsBasic(t *testing.T) {
	t.Parallel()
	b := &MediaData{Location: &Location{Extras: []Extra{{ID: 1, Value: []byte{0, 0, 0, 1}}}, Tail: []byte{1}}}
	if out, err := b.AppendBody(nil, V2013); err != nil || len(out) != 8+28 {
		t.Errorf("%d bytes, %v, want 36", len(out), err)
	}
	if out, err := (&MediaData{}).AppendBody(nil, V2019); err != nil || len(out) != 8+28 {
		t.Errorf("2019 without location: %d bytes, %v, want 36", len(out), err)
	}
}

func TestMediaSearchResponseItems(t *testing.T) {
	t.Parallel()
	item := "000201" + strings.Repeat("00", 28)
	for _, tt := range []struct {
		name, hex string
		v         Version
		items     int
		noIDs     bool
		tail      int
	}{
		{"2013", "00010002" + "00000007" + item + "00000008" + item, V2013, 2, false, 0},
		{"2011", "00010002" + item + item, V2013, 2, true, 0},
		{"of more in all", "00010009" + "00000007" + item, V2013, 1, false, 0},
		{"35 of 2011 are as long as 31 of 2013", "00010023" + strings.Repeat(item, 35), V2013, 35, true, 0},
		{"31 of 2013 are as long as 35 of 2011", "0001001f" + strings.Repeat("00000007"+item, 31), V2013, 31, false, 0},
		{"bytes behind", "00010001" + "00000007" + item + "ff", V2013, 1, false, 1},
		{"none", "00010000", V2013, 0, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b MediaSearchResponse
			if err := b.ParseBody(unhex(t, tt.hex), tt.v); err != nil {
				t.Fatal(err)
			}
			if len(b.Items) != tt.items || b.NoIDs != tt.noIDs || len(b.Tail) != tt.tail {
				t.Errorf("%d items, without ids %v, tail %v", len(b.Items), b.NoIDs, b.Tail)
			}
			for _, item := range b.Items {
				if item.Channel != 2 || item.Cause != MediaTimed {
					t.Errorf("%+v", item)
				}
			}
			if out, err := b.AppendBody(nil, tt.v); err != nil || Hex(out).String() != tt.hex {
				t.Errorf("written as %x, %v", out, err)
			}
		})
	}
	var b MediaSearchResponse
	if err := b.ParseBody(unhex(t, "00010002"+"00000007"+item+"00000008"), V2019); !errors.Is(err, ErrShortBody) {
		t.Errorf("cut item: %v, want ErrShortBody", err)
	}
}
