package platform_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// truck is a gateway with truck-1 online and everything of it subscribed.
func truck(tb testing.TB, p *platform.Platform) (c *client, sys string) {
	tb.Helper()
	c = dialGateway(tb, p)
	c.login("truck-1")
	sys = "/sys/" + spk + "/truck-1/"
	c.subscribe(sys + "#")
	return c, sys
}

func TestPosts(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) { c.PostProperties = 3 })
	c, sys := truck(t, p)
	for _, tc := range []struct {
		name, rest, payload string
		code                int
	}{
		{"value", "event/property/post", `{"id":"1","version":"1.0","params":{"a":1},"method":"thing.event.property.post"}`, 200},
		{"value and time", "event/property/post", `{"id":"1","params":{"a":{"value":2,"time":1524448722000}}}`, 200},
		{"structure", "event/property/post", `{"id":"1","params":{"pos":{"value":1,"other":2}}}`, 200},
		{"number as id", "event/property/post", `{"id":1,"params":{"a":1}}`, 200},
		{"empty", "event/property/post", `{"id":"1","params":{}}`, 200},
		{"no JSON", "event/property/post", `{"id":"1","params":{"a":1}`, 460},
		{"rubbish behind", "event/property/post", `{"id":"1","params":{"a":1}}}`, 460},
		{"bad number", "event/property/post", `{"id":"1","params":{"a":01}}`, 460},
		{"list", "event/property/post", `{"id":"1","params":[1]}`, 460},
		{"no params", "event/property/post", `{"id":"1"}`, 460},
		{"no id", "event/property/post", `{"params":{"a":1}}`, 460},
		{"version", "event/property/post", `{"id":"1","version":"1.1","params":{"a":1}}`, 460},
		{"method", "event/property/post", `{"id":"1","params":{"a":1},"method":"thing.event.alarm.post"}`, 460},
		{"too many", "event/property/post", `{"id":"1","params":{"a":1,"b":2,"c":3,"d":4}}`, 6106},
		{"empty payload", "event/property/post", ``, 460},
		{"event", "event/alarm/post", `{"id":"1","version":"1.0","params":{"value":{"Power":"on"},"time":1524448722000},"method":"thing.event.alarm.post"}`, 200},
		{"event bare", "event/alarm/post", `{"id":"1","params":{"Power":"off"}}`, 200},
		{"event method", "event/alarm/post", `{"id":"1","params":{},"method":"thing.event.other.post"}`, 460},
	} {
		c.publish(sys+"thing/"+tc.rest, 0, tc.payload)
		r := c.next(sys + "thing/" + tc.rest + "_reply")
		if code, text := codeOf(r); code != tc.code || text {
			t.Errorf("%s: %v, want code %d", tc.name, r, tc.code)
		}
	}
	d, err := p.Device(spk, "truck-1")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(d.Properties["a"].Value); got != "1" {
		t.Errorf("a is %s", got)
	}
	if got := string(d.Properties["pos"].Value); got != `{"value":1,"other":2}` {
		t.Errorf("pos is %s", got)
	}
	if len(d.Events) != 2 || d.Events[0].Name != "alarm" || string(d.Events[0].Value) != `{"Power":"on"}` || d.Events[0].Time.UnixMilli() != 1524448722000 ||
		string(d.Events[1].Value) != `{"Power":"off"}` {
		t.Errorf("events: %+v", d.Events)
	}
	want := api.Counters{Messages: 18, Properties: 15, Events: 3, Refused: 11, Logins: 1}
	if d.Counters != want {
		t.Errorf("counters %+v, want %+v", d.Counters, want)
	}
}

// A gateway speaks to all devices of a product of its own or of its sub-devices'.
func TestBroadcastOfSubDevices(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c, sys := truck(t, p)
	c.subscribe("/broadcast/" + spk + "/all")
	c.publish("/broadcast/"+spk+"/all", 1, `{"say":"hello"}`)
	c.next("/broadcast/" + spk + "/all")
	c.publish(sys+"thing/event/property/post", 0, `{"id":"1","params":{"a":1}}`)
	c.next(sys + "thing/event/property/post_reply") // it is still connected
}

