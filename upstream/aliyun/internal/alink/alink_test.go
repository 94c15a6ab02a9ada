package alink

import (
	"strings"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
)

func TestReplyCodesAreUnique(t *testing.T) {
	t.Parallel()
	codes, texts := map[int]bool{}, map[string]bool{}
	for _, c := range replyCodes {
		if codes[c.code] || texts[c.text] {
			t.Errorf("code %d %q is there twice", c.code, c.text)
		}
		codes[c.code], texts[c.text] = true, true
		if c.code >= 1000 && (c.code < 100_000 || c.code > 110_000) {
			t.Errorf("code %d is outside of the range of devices", c.code)
		}
	}
	if len(replyCodes) != int(thing.Failed) {
		t.Errorf("%d states have a code, want all %d", len(replyCodes), thing.Failed)
	}
}

// The signature that the guide prints, and that of a login, which leaves
// cleanSession out.
func TestSignIdentity(t *testing.T) {
	t.Parallel()
	connect := Sign(auth.HMACSHA1, auth.Identity{ProductKey: "pk", DeviceName: "device", DeviceSecret: "secret"}, "12345", "789")
	if !strings.EqualFold(connect, "FAFD82A3D602B37FB0FA8B7892F24A477F851A14") {
		t.Errorf("connect: %s", connect)
	}
	login := Sign(auth.HMACMD5, auth.Identity{ProductKey: "123", DeviceName: "test", DeviceSecret: "secret"}, "123", "123")
	if login != "7f9c0941a986fe6d3ad883eda7efda9c" {
		t.Errorf("login: %s", login)
	}
}
