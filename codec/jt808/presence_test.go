package jt808

import (
	"encoding/json"
	"strings"
	"testing"
)

// JSON has the fields that are on the wire, also those that are 0, and no others.
func TestJSONHasWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		id      ID
		version Version
		hex     string
		want    string
	}{
		{
			"circle from midnight to 06:00", IDSetCircles, V2013,
			"0001" + "00000001" + "0001" + "00000001" + "00000001" + "00000001" + "000000000000" + "000000060000",
			`{"action":0,"items":[{"id":1,"attr":1,"lat_raw":1,"lon_raw":1,"radius":1,"start":"000000000000","end":"000000060000"}]}`,
		},
		{
			"circle with limits of 0", IDSetCircles, V2013,
			"0001" + "00000001" + "0002" + "00000001" + "00000001" + "00000001" + "0000" + "00",
			`{"action":0,"items":[{"id":1,"attr":2,"lat_raw":1,"lon_raw":1,"radius":1,"max_speed":0,"overspeed_s":0}]}`,
		},
		{
			"circle of 2019 with limits of 0", IDSetCircles, V2019,
			"0001" + "00000001" + "0002" + "00000001" + "00000001" + "00000001" + "0000" + "00" + "0000" + "0000",
			`{"action":0,"items":[{"id":1,"attr":2,"lat_raw":1,"lon_raw":1,"radius":1,"max_speed":0,"overspeed_s":0,"night_max_speed":0}]}`,
		},
		{
			"circle without limits", IDSetCircles, V2019,
			"0001" + "00000001" + "0000" + "00000001" + "00000001" + "00000001" + "0001" + "41",
			`{"action":0,"items":[{"id":1,"attr":0,"lat_raw":1,"lon_raw":1,"radius":1,"name":"A"}]}`,
		},
		{
			"rectangle", IDSetRectangles, V2019,
			"0001" + "00000001" + "0003" + "00000004" + "00000001" + "00000002" + "00000003" +
				"000000000000" + "000000000000" + "0000" + "00" + "0000" + "0001" + "41",
			`{"action":0,"items":[{"id":1,"attr":3,"lat1_raw":4,"lon1_raw":1,"lat2_raw":2,"lon2_raw":3,` +
				`"start":"000000000000","end":"000000000000","max_speed":0,"overspeed_s":0,"night_max_speed":0,"name":"A"}]}`,
		},
		{
			"polygon", IDSetPolygon, V2019,
			"00000001" + "0003" + "000000000000" + "000000000000" + "0000" + "00" + "0001" + "00000001" + "00000002" + "0000" + "0001" + "41" + "ff",
			`{"id":1,"attr":3,"start":"000000000000","end":"000000000000","max_speed":0,"overspeed_s":0,"night_max_speed":0,` +
				`"points":[{"lat_raw":1,"lon_raw":2}],"name":"A","tail":"ff"}`,
		},
		{
			"polygon without limits", IDSetPolygon, V2013,
			"00000001" + "0000" + "0001" + "00000001" + "00000002",
			`{"id":1,"attr":0,"points":[{"lat_raw":1,"lon_raw":2}]}`,
		},
		{
			"route", IDSetRoute, V2019,
			"00000001" + "0001" + "000000220000" + "000000000000" + "0002" +
				"00000001" + "00000002" + "00000003" + "00000004" + "32" + "03" + "0000" + "0000" + "0000" + "00" + "0000" +
				"00000001" + "00000002" + "00000003" + "00000004" + "32" + "00" + "0001" + "41",
			`{"id":1,"attr":1,"start":"000000220000","end":"000000000000","points":[` +
				`{"point_id":1,"segment_id":2,"lat_raw":3,"lon_raw":4,"width":50,"attr":3,` +
				`"max_time":0,"min_time":0,"max_speed":0,"overspeed_s":0,"night_max_speed":0},` +
				`{"point_id":1,"segment_id":2,"lat_raw":3,"lon_raw":4,"width":50,"attr":0}],"name":"A"}`,
		},
		{
			"route of 2013", IDSetRoute, V2013,
			"00000001" + "0000" + "0001" + "00000001" + "00000002" + "00000003" + "00000004" + "32" + "02" + "0000" + "00",
			`{"id":1,"attr":0,"points":[{"point_id":1,"segment_id":2,"lat_raw":3,"lon_raw":4,"width":50,"attr":2,"max_speed":0,"overspeed_s":0}]}`,
		},
		{"tracking for no time", IDTrack, V2013, "0005" + "00000000", `{"interval":5,"validity":0}`},
		{"tracking ends", IDTrack, V2013, "0000", `{"interval":0}`},
		{"doors of 2013", IDVehicleControl, V2013, "00", `{"flag":0}`},
		{"doors of 2019", IDVehicleControl, V2019, "0001" + "0001" + "00", `{"items":[{"id":1,"param":"00"}]}`},
		{"no item of 2019", IDVehicleControl, V2019, "0000", `{"items":[]}`},
		{"card out", IDDriverIdentity, V2013, "02" + "240229235959", `{"status":2,"time":"2024-02-29T15:59:59Z"}`},
		{"card out, without a time", IDDriverIdentity, V2013, "02" + "000000000000", `{"status":2,"time":"000000000000"}`},
		{"card out, impossible time", IDDriverIdentity, V2019, "02" + "241301000000", `{"status":2,"time":"241301000000"}`},
		{
			"card read", IDDriverIdentity, V2013, "01" + "240229235959" + "00" + "0141" + strings.Repeat("00", 20) + "00" + "20240229",
			`{"status":1,"time":"2024-02-29T15:59:59Z","ic_result":0,"driver":"A","validity":"20240229"}`,
		},
		{"card not read", IDDriverIdentity, V2013, "01" + "240229235959" + "03", `{"status":1,"time":"2024-02-29T15:59:59Z","ic_result":3}`},
		{"driver of 2011", IDDriverIdentity, V2011, "0141" + strings.Repeat("00", 20) + strings.Repeat("00", 40) + "0142", `{"driver":"A","agency":"B"}`},
		{
			"location without a fix", IDVehicleControlResponse, V2013, "0001" + strings.Repeat("00", 28),
			`{"ack_serial":1,"location":{"alarm":0,"status":0,"latitude":0,"longitude":0,"altitude":0,"speed":0,"direction":0,` +
				`"time":null,"time_raw":"000000000000","extras":{}}}`,
		},
		{
			"location at an impossible time", IDLocation, V2013, strings.Repeat("00", 22) + "2a0101000000",
			`{"alarm":0,"status":0,"latitude":0,"longitude":0,"altitude":0,"speed":0,"direction":0,` +
				`"time":null,"time_raw":"2a0101000000","extras":{}}`,
		},
		{
			"media of id 0", IDMediaSearchResponse, V2013, "0001" + "0001" + "00000000" + "000203" + strings.Repeat("00", 22) + "240229235959",
			`{"ack_serial":1,"count":1,"items":[{"media_id":0,"type":0,"channel":2,"event":3,"location":` +
				`{"alarm":0,"status":0,"latitude":0,"longitude":0,"altitude":0,"speed":0,"direction":0,"time":"2024-02-29T15:59:59Z","extras":{}}}]}`,
		},
		{
			"media of 2011", IDMediaSearchResponse, V2013, "0001" + "0001" + "000203" + strings.Repeat("00", 22) + "240229235959",
			`{"ack_serial":1,"count":1,"no_ids":true,"items":[{"type":0,"channel":2,"event":3,"location":` +
				`{"alarm":0,"status":0,"latitude":0,"longitude":0,"altitude":0,"speed":0,"direction":0,"time":"2024-02-29T15:59:59Z","extras":{}}}]}`,
		},
		{"no media", IDMediaSearchResponse, V2013, "0001" + "0000", `{"ack_serial":1,"count":0,"items":null}`},
		{"draft answer to serial 0", IDMediaResponse, V2011, "0000" + "00000009" + "01" + "0003", `{"draft":true,"ack_serial":0,"media_id":9,"ids":[3]}`},
		{"media answer", IDMediaResponse, V2013, "00000009", `{"media_id":9}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body := unhex(t, tt.hex)
			b, err := ParseBody(tt.id, tt.version, body)
			if err != nil {
				t.Fatal(err)
			}
			if got := toString(t, b); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
			if out, err := b.AppendBody(nil, tt.version); err != nil || string(out) != string(body) {
				t.Errorf("written %x, %v, want %s", out, err, tt.hex)
			}
		})
	}
}

// Structs that nobody read show what they would send.
func TestJSONOfBodiesMadeByHand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		body any
		want string
	}{
		{
			&SetCircles{Items: []Circle{{Attr: AreaSpeed, AreaLimits: AreaLimits{NightMaxSpeed: 60, Start: BCDTime{0, 0, 0, 8}}}}},
			`{"action":0,"items":[{"id":0,"attr":2,"lat_raw":0,"lon_raw":0,"radius":0,"max_speed":0,"overspeed_s":0,"night_max_speed":60}]}`,
		},
		{LockDoors(), `{"flag":1,"items":[{"id":1,"param":"00"}]}`},
		{UnlockDoors(), `{"items":[{"id":1,"param":"01"}]}`},
		{&VehicleControl{}, `{"flag":0}`},
		{MediaItem{Channel: 1}, `"media_id":0`},
	} {
		if got, err := json.Marshal(tt.body); err != nil || !strings.Contains(string(got), tt.want) {
			t.Errorf("%s, %v\nwant %s", got, err, tt.want)
		}
	}
}

// The wire has a driver's name that is UTF-8 too, of a character that nobody has
// assigned.
func TestDriverInGBK(t *testing.T) {
	t.Parallel()
	f := decodeOne(t, unhex(t, "7e070200260138001380000001012402292359590004f2abb0b231000000000000000000000000000000000000000020300101db7e"))
	b, err := ParseBody(f.ID, f.Version, f.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.(*DriverIdentity).Driver; got != "颢安" {
		t.Errorf("driver %q", got)
	}
}
