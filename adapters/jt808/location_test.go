package jt808

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

func unhex(tb testing.TB, digits string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestLocationBecomesProperties(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	x.wantAnswer(x.say(x.place()), jt808.IDLocation, jt808.ResultOK)
	said := x.TakeSaid()
	wantNames(t, said, "property")
	want := `{"latitude":31.234567,"longitude":121.456789,"altitude":44,"speed":60.5,"direction":90,"positioned":true,` +
		`"time":1767323045000,"acc":true,"alarm":0,"status":3}`
	if got := text(said[0].Fields); got != want {
		t.Errorf("properties\n got %s\nwant %s", got, want)
	}
	if !said[0].Time.Equal(x.Now()) {
		t.Errorf("time %v, want %v", said[0].Time, x.Now())
	}
	if said[0].Identity != digits {
		t.Errorf("said by %q", said[0].Identity)
	}
}

func TestNoFixAndImpossiblePlaces(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	l := x.place()
	l.Status &^= jt808.StatusLocated
	x.say(l)
	f := x.TakeSaid()[0].Fields
	wantField(t, f, "positioned", "false")
	wantField(t, f, "latitude", "31.234567")

	l = x.place()
	l.Latitude, l.Longitude = 116_307_629, 40_058_359 // exchanged
	x.wantAnswer(x.say(l), jt808.IDLocation, jt808.ResultOK)
	f = x.TakeSaid()[0].Fields
	wantField(t, f, "positioned", "false")
	if _, ok := thing.Get(f, "latitude"); ok {
		t.Errorf("a latitude of 116 degrees was reported: %s", text(f))
	}

	l = x.place()
	l.SetPosition(-33_868_820, -70_000_001)
	x.say(l)
	f = x.TakeSaid()[0].Fields
	wantField(t, f, "latitude", "-33.868820")
	wantField(t, f, "longitude", "-70.000001")
}

func TestClocks(t *testing.T) {
	t.Parallel()
	x := dial(t, func(c *Config) { c.Zone = "+00:00" }).join()
	l := x.place()
	l.Time = jt808.NewBCDTimeIn(x.Now(), time.UTC)
	x.say(l)
	if said := x.TakeSaid()[0]; !said.Time.Equal(x.Now()) {
		t.Errorf("time %v, want %v", said.Time, x.Now())
	}
	l.Time = jt808.BCDTime{}
	x.say(l)
	said := x.TakeSaid()[0]
	if _, ok := thing.Get(said.Fields, "time"); ok || !said.Time.IsZero() {
		t.Errorf("a clock that was not set gave %v", said.Time)
	}
}

func TestItems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		id    jt808.ExtraID
		value string
		want  string // field=value ...
	}{
		"mileage":                 {0x01, "000003e9", `mileage=100.1`},
		"fuel":                    {0x02, "01f4", `fuel=50.0`},
		"fuel in percent":         {0x02, "8032", `fuelPercent=50`},
		"recorder speed":          {0x03, "0259", `recorderSpeed=60.1`},
		"manual alarm":            {0x04, "0007", `manualAlarm=7`},
		"tyres":                   {0x05, "2021ff", `tyrePressures=[32,33,null]`},
		"temperature":             {0x06, "8005", `temperature=-5`},
		"overspeed":               {0x11, "0100000009", `overspeed={"place":"circle","areaId":9}`},
		"crossing":                {0x12, "020000000901", `crossing={"place":"rectangle","areaId":9,"left":true}`},
		"section":                 {0x13, "00000009003c01", `sectionTime={"sectionId":9,"seconds":60,"tooLong":true}`},
		"video alarm":             {0x14, "00000021", `videoAlarm=33`},
		"video loss":              {0x15, "00000001", `videoLoss=1`},
		"video occlusion":         {0x16, "00000002", `videoOcclusion=2`},
		"storage":                 {0x17, "0003", `storageFault=3`},
		"abnormal driving":        {0x18, "000150", `abnormalDriving=1 fatigue=80`},
		"signals":                 {0x25, "00000010", `vehicleSignals=16`},
		"io":                      {0x2a, "0002", `ioStatus=2`},
		"analog":                  {0x2b, "00020001", `analog0=1 analog1=2`},
		"signal strength":         {0x30, "1f", `signalStrength=31`},
		"satellites":              {0x31, "0c", `satellites=12`},
		"maker's own":             {0xEB, "0102", `extras={"0xEB":"0102"}`},
		"of an impossible length": {0x30, "0102", `extras={"0x30":"0102"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := dial(t, func(c *Config) { c.Extras = true }).join()
			l := x.place()
			l.Extras = []jt808.Extra{{ID: c.id, Value: unhex(t, c.value)}, {ID: c.id, Value: unhex(t, c.value)}}
			x.wantAnswer(x.say(l), jt808.IDLocation, jt808.ResultOK)
			fields := x.TakeSaid()[0].Fields
			for want := range strings.FieldsSeq(c.want) {
				field, value, _ := strings.Cut(want, "=")
				wantField(t, fields, field, value)
			}
			seen := map[string]bool{}
			for _, f := range fields {
				if seen[f.Name] {
					t.Errorf("%s is there twice: %s", f.Name, text(fields))
				}
				seen[f.Name] = true
			}
		})
	}
	x := dial(t).join()
	l := x.place()
	l.Extras = []jt808.Extra{{ID: 0xEB, Value: []byte{1}}}
	x.say(l)
	if _, ok := thing.Get(x.TakeSaid()[0].Fields, "extras"); ok {
		t.Error("extras were reported without having been asked for")
	}
}

// vectorLocation is what a vector expects of a location.
//
//nolint:tagliatelle // the vectors' own names
type vectorLocation struct {
	Alarm, Status  uint32
	Lat, Lon       float64
	LatRaw         uint32  `json:"lat_raw"`
	LonRaw         uint32  `json:"lon_raw"`
	Altitude       int     `json:"altitude_signed"`
	Speed          float64 `json:"speed_kmh"`
	Course         int
	Located, South bool
	West           bool
	ACC            bool `json:"acc_on"`
	Time           struct {
		Unix  int64
		Valid bool
	}
}

// vector is one of the codec's: a whole frame of some terminal.
//
//nolint:tagliatelle // the vectors' own names
type vector struct {
	Name, Hex string
	Expect    struct {
		MsgID string `json:"msg_id"`
		Phone string `json:"phone_stripped"`
		Sub   bool   `json:"subpackage"`
		Body  json.RawMessage
	}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../codec/jt808/testdata/jt808.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, v := range vectors {
		if v.Expect.MsgID != "0x0200" || v.Expect.Sub {
			continue
		}
		var b vectorLocation
		if err := json.Unmarshal(v.Expect.Body, &b); err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		x := dial(t, accept)
		x.Send(unhex(t, v.Hex))
		if len(x.Online) != 1 || x.Online[0].Identity != v.Expect.Phone {
			t.Errorf("%s: online %+v, want %s", v.Name, x.Online, v.Expect.Phone)
			continue
		}
		said := x.Said[0]
		want := func(name string, v float64) {
			got, ok := thing.Get(said.Fields, name)
			if f, isNumber := got.Float(); !ok || !isNumber || math.Abs(f-v) > 1e-9 {
				t.Errorf("%s is %v, want %v", name, got, v)
			}
		}
		wantTruth := func(name string, v bool) {
			got, _ := thing.Get(said.Fields, name)
			if b, ok := got.Bool(); !ok || b != v {
				t.Errorf("%s is %v, want %v", name, got, v)
			}
		}
		sign := func(south bool) float64 {
			if south {
				return -1e-6
			}
			return 1e-6
		}
		before := t.Failed()
		inRange := b.LatRaw <= 90e6 && b.LonRaw <= 180e6
		if inRange {
			want("latitude", float64(b.LatRaw)*sign(b.South))
			want("longitude", float64(b.LonRaw)*sign(b.West))
		}
		want("altitude", float64(b.Altitude))
		want("speed", b.Speed)
		want("direction", float64(b.Course))
		want("alarm", float64(b.Alarm))
		want("status", float64(b.Status))
		wantTruth("positioned", b.Located && inRange)
		wantTruth("acc", b.ACC)
		if b.Time.Valid {
			want("time", float64(b.Time.Unix)*1000)
		}
		frames := x.heard()
		if len(frames) != 1 || parse[jt808.PlatformResponse](t, frames[0]).Result != jt808.ResultOK {
			t.Errorf("answers %v", ids(frames))
		}
		if events := len(x.Said) - 1; events < bits.OnesCount32(b.Alarm) {
			t.Errorf("%d events of alarms %#x", events, b.Alarm)
		}
		if t.Failed() && !before {
			t.Errorf("in %s: %s", v.Name, text(said.Fields))
		}
		checked++
	}
	if checked < 100 {
		t.Errorf("%d vectors of locations, there should be more than 100", checked)
	}
	t.Logf("%d locations", checked)
}

func TestAlarmsBeginOnce(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	step := func(alarm jt808.Alarm, want ...string) {
		t.Helper()
		l := x.place()
		l.Alarm = alarm
		x.wantAnswer(x.say(l), jt808.IDLocation, jt808.ResultOK)
		said := x.TakeSaid()
		wantField(t, said[0].Fields, "alarm", strconv.Itoa(int(alarm)))
		types := make([]string, 0, len(said))
		for _, s := range said[1:] {
			if s.Kind != thing.Event || s.Name != "alarm" {
				t.Errorf("%v %s was said", s.Kind, s.Name)
			}
			v, _ := thing.Get(s.Fields, "type")
			name, _ := v.Text()
			types = append(types, name)
			wantField(t, s.Fields, "latitude", "31.234567")
			wantField(t, s.Fields, "time", "1767323045000")
			if !s.Time.Equal(x.Now()) {
				t.Errorf("time %v", s.Time)
			}
		}
		if !slices.Equal(types, want) {
			t.Errorf("alarms %q, want %q", types, want)
		}
	}
	step(jt808.AlarmOverspeed|jt808.AlarmSOS, "sos", "overspeed")
	step(jt808.AlarmOverspeed)
	step(jt808.AlarmOverspeed|jt808.AlarmFatigue, "fatigue")
	step(0)
	step(jt808.AlarmOverspeed, "overspeed")
}

func TestAlarmNamesGoByTheEdition(t *testing.T) {
	t.Parallel()
	for v, want := range map[jt808.Version]string{jt808.V2013: `"danger_warning"`, jt808.V2019: `"dangerous_driving"`} {
		x := dialVersion(t, v, New("jt808")).join()
		l := x.place()
		l.Alarm = 1 << 3
		x.say(l)
		wantField(t, x.TakeSaid()[1].Fields, "type", want)
	}
}

func TestAlarmsCarryWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	l := x.place()
	l.Alarm = jt808.AlarmArea | jt808.AlarmOverspeed
	l.Extras = []jt808.Extra{{ID: 0x11, Value: unhex(t, "0100000009")}, {ID: 0x12, Value: unhex(t, "010000000900")}}
	x.say(l)
	said := x.TakeSaid()
	wantField(t, said[1].Fields, "overspeed", `{"place":"circle","areaId":9}`)
	wantField(t, said[2].Fields, "crossing", `{"place":"circle","areaId":9,"left":false}`)
}

func TestSafetyAlarms(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	item := unhex(t, "00000007"+"01"+"02"+"010203040506"+"3c"+"002c"+"01dc9b07"+"073d43d5"+"260102110405"+"0001"+
		"30313233343536"+"260102110405"+"00"+"02"+"00")
	l := x.place()
	l.Extras = []jt808.Extra{{ID: jt808.ExtraDriverAssistance, Value: item}}
	x.say(l)
	said := x.TakeSaid()
	wantNames(t, said, "property", "event safetyAlarm")
	f := said[1].Fields
	wantField(t, f, "source", `"driverAssistance"`)
	wantField(t, f, "alarmId", "7")
	wantField(t, f, "type", "2")
	wantField(t, f, "speed", "60")
	wantField(t, f, "latitude", "31.234823")
	wantField(t, f, "attachments", "2")
	wantField(t, f, "label", `"30313233343536260102110405000200"`)
}

func batchOf(x *terminal, kind jt808.BatchKind, alarms ...jt808.Alarm) *jt808.Batch {
	b := &jt808.Batch{Kind: kind}
	for i, alarm := range alarms {
		l := x.place()
		l.Alarm = alarm
		l.Time = jt808.NewBCDTime(x.Now().Add(time.Duration(i-10) * time.Minute))
		b.Locations = append(b.Locations, *l)
	}
	return b
}

func TestBatches(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	x.wantAnswer(x.say(batchOf(x, jt808.BatchBacklog, 0, 1, 1)), jt808.IDBatch, jt808.ResultOK)
	said := x.TakeSaid()
	wantNames(t, said, "property", "property", "event alarm", "property")
	for i, at := range []int{0, 1, -1, 2} {
		if want := x.Now().Add(time.Duration(at-10) * time.Minute); at >= 0 && !said[i].Time.Equal(want) {
			t.Errorf("report %d is of %v, want %v", i, said[i].Time, want)
		}
	}
	// what was in the backlog says nothing of now
	l := x.place()
	l.Alarm = 1
	x.say(l)
	wantNames(t, x.TakeSaid(), "property", "event alarm")
	x.say(batchOf(x, jt808.BatchNormal, 1, 3))
	wantNames(t, x.TakeSaid(), "property", "property", "event alarm")
	if len(x.Faults) != 0 {
		t.Errorf("faults %v", x.Faults)
	}
}

// A batch of thousands of locations does not keep the loop from others, not even
// from the terminal's own messages; and there is one at a time.
func TestLongBatches(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	const n = 1000
	first := x.packages(batchOf(x, jt808.BatchBacklog, make([]jt808.Alarm, n)...), 1000)
	firstDone := x.serial - 1
	beat := x.message(&jt808.Heartbeat{})
	second := x.packages(batchOf(x, jt808.BatchNormal, make([]jt808.Alarm, n)...), 1000)
	x.Send(slices.Concat(slices.Concat(first...), beat, slices.Concat(second...)))
	heard := x.heard()
	var order []uint16
	for _, f := range heard {
		r := parse[jt808.PlatformResponse](t, f)
		switch r.Serial {
		case firstDone, firstDone + 1:
			order = append(order, r.Serial)
		case x.serial - 1:
			if r.Result != jt808.ResultFailed {
				t.Errorf("a second batch meanwhile: %+v", *r)
			}
		}
	}
	if want := []uint16{firstDone + 1, firstDone}; !slices.Equal(order, want) {
		t.Errorf("answered %v, want %v: the heartbeat first", order, want)
	}
	said := x.TakeSaid()
	if len(said) != n {
		t.Fatalf("%d reports, want %d", len(said), n)
	}
	for i := 1; i < n; i++ {
		if !said[i].Time.After(said[i-1].Time) {
			t.Fatalf("report %d is of %v, after one of %v", i, said[i].Time, said[i-1].Time)
		}
	}
	x.Send(slices.Concat(second...))
	if got := results(t, x.heard()); got[x.serial-1] != jt808.ResultOK || len(x.TakeSaid()) != n {
		t.Errorf("the second batch again: %v", got)
	}
	if len(x.Faults) != 0 {
		t.Errorf("faults %v", x.Faults)
	}
}

// What is good of a batch reaches the platform even if the rest cannot be read.
func TestBatchWithDamage(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	body, err := batchOf(x, jt808.BatchBacklog, 0, 0, 0).AppendBody(nil, x.version)
	if err != nil {
		t.Fatal(err)
	}
	x.Send(x.frame(jt808.IDBatch, body[:len(body)-5]))
	x.wantAnswer(x.heard(), jt808.IDBatch, jt808.ResultWrong)
	wantNames(t, x.TakeSaid(), "property", "property")
}

func TestShortBodies(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	for _, id := range []jt808.ID{jt808.IDLocation, jt808.IDBatch, jt808.IDRegister, jt808.IDMediaEvent, jt808.IDCompressed, jt808.IDDriverIdentity} {
		x.Send(x.frame(id, []byte{1}))
		x.wantAnswer(x.heard(), id, jt808.ResultWrong)
	}
	for _, id := range []jt808.ID{jt808.IDLocationResponse, jt808.IDTerminalResponse, jt808.IDMediaData, jt808.IDResendRequest} {
		x.Send(x.frame(id, []byte{1}))
		if got := x.heard(); len(got) != 0 {
			t.Errorf("%v was answered by %v", id, ids(got))
		}
	}
	if x.Closed || len(x.TakeSaid()) != 0 {
		t.Errorf("closed %v", x.Closed)
	}
}

func delivered(c *Config) { c.Ack = ackDelivered }

func TestDelivered(t *testing.T) {
	t.Parallel()
	x := dial(t, delivered).join()
	x.HoldPublishes = true
	l := x.place()
	l.Alarm = jt808.AlarmSOS
	if got := x.say(l); len(got) != 0 {
		t.Fatalf("answered before the platform had it: %v", ids(got))
	}
	serial := x.serial - 1
	if got := x.say(&jt808.Heartbeat{}); len(got) != 1 {
		t.Fatalf("a heartbeat waits: %v", ids(got))
	}
	x.ReleasePublish(1, nil)
	if got := x.heard(); len(got) != 0 {
		t.Fatalf("answered before the platform had the alarm: %v", ids(got))
	}
	x.ReleasePublishes(nil)
	r := parse[jt808.PlatformResponse](t, only(t, x.heard()))
	if r.Serial != serial || r.Result != jt808.ResultOK {
		t.Errorf("answer %+v", *r)
	}
}

// With ack = stored the session says that it is content with the disk.
func TestStored(t *testing.T) {
	t.Parallel()
	x := dial(t, func(c *Config) { c.Ack = ackStored }).join()
	if !x.Tried[len(x.Tried)-1].Session.Stored() {
		t.Error("the session is not one of messages that are stored")
	}
	x.HoldPublishes = true
	if got := x.say(x.place()); len(got) != 0 {
		t.Fatalf("answered before the report was stored: %v", ids(got))
	}
	x.ReleasePublishes(nil)
	if r := parse[jt808.PlatformResponse](t, only(t, x.heard())); r.Result != jt808.ResultOK {
		t.Errorf("answer %+v", *r)
	}
	if y := dial(t, delivered).join(); y.Tried[len(y.Tried)-1].Session.Stored() {
		t.Error("with ack = delivered the session is one of messages that are stored")
	}
}

func TestUndelivered(t *testing.T) {
	t.Parallel()
	x := dial(t, delivered).join()
	x.FailPublish = errors.New("platform is away")
	l := x.place()
	l.Alarm = jt808.AlarmSOS
	x.wantAnswer(x.say(l), jt808.IDLocation, jt808.ResultFailed)
	x.wantAnswer(x.say(batchOf(x, jt808.BatchNormal, 0, 0)), jt808.IDBatch, jt808.ResultFailed)
	x.FailPublish = nil
	x.TakeSaid()
	// the alarm that did not arrive is reported when the terminal says so again
	x.wantAnswer(x.say(l), jt808.IDLocation, jt808.ResultOK)
	wantNames(t, x.TakeSaid(), "property", "event alarm")

	// one of several does not arrive
	x.HoldPublishes = true
	x.say(batchOf(x, jt808.BatchBacklog, 0, 0, 0))
	x.ReleasePublish(1, nil)
	x.ReleasePublish(1, errors.New("platform is away"))
	x.ReleasePublish(1, nil)
	x.wantAnswer(x.heard(), jt808.IDBatch, jt808.ResultFailed)

	// the connection ends before the platform has it
	x.say(x.place())
	x.Hangup()
	x.ReleasePublishes(nil)
	if got := x.heard(); len(got) != 0 {
		t.Errorf("sent behind the end: %v", ids(got))
	}
}

func TestRepeatedMessagesAreAnsweredAgain(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	frame := x.message(x.place())
	x.Send(frame)
	x.Send(frame)
	if got := x.heard(); len(got) != 2 || !bytes.Equal(got[0].Body, got[1].Body) {
		t.Errorf("answers %v", got)
	}
}