func TestReplyPolicies(t *testing.T) {
	t.Parallel()
	const good, bad = `{"id":"1","params":{}}`, `{"id":"2","params":1}`
	for policy, want := range map[string][]string{
		platform.ReplyAll:    {"1", "2", "end"},
		platform.ReplyErrors: {"2", "end"},
		platform.ReplyNone:   {"end"},
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			p := start(t, func(c *platform.Config) { c.Reply = policy })
			c, sys := truck(t, p)
			post := sys + "thing/event/property/post"
			c.publish(post, 0, `{"id":"0","sys":{"ack":0},"params":{}}`) // wants no reply
			c.publish(post, 0, good)
			c.publish(post, 0, bad)
			c.publish(sys+"thing/topo/get", 0, `{"id":"end","params":{}}`)
			for _, id := range want {
				topic := post + "_reply"
				if id == "end" {
					topic = sys + "thing/topo/get_reply"
				}
				if r := c.next(topic); r["id"] != id {
					t.Errorf("got reply %v, want one to %s", r, id)
				}
			}
		})
	}
}

// A burst of posts is answered whole and in order, with QoS 1 too.
func TestBurst(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c, sys := truck(t, p)
	const n = 500
	for i := range n {
		tok := c.Publish(sys+"thing/event/property/post", byte(i%2), false, fmt.Sprintf(`{"id":"%d","params":{"n":%d}}`, i, i))
		defer func() {
			if !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
				t.Errorf("message %d was not acknowledged", i)
			}
		}()
	}
	for i := range n {
		if r := c.next(sys + "thing/event/property/post_reply"); r["id"] != strconv.Itoa(i) || r["code"] != 200.0 {
			t.Fatalf("reply %d is %v", i, r)
		}
	}
}

