package platform_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// codeOf is a reply's code and whether it is a text.
func codeOf(r map[string]any) (code int, text bool) {
	switch c := r["code"].(type) {
	case float64:
		return int(c), false
	case string:
		_, _ = fmt.Sscan(c, &code)
		return code, true
	}
	return 0, false
}

func (c *client) request(verb, payload string) map[string]any {
	c.t.Helper()
	c.publish(c.session(verb), 0, payload)
	return c.next(c.session(verb + "_reply"))
}

// The answers for key "secret" and the vendor's sample parameters: cleanSession
// is sent but not signed, in spite of what its documentation once printed.
func TestLoginKnownAnswers(t *testing.T) {
	t.Parallel()
	devices := func(c *platform.Config) {
		c.LoginsPerMinute = 0
		c.Devices = append(c.Devices, platform.Device{ProductKey: "123", DeviceName: "test", DeviceSecret: "secret", Gateway: pk + "/" + gw})
	}
	const wrong = "6f683c4b436665f82e8b645d928c45a2" // the printed form
	for name, c := range map[string]struct {
		method, sign string
		lenient      bool
		code         int
	}{
		"md5":             {"hmacmd5", "7f9c0941a986fe6d3ad883eda7efda9c", false, 200},
		"sha1":            {"hmacSha1", "17b3ca175a2c737c69be476e761ea62b2356e100", false, 200},
		"sha256":          {"hmacsha256", "F0A12A0784236F598657C2EC54F03A3C0497E3A3728316C008B971746A2D27F0", false, 200},
		"printed form":    {"hmacmd5", wrong, false, 6287},
		"lenient":         {"hmacmd5", wrong, true, 200},
		"lenient, signed": {"hmacmd5", "7f9c0941a986fe6d3ad883eda7efda9c", true, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, func(cfg *platform.Config) { devices(cfg); cfg.Lenient = c.lenient })
			cl := dialGateway(t, p)
			r := cl.request("combine/login", fmt.Sprintf(`{"id":"123","params":{"productKey":"123","deviceName":"test","clientId":"123","timestamp":"123","signMethod":%q,"sign":%q,"cleanSession":"true"}}`, c.method, c.sign))
			if code, text := codeOf(r); code != c.code || text {
				t.Errorf("reply is %v, want code %d as a number", r, c.code)
			}
			if r["id"] != "123" {
				t.Errorf("id is %v", r["id"])
			}
			if c.sign == wrong && !c.lenient && !strings.Contains(fmt.Sprint(r["message"]), "cleanSession must not be signed") {
				t.Errorf("message does not tell the mistake: %v", r["message"])
			}
		})
	}
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	if err := p.Disable(spk, "truck-2"); err != nil {
		t.Fatal(err)
	}
	if err := p.Delete(spk, "truck-3"); err != nil {
		t.Fatal(err)
	}
	c := dialGateway(t, p)
	one := func(params string) string { return `{"id":"1","params":` + params + `}` }
	good := loginParams(spk, "truck-1")
	for _, tc := range []struct {
		name, verb, payload string
		code                int
	}{
		{"no JSON", "combine/login", `{"id":"1",`, 460},
		{"no id", "combine/login", `{"params":` + good + `}`, 460},
		{"no params", "combine/login", `{"id":"1"}`, 460},
		{"params a list", "combine/login", one("[" + good + "]"), 460},
		{"wrong version", "combine/login", `{"id":"1","version":"2.0","params":` + good + `}`, 460},
		{"no sign", "combine/login", one(strings.Replace(good, `"sign"`, `"sing"`, 1)), 460},
		{"signmethod", "combine/login", one(strings.Replace(good, "signMethod", "signmethod", 1)), 460},
		{"unknown method", "combine/login", one(strings.Replace(good, "hmacSha1", "Sha256", 1)), 460},
		{"itself", "combine/login", one(loginParams(pk, gw)), 460},
		{"unknown device", "combine/login", one(loginParams(spk, "nobody")), 6100},
		{"deleted", "combine/login", one(loginParams(spk, "truck-3")), 521},
		{"disabled", "combine/login", one(loginParams(spk, "truck-2")), 522},
		{"no topology", "combine/login", one(loginParams(spk, "stray-1")), 6401},
		{"signature", "combine/login", one(strings.Replace(good, `"timestamp":"123"`, `"timestamp":"124"`, 1)), 6287},
		{"batch empty", "combine/batch_login", one(`{"deviceList":[]}`), 460},
		{"batch null", "combine/batch_login", one(`{"deviceList":[null]}`), 460},
		{"batch no list", "combine/batch_login", one(`{}`), 460},
		{"batch twice", "combine/batch_login", one(`{"deviceList":[` + good + `,` + good + `]}`), 460},
		{"batch one bad", "combine/batch_login", one(`{"deviceList":[` + good + `,` + loginParams(spk, "stray-1") + `]}`), 6401},
		{"logout none", "combine/logout", one(`{"productKey":"` + spk + `","deviceName":"truck-1"}`), 520},
		{"logout itself", "combine/logout", one(`{"productKey":"` + pk + `","deviceName":"` + gw + `"}`), 520},
		{"logout nobody", "combine/logout", one(`{"productKey":"` + spk + `"}`), 460},
		{"logout list", "combine/logout", one(`[]`), 460},
		{"batch logout none", "combine/batch_logout", one(`[{"productKey":"` + spk + `","deviceName":"truck-1"}]`), 520},
		{"batch logout object", "combine/batch_logout", one(`{}`), 460},
	} {
		cause := fmt.Sprintf("%s %d", tc.verb, tc.code)
		before := p.Stats().Refused[cause]
		r := c.request(tc.verb, tc.payload)
		code, text := codeOf(r)
		if code != tc.code {
			t.Errorf("%s: reply is %v, want code %d", tc.name, r, tc.code)
		}
		if batch := strings.Contains(tc.verb, "batch"); text != batch && code != 460 {
			t.Errorf("%s: code as a text is %t in %v", tc.name, text, r)
		}
		if got := p.Stats().Refused[cause]; got != before+1 {
			t.Errorf("%s: refused[%s] is %d, want %d", tc.name, cause, got, before+1)
		}
	}
	if s := p.Stats(); s.Online != 1 {
		t.Errorf("%d online, want only the gateway", s.Online)
	}
	c.publish(c.session("combine/login"), 1, one(good))
	if code, _ := codeOf(c.next(c.session("combine/login_reply"))); code != 460 {
		t.Errorf("login with QoS 1: code %d, want 460", code)
	}
}

