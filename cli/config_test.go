package cli

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	_ "github.com/linkspan/linkspan/standard"
)

const goodConfig = `
productKey = gateway, deviceName = bridge, deviceSecret = s3cret
upstream.aliyun.endpoint = "tcp://127.0.0.1:1883"
devices.file = devices.conf
listeners = [{ protocol = jt808, address = "127.0.0.1:0" }]
`

const goodDevices = `13800138001 { productKey: demo, deviceName: truck-1, deviceSecret: abc }`

// write writes application.conf and devices.conf and returns the former's path.
func write(t *testing.T, application, devices string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"application.conf": application, "devices.conf": devices} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "application.conf")
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change  [2]string // old, new
		defines []string
		want    []string // in the output; none: ok
	}{
		"good":                    {},
		"a key that is misspelt":  {change: [2]string{"upstream.aliyun.endpoint", "upstream.aliyun.endpont"}, want: []string{"application.conf:3", "upstream.aliyun.endpont", "did you mean endpoint?"}},
		"a value of another type": {change: [2]string{`address = "127.0.0.1:0"`, `address = "127.0.0.1:0", heartbeat.interval = soon`}, want: []string{"application.conf:5", "listeners.0.heartbeat.interval", `"soon"`}},
		"no such protocol":        {change: [2]string{"protocol = jt808", "protocol = jt809"}, want: []string{"application.conf:5", "listeners.0.protocol", `"jt809"`, "jt808"}},
		"no such platform":        {change: [2]string{"upstream.aliyun.endpoint", "upstream.type = azure, upstream.aliyun.endpoint"}, want: []string{"upstream.type", `"azure"`, "aliyun"}},
		"no listeners":            {change: [2]string{"listeners =", "hearers ="}, want: []string{"listeners", "no device can connect"}},
		"no address":              {change: [2]string{`, address = "127.0.0.1:0"`, ""}, want: []string{"listeners.0.address"}},
		"not HOCON":               {change: [2]string{"listeners = [", "listeners = [["}, want: []string{"application.conf:"}},
		"a define that is wrong":  {defines: []string{"listeners.0.limits.maxFaults=-3"}, want: []string{"maxFaults"}},
		"a port that is none":     {change: [2]string{"127.0.0.1:0", "127.0.0.1:70000"}, want: []string{"127.0.0.1:70000", "0 to 65535"}},
		"one address twice":       {change: [2]string{"listeners = [", `listeners = [{ name = a, protocol = jt808, address = ":7611" }, { name = b, protocol = jt808, address = ":7611" }, `}, want: []string{":7611", `"a"`}},
		"an admin address":        {defines: []string{"admin.address=nowhere"}, want: []string{"nowhere", "host:port"}},
		"a log level":             {defines: []string{"log.level=loud"}, want: []string{"log.level", "loud"}},
		"several at once":         {change: [2]string{"protocol = jt808", "protocol = jt809"}, defines: []string{"upstream.type=azure", "admin.address=nowhere"}, want: []string{"jt809", "azure", "nowhere"}},
		"no certificate":          {change: [2]string{"productKey = gateway, ", ""}, want: []string{"productKey"}},
		"no devices file":         {change: [2]string{"devices.conf", "gone.conf"}, want: []string{"gone.conf"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := goodConfig
			if test.change[0] != "" {
				if !strings.Contains(text, test.change[0]) {
					t.Fatalf("nothing to change: %q", test.change[0])
				}
				text = strings.Replace(text, test.change[0], test.change[1], 1)
			}
			args := []string{"config", "check", "-c", write(t, text, goodDevices)}
			for _, d := range test.defines {
				args = append(args, "-D", d)
			}
			out, err := run(t, "", args...)
			if err != nil {
				out += err.Error()
			}
			if len(test.want) == 0 && out != "ok\n" {
				t.Errorf("got %q", out)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("lacks %q:\n%s", want, out)
				}
			}
			if strings.Contains(out, "s3cret") {
				t.Errorf("shows a secret:\n%s", out)
			}
		})
	}
}

func TestConfigReference(t *testing.T) {
	t.Parallel()
	out, err := run(t, "", "config", "reference", "--markdown")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"upstream.aliyun.endpoint", "listeners[].limits.maxPending", "listeners[].jt808.ack", "bridge.commandTimeout", "devices.file"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %s", want)
		}
	}
}

func TestWrongDevicesAreWarnings(t *testing.T) {
	t.Parallel()
	out, err := run(t, "", "config", "check", "-c", write(t, goodConfig, goodDevices+"\nbad { productKey: demo }\n"))
	if err != nil || !strings.Contains(out, "devices.conf:2") || !strings.Contains(out, "ok\n") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestWrongCommandLines(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no such command": {[]string{"serv"}, "did you mean serve?"},
		"nothing like it": {[]string{"xyzzy"}, "xyzzy"},
		"no such flag":    {[]string{"serve", "--confg", "x"}, "--help"},
		"an argument":     {[]string{"version", "x"}, "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := run(t, "", test.args...)
			var usage *usageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Every section of the configuration is in the reference.
func TestReferenceIsComplete(t *testing.T) {
	t.Parallel()
	text, err := run(t, "", "config", "reference", "--markdown")
	if err != nil {
		t.Fatal(err)
	}
	for f := range reflect.TypeFor[settings]().Fields() {
		name := f.Tag.Get("conf")
		if !strings.Contains(text, "| `"+name+".") && !strings.Contains(text, "| `"+name+"[]") {
			t.Errorf("no key of %s is in the reference", name)
		}
	}
}
