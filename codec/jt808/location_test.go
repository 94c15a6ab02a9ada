package jt808

import (
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// wantLocation is the body of a location report as vectors expect it.
type wantLocation struct {
	Alarm          uint32
	Status         uint32
	LatRaw         uint32 `json:"lat_raw"`
	LonRaw         uint32 `json:"lon_raw"`
	Lat            float64
	Lon            float64
	Altitude       uint16
	AltitudeSigned int16   `json:"altitude_signed"`
	SpeedRaw       uint16  `json:"speed_raw"`
	SpeedKMH       float64 `json:"speed_kmh"`
	Course         uint16
	Time           struct {
		BCD   string
		Local string
		Unix  int64
		Valid bool
	}
	ACCOn   bool `json:"acc_on"`
	Located bool
	South   bool
	West    bool
	Extras  []map[string]any
	Tail    string `json:"extras_trailing_hex"`
}

func close1e6(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Max(math.Abs(a), math.Abs(b)) }

func checkLocation(t *testing.T, l *Location, want *wantLocation) {
	t.Helper()
	got := []any{
		uint32(l.Alarm), uint32(l.Status), l.Latitude, l.Longitude, uint16(l.Altitude), l.Altitude, l.Speed, l.Direction,
		l.Time.String(), l.Status.ACC(), l.Status.Located(), l.Status.South(), l.Status.West(), hex.EncodeToString(l.Tail),
	}
	expect := []any{
		want.Alarm, want.Status, want.LatRaw, want.LonRaw, want.Altitude, want.AltitudeSigned, want.SpeedRaw, want.Course,
		want.Time.BCD, want.ACCOn, want.Located, want.South, want.West, want.Tail,
	}
	if !reflect.DeepEqual(got, expect) {
		t.Errorf("location\n %v, want\n %v", got, expect)
	}
	// Values that no int32 holds are far out of range, and stay so.
	const most = math.MaxInt32 / 1e6
	lat, lon := max(-most, min(most, want.Lat)), max(-most, min(most, want.Lon))
	if !close1e6(float64(l.LatitudeE6())/1e6, lat) || !close1e6(float64(l.LongitudeE6())/1e6, lon) {
		t.Errorf("position %d, %d, want %v, %v", l.LatitudeE6(), l.LongitudeE6(), want.Lat, want.Lon)
	}
	at, ok := l.Time.Time()
	if ok != want.Time.Valid || ok && at.Unix() != want.Time.Unix {
		t.Errorf("time %v, %v, want %+v", at, ok, want.Time)
	}
	if ok && at.In(zone).Format(time.RFC3339) != want.Time.Local {
		t.Errorf("time %v, want %s", at, want.Time.Local)
	}
	if len(l.Extras) != len(want.Extras) {
		t.Fatalf("%d items, want %d", len(l.Extras), len(want.Extras))
	}
	for i, e := range l.Extras {
		checkExtra(t, e, want.Extras[i])
	}
	checkJSON(t, l, want)
}

// checkExtra wants everything of the item that the vector has.
func checkExtra(t *testing.T, e Extra, want map[string]any) {
	t.Helper()
	l := &Location{Extras: []Extra{e}}
	number := func(v, ok any) any {
		if ok == false {
			return nil
		}
		return v
	}
	u8 := func(v uint8, ok bool) any { return number(float64(v), ok) }
	u16 := func(v uint16, ok bool) any { return number(float64(v), ok) }
	u32 := func(v uint32, ok bool) any { return number(float64(v), ok) }
	got := map[string]any{
		"id": "0x" + hex.EncodeToString([]byte{e.ID}), "len": float64(len(e.Value)), "hex": hex.EncodeToString(e.Value),
		"mileage_0.1km": u32(l.Mileage()), "recorder_speed_0.1kmh": u16(l.RecorderSpeed()),
		"manual_alarm_event_id": u16(l.ManualAlarm()), "video_alarm": u32(l.VideoAlarm()), "video_loss_mask": u32(l.VideoLoss()),
		"video_cover_mask": u32(l.VideoOcclusion()), "storage_fault_mask": u16(l.StorageFault()),
		"vehicle_signal": u32(l.VehicleSignals()), "io_status": u16(l.IOStatus()), "rssi": u8(l.SignalStrength()),
		"satellites": u8(l.Satellites()),
	}
	if f, ok := l.Fuel(); ok {
		got["fuel_0.1L"] = float64(f)
	}
	if p, ok := l.TyrePressures(); ok {
		all := make([]any, 0, len(p))
		for _, b := range p {
			all = append(all, float64(b))
		}
		got["tire_pressure"] = all
	}
	if v, ok := l.Temperature(); ok {
		got["carriage_temp_signmag"] = float64(v)
		raw, _ := e.U16()
		got["carriage_temp_int16"] = float64(int16(raw))
	}
	if o, ok := l.Overspeed(); ok {
		m := map[string]any{"area_type": float64(o.Place)}
		if len(e.Value) == 5 {
			m["area_id"] = float64(o.AreaID)
		}
		got["overspeed"] = m
	}
	if c, ok := l.Crossing(); ok {
		if c.Left != (e.Value[5] != 0) {
			t.Errorf("crossing %+v of %x", c, e.Value)
		}
		got["area_inout"] = map[string]any{"area_type": float64(c.Place), "area_id": float64(c.AreaID), "direction": float64(e.Value[5])}
	}
	if s, ok := l.SectionTime(); ok {
		got["route_time"] = map[string]any{"route_id": float64(s.SectionID), "seconds": float64(s.Seconds), "result": float64(e.Value[6])}
	}
	if a, ok := l.AbnormalDriving(); ok {
		got["abnormal_driving"] = hex.EncodeToString([]byte{byte(a.Kinds >> 8), byte(a.Kinds), a.Fatigue}[:len(e.Value)])
	}
	if ad0, ad1, ok := l.Analog(); ok {
		raw, _ := e.U32()
		got["analog"] = map[string]any{"raw": float64(raw), "ad0": float64(ad0), "ad1": float64(ad1)}
	}
	for field, value := range got {
		if value == nil {
			delete(got, field)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("item\n %v, want\n %v", got, want)
	}
}

func TestLocationVectors(t *testing.T) {
	t.Parallel()
	l, seen := new(Location), 0 // one for all, as on a connection
	for _, v := range vectors(t, "jt808") {
		f := decodeOneOrNil(unhex(t, v.Hex))
		if f == nil || f.IsPackage() || f.ID != IDLocation {
			continue
		}
		seen++
		t.Run(v.Name, func(t *testing.T) {
			var want wantLocation
			v.get(t, "body", &want)
			if err := l.ParseBody(f.Body, f.Version); err != nil {
				t.Fatal(err)
			}
			checkLocation(t, l, &want)
			checkRoundTrip(t, l, f, new(Location))
		})
	}
	if seen < 90 {
		t.Errorf("only %d vectors are location reports", seen)
	}
}

func checkRoundTrip(t *testing.T, b Body, f *Frame, fresh Body) {
	t.Helper()
	again, err := b.AppendBody([]byte("x"), f.Version)
	if err != nil || string(again) != "x"+string(f.Body) {
		t.Errorf("encoded again\n %x, %v, want\n 78%x", again, err, f.Body)
	}
	if err := fresh.ParseBody(f.Body, f.Version); err != nil {
		t.Error(err)
	}
	for i := range f.Body {
		f.Body[i] = 0xA5 // nothing may still look there
	}
	if out, err := fresh.AppendBody([]byte("x"), f.Version); err != nil || string(out) != string(again) {
		t.Errorf("the parsed body aliases the frame: %x, %v", out, err)
	}
}

func TestTrackerTail(t *testing.T) {
	t.Parallel()
	basic := new(Location).AppendBasic(nil)
	for name, test := range map[string]struct {
		rest   string
		extras int
		tail   *TrackerTail
	}{
		"private layout": {
			"0000270f" + "00003039" + "007b" + "00000007" + "1f" + "010203", 0,
			&TrackerTail{Energy: 9999, Odometer: 12345, Battery: 123, AreaID: 7, Signal: 31, Reserved: [3]byte{1, 2, 3}},
		},
		"items that are as long": {"01040000000a" + "02020011" + "30011f" + "310109" + "0600", 5, nil},
		"an item and zeros":      {"01040000000a" + "000000000000000000000000", 7, nil},
		"zeros alone":            {strings.Repeat("00", 18), 0, &TrackerTail{}},
		"longer: items":          {strings.Repeat("00", 20), 10, nil},
		"cut item": {"300114" + "fe10" + strings.Repeat("11", 13), 0, &TrackerTail{
			Energy: 0x300114fe, Odometer: 0x10111111, Battery: 0x1111, AreaID: 0x11111111, Signal: 0x11, Reserved: [3]byte{0x11, 0x11, 0x11},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l Location
			if err := l.ParseBody(append(slices.Clip(basic), unhex(t, test.rest)...), V2013); err != nil {
				t.Fatal(err)
			}
			tail, ok := l.TrackerTail()
			if len(l.Extras) != test.extras || ok != (test.tail != nil) || ok && tail != *test.tail {
				t.Errorf("%d items, tail %+v, %v, want %d, %+v", len(l.Extras), tail, ok, test.extras, test.tail)
			}
			if again, err := l.AppendBody(nil, V2013); err != nil || hex.EncodeToString(again[basicLen:]) != test.rest {
				t.Errorf("encoded again %x, %v", again, err)
			}
		})
	}
}

func TestLocationErrors(t *testing.T) {
	t.Parallel()
	for n := range basicLen {
		if err := new(Location).ParseBody(make([]byte, n), V2013); !errors.Is(err, ErrShortBody) {
			t.Errorf("body of %d bytes: %v", n, err)
		}
	}
	var short *ShortBodyError
	if err := new(LocationResponse).ParseBody(make([]byte, 12), V2013); !errors.As(err, &short) || *short != (ShortBodyError{2, 28, 10}) {
		t.Errorf("answer of 12 bytes: %v", err)
	}
	if err := new(Batch).ParseBody(unhex(t, "0001000005aabbccddee"), V2013); !errors.As(err, &short) || *short != (ShortBodyError{5, 28, 5}) {
		t.Errorf("batch with a short location: %v", err)
	}
	if err := new(Batch).ParseBody([]byte{0, 1}, V2013); !errors.Is(err, ErrShortBody) {
		t.Errorf("batch of 2 bytes: %v", err)
	}
	l := &Location{Extras: []Extra{{ID: 1, Value: make([]byte, 256)}}}
	if _, err := l.AppendBody(nil, V2013); !errors.Is(err, ErrTooLong) {
		t.Errorf("item of 256 bytes: %v", err)
	}
}

func TestPosition(t *testing.T) {
	t.Parallel()
	for _, p := range [][2]int32{{0, 0}, {31230416, 121473701}, {-33868820, 151209290}, {40712776, -74005974}, {-34603722, -58381592}} {
		l := Location{Status: StatusACC | StatusSouth | StatusWest}
		l.SetPosition(p[0], p[1])
		if l.LatitudeE6() != p[0] || l.LongitudeE6() != p[1] || !l.Status.ACC() || !l.InRange() {
			t.Errorf("%v became %d, %d, %v", p, l.LatitudeE6(), l.LongitudeE6(), l.Status.Names(V2013))
		}
	}
	swapped := Location{Latitude: 116307629, Longitude: 40058359}
	if swapped.InRange() {
		t.Error("116.3 degrees of latitude are in range")
	}
	huge := Location{Latitude: math.MaxUint32, Status: StatusSouth}
	if got := huge.LatitudeE6(); got != -math.MaxInt32 {
		t.Errorf("latitude %d of all ones", got)
	}
}

func TestLocationAllocs(t *testing.T) {
	d := fresh()
	f, _, err := d.Decode(unhex(t, locationFrame))
	if err != nil {
		t.Fatal(err)
	}
	var l Location
	if n := testing.AllocsPerRun(100, func() { err = l.ParseBody(f.Body, f.Version) }); n != 0 || err != nil {
		t.Errorf("%v allocations, error %v", n, err)
	}
}
