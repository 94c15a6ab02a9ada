package mqtt

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

func testDevice(product, device string) *device {
	return newDevice(values{productKey: product, deviceName: device}, nil)
}

func TestThingJSON(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_700_000_000_123)
	fields := []thing.Field{{Name: "speed", Value: thing.Decimal(605, 1)}, {Name: "acc", Value: thing.Bool(true)}}
	d := testDevice("demo", `tr"uck`)
	for _, c := range []struct {
		m    thing.Message
		want string
	}{
		{thing.Message{Kind: thing.Property, Time: at, Fields: fields}, `{"type":"property","productKey":"demo","deviceName":"tr\"uck","time":1700000000123,"fields":{"speed":60.5,"acc":true}}`},
		{thing.Message{Kind: thing.Property, Time: at}, `{"type":"property","productKey":"demo","deviceName":"tr\"uck","time":1700000000123,"fields":{}}`},
		{thing.Message{Kind: thing.Event, Name: "alarm", Time: at, Fields: fields[1:]}, `{"type":"event","name":"alarm","productKey":"demo","deviceName":"tr\"uck","time":1700000000123,"fields":{"acc":true}}`},
		{thing.Message{Kind: thing.Reply, ID: "7", Name: "unlock", Time: at, State: thing.Refused, Code: 2, Text: "engine is running"}, `{"type":"reply","id":"7","name":"unlock","productKey":"demo","deviceName":"tr\"uck","time":1700000000123,"state":"refused","code":2,"text":"engine is running"}`},
		{thing.Message{Kind: thing.Reply, ID: "8", Time: at, State: thing.Done, Raw: []byte{0, 0xff}, Fields: fields[1:]}, `{"type":"reply","id":"8","productKey":"demo","deviceName":"tr\"uck","time":1700000000123,"state":"done","raw":"AP8=","fields":{"acc":true}}`},
		{thing.Message{Kind: thing.Reply, ID: "9", Time: at, State: thing.TimedOut}, `{"type":"reply","id":"9","productKey":"demo","deviceName":"tr\"uck","time":1700000000123,"state":"timedOut"}`},
		{thing.Message{Kind: thing.Reply, ID: "9", Time: at, State: 99}, `{"type":"reply","id":"9","productKey":"demo","deviceName":"tr\"uck","time":1700000000123,"state":"failed"}`},
		{thing.Message{Kind: thing.Raw, Raw: []byte("\x00raw")}, "\x00raw"},
		{thing.Message{Kind: thing.Publication, Raw: []byte("raw")}, "raw"},
	} {
		got, err := (&payloads{}).append(nil, d, &c.m)
		if err != nil || string(got) != c.want {
			t.Errorf("%v: %v\ngot  %s\nwant %s", c.m.Kind, err, got, c.want)
		}
	}
}

