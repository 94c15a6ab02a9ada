package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/config/devices"
)

func TestDevicesFind(t *testing.T) {
	t.Parallel()
	path := write(t, goodConfig+"devices { unknown = first-free, pool = pool.csv }\n", "\n"+goodDevices)
	dir := filepath.Dir(path)
	for name, text := range map[string]string{
		"pool.csv":      "productKey,deviceName,deviceSecret\ndemo,spare-1,abc\ndemo,spare-2,abc\n",
		"bindings.conf": `"car 9" { productKey = "demo", deviceName = "spare-1", deviceSecret = "abc" }` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for what, want := range map[string]string{
		"13800138001":  "13800138001 is demo/truck-1, with a secret, at " + filepath.Join(dir, "devices.conf") + ":2\n",
		"demo/truck-1": "13800138001 is demo/truck-1, with a secret, at " + filepath.Join(dir, "devices.conf") + ":2\n",
		"car 9":        "car 9 is demo/spare-1, with a secret, at " + filepath.Join(dir, "bindings.conf") + ":1\n",
		"demo/spare-1": "car 9 is demo/spare-1, with a secret, at " + filepath.Join(dir, "bindings.conf") + ":1\n",
		"demo/spare-2": "",
		"stranger":     "",
	} {
		out, err := run(t, "", "devices", "find", what, "-c", path)
		if out != want || (want == "") != errors.Is(err, devices.ErrUnknown) {
			t.Errorf("%s: %q, %v, want %q", what, out, err, want)
		}
	}
	plain := write(t, goodConfig, goodDevices)
	if _, err := run(t, "", "devices", "find", "stranger", "-c", plain); !errors.Is(err, devices.ErrUnknown) || !strings.Contains(err.Error(), `"stranger" is not in `+filepath.Join(filepath.Dir(plain), "devices.conf")) {
		t.Errorf("the error does not say where: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "bindings.conf"))
	if err != nil || strings.Contains(string(text), "stranger") {
		t.Errorf("looking has changed the bindings: %s, %v", text, err)
	}
}
