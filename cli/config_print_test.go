package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const withSecrets = goodConfig + `
listeners = [{ protocol = jt808, address = "127.0.0.1:0", jt808.authentication.key = "file:key" }]
platform { mqttAddress = "127.0.0.1:1", devices = [{ productKey = p, deviceName = d, deviceSecret = geheim }] }
shutdwon.pause = 1s
`

func TestConfigPrint(t *testing.T) {
	t.Parallel()
	path := write(t, withSecrets, goodDevices)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "key"), []byte("geheim0123456789\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		want []string
		not  []string
	}{
		"what is set": {
			want: []string{
				`productKey = "gateway" # ` + path + ":2:14\n", `deviceSecret = "******" # ` + path + ":2:", `commandTimeout = "20s" # -Dbridge.commandTimeout`,
				`key = "******" # ` + path, `mqttAddress = "127.0.0.1:1"`, "shutdwon",
			},
			not: []string{"loginTimeout", "default"},
		},
		"everything": {
			args: []string{"--resolved"},
			want: []string{"loginTimeout = 1m # default", "commandTimeout = 20s # -Dbridge.commandTimeout", `key = "******" # ` + path, `deviceSecret = "******" # ` + path},
			not:  []string{"shutdwon", "socketServer"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, "", append([]string{"config", "print", "-c", path, "-D", "bridge.commandTimeout=20s"}, test.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("lacks %q:\n%s", want, out)
				}
			}
			for _, not := range append(test.not, "s3cret", "geheim") {
				if strings.Contains(out, not) {
					t.Errorf("has %q:\n%s", not, out)
				}
			}
		})
	}
}

// What config print --resolved prints is a configuration without mistakes and
// warnings that says the same, but for its secrets.
func TestWhatConfigPrintPrintsLoadsAgain(t *testing.T) {
	t.Parallel()
	first := write(t, goodConfig+"log.level = debug, socketServer { ports = [9123] }", goodDevices)
	out, err := run(t, "", "config", "print", "--resolved", "-c", first, "-D", "listeners.0.name=x")
	if err != nil {
		t.Fatal(err)
	}
	second := write(t, out, goodDevices)
	if text, failed := run(t, "", "config", "check", "--strict", "-c", second); failed != nil || text != "ok\n" {
		t.Errorf("%v: %s\n%s", failed, text, out)
	}
	again, err := run(t, "", "config", "print", "--resolved", "-c", second)
	if err != nil {
		t.Fatal(err)
	}
	comment := regexp.MustCompile(` # .*`)
	if a, b := comment.ReplaceAllString(out, ""), comment.ReplaceAllString(again, ""); a != b {
		t.Errorf("first\n%s\nthen\n%s", a, b)
	}
}

func TestConfigPrintReportsMistakes(t *testing.T) {
	t.Parallel()
	out, err := run(t, "", "config", "print", "-c", write(t, strings.Replace(goodConfig, "jt808", "jt809", 1), goodDevices))
	if err == nil || !strings.Contains(err.Error(), `"jt809"`) || !strings.Contains(out, `protocol = "jt809"`) {
		t.Errorf("error %v, output\n%s", err, out)
	}
}

func TestConfigCheckStrict(t *testing.T) {
	t.Parallel()
	path := write(t, goodConfig+"nobody = 1", goodDevices)
	if out, err := run(t, "", "config", "check", "-c", path); err != nil || !strings.Contains(out, "nobody") {
		t.Errorf("%v: %s", err, out)
	}
	out, err := run(t, "", "config", "check", "--strict", "-c", path)
	if err == nil || !strings.Contains(err.Error(), "warnings") || !strings.Contains(out, "nobody") || strings.Contains(out, "ok\n") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestConfigCheckTellsOnce(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"a type": "log.level = [1]", "a value": "log.level = loud", "a section of platform": "platform.maxDevices = many"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, _, _ := strings.Cut(text, " ")
			out, err := run(t, "", "config", "check", "-c", write(t, goodConfig+text, goodDevices))
			if err == nil || strings.Count(out+err.Error(), key) != 1 {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func TestTheSectionPlatformIsKnown(t *testing.T) {
	t.Parallel()
	out, err := run(t, "", "config", "check", "-c", write(t, goodConfig+`platform { mqttAddress = "127.0.0.1:1", mqttAdress = x }`, goodDevices))
	if err != nil || !strings.Contains(out, "platform.mqttAdress: is not a known key; did you mean mqttAddress?") || strings.Count(out, "warning") != 1 {
		t.Errorf("%v: %s", err, out)
	}
	if out, err = run(t, "", "config", "reference"); err != nil || !strings.Contains(out, "platform.mqttAddress") {
		t.Errorf("%v: the reference lacks the section platform", err)
	}
}

func TestDefinitionsReachIntoLists(t *testing.T) {
	t.Parallel()
	path := write(t, goodConfig, goodDevices)
	out, err := run(t, "", "config", "print", "-c", path, "-D", "listeners.0.limits.idle=7m")
	if err != nil || !strings.Contains(out, `idle = "7m"`) || !strings.Contains(out, `address = "127.0.0.1:0"`) {
		t.Errorf("%v: %s", err, out)
	}
	if _, err = run(t, "", "config", "check", "-c", path, "-D", "listeners.1.limits.idle=7m"); err == nil || !strings.Contains(err.Error(), "no element 1") {
		t.Errorf("an index beyond the list: %v", err)
	}
}
