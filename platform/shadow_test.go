package platform_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// dig is what stands at a path in JSON that was decoded.
func dig(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// The requests of the vendor's page on device shadows, in its order, and what it
// says of mistakes.
func TestShadow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	p := start(t, func(c *platform.Config) { c.Data = path })
	c := dial(t, p, spk, "truck-1")
	update, get := "/shadow/update/"+spk+"/truck-1", "/shadow/get/"+spk+"/truck-1"
	c.subscribe(get)
	say := func(text string) map[string]any {
		t.Helper()
		c.publish(update, 1, text)
		return c.next(get)
	}
	for _, tc := range []struct{ name, text, code string }{
		{"reported", `{"method":"update","state":{"reported":{"color":"red"}},"version":1}`, ""},
		{"again", `{"method":"update","state":{"reported":{"color":"blue"}},"version":1}`, "409"},
		{"no JSON", `{"method"`, "400"},
		{"no method", `{"state":{"reported":{"color":"blue"}}}`, "401"},
		{"no state", `{"method":"update","version":2}`, "402"},
		{"version", `{"method":"update","state":{"reported":{"color":"blue"}},"version":-2}`, "403"},
		{"no object", `{"method":"update","state":{"reported":3},"version":2}`, "404"},
		{"nothing reported", `{"method":"update","state":{"reported":{}},"version":2}`, "405"},
		{"another method", `{"method":"patch","state":{"reported":{"a":1}},"version":2}`, "406"},
		{"empty", `{}`, "407"},
	} {
		r := say(tc.text)
		code, _ := dig(r, "payload", "content", "errorcode").(string)
		if code != tc.code || r["method"] != "reply" || (dig(r, "payload", "status") == "success") != (tc.code == "") {
			t.Errorf("%s: %v", tc.name, r)
		}
	}
	if err := p.Desire(spk, "truck-1", map[string]any{"color": "green"}); err != nil {
		t.Fatal(err)
	}
	if r := c.next(get); r["method"] != "control" || dig(r, "payload", "state", "desired", "color") != "green" || dig(r, "payload", "state", "reported", "color") != "red" || r["version"] != 2.0 {
		t.Errorf("the device is told %v", r)
	}
	say(`{"method":"update","state":{"desired":"null"},"version":3}`)
	r := say(`{"method":"get"}`)
	if dig(r, "payload", "state", "desired") != nil || dig(r, "payload", "state", "reported", "color") != "red" || r["version"] != 3.0 ||
		dig(r, "payload", "metadata", "reported", "color", "timestamp") == nil {
		t.Errorf("it has %v", r)
	}
	say(`{"method":"delete","state":{"reported":{"color":"null"}},"version":4}`)
	if err := p.Desire(spk, "truck-2", map[string]any{"color": "green"}); err != nil { // not online
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := open(t, lab(path))
	for dn, want := range map[string]any{"truck-1": nil, "truck-2": "green"} {
		text, err := again.Shadow(spk, dn)
		var s map[string]any
		if err != nil || json.Unmarshal(text, &s) != nil || dig(s, "state", "desired", "color") != want || dig(s, "state", "reported", "color") != nil {
			t.Errorf("%s: %s %v", dn, text, err)
		}
	}
}

// What the vendor's SDK for C does after it has connected: none of it ends the
// connection, and what has an answer gets one.
func TestTopicsOfTheCSDK(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	id := spk + ".truck-1"
	content := "clientId" + id + "deviceNametruck-1productKey" + spk + "timestamp2524608000000"
	o := options(p, spk, "truck-1")
	o.SetClientID(id + "|timestamp=2524608000000,_v=sdk-c-3.0.1,securemode=3,signmethod=hmacsha256,lan=C,_ss=1,gw=0,ext=3,pid=example,mid=linux|")
	o.SetPassword(sign("hmacsha256", secret, content))
	c := newClient(t, o)
	if err := c.connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Disconnect(0) })
	own := spk + "/truck-1"
	for _, f := range []string{
		"/sys/" + own + "/thing/service/property/set", "/sys/" + own + "/thing/service/+", "/sys/" + own + "/thing/service/property/get", "/sys/" + own + "/rrpc/request/+",
		"/sys/" + own + "/thing/event/+/post_reply", "/sys/" + own + "/thing/config/push", "/sys/" + own + "/thing/config/get_reply", "/sys/" + own + "/thing/model/down_raw",
		"/sys/" + own + "/thing/model/up_raw_reply", "/sys/" + own + "/thing/deviceinfo/update_reply", "/sys/" + own + "/thing/desired/get_reply", "/sys/" + own + "/_thing/service/post_reply",
		"/sys/" + own + "/thing/topo/add/notify", "/sys/" + own + "/thing/gateway/permit", "/sys/" + own + "/thing/ota/firmware/get_reply", "/sys/" + own + "/app/down/event",
		"/ext/session/" + own + "/combine/login_reply", "/ext/session/" + own + "/combine/logout_reply", "/ext/error/" + own, "/ext/ntp/" + own + "/response", "/ext/rrpc/+/" + own + "/user/get",
		"/ota/device/upgrade/" + own, "/ota/device/request/" + own, "/shadow/get/" + own, "/" + own + "/user/get", "/broadcast/" + spk + "/all",
	} {
		c.subscribe(f)
	}
	const request = `{"id":"7","version":"1.0","params":{},"method":"x"}`
	for _, m := range []struct{ topic, payload, reply string }{
		{"/sys/" + own + "/thing/deviceinfo/update", `{"id":"1","version":"1.0","params":[{"attrKey":"SYS_LP_SDK_VERSION","attrValue":"3.0.1","domain":"SYSTEM"}],"method":"thing.deviceinfo.update"}`, "/sys/" + own + "/thing/deviceinfo/update_reply"},
		{"/sys/" + own + "/thing/event/property/post", `{"id":"2","version":"1.0","params":{"LightSwitch":1},"method":"thing.event.property.post"}`, "/sys/" + own + "/thing/event/property/post_reply"},
		{"/sys/" + own + "/thing/event/Error/post", `{"id":"3","version":"1.0","params":{"ErrorCode":0},"method":"thing.event.Error.post"}`, "/sys/" + own + "/thing/event/Error/post_reply"},
		{"/sys/" + own + "/thing/config/get", `{"id":123,"version":"1.0","params":{"configScope":"product","getType":"file"},"method":"thing.config.get"}`, "/sys/" + own + "/thing/config/get_reply"},
		{"/sys/" + own + "/thing/dsltemplate/get", request, "/sys/" + own + "/thing/dsltemplate/get_reply"},
		{"/ext/ntp/" + own + "/request", `{"deviceSendTime":"1571724098000"}`, "/ext/ntp/" + own + "/response"},
		{"/shadow/update/" + own, `{"method":"get"}`, "/shadow/get/" + own},
		{"/ota/device/inform/" + own, `{"id":1,"params":{"version":"app-1.0.0"}}`, ""},
		{"/ota/device/progress/" + own, `{"id":1,"params":{"step":"50","desc":""}}`, ""},
		{"/sys/" + own + "/thing/desired/get", request, ""},
		{"/sys/" + own + "/thing/dynamicTsl/get", request, ""},
		{"/sys/" + own + "/thing/ota/firmware/get", request, ""},
		{"/sys/" + own + "/thing/log/post", request, ""},
		{"/sys/" + own + "/thing/topo/add/notify_reply", `{"id":"1","code":200,"data":{}}`, ""},
		{"/sys/" + own + "/thing/disable_reply", `{"id":"1","code":200,"data":{}}`, ""},
		{"/sys/" + own + "/thing/downlink/reply/message", `{"id":"1","code":200,"data":{}}`, ""},
		{"/ext/rrpc/5/" + own + "/user/get", `x`, ""},
		{"/" + own + "/user/update", `hello`, ""},
	} {
		c.publish(m.topic, 1, m.payload)
		if m.reply == "" {
			continue
		}
		if r := c.next(m.reply); len(r) == 0 {
			t.Errorf("%s: %v", m.topic, r)
		}
	}
	if r, err := p.Publish(spk, "truck-1", "/ota/device/upgrade/"+own, []byte(`{"code":"1000","data":{"version":"2.0"},"id":1,"message":"success"}`)); err != nil || r.State != "sent" {
		t.Errorf("%+v %v", r, err)
	}
	for { // what was published to the client's own filters comes back to it
		if r := nextOf(t, c); r.topic == "/ota/device/upgrade/"+own {
			break
		}
	}
	if d, err := p.Device(spk, "truck-1"); err != nil || d.State != api.Online {
		t.Errorf("%+v %v", d, err)
	}
}

// nextOf is the next message of any topic.
func nextOf(t *testing.T, c *client) message {
	t.Helper()
	select {
	case m := <-c.got:
		return m
	case err := <-c.lost:
		t.Fatalf("connection lost: %v", err)
	case <-time.After(5 * time.Second):
		t.Fatal("nothing came")
	}
	return message{}
}
