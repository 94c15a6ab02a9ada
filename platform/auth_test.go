package platform_test

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

func startAuth(t *testing.T, change func(*platform.Config)) *platform.Platform {
	t.Helper()
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress, cfg.AuthAddress = "127.0.0.1:0", "", "127.0.0.1:0"
	cfg.Devices = []platform.Device{{ProductKey: "a1mxL3s6Z7m", DeviceName: "866714043075174", DeviceSecret: "iWACqPLq90zRsiEhMSdPWHV8gaRAJ78O"}}
	cfg.Products = []platform.Product{
		{ProductKey: "1234556554", ProductSecret: "secret", DynamicRegister: true},
		{ProductKey: "off", ProductSecret: "secret"},
	}
	cfg.AccessKeys = []platform.AccessKey{{AccessKey: "1234567890123456", AccessSecret: "123456789012345678901234567890"}}
	if change != nil {
		change(&cfg)
	}
	p, err := platform.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.WithoutCancel(t.Context())) })
	return p
}

type authAnswer struct {
	Code    int
	Message string
	Data    map[string]any
}

func post(t *testing.T, p *platform.Platform, path string, form url.Values) (a authAnswer) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.AuthAddr()+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err = json.NewDecoder(resp.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

// The first signature is a published one.
func TestAuthDeviceName(t *testing.T) {
	t.Parallel()
	good := func() url.Values {
		return url.Values{
			"productKey": {"a1mxL3s6Z7m"}, "deviceName": {"866714043075174"}, "clientId": {"866714043075174"},
			"sign": {"161d9143f5a4ea3f9ab60614583fd1d7"}, "resources": {"mqtt"}, "version": {"default"},
		}
	}
	p := startAuth(t, nil)
	for _, c := range []struct {
		name   string
		change func(url.Values)
		faults *api.Refusal
		code   int
	}{
		{name: "published signature", code: 200},
		{name: "wrong signature", change: func(v url.Values) { v.Set("sign", "00"+v.Get("sign")[2:]) }, code: 401},
		{name: "no client identifier", change: func(v url.Values) { v.Del("clientId") }, code: 460},
		{name: "a parameter twice", change: func(v url.Values) { v.Add("deviceName", "other") }, code: 460},
		{name: "unknown method", change: func(v url.Values) { v.Set("signmethod", "md5") }, code: 460},
		{name: "unknown device", change: func(v url.Values) { v.Set("deviceName", "other") }, code: 5001},
		{name: "on purpose", faults: &api.Refusal{Count: 1, Code: 6200}, code: 6200},
		{name: "failing on purpose", faults: &api.Refusal{Count: 1, Code: 500}, code: 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := good()
			if c.change != nil {
				c.change(v)
			}
			if c.faults != nil {
				if err := p.SetFaults(api.Faults{RefuseRequests: c.faults}); err != nil {
					t.Fatal(err)
				}
			}
			a := post(t, p, "/auth/devicename", v)
			if a.Code != c.code {
				t.Errorf("code %d (%s), want %d", a.Code, a.Message, c.code)
			}
			if c.code != 200 {
				return
			}
			mqtt, _ := a.Data["resources"].(map[string]any)["mqtt"].(map[string]any)
			if a.Data["iotId"] == "" || a.Data["iotToken"] == "" || mqtt["host"] != "127.0.0.1" {
				t.Errorf("data %v", a.Data)
			}
		})
	}
}

func registerForm(productKey, sign string) url.Values {
	return url.Values{"productKey": {productKey}, "deviceName": {"deviceName1234"}, "random": {"123"}, "signMethod": {"hmacmd5"}, "sign": {sign}}
}

