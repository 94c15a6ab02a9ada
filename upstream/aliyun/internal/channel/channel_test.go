package channel

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/linkspan/linkspan/auth"
)

func get(list []hpack.HeaderField, name string) string {
	for _, f := range list {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// The signature of a trace that the platform's gateway has answered with 200, of
// the sample device that its vendor publishes.
func TestKnownAnswer(t *testing.T) {
	t.Parallel()
	id := auth.Identity{ProductKey: "a1IgnOND7vI", DeviceName: "H2_FS01", DeviceSecret: "r9XSyeZOu6swgV8etCcCGmgQhBSpGBau"}
	list := Device(auth.HMACSHA1, id, "a1IgnOND7vI.H2_FS01", false)(time.Now())
	for name, want := range map[string]string{
		"x-auth-name":              "devicename",
		"x-auth-param-client-id":   "a1IgnOND7vI.H2_FS01",
		"x-auth-param-signmethod":  "hmacsha1",
		"x-auth-param-product-key": "a1IgnOND7vI",
		"x-auth-param-device-name": "H2_FS01",
		"x-auth-param-timestamp":   "",
		"x-auth-param-sign":        "8d6b80749ed63823dc16b2c1e7f049bbdd00bf2b",
	} {
		if got := get(list, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	stamped := Device(auth.HMACSHA1, auth.Identity{ProductKey: "pk", DeviceName: "device", DeviceSecret: "secret"}, "12345", true)(time.UnixMilli(789))
	if got := get(stamped, "x-auth-param-sign"); !strings.EqualFold(got, "FAFD82A3D602B37FB0FA8B7892F24A477F851A14") {
		t.Errorf("with a timestamp: %s", got)
	}
}

func TestAppKey(t *testing.T) {
	t.Parallel()
	list := AppKey("key", "secret", func() string { return "abc" })(time.Now())
	// printf 'random=abc' | openssl dgst -sha256 -hmac secret
	if got := get(list, "x-auth-param-sign"); got != "1a5615ef2b6d38de154e725af8a34f40bf8b1ec7fda68168eeb72f5c67f8706a" {
		t.Errorf("signature %s", got)
	}
	if get(list, "x-auth-param-sign-method") != "SHA256" || get(list, "x-auth-name") != "appkey" || get(list, "x-auth-param-app-key") != "key" {
		t.Errorf("%v", list)
	}
}

func TestPathOf(t *testing.T) {
	t.Parallel()
	for topic, want := range map[string]string{
		"/sys/pk/dn/thing/event/property/post": "/message/pub/sys/pk/dn/thing/event/property/post",
		"/pk/dn/#":                             "/message/pub/pk/dn/%23",
		"/pk/+/a b":                            "/message/pub/pk/+/a%20b",
		"/pk/\u00fc%":                          "/message/pub/pk/%C3%BC%25",
	} {
		if got := pathOf("/message/pub/", topic); got != want {
			t.Errorf("%s: %s, want %s", topic, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	if err := DefaultNames().Check(); err != nil {
		t.Error(err)
	}
	n := Names{AckPath: "/other"}.WithDefaults()
	if n.AckPath != "/other" || n.OpenPath != DefaultNames().OpenPath {
		t.Errorf("%+v", n)
	}
	n.Topic, n.PublishPath, n.AckMethod = "X-Topic", "pub", "get it"
	err := n.Check()
	for _, want := range []string{"names.topic", "names.publishPath", "names.ackMethod"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s in %v", want, err)
		}
	}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"https://host": "host:443", "http://host": "host:80", "https://[::1]:8443/": "[::1]:8443"} {
		if u, err := ParseEndpoint(text); err != nil || u.Host != want {
			t.Errorf("%s: %v, %v", text, u, err)
		}
	}
	for _, text := range []string{"", "host:443", "tcp://host:1", "https://", "https://u:p@host", "https://host/path", ":"} {
		if u, err := ParseEndpoint(text); err == nil {
			t.Errorf("%q was taken as %v", text, u)
		}
	}
}

func TestTemporary(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{401: false, 403: false, 408: true, 429: true, 500: true, 503: true} {
		var err error = &Error{Status: status}
		var no *Error
		if !errors.As(err, &no) || no.Temporary() != want {
			t.Errorf("status %d: %v", status, no.Temporary())
		}
	}
}