func TestRawAndCustom(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c, sys := truck(t, p)
	w, err := p.Subscribe(platform.Filter{DeviceName: "truck-1", Kinds: []string{api.KindRaw, api.KindCustom}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	c.publish(sys+"thing/model/up_raw", 0, "\x01\x00\xff")
	m, err := w.Next(t.Context())
	if err != nil || m.Kind != api.KindRaw || string(m.Raw) != "\x01\x00\xff" {
		t.Errorf("watched %+v, %v", m, err)
	}
	if m := <-c.got; m.topic != sys+"thing/model/up_raw_reply" {
		t.Errorf("got %s", m.topic)
	}
	custom := "/" + spk + "/truck-1/user/update"
	c.subscribe(custom)
	c.publish(custom, 1, "anything")
	if m, err = w.Next(t.Context()); err != nil || m.Kind != api.KindCustom || m.Topic != custom || string(m.Raw) != "anything" {
		t.Errorf("watched %+v, %v", m, err)
	}
	if m := <-c.got; m.topic != custom || string(m.payload) != "anything" {
		t.Errorf("got %s %s", m.topic, m.payload)
	}
	d, _ := p.Device(spk, "truck-1")
	if d.Counters.Raw != 1 || d.Counters.Custom != 1 {
		t.Errorf("counters %+v", d.Counters)
	}
}

// A gateway that speaks for a device without a session through it gets 520 and
// stays connected.
func TestPublishForOthers(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := dialGateway(t, p)
	for _, topic := range []string{
		"/sys/" + spk + "/truck-1/thing/event/property/post", // in the topology, not logged in
		"/sys/" + pk + "/gateway-2/thing/event/property/post",
		"/sys/other/device/thing/event/property/post",
		"/" + spk + "/truck-2/user/update",
		"/ota/device/inform/" + spk + "/truck-2",
	} {
		c.publish(topic, 0, `{"id":"77","params":{"a":1}}`)
		r := c.next("/ext/error/" + pk + "/" + gw)
		if code, _ := codeOf(r); code != 520 || r["id"] != "77" {
			t.Errorf("%s: %v", topic, r)
		}
	}
	if got := p.Stats().Refused["publish 520"]; got != 5 {
		t.Errorf("counted %d", got)
	}
	if d, _ := p.Device(spk, "truck-1"); len(d.Properties) != 0 {
		t.Errorf("properties: %v", d.Properties)
	}
}

func TestViolationsEndTheConnection(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for name, tc := range map[string]struct {
		topic   string
		qos     byte
		payload string
		cause   string
	}{
		"no topic of anybody":  {"weather", 0, "", "publish_topic"},
		"relative":             {"sys/a/b/thing", 1, "", "publish_topic"},
		"session of another":   {"/ext/session/" + pk + "/gateway-2/combine/login", 0, "{}", "publish_topic"},
		"no such verb":         {"/ext/session/" + pk + "/" + gw + "/combine/dance", 0, "{}", "publish_topic"},
		"broadcast to another": {"/broadcast/" + spk + "/all", 0, "{}", "publish_topic"},
		"errors are ours":      {"/ext/error/" + pk + "/" + gw, 0, "{}", "publish_topic"},
		"long topic":           {"/" + pk + "/" + gw + "/" + strings.Repeat("x", 128), 0, "{}", "topic_too_long"},
		"deep topic":           {"/" + pk + "/" + gw + "/1/2/3/4/5/6/7", 0, "{}", "topic_too_deep"},
		"QoS 2":                {"/sys/" + pk + "/" + gw + "/thing/event/property/post", 2, `{"id":"1","params":{}}`, "qos2"},
		"large payload":        {"/sys/" + pk + "/" + gw + "/thing/model/up_raw", 0, strings.Repeat("x", 256<<10+1), "payload_too_large"},
		"huge payload":         {"/sys/" + pk + "/" + gw + "/thing/model/up_raw", 0, strings.Repeat("x", 1<<20), "payload_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			before := p.Stats().Refused[tc.cause]
			c := dial(t, p, pk, gw)
			c.Publish(tc.topic, tc.qos, false, tc.payload)
			select {
			case <-c.lost:
			case <-time.After(5 * time.Second):
				t.Fatal("still connected")
			}
			if err := p.WaitOffline(t.Context(), pk, gw); err != nil {
				t.Fatal(err)
			}
			if got := p.Stats().Refused[tc.cause]; got != before+1 {
				t.Errorf("refused[%s] is %d, want %d: %v", tc.cause, got, before+1, p.Stats().Refused)
			}
		})
	}
	t.Run("largest payload", func(t *testing.T) {
		c := dial(t, p, pk, gw)
		c.subscribe(c.sys("#"))
		c.publish(c.sys("thing/model/up_raw"), 1, strings.Repeat("x", 256<<10))
		if m := <-c.got; m.topic != c.sys("thing/model/up_raw_reply") {
			t.Errorf("got %s", m.topic)
		}
	})
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) { c.Subscriptions = 3 })
	c := dial(t, p, pk, gw)
	c.subscribe(c.session("#"))
	c.login("truck-1")
	for filter, ok := range map[string]bool{
		"/sys/" + spk + "/truck-1/thing/#":         true,
		"/ota/device/upgrade/" + spk + "/truck-1":  true,
		"/" + spk + "/truck-1/user/+":              true,
		"/broadcast/" + pk + "/all":                true,
		"/sys/" + spk + "/truck-2/thing/#":         false, // in the topology, not logged in
		"/sys/" + spk + "/stray-1/thing/#":         false,
		"/sys/" + spk + "/+/thing/#":               false,
		"/sys/+/truck-1/thing/#":                   false,
		"/sys/#":                                   false,
		"#":                                        false,
		"+/" + pk + "/" + gw:                       false,
		"$SYS/#":                                   false,
		"/broadcast/" + spk + "/all":               true, // of a device that is logged in
		"/broadcast/a1nobody001/all":               false,
		"/ext/session/" + spk + "/truck-1/combine": false,
		"/ext/error/" + pk + "/gateway-2":          false,
	} {
		if got := c.subscribeAll(filter)[filter]; (got < 2) != ok {
			t.Errorf("%s: SUBACK %#x, want it granted: %t", filter, got, ok)
		}
	}
	if p.Stats().Refused["subscribe_topic"] != 11 {
		t.Errorf("refused: %v", p.Stats().Refused)
	}
	t.Run("filters in one packet", func(t *testing.T) {
		filters := make([]string, 9)
		for i := range filters {
			filters[i] = c.sys(fmt.Sprintf("thing/service/s%d", i))
		}
		for f, got := range c.subscribeAll(filters...) {
			if got < 0x80 {
				t.Errorf("%s: granted %#x", f, got)
			}
		}
	})
	t.Run("of one device", func(t *testing.T) {
		c.subscribe(c.sys("a"), c.sys("b"))
		if got := c.subscribeAll(c.sys("c"))[c.sys("c")]; got < 0x80 {
			t.Errorf("a fourth was granted: %#x", got)
		}
		if tok := c.Unsubscribe(c.sys("b")); !tok.WaitTimeout(5 * time.Second) {
			t.Fatal("no UNSUBACK")
		}
		c.subscribe(c.sys("c"))
	})
}