// The signature is of the published sample, computed by other means.
func TestAuthRegister(t *testing.T) {
	t.Parallel()
	const sign = "aabadce3c1b83b134b2a22526cd11aca"
	mac := hmac.New(md5.New, []byte("secret"))
	mac.Write([]byte("deviceNamedeviceName1234productKeyoffrandom123"))
	signOff := hex.EncodeToString(mac.Sum(nil))

	p := startAuth(t, nil)
	if a := post(t, p, "/auth/register/device", registerForm("1234556554", sign)); a.Code != 6100 {
		t.Errorf("a device that nobody has created: code %d", a.Code)
	}
	if a := post(t, p, "/auth/register/device", registerForm("1234556554", strings.Repeat("0", 32))); a.Code != 401 {
		t.Errorf("a wrong signature: code %d", a.Code)
	}
	if a := post(t, p, "/auth/register/device", registerForm("off", signOff)); a.Code != 6288 {
		t.Errorf("registration is off: code %d", a.Code)
	}
	if a := post(t, p, "/auth/register/device", url.Values{}); a.Code != 460 {
		t.Errorf("nothing: code %d", a.Code)
	}
	auto := startAuth(t, func(c *platform.Config) { c.AutoRegister = true })
	first := post(t, auto, "/auth/register/device", registerForm("1234556554", sign))
	second := post(t, auto, "/auth/register/device", registerForm("1234556554", sign))
	if first.Code != 200 || second.Code != 200 || first.Data["deviceSecret"] == "" || first.Data["deviceSecret"] == second.Data["deviceSecret"] {
		t.Errorf("got %v and %v, want two secrets", first, second)
	}
}

// The vendor's own demonstration of RegisterDevice has these parameters; its
// time has passed, so the platform's clock stands still.
func TestPOP(t *testing.T) {
	t.Parallel()
	at := time.Date(2018, 7, 31, 7, 43, 57, 0, time.UTC)
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress, cfg.AuthAddress = "127.0.0.1:0", "", "127.0.0.1:0"
	cfg.Products = []platform.Product{{ProductKey: "axxxUtgaRLB", ProductSecret: "x"}}
	cfg.AccessKeys = []platform.AccessKey{{AccessKey: "1234567890123456", AccessSecret: "123456789012345678901234567890"}}
	p, err := platform.New(cfg, platform.WithClock(func() time.Time { return at }))
	if err != nil {
		t.Fatal(err)
	}
	if err = p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.WithoutCancel(t.Context())) })
	call := func(change func(url.Values), sign bool) (status int, a map[string]any) {
		v := url.Values{
			"AccessKeyId": {"1234567890123456"}, "Action": {"RegisterDevice"}, "Format": {"JSON"}, "Version": {"2018-01-20"},
			"SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"}, "Timestamp": {"2018-07-31T07:43:57Z"}, "SignatureNonce": {"1533023037"},
			"RegionId": {"cn-shanghai"}, "DeviceName": {"1533023037"}, "ProductKey": {"axxxUtgaRLB"},
			"Signature": {"zqw+pTAEOU3GWZhpgGlXJJTTYAo="},
		}
		if change != nil {
			change(v)
		}
		if sign {
			v.Set("Signature", popSign(v))
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.AuthAddr()+"/?"+v.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if err = json.NewDecoder(resp.Body).Decode(&a); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, a
	}
	status, a := call(nil, false)
	data, _ := a["Data"].(map[string]any)
	if status != 200 || a["Success"] != true || data["DeviceSecret"] == "" {
		t.Fatalf("the known answer: %d %v", status, a)
	}
	for _, c := range []struct {
		name   string
		change func(url.Values)
		unsign bool
		status int
		code   string
	}{
		{"the same nonce", nil, true, 400, "SignatureNonceUsed"},
		{"a wrong signature", func(v url.Values) { v.Set("SignatureNonce", "2") }, true, 400, "SignatureDoesNotMatch"},
		{"nobody's key", func(v url.Values) { v.Set("AccessKeyId", "2") }, false, 404, "InvalidAccessKeyId.NotFound"},
		{"an old call", func(v url.Values) { v.Set("Timestamp", "2018-07-31T07:00:00Z") }, false, 400, "InvalidTimeStamp.Expired"},
		{"another action", func(v url.Values) { v.Set("SignatureNonce", "3"); v.Set("Action", "Pub") }, false, 404, "InvalidAction.NotFound"},
		{"a device that exists", func(v url.Values) { v.Set("SignatureNonce", "4") }, false, 200, "iot.device.AlreadyExistedDeviceName"},
		{"a name that is none", func(v url.Values) { v.Set("SignatureNonce", "5"); v.Set("DeviceName", "a b*c~d+") }, false, 200, "iot.device.InvalidFormattedDeviceName"},
		{"no such device", func(v url.Values) {
			v.Set("SignatureNonce", "6")
			v.Set("Action", "QueryDeviceDetail")
			v.Set("DeviceName", "other")
		}, false, 200, "iot.device.NotExistedDevice"},
		{"a query", func(v url.Values) { v.Set("SignatureNonce", "7"); v.Set("Action", "QueryDeviceDetail") }, false, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, a := call(c.change, !c.unsign)
			if status != c.status || a["Code"] != c.code {
				t.Errorf("status %d, %v, want %d and %s", status, a, c.status, c.code)
			}
			if got, _ := a["Data"].(map[string]any); c.code == "" && (got["DeviceSecret"] != data["DeviceSecret"] || got["Status"] != "UNACTIVE") {
				t.Errorf("data %v, registered %v", got, data)
			}
		})
	}
}