func TestLoginLogout(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := dialGateway(t, p)
	c.login("truck-1")
	if d, _ := p.Device(spk, "truck-1"); !d.Online || d.Gateway != pk+"/"+gw || d.State != api.Online || d.Since.IsZero() {
		t.Errorf("after login: %+v", d)
	}
	r := c.request("combine/logout", `{"id":123,"params":{"productKey":"`+spk+`","deviceName":"truck-1"}}`)
	if code, text := codeOf(r); code != 200 || text || r["id"] != "123" {
		t.Errorf("logout: %v", r)
	}
	if d, _ := p.Device(spk, "truck-1"); d.Online || d.State != api.Offline {
		t.Errorf("after logout: %+v", d)
	}
	r = c.request("combine/batch_login", `{"id":5,"params":{"deviceList":[`+loginParams(spk, "truck-1")+`,`+loginParams(spk, "truck-2")+`]}}`)
	if code, text := codeOf(r); code != 200 || !text {
		t.Errorf("batch login: %v", r)
	}
	if list, _ := r["data"].([]any); len(list) != 2 {
		t.Errorf("batch login lists %v", r["data"])
	}
	if s := p.Stats(); s.Online != 3 {
		t.Errorf("%d online", s.Online)
	}
	r = c.request("combine/batch_logout", `{"id":6,"params":[{"productKey":"`+spk+`","deviceName":"truck-1"},{"productKey":"`+spk+`","deviceName":"truck-2"}]}`)
	if code, text := codeOf(r); code != 200 || !text {
		t.Errorf("batch logout: %v", r)
	}
	if s := p.Stats(); s.Online != 1 {
		t.Errorf("%d online", s.Online)
	}
}

