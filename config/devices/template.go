package devices

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/linkspan/linkspan/auth"
)

// Template makes identities of names.
type Template struct {
	ProductKey   string      `conf:"productKey" doc:"product of the unknown devices"`
	DeviceName   string      `conf:"deviceName" doc:"their device name; ${identity} stands for the name the device gave, and needs double quotes around all"`
	DeviceSecret auth.Secret `conf:"deviceSecret" doc:"their common secret; empty where the platform needs none"`
}

// placeholder stands for the device's name in [Template].DeviceName and in
// [HTTPConfig].URL.
const placeholder = "${identity}"

// maxDeviceName is the longest device name that a template makes.
const maxDeviceName = 64

// identity makes the identity of an unknown device. Its name comes from the
// network and becomes part of topics, so only harmless characters pass.
func (t Template) identity(name string) (auth.Identity, error) {
	device := strings.Replace(t.DeviceName, placeholder, name, 1)
	if name == "" || len(device) > maxDeviceName || strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_@.:", r)
	}) {
		return auth.Identity{}, fmt.Errorf("devices: %.64q cannot be made a device name (at most %d of A-Z a-z 0-9 - _ @ . :); add the device to the file: %w", name, maxDeviceName, ErrUnknown)
	}
	return auth.Identity{ProductKey: t.ProductKey, DeviceName: device, DeviceSecret: t.DeviceSecret}, nil
}

// Check says why the template makes no identity of a device with that name; nil: it
// does.
func (t Template) Check(name string) error {
	_, err := t.identity(name)
	return err
}

// name is the name of which identity makes id.
func (t Template) name(id auth.Identity) (string, bool) {
	before, after, _ := strings.Cut(t.DeviceName, placeholder)
	name, ok := strings.CutPrefix(id.DeviceName, before)
	if !ok || id.ProductKey != t.ProductKey {
		return "", false
	}
	if name, ok = strings.CutSuffix(name, after); !ok {
		return "", false
	}
	made, err := t.identity(name)
	return name, err == nil && made.DeviceName == id.DeviceName
}

// checkName tells what is wrong with a product key or device name, which
// becomes part of topics.
func checkName(what, s string) string {
	switch {
	case s == "":
		return what + " is missing or empty"
	case len(s) > 255:
		return what + " is longer than 255 bytes"
	case !utf8.ValidString(s):
		return what + " is no UTF-8"
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("/+#", r) }):
		return fmt.Sprintf("%s %q holds a blank, a control character, / + or #", what, s)
	default:
		return ""
	}
}