// Replies go to who subscribed, or asked for them with _ss=1.
func TestRepliesNeedSubscription(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := dial(t, p, pk, gw)
	post := c.sys("thing/event/property/post")
	c.publish(post, 1, `{"id":"1","params":{}}`)
	if got := p.Stats().Unsubscribed; got != 1 {
		t.Errorf("unsubscribed: %d", got)
	}
	o := options(p, pk, "gateway-2")
	o.SetClientID("gateway-2|securemode=3,signmethod=hmacsha256,timestamp=789,_ss=1|")
	auto := newClient(t, o)
	if err := auto.connect(); err != nil {
		t.Fatal(err)
	}
	defer auto.Disconnect(0)
	auto.publish(auto.sys("thing/event/property/post"), 1, `{"id":"1","params":{}}`)
	auto.next(auto.sys("thing/event/property/post_reply"))
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) { c.Properties, c.Events, c.Log = 2, 2, 3 })
	c, sys := truck(t, p)
	for i := range 5 {
		c.publish(sys+"thing/event/property/post", 0, fmt.Sprintf(`{"id":"1","params":{"p%d":%d}}`, i, i))
		c.next(sys + "thing/event/property/post_reply")
		c.publish(sys+"thing/event/alarm/post", 0, fmt.Sprintf(`{"id":"1","params":{"n":%d}}`, i))
		c.next(sys + "thing/event/alarm/post_reply")
	}
	d, _ := p.Device(spk, "truck-1")
	if len(d.Properties) != 2 || len(d.Events) != 2 || len(p.Log()) != 3 {
		t.Errorf("kept %d properties, %d events, %d in the log", len(d.Properties), len(d.Events), len(p.Log()))
	}
	if string(d.Events[0].Value) != `{"n":3}` || string(d.Events[1].Value) != `{"n":4}` {
		t.Errorf("events: %s", d.Events)
	}
	if p.Stats().Refused["properties"] != 3 {
		t.Errorf("refused: %v", p.Stats().Refused)
	}
}

// Whatever a device calls its properties comes out as it went in.
func TestPropertyNames(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c, sys := truck(t, p)
	in := map[string]any{"plain": 1.0, "a\"b\\c": "x\ny", "温度": "°C", "": nil, "u\u0001": []any{true, nil}}
	params, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	c.publish(sys+"thing/event/property/post", 0, `{"id":"1","params":`+string(params)+`}`)
	c.next(sys + "thing/event/property/post_reply")
	d, _ := p.Device(spk, "truck-1")
	for name, want := range in {
		wantText, _ := json.Marshal(want)
		if got := d.Properties[name].Value; string(got) != string(wantText) {
			t.Errorf("%q is %s, want %s", name, got, wantText)
		}
	}
}