// popSign signs as the vendor's guide says.
func popSign(v url.Values) string {
	v.Del("Signature")
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	sort.Strings(names)
	escape := func(s string) string {
		return strings.NewReplacer("+", "%20", "*", "%2A").Replace(url.QueryEscape(s))
	}
	pairs := make([]string, 0, len(names))
	for _, name := range names {
		pairs = append(pairs, escape(name)+"="+escape(v.Get(name)))
	}
	mac := hmac.New(sha1.New, []byte("123456789012345678901234567890&"))
	mac.Write([]byte("GET&%2F&" + escape(strings.Join(pairs, "&"))))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// A token connects its device for seven days, and a newer one takes its place.
func TestTokenConnects(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(time.Now().UnixMilli())
	p := start(t, func(c *platform.Config) {
		c.AuthAddress, c.AutoRegister, c.AutoSecret = "127.0.0.1:0", true, "secret"
	}, platform.WithClock(func() time.Time { return time.UnixMilli(now.Load()) }))
	token := func() (id, secret string) {
		mac := hmac.New(sha1.New, []byte("secret"))
		mac.Write([]byte("clientId12345deviceNamedeviceproductKeypktimestamp789")) // the guide's sample
		a := post(t, p, "/auth/devicename", url.Values{
			"productKey": {"pk"}, "deviceName": {"device"}, "clientId": {"12345"}, "timestamp": {"789"},
			"signmethod": {"hmacsha1"}, "sign": {hex.EncodeToString(mac.Sum(nil))},
		})
		id, _ = a.Data["iotId"].(string)
		secret, _ = a.Data["iotToken"].(string)
		if a.Code != 200 || id == "" || secret == "" {
			t.Fatalf("no token: %+v", a)
		}
		return id, secret
	}
	try := func(id, secret string) byte {
		o := options(p, "pk", "device").SetClientID("12345").SetUsername(id).SetPassword(secret)
		c := newClient(t, o)
		connected := c.Connect()
		connected.Wait()
		code := connected.(*mqtt.ConnectToken).ReturnCode()
		c.Disconnect(0)
		return code
	}
	id, first := token()
	if code := try(id, "wrong"); code != 3 {
		t.Errorf("a wrong token: CONNACK %d, want 3", code)
	}
	if code := try("nobody", first); code != 3 {
		t.Errorf("nobody's token: CONNACK %d, want 3", code)
	}
	if code := try(id, first); code != 0 {
		t.Errorf("a token: CONNACK %d", code)
	}
	_, second := token()
	if code := try(id, first); code != 3 {
		t.Errorf("a replaced token: CONNACK %d, want 3", code)
	}
	now.Add((7*24*time.Hour - time.Minute).Milliseconds())
	if code := try(id, second); code != 0 {
		t.Errorf("a token of seven days: CONNACK %d", code)
	}
	now.Add((2 * time.Minute).Milliseconds())
	if code := try(id, second); code != 3 {
		t.Errorf("an expired token: CONNACK %d, want 3", code)
	}
	_, last := token()
	g := dialGateway(t, p)
	for _, what := range []string{"sub/register", "sub/unregister"} {
		g.publish(g.sys("thing/"+what), 0, `{"id":"1","version":"1.0","params":[{"productKey":"pk","deviceName":"device"}],"method":"x"}`)
		if r := g.next(g.sys("thing/" + what + "_reply")); r["code"] != 200.0 {
			t.Fatalf("%s: %v", what, r)
		}
	}
	if err := p.AddDevice(auth.Identity{ProductKey: "pk", DeviceName: "device", DeviceSecret: "another"}, ""); err != nil {
		t.Fatal(err)
	}
	if code := try(id, last); code != 3 {
		t.Errorf("the token of a device that was removed, for one that has its name: CONNACK %d, want 3", code)
	}
}
