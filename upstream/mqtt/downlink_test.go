package mqtt_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/mqtt"
)

// tellTopics has all kinds of downlink.
func tellTopics(c *mqtt.Config) {
	c.Topics.Down = mqtt.DownTopics{
		Command:   "to/${productKey}/${deviceName}/cmd",
		Raw:       "to/${productKey}/${deviceName}/raw/${id}",
		Notice:    []string{"to/${productKey}/${deviceName}/user/#", "to/+/${deviceName}/x"},
		Broadcast: []string{"all/#"},
	}
}

func (b *testBroker) say(topic, payload string) {
	b.tb.Helper()
	if err := b.server.Publish(topic, []byte(payload), false, 1); err != nil {
		b.tb.Error(err)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	for name, wildcard := range map[string]bool{"device": false, "wildcard": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBroker(t)
			up := start(t, config(b, func(c *mqtt.Config) {
				tellTopics(c)
				if wildcard {
					c.Subscribe = mqtt.SubscribeWildcard
				}
			}))
			c := loggedIn(t, up, truck("1"))
			before := time.Now()
			for _, w := range []struct {
				topic, payload string
				want           thing.Command
			}{
				{"cmd", `{"type":"set","id":7,"fields":{"speed":60.5},"timeout":5000}`, thing.Command{ID: "7", Kind: thing.SetProperties, Fields: []thing.Field{{Name: "speed", Value: thing.Float(60.5)}}}},
				{"cmd", `{"type":"get","id":"a","names":["speed","mileage"]}`, thing.Command{ID: "a", Kind: thing.GetProperties, Fields: []thing.Field{{Name: "speed"}, {Name: "mileage"}}}},
				{"cmd", `{"type":"get"}`, thing.Command{Kind: thing.GetProperties}},
				{"cmd", `{"name":"reboot","fields":null}`, thing.Command{Kind: thing.Service, Name: "reboot"}},
				{"cmd", `{"type":"raw","raw":"AP8="}`, thing.Command{Kind: thing.RawDown, Raw: []byte{0, 0xff}}},
				{"raw/9", "\x00\xfe", thing.Command{ID: "9", Kind: thing.RawDown, Raw: []byte{0, 0xfe}}},
				{"user/a/b", "as it is", thing.Command{Kind: thing.Notice, Topic: "to/demo/truck-1/user/a/b", Raw: []byte("as it is")}},
				{"user", "", thing.Command{Kind: thing.Notice, Topic: "to/demo/truck-1/user"}},
			} {
				b.say("to/demo/truck-1/"+w.topic, w.payload)
				got := await(t, w.topic+" "+w.payload, c.commands)
				if got.ID != w.want.ID || got.Kind != w.want.Kind || got.Name != w.want.Name || got.Topic != w.want.Topic || !bytes.Equal(got.Raw, w.want.Raw) ||
					string(thing.AppendFields(nil, got.Fields)) != string(thing.AppendFields(nil, w.want.Fields)) {
					t.Errorf("%s %s: got %+v", w.topic, w.payload, got)
				}
				if timed := strings.Contains(w.payload, "timeout"); timed != !got.Deadline.IsZero() || timed && got.Deadline.Before(before.Add(5*time.Second)) {
					t.Errorf("%s: the deadline is %v", w.payload, got.Deadline)
				}
			}
			b.say("to/demo/truck-2/cmd", `{"type":"get"}`)
			b.say("to/demo/truck-1/cmd", `{"type":"get","id":"last"}`)
			if got := await(t, "the last command", c.commands); got.ID != "last" {
				t.Errorf("got %+v", got)
			}
			want := uint64(0) // nobody subscribed it
			if wildcard {
				want = 1
			}
			if got := up.Stats().Errors["unknown_device"]; got != want {
				t.Errorf("%d commands for devices that are not here, want %d", got, want)
			}
		})
	}
}