func TestLoginLimits(t *testing.T) {
	t.Parallel()
	t.Run("devices of a gateway", func(t *testing.T) {
		t.Parallel()
		p := start(t, func(c *platform.Config) { c.SubDevices = 2 })
		c := dialGateway(t, p)
		c.login("truck-1", "truck-2", "truck-1") // again is not one more
		r := c.request("combine/login", `{"id":"1","params":`+loginParams(spk, "truck-3")+`}`)
		if code, _ := codeOf(r); code != 428 {
			t.Errorf("reply is %v, want 428", r)
		}
	})
	t.Run("batch", func(t *testing.T) {
		t.Parallel()
		p := start(t, func(c *platform.Config) { c.Batch = 1 })
		c := dialGateway(t, p)
		r := c.request("combine/batch_login", `{"id":"1","params":{"deviceList":[`+loginParams(spk, "truck-1")+`,`+loginParams(spk, "truck-2")+`]}}`)
		if code, _ := codeOf(r); code != 460 {
			t.Errorf("login: %v, want 460", r)
		}
		r = c.request("combine/batch_logout", `{"id":"1","params":[{"productKey":"a","deviceName":"b"},{"productKey":"a","deviceName":"c"}]}`)
		if code, _ := codeOf(r); code != 460 {
			t.Errorf("logout: %v, want 460", r)
		}
	})
	t.Run("per minute", func(t *testing.T) {
		t.Parallel()
		var mu sync.Mutex
		now := time.Unix(1_700_000_000, 0)
		p := start(t, nil, platform.WithClock(func() time.Time { mu.Lock(); defer mu.Unlock(); return now }))
		c := dialGateway(t, p)
		c.login("truck-1", "truck-1", "truck-1", "truck-1", "truck-1")
		try := func() int {
			code, _ := codeOf(c.request("combine/login", `{"id":"1","params":`+loginParams(spk, "truck-1")+`}`))
			return code
		}
		if code := try(); code != 429 {
			t.Errorf("sixth login: %d, want 429", code)
		}
		mu.Lock()
		now = now.Add(time.Minute)
		mu.Unlock()
		if code := try(); code != 200 {
			t.Errorf("a minute later: %d, want 200", code)
		}
	})
}

// A device that logs in through another gateway is taken from the first, which
// is told so (427); so is one that connects by itself.
func TestLoginElsewhere(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	first := dialGateway(t, p)
	first.login("truck-1", "truck-2")
	elsewhere := func(dn string) {
		t.Helper()
		r := first.next(first.session("combine/logout_reply"))
		data, _ := r["data"].(map[string]any)
		if code, _ := codeOf(r); code != 427 || data["deviceName"] != dn || data["productKey"] != spk {
			t.Errorf("first gateway was told %v", r)
		}
	}
	if err := p.AddDevice(auth.Identity{ProductKey: spk, DeviceName: "truck-1", DeviceSecret: secret}, pk+"/gateway-2"); err != nil {
		t.Fatal(err)
	}
	second := dial(t, p, pk, "gateway-2")
	second.subscribe(second.session("#"))
	second.login("truck-1")
	elsewhere("truck-1")
	if d, _ := p.Device(spk, "truck-1"); d.Gateway != pk+"/gateway-2" {
		t.Errorf("carried by %q", d.Gateway)
	}
	own := dial(t, p, spk, "truck-2")
	elsewhere("truck-2")
	if d, _ := p.Device(spk, "truck-2"); !d.Online || d.Gateway != "" {
		t.Errorf("after its own connection: %+v", d)
	}
	first.login("truck-2")
	select {
	case <-own.lost:
	case <-time.After(5 * time.Second):
		t.Error("its own connection outlived the login through a gateway")
	}
	if d, _ := p.Device(spk, "truck-2"); d.Gateway != pk+"/"+gw {
		t.Errorf("carried by %q", d.Gateway)
	}
}

