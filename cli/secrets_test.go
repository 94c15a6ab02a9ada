package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/internal/datadir"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/direct"
	"github.com/linkspan/linkspan/upstream/aliyun/http2"
)

// Bindings are kept in the data directory when there is one, which nobody else can use then.
func TestBindingsInTheDataDirectory(t *testing.T) {
	t.Parallel()
	y := startYard(t, "data.directory = data, devices { watch = 0, unknown = first-free, pool = pool.conf }", list("100=a"), list("x=a", "y=b"))
	y.connect("201", "b")
	dir := filepath.Dir(y.path)
	text, err := os.ReadFile(filepath.Join(dir, "data", "secrets", "bindings.conf"))
	if err != nil || !strings.Contains(string(text), `"201" { productKey = "demo", deviceName = "b"`) {
		t.Errorf("bindings in the data directory: %s, %v", text, err)
	}
	if _, err = os.Stat(filepath.Join(dir, "bindings.conf")); err == nil {
		t.Error("there are others outside")
	}
	if _, err = datadir.Open(filepath.Join(dir, "data")); !errors.Is(err, datadir.ErrLocked) {
		t.Errorf("the data directory can be opened beside: %v", err)
	}
}

// Bindings that were there before the data directory, and those that are named, stay.
func TestBindingsStay(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]string{
		"bindings.conf": "data.directory = data",
		"mine.conf":     "data.directory = data, devices.bindings = mine.conf",
	} {
		path := write(t, goodConfig+settings+"\ndevices { unknown = first-free, pool = pool.conf }", goodDevices)
		dir := filepath.Dir(path)
		for file, text := range map[string]string{
			"pool.conf": `x { productKey = demo, deviceName = spare, deviceSecret = abc }`,
			name:        `"car 9" { productKey = "demo", deviceName = "spare", deviceSecret = "abc" }`,
		} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := run(t, "", "devices", "find", "car 9", "-c", path); err != nil || !strings.Contains(out, name) {
			t.Errorf("%s: %q, %v", name, out, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
			t.Error("looking has made the data directory")
		}
	}
}

// Secrets that were in the default place before there was a data directory stay
// there, and linkspan says so.
func TestSecretsStay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	defaults := aliyun.DefaultConfig()
	defaults.Register.Secrets = filepath.Join(dir, "device-secrets.jsonl")
	for _, c := range []struct {
		settings, file, want string
		warnings             int
	}{
		{"by = gateway", "", "data/secrets/device-secrets.jsonl", 0},
		{"by = gateway", "device-secrets.jsonl", "device-secrets.jsonl", 1},
		{"by = never", "device-secrets.jsonl", "device-secrets.jsonl", 0},
		{"by = gateway, secrets = /elsewhere", "device-secrets.jsonl", "/elsewhere", 0},
		{"by = gateway", "data/secrets/device-secrets.jsonl", "data/secrets/device-secrets.jsonl", 0},
	} {
		if c.file != "" {
			path := filepath.Join(dir, c.file)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		tree, err := config.Parse("application.conf", "upstream.aliyun.register { "+c.settings+" }")
		if err != nil {
			t.Fatal(err)
		}
		warnings := 0
		k := &keeping{dir: filepath.Join(dir, "data", "secrets"), used: map[string]string{}, warn: func(error) { warnings++ }}
		own, err := tree.DecodeNew("upstream.aliyun", k.place(tree, "upstream.aliyun", "", defaults))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := own.(aliyun.Config).Keeps()
		if want := c.want; got != want && got != filepath.Join(dir, want) || warnings != c.warnings {
			t.Errorf("%s, beside %s: %s with %d warnings, want %s with %d", c.settings, c.file, got, warnings, want, c.warnings)
		}
	}
}

// Two platforms do not keep secrets in one file: each has a folder of the data directory.
func TestSecretsOfTwoPlatforms(t *testing.T) {
	t.Parallel()
	text := `
upstreams {
  a { type = aliyun, aliyun { productKey = g, deviceName = a, deviceSecret = x, endpoint = "tcp://127.0.0.1:1", register.by = gateway } }
  b { type = aliyun, aliyun { productKey = g, deviceName = b, deviceSecret = x, endpoint = "tcp://127.0.0.1:1", register.by = gateway } }
}
routes = [{ to = a, copies = [b] }]
devices.file = devices.conf
listeners = [{ protocol = jt808, address = "127.0.0.1:0" }]
`
	path := write(t, text, goodDevices)
	if _, err := run(t, "", "config", "check", "-c", path); err == nil || !strings.Contains(err.Error(), "upstreams.a.aliyun") || !strings.Contains(err.Error(), "overwrite") {
		t.Errorf("two platforms with one file: %v", err)
	}
	tree, err := config.Parse("application.conf", text+"data.directory = data")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	n, err := newNode(tree, dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint([]string{filepath.Join(dir, "data/secrets/a"), filepath.Join(dir, "data/secrets/b")})
	if got := fmt.Sprint(n.makeDirs); got != want || !n.keepsData {
		t.Errorf("folders %s, want %s", got, want)
	}
}

// All connectors that register devices keep what they get where they are told.
func TestKeepers(t *testing.T) {
	t.Parallel()
	for _, moved := range []any{
		aliyun.DefaultConfig().KeepIn("there"), direct.DefaultConfig().KeepIn("there"), http2.DefaultConfig().KeepIn("there"),
	} {
		keeper, ok := moved.(interface{ Keeps() (string, bool) })
		if !ok {
			t.Errorf("%T keeps nothing", moved)
			continue
		}
		if path, used := keeper.Keeps(); filepath.Dir(path) != "there" || filepath.Ext(path) != ".jsonl" || used {
			t.Errorf("%T: %s, used: %v", moved, path, used)
		}
	}
}
