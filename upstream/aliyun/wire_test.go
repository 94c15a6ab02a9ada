package aliyun

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

func TestPlatformCodesAreUnique(t *testing.T) {
	t.Parallel()
	codes, texts := map[int]bool{}, map[string]bool{}
	for _, c := range platformCodes {
		if codes[c.code] || texts[c.text] || c.text == "" {
			t.Errorf("code %d %q is there twice, or has no text", c.code, c.text)
		}
		codes[c.code], texts[c.text] = true, true
	}
	for _, code := range []int{460, 429, 428, 6401, 6100, 521, 522, 6287, 520, 6402, 401, 427, 500} {
		if !codes[code] {
			t.Errorf("code %d is missing", code)
		}
	}
	if err := refused(999, "what"); err.Temporary || !strings.Contains(err.Reason, "what") {
		t.Errorf("unknown code: %+v", err)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	g, _ := onlineDevice(t, Config{SignMethod: "hmacsha1", ClientIDPrefix: "edge."})
	at := time.UnixMilli(1524448722000)
	id, user, password := g.credentials(g.identity.DeviceSecret, at)
	if id != "edge.a1gateway01.gateway-0|securemode=3,signmethod=hmacsha1,timestamp=1524448722000|" {
		t.Errorf("client identifier %s", id)
	}
	if user != "gateway-0&a1gateway01" {
		t.Errorf("user %s", user)
	}
	want := auth.Sign(auth.HMACSHA1, "secret", auth.Param{Name: "clientId", Value: "edge.a1gateway01.gateway-0"}, auth.Param{Name: "deviceName", Value: "gateway-0"},
		auth.Param{Name: "productKey", Value: "a1gateway01"}, auth.Param{Name: "timestamp", Value: "1524448722000"})
	if password.Reveal() != want {
		t.Errorf("password %s, want %s", password.Reveal(), want)
	}
	g, _ = onlineDevice(t, Config{Endpoint: "ssl://127.0.0.1:1883", Subscribe: SubscribeNone})
	if id, _, _ = g.credentials(g.identity.DeviceSecret, at); !strings.Contains(id, "securemode=2,") || !strings.Contains(id, ",_ss=1|") {
		t.Errorf("client identifier over TLS without subscriptions: %s", id)
	}
}

// encoded is what a message becomes.
func encoded(t *testing.T, h *handle, msg *thing.Message) (*outgoing, error) {
	t.Helper()
	m := &outgoing{dev: h.dev(), id: 123}
	err := m.encode(h.dev(), msg)
	return m, err
}

func TestEncode(t *testing.T) {
	t.Parallel()
	const sys = "/sys/a1truck0001/truck-1/"
	at := time.UnixMilli(1524448722000)
	fields := []thing.Field{{Name: "Power", Value: thing.String("on")}, {Name: "WF", Value: thing.Decimal(236, 1)}}
	for _, c := range []struct {
		name           string
		msg            thing.Message
		topic, payload string
	}{
		{
			"property",
			thing.Message{Kind: thing.Property, Fields: fields},
			sys + "thing/event/property/post",
			`{"id":"123","version":"1.0","params":{"Power":"on","WF":23.6},"method":"thing.event.property.post"}`,
		},
		{
			"property with time",
			thing.Message{Kind: thing.Property, Time: at, Fields: fields},
			sys + "thing/event/property/post",
			`{"id":"123","version":"1.0","params":{"Power":{"value":"on","time":1524448722000},"WF":{"value":23.6,"time":1524448722000}},"method":"thing.event.property.post"}`,
		},
		{
			"event",
			thing.Message{Kind: thing.Event, Name: "alarm", Time: at, Fields: fields},
			sys + "thing/event/alarm/post",
			`{"id":"123","version":"1.0","params":{"value":{"Power":"on","WF":23.6},"time":1524448722000},"method":"thing.event.alarm.post"}`,
		},
		{"raw", thing.Message{Kind: thing.Raw, Raw: []byte("\x00\x01")}, sys + "thing/model/up_raw", "\x00\x01"},
		{"publication", thing.Message{Kind: thing.Publication, Topic: "/a1truck0001/truck-1/user/update", Raw: []byte("x")}, "/a1truck0001/truck-1/user/update", "x"},
		{"broadcast", thing.Message{Kind: thing.Publication, Topic: "/broadcast/a1truck0001/all", Raw: []byte("x")}, "/broadcast/a1truck0001/all", "x"},
		{"publication to the shadow", thing.Message{Kind: thing.Publication, Topic: "/shadow/update/a1truck0001/truck-1", Raw: []byte("x")}, "/shadow/update/a1truck0001/truck-1", "x"},
		{
			"set done",
			thing.Message{Kind: thing.Reply, ID: "set:77", State: thing.Done},
			sys + "thing/service/property/set_reply",
			`{"id":"77","code":200,"message":"success","data":{}}`,
		},
		{
			"get done",
			thing.Message{Kind: thing.Reply, ID: "get:77", State: thing.Done, Fields: fields},
			sys + "thing/service/property/get_reply",
			`{"id":"77","code":200,"message":"success","data":{"Power":"on","WF":23.6}}`,
		},
		{
			"service refused",
			thing.Message{Kind: thing.Reply, ID: "call:77", Name: "reboot", State: thing.Refused, Code: 3, Text: "not now", Fields: fields[:1]},
			sys + "thing/service/reboot_reply", `{"id":"77","code":100003,"message":"not now","data":{"deviceCode":3,"Power":"on"}}`,
		},
		{
			"service refused with a code that does not fit",
			thing.Message{Kind: thing.Reply, ID: "call:77", Name: "reboot", State: thing.Refused, Code: 70000},
			sys + "thing/service/reboot_reply", `{"id":"77","code":100000,"message":"the device refused","data":{"deviceCode":70000}}`,
		},
		{
			"invalid",
			thing.Message{Kind: thing.Reply, ID: "set:77", State: thing.Invalid, Text: "speed: want 0 to 9"},
			sys + "thing/service/property/set_reply",
			`{"id":"77","code":460,"message":"speed: want 0 to 9","data":{}}`,
		},
		{
			"timed out",
			thing.Message{Kind: thing.Reply, ID: "set:77", State: thing.TimedOut},
			sys + "thing/service/property/set_reply",
			`{"id":"77","code":109001,"message":"the device did not answer in time","data":{}}`,
		},
		{"topic below the device's own", thing.Message{Kind: thing.Publication, Topic: "user/update", Raw: []byte("x")}, "/a1truck0001/truck-1/user/update", "x"},
		{"raw reply", thing.Message{Kind: thing.Reply, ID: "raw:5", State: thing.Done, Raw: []byte{9}}, sys + "thing/model/down_raw_reply", "\x09"},
		{
			"rrpc reply",
			thing.Message{Kind: thing.Reply, ID: "rrpc:1234:77", Name: "reboot", State: thing.Done},
			sys + "rrpc/response/1234",
			`{"id":"77","code":200,"message":"success","data":{}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, h := onlineDevice(t, Config{})
			m, err := encoded(t, h, &c.msg)
			if err != nil {
				t.Fatal(err)
			}
			if m.topic != c.topic || string(m.payload) != c.payload {
				t.Errorf("got  %s %s\nwant %s %s", m.topic, m.payload, c.topic, c.payload)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	many := make([]thing.Field, alink.MaxProperties+1)
	for _, c := range []struct {
		name string
		msg  thing.Message
		want error
	}{
		{"no kind", thing.Message{}, upstream.ErrUnsupported},
		{"event without a name", thing.Message{Kind: thing.Event}, ErrName},
		{"event with a slash", thing.Message{Kind: thing.Event, Name: "a/b"}, ErrName},
		{"event that is no UTF-8", thing.Message{Kind: thing.Event, Name: "over\xffspeed"}, ErrName},
		{"event with a control character", thing.Message{Kind: thing.Event, Name: "over\nspeed"}, ErrName},
		{"service that is no UTF-8", thing.Message{Kind: thing.Reply, ID: "call:1", Name: "\xff", State: thing.Done}, ErrName},
		{"no topic", thing.Message{Kind: thing.Publication}, ErrTopic},
		{"topic that is no UTF-8", thing.Message{Kind: thing.Publication, Topic: "/a1truck0001/truck-1/\xff"}, ErrTopic},
		{"topic with a control character", thing.Message{Kind: thing.Publication, Topic: "/a1truck0001/truck-1/a\u0085b"}, ErrTopic},
		{"wildcard", thing.Message{Kind: thing.Publication, Topic: "/a1truck0001/truck-1/#"}, ErrTopic},
		{"another device's topic", thing.Message{Kind: thing.Publication, Topic: "/a1truck0001/truck-2/user/update"}, ErrTopic},
		{"a name that only begins alike", thing.Message{Kind: thing.Publication, Topic: "/a1truck0001/truck-11/user/update"}, ErrTopic},
		{"deep topic below the device's own", thing.Message{Kind: thing.Publication, Topic: "1/2/3/4/5/6"}, ErrTopic},
		{"deep topic", thing.Message{Kind: thing.Publication, Topic: "/a1truck0001/truck-1/1/2/3/4/5/6"}, ErrTopic},
		{"long topic", thing.Message{Kind: thing.Publication, Topic: "/a1truck0001/truck-1/" + strings.Repeat("x", 120)}, ErrTopic},
		{"too large", thing.Message{Kind: thing.Raw, Raw: make([]byte, alink.MaxPayload+1)}, ErrTooLarge},
		{"somebody's reply", thing.Message{Kind: thing.Reply, ID: "77"}, ErrCommandID},
		{"somebody else's reply", thing.Message{Kind: thing.Reply, ID: "x:77"}, ErrCommandID},
		{"raw command that failed", thing.Message{Kind: thing.Reply, ID: "raw:1", State: thing.Failed}, upstream.ErrUnsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, h := onlineDevice(t, Config{})
			if _, err := encoded(t, h, &c.msg); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	long := newDevice(newTold(t).gateway, auth.Identity{ProductKey: "a1truck0001", DeviceName: strings.Repeat("x", 50)})
	for _, msg := range []thing.Message{
		{Kind: thing.Event, Name: strings.Repeat("e", 60)},
		{Kind: thing.Reply, ID: "call:1", Name: strings.Repeat("s", 60), State: thing.Done},
	} {
		if m, err := encoded(t, handleOf(long), &msg); !errors.Is(err, ErrTopic) {
			t.Errorf("a topic of %d bytes: %v, want ErrTopic", len(m.topic), err)
		}
	}
	_, h := onlineDevice(t, Config{})
	var refusal *upstream.RefusedError
	if _, err := encoded(t, h, &thing.Message{Kind: thing.Property, Fields: many}); !errors.As(err, &refusal) || refusal.Code != 6106 {
		t.Errorf("too many properties: %v, want code 6106", err)
	}
}

// What is encoded is JSON, whatever is in it, and says what the message said.
func FuzzEncodeProperty(f *testing.F) {
	f.Add("speed", "60.5", int64(605), uint8(1), int64(0))
	f.Add("a\"b\\c\x00", "\xff\u2028</script>", int64(-1), uint8(18), int64(1524448722000))
	f.Fuzz(func(t *testing.T, name, text string, number int64, scale uint8, at int64) {
		_, h := onlineDevice(t, Config{})
		msg := thing.Message{Kind: thing.Property, Fields: []thing.Field{
			{Name: name, Value: thing.String(text)}, {Name: "n", Value: thing.Decimal(number, scale%19)},
		}}
		if at != 0 {
			msg.Time = time.UnixMilli(at)
		}
		for _, kind := range []thing.Kind{thing.Property, thing.Event} {
			msg.Kind, msg.Name = kind, "e"
			m, err := encoded(t, h, &msg)
			if len(m.payload) > alink.MaxPayload {
				if !errors.Is(err, ErrTooLarge) {
					t.Fatalf("%d bytes: %v", len(m.payload), err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			var r struct {
				ID     string         `json:"id"`
				Params map[string]any `json:"params"`
			}
			if err := json.Unmarshal(m.payload, &r); err != nil {
				t.Fatalf("%s: %v", m.payload, err)
			}
			if r.ID != "123" || len(r.Params) == 0 {
				t.Fatalf("%s lacks something", m.payload)
			}
		}
	})
}

func TestParseTopic(t *testing.T) {
	t.Parallel()
	for topic, want := range map[string]struct {
		family     topicFamily
		name, rest string
	}{
		"/sys/pk/dn/thing/service/property/set":  {sysTopic, "pk/dn", "thing/service/property/set"},
		"/ext/session/pk/dn/combine/login_reply": {sessionTopic, "pk/dn", "login_reply"},
		"/ext/error/pk/dn":                       {errorTopic, "pk/dn", ""},
		"/broadcast/pk/all":                      {broadcastTopic, "", ""},
		"/pk/dn/user/get":                        {customTopic, "pk/dn", "user/get"},
		"/ota/device/upgrade/pk/dn":              {customTopic, "ota/device", "upgrade/pk/dn"},
		"":                                       {},
		"x":                                      {},
		"/x":                                     {},
		"/sys/pk":                                {sysTopic, "", ""},
	} {
		family, name, rest := parseTopic(topic)
		if family != want.family || name != want.name || rest != want.rest {
			t.Errorf("parseTopic(%q) = %v %q %q, want %+v", topic, family, name, rest, want)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	g, h := onlineDevice(t, Config{CustomTopics: []string{"user/get"}, Confirm: ConfirmReply})
	device := deviceFilters(g.cfg, h.dev().name())
	if len(device) > subscribeLimit {
		t.Errorf("%d filters for a device, want no more than one SUBSCRIBE holds", len(device))
	}
	for _, want := range []string{
		deviceTopic + "thing/service/#", deviceTopic + "thing/model/down_raw", deviceTopic + "thing/disable",
		deviceTopic + "thing/event/+/post_reply", "/a1truck0001/truck-1/user/get",
	} {
		if !slices.Contains(device, want) {
			t.Errorf("%s is missing in %v", want, device)
		}
	}
	own := g.gatewayFilters()
	for _, rest := range append([]string{"thing/topo/add/notify"}, gatewayReplies...) {
		if !slices.Contains(own, "/sys/a1gateway01/gateway-0/"+rest) {
			t.Errorf("%s is missing in %v", rest, own)
		}
	}
	if len(own) > 2*subscribeLimit {
		t.Errorf("%d filters for a gateway, want at most two SUBSCRIBEs: %v", len(own), own)
	}
	g, _ = onlineDevice(t, Config{Subscribe: SubscribeWildcard})
	if all := g.gatewayFilters(); !slices.Contains(all, "/sys/+/+/thing/service/#") {
		t.Errorf("no wildcard in %v", all)
	}
}

func TestHashOf(t *testing.T) {
	t.Parallel()
	if h := hashOf("foobar"); h != 0xbf9cf968 { // the published value of FNV-1a
		t.Errorf("hashOf(foobar) = %#x", h)
	}
}
