package doctest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/auth/static"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/config/devices"
	"github.com/linkspan/linkspan/platform"
)

// plainDevices is the devices file of configurations whose page shows none.
const plainDevices = `13800138001 { productKey = demo, deviceName = truck-1, deviceSecret = s }` + "\n"

// places are where a fragment may stand in an otherwise sound configuration.
var places = map[string]string{
	"at the top": base + `devices.file = devices.conf
listeners = [{ protocol = jt808, address = "127.0.0.1:0" }]
%s`,
	"instead of listeners": base + `devices.file = devices.conf
%s`,
	"in a listener": base + `devices.file = devices.conf
listeners = [{ protocol = jt808, address = "127.0.0.1:0"
%s
}]`,
	"in jt808": base + `devices.file = devices.conf
listeners = [{ protocol = jt808, address = "127.0.0.1:0", jt808 {
%s
} }]`,
	"in aliyun": base + `devices.file = devices.conf
listeners = [{ protocol = jt808, address = "127.0.0.1:0" }]
upstream.aliyun {
%s
}`,
	"in aliyun-direct": `devices.file = devices.conf
listeners = [{ protocol = jt808, address = "127.0.0.1:0" }]
upstream { type = aliyun-direct, aliyun-direct {
%s
} }`,
	"in mqtt": `devices.file = devices.conf
listeners = [{ protocol = jt808, address = "127.0.0.1:0" }]
upstream { type = mqtt, mqtt.endpoint = "tcp://127.0.0.1:1883", mqtt {
%s
} }`,
}

// certificates are the files that configurations with TLS name.
var certificates = map[string]string{
	"server.pem": "ec.pem", "server.key": "ec.key", "server.p12": "keytool.p12", "server.jks": "keytool.jks", "two.jks": "two.jks",
	"other.pem": "rsa.pem", "other.key": "rsa.key", "devices-ca.pem": "root.pem",
}

const base = `productKey = gateway, deviceName = bridge, deviceSecret = s
upstream.aliyun.endpoint = "tcp://127.0.0.1:1883"
`

var variable = regexp.MustCompile(`\$\{\??([A-Z][A-Z0-9_]*)\}`)

func TestConfigurationsPassTheCheck(t *testing.T) { //nolint:paralleltest // sets variables
	whole := 0
	for _, p := range pages(t) {
		devices := plainDevices
		for _, b := range p.code {
			if b.lang == "hocon" && b.has("devices") {
				devices = b.text
			}
		}
		for _, b := range p.code {
			if b.lang == "secrets" {
				checkSecrets(t, fmt.Sprintf("%s:%d", p.name, b.line), b.text)
			}
			if b.lang == "csv" && b.has("devices") {
				checkCSV(t, fmt.Sprintf("%s:%d", p.name, b.line), b.text)
			}
			if b.lang != "hocon" {
				continue
			}
			for _, m := range variable.FindAllStringSubmatch(b.text, -1) {
				if strings.Contains(m[1], "SECRET") || strings.Contains(m[1], "KEY") {
					t.Setenv(m[1], "0123456789abcdef0123456789abcdef")
				}
				if strings.Contains(m[1], "PASSWORD") {
					t.Setenv(m[1], "changeit") // of the key stores below
				}
			}
			where := fmt.Sprintf("%s:%d", p.name, b.line)
			switch {
			case b.has("plugin"): // of a build with a plugin in it: nothing but syntax can be checked here
				if _, err := config.Parse(where+".conf", b.text); err != nil {
					t.Error(err)
				}
			case b.has("platform"):
				checkPlatform(t, where, b.text)
			case b.has("devices"):
				checkText(t, where, fmt.Sprintf(places["at the top"], ""), b.text)
			case b.has("fragment"):
				checkFragment(t, where, b.text, devices)
			default:
				whole++
				checkText(t, where, b.text, devices)
			}
		}
	}
	if whole < 2 {
		t.Errorf("only %d whole configurations were found", whole)
	}
}

func checkText(t *testing.T, where, application, devices string) {
	t.Helper()
	if problem := check(t, application, devices); problem != "" {
		t.Errorf("%s: %s", where, problem)
	}
}

func checkFragment(t *testing.T, where, fragment, devices string) {
	t.Helper()
	var problems []string
	for place, text := range places {
		problem := check(t, fmt.Sprintf(text, fragment), devices)
		if problem == "" {
			return
		}
		problems = append(problems, place+": "+strings.TrimSpace(problem))
	}
	t.Errorf("%s: the fragment fits nowhere:\n%s", where, strings.Join(problems, "\n"))
}

// checkCSV looks at a whole devices file.
func checkCSV(t *testing.T, where, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "devices.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := devices.OpenFile(path, 0)
	if err != nil || f.Len() == 0 || len(f.Mistakes()) > 0 {
		t.Errorf("%s: %v, %v", where, err, f)
	}
}

// checkPlatform looks at what `linkspan platform -c` reads.
func checkPlatform(t *testing.T, where, text string) {
	t.Helper()
	tree, err := config.Parse(where+".conf", text)
	cfg := platform.DefaultConfig()
	if err == nil {
		err = tree.Decode("platform", &cfg)
	}
	for _, file := range []*string{&cfg.Data, &cfg.Received} {
		if *file != "" {
			*file = filepath.Join(t.TempDir(), *file)
		}
	}
	var p *platform.Platform
	if err == nil {
		p, err = platform.New(cfg)
	}
	if err == nil {
		err = p.Close(t.Context())
	}
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	if unused := tree.Unused(); unused != nil {
		t.Errorf("%s: %v", where, unused)
	}
}

// checkSecrets looks at a file of auth.type = static.
func checkSecrets(t *testing.T, where, text string) {
	t.Helper()
	cfg := static.DefaultConfig()
	cfg.File = filepath.Join(t.TempDir(), "secrets.txt")
	if err := os.WriteFile(cfg.File, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := static.New(cfg); err != nil || p.Len() == 0 {
		t.Errorf("%s: %v", where, err)
	}
}

// check is what linkspan config check does not like.
func check(t *testing.T, application, devices string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "devices.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"application.conf": strings.ReplaceAll(application, "/var/lib/linkspan", filepath.ToSlash(dir)+"/lib"), "devices.conf": devices, "secrets.txt": "# nobody\n", "devices.d/trucks.conf": devices,
		"devices.csv": "identity,productKey,deviceName\n", "pool.csv": "productKey,deviceName\n",
		"queue.key": strings.Repeat("01", 32) + "\n", "queue-2025.key": strings.Repeat("02", 32) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, made := range certificates {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(read(t, "server/keystore/testdata/"+made)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := run(t, "config", "check", "-c", filepath.Join(dir, "application.conf"))
	switch {
	case err != nil:
		return err.Error()
	case out != "ok\n":
		return out
	default:
		return ""
	}
}

func TestWrongConfigurationsAreFound(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"upstream.aliyun.endpont = x", "bridge.commandTimeout = soon", "listeners = []"} {
		if check(t, fmt.Sprintf(places["at the top"], wrong), plainDevices) == "" {
			t.Errorf("%s: nothing is found wrong", wrong)
		}
	}
}

func TestTheReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	want, err := run(t, "config", "reference", "--markdown")
	if err != nil {
		t.Fatal(err)
	}
	if have := read(t, "docs/configuration-reference.md"); have != want {
		t.Error("docs/configuration-reference.md is not what linkspan config reference --markdown prints: run make docs")
	}
}
