package jt808

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// checkJSON wants JSON in the units of people.
func checkJSON(t *testing.T, l *Location, want *wantLocation) {
	t.Helper()
	data, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Alarm, Status       uint32
		Latitude, Longitude float64
		Altitude            int16
		Speed               float64
		Direction           uint16
		Time                *time.Time
		Extras              map[string]json.RawMessage
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	if got.Alarm != want.Alarm || got.Status != want.Status || !close1e6(got.Latitude, want.Lat) || !close1e6(got.Longitude, want.Lon) ||
		got.Altitude != want.AltitudeSigned || !close1e6(got.Speed, want.SpeedKMH) || got.Direction != want.Course {
		t.Errorf("JSON %s, want %+v", data, want)
	}
	if (got.Time != nil) != want.Time.Valid || got.Time != nil && got.Time.Unix() != want.Time.Unix {
		t.Errorf("JSON time %v, want %+v", got.Time, want.Time)
	}
	for _, e := range want.Extras {
		if id, ok := e["id"].(string); !ok || got.Extras[id] == nil && id != "0x00" {
			t.Errorf("JSON has no item %s: %s", id, data)
		}
	}
}

func TestLocationJSON(t *testing.T) {
	t.Parallel()
	l := Location{
		Alarm: 1, Status: StatusLocated | StatusSouth, Latitude: 33868820, Longitude: 151000000, Altitude: -5, Speed: 605, Direction: 271,
		Time: NewBCDTime(time.Date(2024, 3, 7, 7, 30, 45, 0, time.UTC)),
		Extras: []Extra{
			{1, []byte{0, 0, 3, 0xE8}},
			{2, []byte{0, 55}},
			{6, []byte{0x80, 5}},
			{0xEB, []byte{1}},
			{0xEB, []byte{2, 3}},
			{0x30, []byte{9, 9}},
			{0, nil},
		},
		Tail: []byte{0xAB},
	}
	const want = `{"alarm":1,"status":6,"latitude":-33.86882,"longitude":151,"altitude":-5,"speed":60.5,"direction":271,` +
		`"time":"2024-03-07T07:30:45Z","extras":{"0x01":100,"0x02":5.5,"0x06":-5,"0xeb":["01","0203"],"0x30":"0909"},"tail":"ab"}`
	if got, err := json.Marshal(l); err != nil || string(got) != want {
		t.Errorf("JSON\n %s, %v, want\n %s", got, err, want)
	}
	if got, err := json.Marshal(Location{}); err != nil || !strings.Contains(string(got), `"time":null,"time_raw":"000000000000","extras":{}}`) {
		t.Errorf("JSON of nothing: %s, %v", got, err)
	}
	clone := l.Clone()
	if !clone.Equal(&l) {
		t.Error("a clone is not equal")
	}
	l.Extras[0].Value[0] = 9
	if clone.Equal(&l) || clone.Extras[0].Value[0] != 0 {
		t.Error("a clone shares its items")
	}
}