func TestGatewayLoss(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := dialGateway(t, p)
	c.login("truck-1", "truck-2")
	w, err := p.Subscribe(platform.Filter{Kinds: []string{api.KindOffline}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := p.Disconnect("all"); err != nil {
		t.Fatal(err)
	}
	<-c.lost
	for _, want := range []string{gw, "truck-1", "truck-2"} {
		m, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m.DeviceName != want || !strings.Contains(m.Cause, "disconnected on purpose") {
			t.Errorf("offline: %+v, want %s", m, want)
		}
	}
	if s := p.Stats(); s.Online != 0 || s.Connections != 0 && s.Connections != 1 {
		t.Errorf("stats: %+v", s)
	}
}

func TestTopology(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) {
		c.Devices = append(c.Devices, platform.Device{ProductKey: "123", DeviceName: "test", DeviceSecret: "secret"})
	})
	c := dialGateway(t, p)
	ask := func(what, params string) map[string]any {
		t.Helper()
		c.publish(c.sys("thing/"+what), 0, `{"id":"123","version":"1.0","params":`+params+`,"method":"x"}`)
		return c.next(c.sys("thing/" + what + "_reply"))
	}
	const known = "7b1cbbc8393867c4718c2a48265c70a1221b432b" // hmacsha1 with timestamp 1524448722000
	entry := func(pk, dn, method, sign string) string {
		return fmt.Sprintf(`[{"productKey":%q,"deviceName":%q,"signmethod":%q,"sign":%q,"timestamp":"1524448722000","clientId":"123"}]`, pk, dn, method, sign)
	}
	for _, tc := range []struct {
		name, what, params string
		code               int
	}{
		{"sha1", "topo/add", entry("123", "test", "hmacSha1", known), 200},
		{"md5", "topo/add", entry("123", "test", "hmacMd5", "9797f243469d652b2981c6af7c9623a4"), 200},
		{"sha256", "topo/add", entry("123", "test", "hmacSha256", "fa5864972916a7e18aa5c4f28d77d91680e1bb160fb0af60f692a60934e52bd3"), 200},
		{"signature", "topo/add", entry("123", "test", "hmacMd5", known), 401},
		{"itself", "topo/add", entry(pk, gw, "hmacSha1", known), 6402},
		{"unknown", "topo/add", entry("123", "none", "hmacSha1", known), 6100},
		{"signMethod", "topo/add", strings.Replace(entry("123", "test", "hmacSha1", known), "signmethod", "signMethod", 1), 200},
		{"object", "topo/add", "{}", 460},
		{"get", "topo/get", "{}", 200},
		{"delete", "topo/delete", `[{"productKey":"123","deviceName":"test"}]`, 200},
		{"delete again", "topo/delete", `[{"productKey":"123","deviceName":"test"}]`, 6100},
		{"delete nothing", "topo/delete", `[]`, 460},
		{"register", "sub/register", `[{"productKey":"123","deviceName":"test"}]`, 200},
		{"register unknown", "sub/register", `[{"productKey":"123","deviceName":"none"}]`, 6100},
		{"register itself", "sub/register", `[{"productKey":"` + pk + `","deviceName":"` + gw + `"}]`, 6402},
		{"register nothing", "sub/register", `{}`, 460},
		{"unregister one twice", "sub/unregister", `[{"productKey":"123","deviceName":"test"},{"productKey":"123","deviceName":"test"}]`, 460},
		{"unregister", "sub/unregister", `[{"productKey":"123","deviceName":"test"}]`, 200},
		{"unregister again", "sub/unregister", `[{"productKey":"123","deviceName":"test"}]`, 6100},
		{"found", "list/found", `[{"productKey":"` + spk + `","deviceName":"truck-77"}]`, 200},
		{"found short", "list/found", `[{"productKey":"` + spk + `","deviceName":"abc"}]`, 6280},
		{"found too many", "list/found", `[` + strings.Repeat(`{"productKey":"`+spk+`","deviceName":"truck-77"},`, 2000) + `{"productKey":"` + spk + `","deviceName":"truck-78"}]`, 460},
		{"found product", "list/found", `[{"productKey":"other","deviceName":"truck-77"}]`, 6250},
		{"tags", "deviceinfo/update", `[{"attrKey":"Temperature","attrValue":"36.8"}]`, 200},
		{"tag name", "deviceinfo/update", `[{"attrKey":"1st","attrValue":"36.8"}]`, 460},
		{"tags away", "deviceinfo/delete", `[{"attrKey":"other"}]`, 200},
		{"template", "dsltemplate/get", `{}`, 6321},
		{"config", "config/get", `{"configScope":"product","getType":"file"}`, 6710},
	} {
		r := ask(tc.what, tc.params)
		if code, text := codeOf(r); code != tc.code || text || r["id"] != "123" {
			t.Errorf("%s: %v, want code %d", tc.name, r, tc.code)
		}
		switch tc.name {
		case "get":
			if list, _ := r["data"].([]any); len(list) != 4 {
				t.Errorf("topology is %v", r["data"])
			}
		case "register":
			list, _ := r["data"].([]any)
			if one, _ := list[0].(map[string]any); one["deviceSecret"] != "secret" || one["iotId"] == "" {
				t.Errorf("registered: %v", r["data"])
			}
		case "tags":
			if d, _ := p.Device(pk, gw); d.Tags["Temperature"] != "36.8" {
				t.Errorf("tags: %v", d.Tags)
			}
		}
	}
}

// Without its place in the topology a sub-device loses its session.
func TestTopologyDeleteEndsSession(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := dialGateway(t, p)
	c.login("truck-1")
	c.publish(c.sys("thing/topo/delete"), 0, `{"id":"1","version":"1.0","params":[{"productKey":"`+spk+`","deviceName":"truck-1"}],"method":"thing.topo.delete"}`)
	c.next(c.sys("thing/topo/delete_reply"))
	if d, _ := p.Device(spk, "truck-1"); d.Online {
		t.Error("still online")
	}
	r := c.request("combine/login", `{"id":"1","params":`+loginParams(spk, "truck-1")+`}`)
	if code, _ := codeOf(r); code != 6401 {
		t.Errorf("login: %v, want 6401", r)
	}
}
