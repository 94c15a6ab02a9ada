package platform

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzScanner: the scanner accepts the objects that encoding/json accepts, and
// finds the same fields in them.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { "a" : 1 } `, `{"a":{"value":1,"time":2},"b":[1,-0.5e+3,"x\u00e9\n",true,false,null]}`,
		`{"a":01}`, `{"a":1,}`, `{"a"}`, `{"a":"\x"}`, `{"a":"` + "\x01" + `"}`, `[1]`, `{"a":1}}`, `{"a":-}`, `{"a":1.}`, `{"a":1e}`,
		`{"\ud800":1}`, `{"a":nul}`, `{"a":"\u12"}`, "", "{", `{"`, `{"a":{"a":{"a":[[[[]]]]}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if strings.Count(string(text), "[")+strings.Count(string(text), "{") > maxDepth {
			t.Skip("deeper than encoding/json and we agree about")
		}
		if !utf8.Valid(text) {
			t.Skip("encoding/json replaces what is no UTF-8")
		}
		got := map[string]string{}
		ok := fields(text, func(key, value []byte) bool {
			name, good := unquote(quoted(key))
			if !good {
				t.Errorf("key %q is no string", key)
			}
			got[string(name)] = string(value)
			return true
		})
		var want map[string]json.RawMessage
		isObject := json.Unmarshal(text, &want) == nil && want != nil
		if ok != isObject {
			t.Fatalf("accepted: %t, encoding/json: %t: %q", ok, isObject, text)
		}
		if !ok {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%d fields, want %d: %q", len(got), len(want), text)
		}
		for name, value := range want {
			if got[name] != string(value) {
				t.Errorf("%q is %q, want %q", name, got[name], value)
			}
		}
	})
}

func TestScannerDepth(t *testing.T) {
	t.Parallel()
	for depth, want := range map[int]bool{maxDepth: true, maxDepth + 10: false, 1_000_000: false} {
		text := `{"a":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}"
		if got := fields([]byte(text), func(_, _ []byte) bool { return true }); got != want {
			t.Errorf("depth %d: accepted %t, want %t", depth, got, want)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"/a/b", "/a/b", true},
		{"/a/b", "/a/bc", false},
		{"/a/b", "/a/b/c", false},
		{"/a/b/c", "/a/b", false},
		{"/a/+", "/a/b", true},
		{"/a/+", "/a/", true},
		{"/a/+", "/a", false},
		{"/a/+/c", "/a/b/c", true},
		{"/a/+/c", "/a/b/d", false},
		{"/a/#", "/a/b/c", true},
		{"/a/#", "/a", true},
		{"/a/#", "/b", false},
		{"#", "/a", true},
		{"+/a", "/a", true},
	} {
		if got := matches(c.filter, c.topic); got != c.want {
			t.Errorf("matches(%q, %q) is %t", c.filter, c.topic, got)
		}
		if len(c.topic) < 2 {
			continue
		}
		for cut := 1; cut < len(c.topic); cut++ {
			if strings.Contains(c.topic[cut:], "/") {
				continue // a suffix never has a level of its own
			}
			if got := matchesJoined(c.filter, c.topic[:cut], c.topic[cut:]); got != c.want && c.topic[cut-1] != '/' {
				t.Errorf("matchesJoined(%q, %q, %q) is %t", c.filter, c.topic[:cut], c.topic[cut:], got)
			}
		}
	}
}

func TestParseTopic(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]topic{
		"/sys/p/d/thing/event/property/post": {sysFamily, key{"p", "d"}, "thing/event/property/post"},
		"/sys/p/d":                           {sysFamily, key{"p", "d"}, ""},
		"/sys/p/#":                           {},
		"/sys/p/+/thing":                     {},
		"/sys//d/thing":                      {},
		"/ext/session/p/d/combine/login":     {sessionFamily, key{"p", "d"}, "combine/login"},
		"/ext/error/p/d":                     {errorFamily, key{"p", "d"}, ""},
		"/ext/ntp/p/d/request":               {extFamily, key{"p", "d"}, "ntp"},
		"/ota/device/inform/p/d":             {otaFamily, key{"p", "d"}, "inform"},
		"/shadow/update/p/d":                 {shadowFamily, key{"p", "d"}, "update"},
		"/broadcast/p/all":                   {broadFamily, key{product: "p"}, "all"},
		"/p/d/user/x":                        {customFamily, key{"p", "d"}, "user/x"},
		"p/d/user/x":                         {},
		"":                                   {},
		"/":                                  {},
		"#":                                  {},
		"/p":                                 {},
	} {
		if got := parseTopic(s); got != want {
			t.Errorf("parseTopic(%q) is %+v, want %+v", s, got, want)
		}
	}
}

// FuzzParseTopic: what is taken apart is in the topic, and owners have no
// wildcards.
func FuzzParseTopic(f *testing.F) {
	for _, s := range []string{"/sys/p/d/thing/#", "/ext/session/p/d/x", "/ota/device/a/p/d", "/broadcast/p/x", "//", "/sys/+/+/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := parseTopic(s)
		if got.family == unknownFamily {
			return
		}
		if wild(got.owner.device) || got.family != broadFamily && (got.owner.product == "" || got.owner.device == "" || wild(got.owner.product)) {
			t.Errorf("%q: owner %+v", s, got.owner)
		}
		if got.family != broadFamily && !strings.Contains(s, "/"+got.owner.product+"/"+got.owner.device) {
			t.Errorf("%q: owner %+v is not in it", s, got.owner)
		}
	})
}

// A broadcast to a product with a wildcard in its name is nobody's.
func TestBroadcastOwner(t *testing.T) {
	t.Parallel()
	if got := parseTopic("/broadcast/+/x").owner.product; got != "+" {
		t.Errorf("owner is %q", got) // equal to no product, for names have no wildcards
	}
	if validName("+") {
		t.Error("+ is a name")
	}
}

func TestCodesHaveTexts(t *testing.T) {
	t.Parallel()
	seen := map[string]Code{}
	for c, text := range codeTexts {
		if other, twice := seen[text]; twice || text == "" {
			t.Errorf("%d and %d share the text %q", c, other, text)
		}
		seen[text] = c
	}
	if got := Code(1).String(); got != "code 1" {
		t.Error(got)
	}
}

func TestConfigMistakesAllAtOnce(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress, cfg.Reply = "nowhere", "x", "some"
	cfg.MinKeepAlive, cfg.MaxPayload, cfg.Batch, cfg.ConnectTimeout, cfg.CommandTimeout = -1, 1<<30, 0, 0, 0
	cfg.Devices = []Device{{ProductKey: "a b", DeviceName: "c"}, {ProductKey: "a", DeviceName: "c"}, {ProductKey: "a", DeviceName: "b", DeviceSecret: "s", Gateway: "x"}}
	_, err := New(cfg)
	for _, key := range []string{"mqttAddress", "apiAddress", "reply", "minKeepAlive", "maxPayload", "batch", "connectTimeout", "commandTimeout", "devices[0]", "devices[1]", "devices[2]"} {
		if !strings.Contains(fmt.Sprint(err), "platform: "+key) {
			t.Errorf("error does not name %s: %v", key, err)
		}
	}
	cfg = DefaultConfig()
	cfg.Devices = []Device{{ProductKey: "a", DeviceName: "b", DeviceSecret: "s", Gateway: "a/none"}}
	if _, err := New(cfg); err == nil {
		t.Error("a gateway that does not exist was taken")
	}
}