// A command that cannot be understood is answered, when it says by which ID.
func TestCommandsNotUnderstood(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	b.heard = make(chan packets.Packet, 1000)
	up := start(t, config(b, func(c *mqtt.Config) {
		tellTopics(c)
		c.Topics.Up.Reply = "from/${deviceName}/reply/${id}"
	}))
	c := loggedIn(t, up, truck("1"))
	wrong := []struct{ payload, says string }{
		{`{"id":"1","type":"jump"}`, "jump"},
		{`{"id":"2","type":"set"}`, "fields"},
		{`{"id":"3","type":"set","fields":[1]}`, "fields"},
		{`{"id":"4","type":"service"}`, "name"},
		{`{"id":"5","type":"get","timeout":-1}`, "timeout"},
		{`{"id":"6"}`, "type"},
		{`{"id":"7","type":"` + strings.Repeat("long", 50<<10) + `"}`, "type is"},
	}
	for _, w := range wrong {
		b.say("to/demo/truck-1/cmd", w.payload)
		var s said
		for s.Type != "reply" {
			pk := await(t, "the reply to "+w.payload, b.heard)
			s = said{}
			_ = json.Unmarshal(pk.Payload, &s)
			if s.Type == "reply" && pk.TopicName != "from/truck-1/reply/"+s.ID {
				t.Errorf("the reply is under %s", pk.TopicName)
			}
		}
		if s.State != "invalid" || !strings.Contains(s.Text, w.says) || !strings.Contains(w.payload, `"`+s.ID+`"`) || len(s.Text) > 1000 {
			t.Errorf("%s is answered with %+v", w.payload, s)
		}
	}
	silent := []string{`{"type":"jump"}`, `{`, `{"id":"a/b","type":"get"}`, `{"id":{},"type":"get"}`, ``}
	for _, payload := range silent {
		b.say("to/demo/truck-1/cmd", payload)
	}
	b.say("to/demo/nobody/cmd", `{"type":"get"}`)
	b.say("to/demo/truck-1/cmd", `{"type":"get","id":"last"}`)
	if got := await(t, "the last command", c.commands); got.ID != "last" {
		t.Errorf("got %+v", got)
	}
	if got := up.Stats().Errors; got["malformed"] != uint64(len(wrong)+len(silent)) || got["unknown_device"] != 0 {
		t.Errorf("%v", got)
	}
}

// What was retained is not obeyed, what is too large is dropped, what is for
// nobody is counted, and a broadcast reaches the bridge.
func TestOtherDownlinks(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	for topic, payload := range map[string]string{"cmd": `{"type":"service","name":"unlock"}`, "raw/1": "unlock", "user/settings": "kept"} {
		if err := b.server.Publish("to/demo/truck-1/"+topic, []byte(payload), true, 1); err != nil {
			t.Fatal(err)
		}
	}
	cfg := config(b, func(c *mqtt.Config) {
		tellTopics(c)
		c.Subscribe, c.MaxPayload = mqtt.SubscribeDevice, 1000
	})
	up, err := mqtt.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	broadcasts := make(chan *thing.Command, 10)
	if err := up.Start(t.Context(), upstream.Host{Broadcast: func(c *thing.Command) { broadcasts <- c }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = up.Close(timeoutContext()) })
	c := loggedIn(t, up, truck("1"))
	if got := await(t, "the notice that was retained", c.commands); got.Kind != thing.Notice || string(got.Raw) != "kept" {
		t.Errorf("got %+v first", got)
	}
	b.say("to/demo/truck-1/user/large", strings.Repeat("x", 1001))
	b.say("all/of/you", "hello")
	if got := await(t, "the broadcast", broadcasts); got.Kind != thing.Notice || got.Topic != "all/of/you" || string(got.Raw) != "hello" {
		t.Errorf("broadcast %+v", got)
	}
	b.say("to/demo/truck-1/user/x", "in time")
	if got := await(t, "a notice", c.commands); string(got.Raw) != "in time" {
		t.Errorf("got %+v first", got)
	}
	if got := up.Stats(); got.Errors["retained"] != 2 || got.Errors["malformed"] != 1 || got.Broadcasts != 1 || got.Commands != 2 {
		t.Errorf("%+v", got)
	}
}

// Kind, name and ID may be in the topic instead of the payload.
func TestCommandOfItsTopic(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	up := start(t, config(b, func(c *mqtt.Config) {
		c.Topics.Down = mqtt.DownTopics{Command: "v1/dev-${deviceName}/${kind}/${name}/r${id}"}
	}))
	c := loggedIn(t, up, truck("1"))
	b.say("v1/dev-truck-1/service/restart/r12", `{"fields":{"delay":3}}`)
	if got := await(t, "the command", c.commands); got.ID != "12" || got.Kind != thing.Service || got.Name != "restart" || len(got.Fields) != 1 {
		t.Errorf("got %+v", got)
	}
}