func TestRawPayload(t *testing.T) {
	t.Parallel()
	p, d := &payloads{rawOnly: true}, testDevice("p", "d")
	for name, c := range map[string]struct {
		m    thing.Message
		want string
		err  error
	}{
		"raw":               {thing.Message{Kind: thing.Raw, Raw: []byte("x")}, "x", nil},
		"publication":       {thing.Message{Kind: thing.Publication, Raw: []byte("x")}, "x", nil},
		"reply in bytes":    {thing.Message{Kind: thing.Reply, State: thing.Done, Raw: []byte("x")}, "x", nil},
		"reply with fields": {thing.Message{Kind: thing.Reply, State: thing.Done, Fields: []thing.Field{{}}}, "", upstream.ErrUnsupported},
		"refusal":           {thing.Message{Kind: thing.Reply, State: thing.Refused}, "", upstream.ErrUnsupported},
		"properties":        {thing.Message{Kind: thing.Property}, "", upstream.ErrUnsupported},
		"event":             {thing.Message{Kind: thing.Event}, "", upstream.ErrUnsupported},
	} {
		got, err := p.append(nil, d, &c.m)
		if string(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestRenderings(t *testing.T) {
	t.Parallel()
	m := &thing.Message{
		Kind: thing.Reply, ID: `i"d`, Name: "näme\n", Time: time.UnixMilli(1_700_000_000_120), State: thing.Refused, Code: 3, Text: "why", Raw: []byte{0xff},
		Fields: []thing.Field{{Name: "n", Value: thing.Int(-5)}, {Name: "s", Value: thing.String(`a"b\`)}, {Name: "l", Value: thing.List(thing.Int(1), thing.String("x"))}},
	}
	d := testDevice("p", `d"n`)
	for _, c := range []struct{ text, want string }{
		{`{"d":"${deviceName}","p":${productKey}}`, `{"d":"d\"n","p":"p"}`},
		{`{"k":"${kind}:${name}","id":${id}}`, `{"k":"reply:näme\n","id":"i\"d"}`},
		{`{"t":${time},"T":"at ${time}","ts":${timestamp}}`, `{"t":1700000000120,"T":"at 1700000000120","ts":"2023-11-14T22:13:20.12Z"}`},
		{`{"f":${fields}}`, `{"f":{"n":-5,"s":"a\"b\\","l":[1,"x"]}}`},
		{`{"f":"${fields}"}`, `{"f":"{\"n\":-5,\"s\":\"a\\\"b\\\\\",\"l\":[1,\"x\"]}"}`},
		{`{"n":${fields.n},"N":"${fields.n}°"}`, `{"n":-5,"N":"-5°"}`},
		{`{"s":${fields.s},"S":"<${fields.s}>"}`, `{"s":"a\"b\\","S":"<a\"b\\>"}`},
		{`{"none":${fields.none},"NONE":"<${fields.none}>"}`, `{"none":null,"NONE":"<>"}`},
		{`["\"",${raw},"${raw}",${state},${code},${text}]`, `["\"","/w==","/w==","refused",3,"why"]`},
		{`"${name}"`, `"näme\n"`},
		{`{}`, `{}`},
	} {
		r, err := parseRendering(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := string(r.append(nil, d, m)); got != c.want || !json.Valid([]byte(got)) {
			t.Errorf("%s\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
	for _, c := range []struct{ text, says string }{
		{`{"a":${nonsense}}`, "nonsense"},
		{`{"a":${fields.}}`, "fields."},
		{`{"a":${name}`, "JSON"},
		{`{"a":"${name}}`, "JSON"},
		{`speed=${fields.speed}`, "JSON"},
		{`{"a":"${name"`, "without }"},
	} {
		if _, err := parseRendering(c.text); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want something about %s", c.text, err, c.says)
		}
	}
}

// Whatever a device says, a template that makes JSON makes JSON of it.
func TestRenderingsStayJSON(t *testing.T) {
	t.Parallel()
	r, err := parseRendering(`{"a":${name},"b":"x ${name} ${text} ${fields.f} ${fields}","c":${fields.f},"d":[${fields},"${raw}"],"${deviceName}":"${id}"}`)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		v := rapid.SampledFrom([]thing.Value{
			thing.Null(), thing.Int(3), thing.String(s.Draw(t, "value")), thing.List(thing.String(s.Draw(t, "element"))), thing.Struct(thing.Field{Name: s.Draw(t, "key")}),
		}).Draw(t, "field")
		m := &thing.Message{
			Kind: thing.Event, Name: s.Draw(t, "name"), Text: s.Draw(t, "text"), ID: s.Draw(t, "id"), Raw: []byte(s.Draw(t, "raw")),
			Fields: []thing.Field{{Name: "f", Value: v}, {Name: s.Draw(t, "other"), Value: thing.Bool(true)}},
		}
		d := testDevice("p", s.Draw(t, "device"))
		if got := r.append(nil, d, m); !json.Valid(got) {
			t.Fatalf("no JSON: %s", got)
		}
		if got := appendThing(nil, d, m); !json.Valid(got) {
			t.Fatalf("no JSON: %s", got)
		}
	})
}

// FuzzCommand wants commands to be read or refused with a reason, and their
// replies to have a topic.
func FuzzCommand(f *testing.F) {
	for _, seed := range []string{
		`{"id":"1","type":"set","fields":{"a":1}}`, `{"id":2,"type":"get","names":["a"]}`, `{"name":"reboot","timeout":5}`,
		`{"type":"raw","raw":"AA=="}`, `{`, `[]`, `{"id":{}}`, `{"id":"a/b","name":"#"}`,
	} {
		f.Add([]byte(seed))
	}
	reply, err := parseTemplate("r/${id}/${name}", commandID, name)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		top := &topics{reply: reply}
		c, err := top.parseCommand(downCommand, false, "t", payload, &values{})
		if c == nil {
			t.Fatal("no command")
		}
		if err == nil && (c.Kind < thing.SetProperties || c.Kind > thing.RawDown) {
			t.Fatalf("%s is read as %+v", payload, c)
		}
		if err != nil && err.Error() == "" {
			t.Fatalf("%s is refused without a reason", payload)
		}
		if err == nil && c.ID != "" {
			m := c.Reply(thing.Done)
			if _, err := top.of(testDevice("p", "d"), &m); err != nil {
				t.Fatalf("%s: its reply has no topic: %v", payload, err)
			}
		}
	})
}

func TestPayloadsAllocateNothing(t *testing.T) {
	d := testDevice("demo", "truck-1")
	m := report()
	var dst []byte
	p := &payloads{}
	dst, _ = p.append(dst, d, m)
	if got := testing.AllocsPerRun(100, func() { dst, _ = p.append(dst[:0], d, m) }); got != 0 {
		t.Errorf("a report's payload costs %.0f allocations, want none", got)
	}
}

// report is a location report of a terminal, with as many fields as usual.
func report() *thing.Message {
	m := &thing.Message{Kind: thing.Property, Time: time.UnixMilli(1_700_000_000_123), QoS: thing.AtLeastOnce}
	for _, name := range []string{"latitude", "longitude", "altitude", "speed", "direction", "mileage", "acc", "located"} {
		m.Fields = append(m.Fields, thing.Field{Name: name, Value: thing.Decimal(31_234_567, 6)})
	}
	return m
}

func BenchmarkThingJSON(b *testing.B) {
	b.ReportAllocs()
	d, m, p := testDevice("demo", "truck-1"), report(), &payloads{}
	var dst []byte
	for b.Loop() {
		dst, _ = p.append(dst[:0], d, m)
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkRendering(b *testing.B) {
	b.ReportAllocs()
	r, err := parseRendering(`{"id":"${deviceName}","ts":${time},"lat":${fields.latitude},"lon":${fields.longitude},"speed":${fields.speed}}`)
	if err != nil {
		b.Fatal(err)
	}
	d, m := testDevice("demo", "truck-1"), report()
	var dst []byte
	for b.Loop() {
		dst = r.append(dst[:0], d, m)
	}
}
