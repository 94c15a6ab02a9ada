package aliyun

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// told is a gateway with a device whose commands, losses and broadcasts are kept;
// calls are made by flush.
type told struct {
	*gateway
	h        *handle
	commands []*thing.Command
	lost     []error
	wide     []*thing.Command
}

func newTold(t *testing.T) *told {
	t.Helper()
	g, h := onlineDevice(t, Config{})
	k := &told{gateway: g, h: h}
	h.command = func(c *thing.Command) { k.commands = append(k.commands, c) }
	h.lost = func(cause error) { k.lost = append(k.lost, cause) }
	g.host = upstream.Host{Broadcast: func(c *thing.Command) { k.wide = append(k.wide, c) }}
	return k
}

// say has the platform say something, and makes the calls that follow.
func (k *told) say(topic, payload string) {
	k.received(k.link, topic, []byte(payload))
	k.mu.Lock()
	calls := k.calls
	k.calls = nil
	k.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

const (
	deviceTopic  = "/sys/a1truck0001/truck-1/"
	sessionReply = "/ext/session/a1gateway01/gateway-0/combine/"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, topic, payload string
		want                 thing.Command // Fields as JSON in Name's place are compared by String
		fields               string
	}{
		{
			"set", deviceTopic + "thing/service/property/set", `{"id":"123","version":"1.0","params":{"temperature":"30.5"},"method":"thing.service.property.set"}`,
			thing.Command{ID: "set:123", Kind: thing.SetProperties},
			`{"temperature":"30.5"}`,
		},
		{
			"get", deviceTopic + "thing/service/property/get", `{"id":123,"version":"1.0","params":["power","temp"],"method":"thing.service.property.get"}`,
			thing.Command{ID: "get:123", Kind: thing.GetProperties},
			`{"power":null,"temp":null}`,
		},
		{"get all", deviceTopic + "thing/service/property/get", `{"id":"1","params":{}}`, thing.Command{ID: "get:1", Kind: thing.GetProperties}, `{}`},
		{
			"service", deviceTopic + "thing/service/AutoSprinkle", `{"id":"123","params":{"SprinkleTime":50},"method":"thing.service.AutoSprinkle"}`,
			thing.Command{ID: "call:123", Kind: thing.Service, Name: "AutoSprinkle"},
			`{"SprinkleTime":50}`,
		},
		{"service without input", deviceTopic + "thing/service/ping", `{"id":"1"}`, thing.Command{ID: "call:1", Kind: thing.Service, Name: "ping"}, `{}`},
		{
			"rrpc service", deviceTopic + "rrpc/request/99", `{"id":"5","params":{"a":1},"method":"thing.service.ping"}`,
			thing.Command{ID: "rrpc:99:5", Kind: thing.Service, Name: "ping"},
			`{"a":1}`,
		},
		{
			"rrpc set", deviceTopic + "rrpc/request/99", `{"id":"5","params":{"a":1},"method":"thing.service.property.set"}`,
			thing.Command{ID: "rrpc:99:5", Kind: thing.SetProperties},
			`{"a":1}`,
		},
		{
			"rrpc of a user's own", deviceTopic + "rrpc/request/99", "hello",
			thing.Command{Kind: thing.Notice, Topic: deviceTopic + "rrpc/request/99", Raw: []byte("hello")},
			`{}`,
		},
		{
			"custom topic", "/a1truck0001/truck-1/user/get", "hello",
			thing.Command{Kind: thing.Notice, Topic: "/a1truck0001/truck-1/user/get", Raw: []byte("hello")},
			`{}`,
		},
		{
			"firmware", "/ota/device/upgrade/a1truck0001/truck-1", "{}",
			thing.Command{Kind: thing.Notice, Topic: "/ota/device/upgrade/a1truck0001/truck-1", Raw: []byte("{}")},
			`{}`,
		},
		{
			"answer to a publication", deviceTopic + "thing/deviceinfo/update_reply", "{}",
			thing.Command{Kind: thing.Notice, Topic: deviceTopic + "thing/deviceinfo/update_reply", Raw: []byte("{}")},
			`{}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := newTold(t)
			k.say(c.topic, c.payload)
			if len(k.commands) != 1 {
				t.Fatalf("%d commands", len(k.commands))
			}
			got := k.commands[0]
			if got.ID != c.want.ID || got.Kind != c.want.Kind || got.Name != c.want.Name || got.Topic != c.want.Topic || string(got.Raw) != string(c.want.Raw) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if fields := string(thing.AppendFields(nil, got.Fields)); fields != c.fields {
				t.Errorf("fields %s, want %s", fields, c.fields)
			}
		})
	}
}

func TestRawCommand(t *testing.T) {
	t.Parallel()
	k := newTold(t)
	k.say(deviceTopic+"thing/model/down_raw", "\x01\x02")
	k.say(deviceTopic+"thing/model/down_raw", "\x03")
	if len(k.commands) != 2 || string(k.commands[0].Raw) != "\x01\x02" || k.commands[0].ID == k.commands[1].ID {
		t.Errorf("got %+v", k.commands)
	}
}

// What is no request is answered with 460, or counted; it reaches no device.
func TestMalformed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ topic, payload, answer string }{
		{deviceTopic + "thing/service/property/set", `{"id":"1","params":[1]}`, deviceTopic + "thing/service/property/set_reply"},
		{deviceTopic + "thing/service/property/get", `{"id":"1","params":[1]}`, deviceTopic + "thing/service/property/get_reply"},
		{deviceTopic + "rrpc/request/9", `{"id":"1","params":7,"method":"thing.service.ping"}`, deviceTopic + "rrpc/response/9"},
		{deviceTopic + "thing/service/property/set", `{`, ""},
		{deviceTopic + "thing/disable", `{`, ""},
		{sessionReply + "login_reply", `no`, ""},
		{sessionReply + "login_reply", `{"id":"1","code":"x"}`, ""},
		{"/ext/error/a1gateway01/gateway-0", `[]`, ""},
		{"/sys/a1gateway01/gateway-0/thing/topo/add/notify", `1`, ""},
	} {
		k := newTold(t)
		k.say(c.topic, c.payload)
		if len(k.commands) > 0 || len(k.lost) > 0 {
			t.Errorf("%s %s: reached the device", c.topic, c.payload)
		}
		if k.stats.malformed != 1 {
			t.Errorf("%s %s: counted %d times", c.topic, c.payload, k.stats.malformed)
		}
		if c.answer == "" {
			continue
		}
		if len(k.controls) != 1 || k.controls[0].topic != c.answer || !strings.Contains(string(k.controls[0].payload), `"id":"1","code":460`) {
			t.Errorf("%s %s: answered %+v, want 460 on %s", c.topic, c.payload, k.controls, c.answer)
		}
	}
}

// Our own messages that a wildcard brings back, and answers nobody waits for.
func TestEchoesAreIgnored(t *testing.T) {
	t.Parallel()
	k := newTold(t)
	for _, rest := range []string{
		"thing/service/ping_reply", "thing/service/property/set_reply", "thing/event/property/post",
		"thing/event/property/post_reply", "thing/model/up_raw", "thing/model/up_raw_reply", "thing/disable_reply",
	} {
		k.say(deviceTopic+rest, "{}")
	}
	k.say("/sys/a1truck0001/nobody/thing/service/ping", `{"id":"1"}`)
	k.say("", "")
	if len(k.commands)+len(k.lost)+len(k.controls) > 0 {
		t.Errorf("commands %v, lost %v, answers %v", k.commands, k.lost, k.controls)
	}
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	k := newTold(t)
	k.say("/broadcast/a1gateway01/all", "hello")
	if len(k.wide) != 1 || k.wide[0].Kind != thing.Notice || string(k.wide[0].Raw) != "hello" || k.wide[0].ID != "" {
		t.Errorf("got %+v", k.wide)
	}
}

// The notices that end a session, in the shapes in which they name the device.
func TestSessionNotices(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, topic, payload string
		code                 int // of Lost; 0: the device is logged in again
	}{
		{"kicked, data", sessionReply + "logout_reply", `{"id":"9","code":427,"message":"device connect in elsewhere","data":{"productKey":"a1truck0001","deviceName":"truck-1"}}`, 427},
		{"kicked, data as text", sessionReply + "logout_reply", `{"id":"9","code":"427","data":"{\"productKey\":\"a1truck0001\",\"deviceName\":\"truck-1\"}"}`, 427},
		{"deleted, list", sessionReply + "batch_logout_reply", `{"code":521,"data":[{"productKey":"a1truck0001","deviceName":"truck-1"}]}`, 521},
		{"disabled, by name", sessionReply + "logout_reply", `{"id":"truck-1","code":522}`, 522},
		{"disabled, by topic", deviceTopic + "thing/disable", `{"id":"1","params":{}}`, 522},
		{"deleted, by topic", deviceTopic + "thing/delete", `{"id":1,"params":{}}`, 521},
		{"no session any more", sessionReply + "logout_reply", `{"id":"a1truck0001/truck-1","code":520}`, 0},
		{"a message was not taken", "/ext/error/a1gateway01/gateway-0", `{"id":"4711","code":520,"message":"device session error"}`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := newTold(t)
			k.sent.add(4711, k.h.dev())
			done := make(chan error, 1)
			k.h.Publish(location(time.Time{}), func(err error) { done <- err })
			k.take(k.link, make([]*outgoing, 0, 4)) // it is in flight
			k.say(c.topic, c.payload)
			if c.code == 0 {
				if len(k.lost) > 0 || k.h.err != nil || k.h.dev().state != wanted || len(done) > 0 {
					t.Errorf("lost %v, state %d, %d done; want another login, and the message kept", k.lost, k.h.dev().state, len(done))
				}
				if m := k.h.dev().head; m == nil || m.state != waiting {
					t.Errorf("the message does not wait: %+v", m)
				}
				return
			}
			var refusal *upstream.RefusedError
			if len(k.lost) != 1 || !errors.As(k.lost[0], &refusal) || refusal.Code != c.code {
				t.Fatalf("lost %v, want code %d once", k.lost, c.code)
			}
			if err := <-done; !errors.Is(err, upstream.ErrTimeout) {
				t.Errorf("the message in flight: %v, want ErrTimeout", err)
			}
			if len(k.devices) != 0 {
				t.Error("the device is still there")
			}
			k.say(c.topic, c.payload)
			if len(k.lost) != 1 {
				t.Error("Lost was called again")
			}
		})
	}
}

// That a logout has failed, which came too late for its time, ends no session.
func TestLateAnswerOfALogout(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"460", "500", "200"} {
		k := newTold(t)
		k.say(sessionReply+"logout_reply", `{"id":"9","code":`+code+`,"data":{"productKey":"a1truck0001","deviceName":"truck-1"}}`)
		if len(k.lost) > 0 || k.h.dev().state != online {
			t.Errorf("code %s: lost %v, state %d", code, k.lost, k.h.dev().state)
		}
	}
}

// A notice that names a device which is not here ends nobody else's session.
func TestNoticeOfAnotherDevice(t *testing.T) {
	t.Parallel()
	k := newTold(t)
	k.sent.add(9, k.h.dev())
	k.say(sessionReply+"logout_reply", `{"id":"9","code":427,"data":{"productKey":"a1truck0001","deviceName":"truck-2"}}`)
	if len(k.lost) > 0 {
		t.Errorf("lost %v", k.lost)
	}
}

func TestTopologyNotice(t *testing.T) {
	t.Parallel()
	k := newTold(t)
	k.say("/sys/a1gateway01/gateway-0/thing/topo/add/notify", `{"id":"123","params":[{"deviceName":"truck-9","productKey":"a1truck0001"}]}`)
	if len(k.controls) != 1 || k.controls[0].topic != "/sys/a1gateway01/gateway-0/thing/topo/add/notify_reply" {
		t.Errorf("answered %+v", k.controls)
	}
}

func TestReplyIsReadAsTheyCome(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]int{
		`{"id":"1","code":200}`: 200, `{"id":1,"code":"200"}`: 200, `{"id":null,"code":6401}`: 6401,
	} {
		if _, code, ok := parseReply([]byte(payload)); !ok || code != want {
			t.Errorf("parseReply(%s) = %d, %v", payload, code, ok)
		}
	}
}

// What the platform says is never believed to be well formed.
func FuzzReceived(f *testing.F) {
	f.Add(sessionReply+"login_reply", []byte(`{"id":"1","code":200,"message":"success","data":""}`))
	f.Add(sessionReply+"logout_reply", []byte(`{"id":"9","code":427,"data":{"productKey":"a1truck0001","deviceName":"truck-1"}}`))
	f.Add(deviceTopic+"thing/service/property/set", []byte(`{"id":"123","params":{"a":{"b":[1,2.5,null]}}}`))
	f.Add(deviceTopic+"rrpc/request/1", []byte(`{"id":"123","method":"thing.service.x"}`))
	f.Add("/ext/error/a1gateway01/gateway-0", []byte(`{"id":"x","code":520}`))
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		g, h := onlineDevice(t, Config{})
		n := 0
		h.command = func(c *thing.Command) {
			n++
			m := c.Reply(thing.Done)
			if c.ID == "" {
				return
			}
			o, err := encoded(t, h, &m)
			if err == nil && c.Kind != thing.RawDown && !json.Valid(o.payload) {
				t.Errorf("reply %s to %+v is no JSON", o.payload, c)
			}
		}
		k := &told{gateway: g, h: h}
		k.say(topic, string(payload))
		if n > 1 {
			t.Errorf("%d commands of one message", n)
		}
	})
}

// The budget for a device that is logged in and says nothing.
func TestMemoryOfIdleDevices(t *testing.T) {
	const devices, limit = 20_000, 400
	g, _ := onlineDevice(t, Config{})
	ids := make([]auth.Identity, devices)
	for i := range ids {
		ids[i] = auth.Identity{ProductKey: "a1truck0001", DeviceName: fmt.Sprintf("truck-%08d", i), DeviceSecret: "0123456789abcdef0123456789abcdef"}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	g.devices = make(map[string]*device, devices)
	for _, id := range ids {
		d := newDevice(g, id)
		d.current, d.state = handleOf(d), online
		g.devices[d.name()] = d
	}
	runtime.ReadMemStats(&after)
	each := (after.TotalAlloc - before.TotalAlloc) / devices
	t.Logf("%d bytes for each device", each)
	if each > limit {
		t.Errorf("a device takes %d bytes, want no more than %d", each, limit)
	}
}
