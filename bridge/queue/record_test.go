package queue

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/linkspan/linkspan/thing"
)

func values(depth int) *rapid.Generator[thing.Value] {
	return rapid.Custom(func(t *rapid.T) thing.Value {
		kinds := 6
		if depth > 0 {
			kinds = 8
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "type") {
		case 0:
			return thing.Null()
		case 1:
			return thing.Bool(rapid.Bool().Draw(t, "bool"))
		case 2:
			return thing.Int(rapid.Int64().Draw(t, "int"))
		case 3:
			return thing.Float(rapid.Float64().Draw(t, "float"))
		case 4:
			return thing.Decimal(rapid.Int64().Draw(t, "unscaled"), rapid.Uint8Range(0, 18).Draw(t, "scale"))
		case 5:
			return thing.String(rapid.String().Draw(t, "string"))
		case 6:
			return thing.List(rapid.SliceOfN(values(depth-1), 0, 4).Draw(t, "list")...)
		default:
			return thing.Struct(fieldLists(depth-1).Draw(t, "struct")...)
		}
	})
}

func fieldLists(depth int) *rapid.Generator[[]thing.Field] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) thing.Field {
		return thing.Field{Name: rapid.String().Draw(t, "name"), Value: values(depth).Draw(t, "value")}
	}), 0, 5)
}

func messages() *rapid.Generator[thing.Message] {
	return rapid.Custom(func(t *rapid.T) thing.Message {
		m := thing.Message{
			Kind: thing.Kind(rapid.Byte().Draw(t, "kind")), QoS: thing.QoS(rapid.Byte().Draw(t, "qos")),
			Name: rapid.String().Draw(t, "name"), ID: rapid.String().Draw(t, "id"),
			Fields: fieldLists(2).Draw(t, "fields"), Raw: rapid.SliceOf(rapid.Byte()).Draw(t, "raw"),
			Topic: rapid.String().Draw(t, "topic"), State: thing.State(rapid.Byte().Draw(t, "state")),
			Code: rapid.Int().Draw(t, "code"), Text: rapid.String().Draw(t, "text"),
		}
		if rapid.Bool().Draw(t, "timed") {
			zone := time.FixedZone("", rapid.IntRange(-12*3600, 14*3600).Draw(t, "zone"))
			m.Time = time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanos")).In(zone)
		}
		return m
	})
}

// sameValue compares types too: 1 and 1.0 are not the same.
func sameValue(a, b thing.Value) bool {
	if a.Type() != b.Type() || a.String() != b.String() {
		return false
	}
	for i, v := range a.List() {
		if !sameValue(v, b.List()[i]) {
			return false
		}
	}
	return sameFields(a.Struct(), b.Struct())
}

func sameFields(a, b []thing.Field) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || !sameValue(a[i].Value, b[i].Value) {
			return false
		}
	}
	return true
}

func sameMessage(a, b thing.Message) bool {
	_, zoneA := a.Time.Zone()
	_, zoneB := b.Time.Zone()
	if !sameFields(a.Fields, b.Fields) || !a.Time.Equal(b.Time) || zoneA != zoneB || string(a.Raw) != string(b.Raw) {
		return false
	}
	a.Fields, b.Fields, a.Raw, b.Raw, a.Time, b.Time = nil, nil, nil, nil, time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	w := words{}
	var m thing.Message
	rapid.Check(t, func(t *rapid.T) {
		want := messages().Draw(t, "message")
		s := sender{
			name: rapid.String().Draw(t, "sender"), listener: rapid.String().Draw(t, "listener"),
			product: rapid.String().Draw(t, "product"), device: rapid.String().Draw(t, "device"),
		}
		at := time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "at"))
		record := appendRecord(nil, 7, at, &s, &want)
		e, err := Decode(record)
		if err != nil {
			t.Fatal(err)
		}
		if !sameMessage(e.Message, want) || e.Name != s.name || e.Listener != s.listener || e.ProductKey != s.product || e.DeviceName != s.device || !e.Stored.Equal(at) || e.Dead {
			t.Fatalf("got %+v, want %+v of %+v at %v", e, want, s, at)
		}
		key, run, ok := keyOf(record, nil)
		if !ok || run != 7 || string(key) != s.key() {
			t.Fatalf("key %q of run %d, %v, want %q of 7", key, run, ok, s.key())
		}
		stored, ok := w.message(record, &m)
		if !ok || !stored.Equal(at) || !sameMessage(m, want) {
			t.Fatalf("for forwarding %+v, %v, want %+v", m, ok, want)
		}
		dead, err := Decode(appendDead(nil, at, 3, "because", record))
		if err != nil || !dead.Dead || dead.Attempts != 3 || dead.Cause != "because" || !dead.Died.Equal(at) || !sameMessage(dead.Message, want) {
			t.Fatalf("dead letter %+v, %v", dead, err)
		}
	})
}

