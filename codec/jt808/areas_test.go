package jt808

import (
	"errors"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

func TestAreaQueryResponseAreas(t *testing.T) {
	t.Parallel()
	circle := "000005f2" + "00de" + "075bcd15" + "075bcd15" + "000000c8" + "003c" + "c8" + "029a" + "0008" + "536d616c6c436869"
	rectangle := "000005f2" + "0000" + "00000001" + "00000002" + "00000003" + "00000004" + "0001" + "41"
	polygon := "000004d2" + "0001" + "200107000012" + "200107000013" + "0002" + "075bcd15075bcd14075bccbc075bccbd" + "0008" + "736d616c6c636869"
	route := "0000270f" + "0000" + "0001" + "000003e8" + "00000507" + "00000001" + "00000002" + "38" + "00" + "0001" + "41"
	for _, tt := range []struct {
		name string
		kind AreaType
		n    uint32
		hex  string
		want int // areas, -1: an error
	}{
		{"circles", AreaTypeCircle, 2, circle + circle, 2},
		{"circles with the head of the command", AreaTypeCircle, 2, "0102" + circle + circle, 2},
		{"no circles", AreaTypeCircle, 0, "", 0},
		{"rectangles", AreaTypeRectangle, 1, rectangle, 1},
		{"rectangles with the head of the command", AreaTypeRectangle, 1, "0001" + rectangle, 1},
		{"polygons", AreaTypePolygon, 2, polygon + polygon, 2},
		{"routes", AreaTypeRoute, 3, route + route + route, 3},
		{"cut circle", AreaTypeCircle, 2, circle + circle[:40], -1},
		{"cut rectangle with head", AreaTypeRectangle, 1, "0001" + rectangle[:40], -1},
		{"cut polygon", AreaTypePolygon, 1, polygon[:60], -1},
		{"cut route", AreaTypeRoute, 1, route[:40], -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := &AreaQueryResponse{Type: tt.kind, Count: tt.n, Data: unhex(t, tt.hex)}
			areas, err := b.Areas()
			if tt.want < 0 {
				if !errors.Is(err, ErrShortBody) {
					t.Errorf("%v, %v, want ErrShortBody", areas, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := len(areas)
			switch set := areas[0].(type) {
			case *SetCircles:
				got = len(set.Items)
			case *SetRectangles:
				got = len(set.Items)
			}
			if got != tt.want {
				t.Errorf("%d areas, want %d: %s", got, tt.want, toString(t, areas))
			}
		})
	}
	var frame *codec.FrameError
	if _, err := (&AreaQueryResponse{Type: 9}).Areas(); !errors.As(err, &frame) {
		t.Errorf("type 9: %v, want a FrameError", err)
	}
}

func TestAreaJSON(t *testing.T) {
	t.Parallel()
	set := &SetCircles{Action: AreaAppend, Items: []Circle{{
		ID: 1, Attr: AreaTimed, Latitude: 31230416, Longitude: 121473701, Radius: 500,
		AreaLimits: AreaLimits{Start: BCDTime{0, 0, 0, 8}, End: BCDTime{0x24, 2, 0x29, 8}}, Name: "园区",
	}}}
	want := `{"action":1,"items":[{"id":1,"attr":1,"lat_raw":31230416,"lon_raw":121473701,"radius":500,` +
		`"start":"000000080000","end":"2024-02-29T00:00:00Z","name":"园区"}]}`
	if got := toString(t, set); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// What locks before 2019 unlocks in 2019.
func TestDoors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		b              *VehicleControl
		in2013, in2019 string
	}{
		{LockDoors(), "01", "0001000100"},
		{UnlockDoors(), "00", "0001000101"},
	} {
		for v, want := range map[Version]string{V2011: tt.in2013, V2013: tt.in2013, V2019: tt.in2019} {
			if out, err := tt.b.AppendBody(nil, v); err != nil || Hex(out).String() != want {
				t.Errorf("%v: %x, %v, want %s", v, out, err, want)
			}
		}
	}
}