// The layout is what is on disks: it does not change within a version.
func TestRecordLayout(t *testing.T) {
	t.Parallel()
	m := thing.Message{
		Kind: thing.Property, QoS: thing.AtLeastOnce, Time: time.Unix(1, 2).UTC(),
		Fields: []thing.Field{{Name: "a", Value: thing.Decimal(605, 1)}, {Name: "b", Value: thing.List(thing.Bool(true), thing.String("x"))}},
	}
	got := hex.EncodeToString(appendRecord(nil, 0x01020304, time.UnixMilli(5), &sender{"n", "l", "p", "d"}, &m))
	want := strings.Join([]string{
		"01", "01020304", "000000000005", "016e", "016c", "0170", "0164",
		"01", "02", "0c", "02" + "02" + "00", "02", "0161" + "04" + "01" + "ba09", "0162" + "06" + "02" + "0101" + "050178",
	}, "")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := appendRecord(nil, 1, time.UnixMilli(5), &sender{name: "n"}, &thing.Message{Kind: thing.Raw, Raw: []byte("abc")})
	for n := range good {
		if _, err := Decode(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are a record", n, len(good))
		}
	}
	if _, err := Decode(append(good, 0)); err == nil {
		t.Error("a byte too many is a record")
	}
	if _, err := Decode(append([]byte{recordVersion + 1}, good[1:]...)); err == nil {
		t.Error("a newer version is a record")
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range []thing.Message{
		{Kind: thing.Raw, Raw: []byte("abc")},
		{Kind: thing.Event, Name: "alarm", Time: time.Unix(9, 9), Fields: []thing.Field{{Name: "v", Value: thing.Struct(thing.Field{Name: "w", Value: thing.Float(1.5)})}}},
		{Kind: thing.Reply, ID: "1", State: thing.Refused, Code: -4, Text: "no"},
	} {
		record := appendRecord(nil, 1, time.UnixMilli(5), &sender{name: "n", product: "p", device: "d"}, &m)
		f.Add(record)
		f.Add(appendDead(nil, time.UnixMilli(6), 2, "cause", record))
		f.Add(append([]byte{commandVersion, 0, 0, 0, 0, 0, 9}, record...))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := Decode(in)
		keyOf(in, nil)
		var m thing.Message
		_, forwards := words{}.message(in, &m)
		if err != nil {
			return
		}
		if other := e.Dead || e.Command != nil; forwards == other {
			t.Errorf("%+v, forwards %v", e, forwards)
		}
		if forwards && !sameMessage(m, e.Message) {
			t.Errorf("forwarded as %+v, decoded as %+v", m, e.Message)
		}
		again, err := Decode(appendRecord(nil, 1, e.Stored, &sender{e.Name, e.Listener, e.ProductKey, e.DeviceName}, &e.Message))
		if err != nil || !sameMessage(again.Message, e.Message) {
			t.Errorf("again %+v, %v, want %+v", again.Message, err, e.Message)
		}
	})
}
