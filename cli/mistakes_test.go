package cli

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/config"
)

// TestMistakesSayWhere checks configurations, and looks for the lines that tell
// where the mistake is and how to mend it. Each text is the sixth line of a file.
func TestMistakesSayWhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text    string
		defines []string
		want    []string
		not     []string
	}{
		"the log":              {text: "log { level = loud, format = xml }", want: []string{"application.conf:6:15: log.level: is \"loud\"", "application.conf:6:30: log.format: is \"xml\""}},
		"a log without folder": {text: "log.path = nowhere/a.log", want: []string{"application.conf:6:12: log.path: there is no directory nowhere"}},
		"more commands wait than a device takes": {
			text: "away { hold = 1h, commands = 100 }",
			want: []string{"warning: ", "away.commands: is 100, but bridge.maxCommands is 16", "bridge.maxCommands = 100", "ok\n"},
		},
		"as many wait as a device takes": {text: "away { hold = 1h, commands = 100 }, bridge.maxCommands = 100", want: []string{"ok\n"}, not: []string{"warning"}},
		"nobody is held":                 {text: "away.commands = 100", want: []string{"ok\n"}, not: []string{"warning"}},
		"devices that are away":          {text: "away { hold = 1h, commands = 0 }", want: []string{"application.conf:6:30: away.commands: is 0, want 1 to"}},
		"the side door":                  {text: "admin.address = nowhere", want: []string{"application.conf:6:17: admin.address: \"nowhere\"", "host:port"}},
		"the bridge":                     {text: "bridge { maxCommands = -1, loginTimeout = 0s }", want: []string{"application.conf:6:24: bridge.maxCommands: is -1, want 1", "application.conf:6:43: bridge.loginTimeout: is 0s"}},
		"the table of sessions":          {text: "bridge { sessions { maxSessions = -5 } }", want: []string{"application.conf:6:35: bridge.sessions.maxSessions: is -5, want at least 1"}},
		"the bridge beside others":       {text: "bridge { loginRate = -1, loginBurst = x }, away.hold = -2m", want: []string{"bridge.loginBurst: \"x\" is not", "application.conf:6:22: bridge.loginRate: is -1, want 0", "away.hold: is -2m0s"}},
		"the server beside others":       {text: "server { loops = -1 }, bridge.loginRate = -1, attempts { pause = 2m, maxPause = 1m }", want: []string{"application.conf:6:18: server.loops: is -1", "bridge.loginRate: is -1", "attempts.maxPause: is 1m0s, want at least the pause"}},
		"the platform beside a queue":    {text: "upstream.type = azure, queue.mode = on", want: []string{`no connector "azure"`}},
		"a key that is not set":          {text: "bridge {}", defines: []string{"server.loops=-1"}, want: []string{"-Dserver.loops: server.loops: is -1"}},
		"heartbeats": {
			text: `listeners += { protocol = jt808, address = ":0", heartbeat { interval = -3s, probes = -1 } }`,
			want: []string{"application.conf:6:73: listeners.1.heartbeat.interval: is -3s, want at least 1s, or 0", "application.conf:6:87: listeners.1.heartbeat.probes: is -1, want 0 or more"},
			not:  []string{"milliseconds"},
		},
		"heartbeats without a unit": {
			text: `socketServer { ports = [0], heartbeat.interval = 180 }`,
			want: []string{"socketServer.heartbeat.interval: is 180ms, want at least 1s, or 0 for none expected; a number without a unit counts milliseconds: write 180s for seconds"},
		},
		"the shortest heartbeats": {text: `listeners += { protocol = jt808, address = ":0", heartbeat { interval = 1000, probes = 0 } }`, want: []string{"ok\n"}, not: []string{"warning"}},
		"no heartbeats":           {text: `listeners += { protocol = jt808, address = ":0", heartbeat.interval = 0 }`, want: []string{"ok\n"}, not: []string{"warning"}},
		"a limit":                 {defines: []string{"listeners.0.limits.maxFaults=-3"}, want: []string{"-Dlisteners.0.limits.maxFaults: listeners.0.limits.maxFaults: is -3"}},
		"an address twice":        {text: `listeners += { protocol = jt808, address = ":7611" }, listeners += { protocol = jt808, address = ":7611" }`, want: []string{"application.conf:6:68: listeners.2: :7611 is the address of \"jt808-2\" too"}},
		"a name twice":            {text: `listeners += { name = jt808-1, protocol = jt808, address = ":7611" }`, want: []string{"application.conf:6:14: listeners.1: another one has the same name"}},
		"no file of devices":      {text: "devices.file = gone.conf", want: []string{"application.conf:6:16: devices.file: cannot open the file"}},
		"the platform":            {text: "upstream.aliyun { qos = 4, keepAlive = 1s }", want: []string{"application.conf:6:25: upstream.aliyun.qos: is 4", "application.conf:6:40: upstream.aliyun.keepAlive: is 1s"}},
		"a template by a definition": {
			text: "devices.watch = 1s", defines: []string{"devices.unknown=template"},
			want: []string{"-Ddevices.unknown: devices.template.productKey: is missing or empty; devices.unknown = template needs it"},
		},
		"a template that is missing": {
			text: "devices.watch = 1s, devices.unknown = template",
			want: []string{"application.conf:6:39: devices.template.productKey: is missing or empty; devices.unknown = template needs it"},
		},
		"a template that is empty": {
			text: "devices { template.productKey = \"\", unknown = template }",
			want: []string{"application.conf:6:33: devices.template.productKey: is missing or empty"}, not: []string{"needs it"},
		},
		"a secret of a gateway that is not in the environment": {
			text: `upstream.aliyun.gateways = [{ productKey = a, deviceName = b, deviceSecret = ${?NO_SUCH_SECRET} }, { productKey = a, deviceName = b }]`,
			want: []string{
				"application.conf:6:78: upstream.aliyun.gateways.0.deviceSecret: missing: ${?NO_SUCH_SECRET} found nothing: there is no such key, and no such environment variable",
				"application.conf:6:100: upstream.aliyun.gateways.1.deviceSecret: missing",
			},
		},
		"a file for a data directory": {
			text: "data.directory = devices.conf, queue.mode = on",
			want: []string{"application.conf:6:18: data.directory: ", "devices.conf is not a directory; name another directory"},
		},
		"the data directory of others": {
			text: "data.directory = ., queue.mode = on", not: []string{"datadir"},
			want: []string{"application.conf:6:18: data.directory: not a data directory of linkspan: ", "; name another directory, or an empty one"},
		},
		"no data directory":              {text: `data.directory = "", queue.mode = on`, want: []string{"application.conf:6:18: data.directory: is empty"}},
		"a file that nothing is kept in": {text: "data.directory = devices.conf", want: []string{"ok\n"}},
		"a key a level too high": {
			text: "auth { type = static, file = secrets.txt }",
			want: []string{"application.conf:6:6: auth.static.file: is \"\"", "application.conf:6:23: auth.file: is not a known key; did you mean static.file?"},
		},
		"a template without quotes": {text: "devices { unknown = template, template { productKey = a, deviceName = t-${identity} } }", want: []string{"put the text in double quotes"}},
		"a template of nothing":     {text: "devices { unknown = template, template { productKey = a, deviceName = t-${?identity} } }", want: []string{"application.conf:6:71: devices.template.deviceName: is \"t-\"", "double quotes"}},
		"typos beside a mistake": {
			text: `listeners = [{ protocol = jt808, addrss = ":7611", jt808 { akc = delivered } }]`,
			want: []string{"warning: ", "listeners.0.addrss: is not a known key; did you mean address?", "listeners.0.jt808.akc: is not a known key; did you mean ack?", `listeners.0.address: is required and missing`, `write address = ":7611"`},
		},
		"nothing false beside a mistake": {
			text: `listeners = [{ protocol = jt809, address = ":7611", jt808 { ack = delivered } }], upstream.type = azure`,
			want: []string{`no protocol "jt809"`, `no connector "azure"`}, not: []string{"warning"},
		},
		"stored where nothing is": {
			text: `listeners += { protocol = jt808, address = ":0", jt808.ack = stored }`,
			want: []string{"warning: ", "listeners.1.jt808.ack: means delivered, for there is no queue that stores anything; queue.mode = on", "ok\n"},
		},
		"stored where the queue is not": {
			text: `listeners += { name = a, protocol = jt808, address = ":0", jt808.ack = stored }, queue { mode = on, listeners = [b] }`,
			want: []string{"queue.listeners: has \"b\", which is no listener's name", "listeners.1.jt808.ack: means delivered, for the queue is not for listener a"},
		},
		"stored where the queue is": {
			text: `listeners += { name = a, protocol = jt808, address = ":0", jt808.ack = stored }, queue { mode = spill, listeners = [a] }`,
			want: []string{"ok\n"}, not: []string{"warning"},
		},
		"units that no template takes": {
			text: `listeners += { protocol = modbus, address = ":0", modbus { units = [1], profiles.m.points { u { address = 40001 } } } }, devices { unknown = template, template { productKey = a, deviceName = "t-${identity}" } }`,
			want: []string{"warning: ", "listeners.1.modbus.separator: gives devices names such as \"line/1\"", `separator = "_"`, "ok\n"},
		},
		"units that a template takes": {
			text: `listeners += { protocol = modbus, address = ":0", modbus { separator = "_", units = [1], profiles.m.points { u { address = 40001 } } } }, devices { unknown = template, template { productKey = a, deviceName = "t-${identity}" } }`,
			want: []string{"ok\n"}, not: []string{"warning"},
		},
		"lines that a template takes": {
			text: `listeners += { protocol = modbus, address = ":0", modbus { devices = line, units = [1], profiles.m.points { u { address = 40001 } } } }, devices { unknown = template, template { productKey = a, deviceName = "t-${identity}" } }`,
			want: []string{"ok\n"}, not: []string{"warning"},
		},
		"the queue": {
			text: "queue { mode = maybe, poison = 0, retry.max = 1ms, segmentSize = 1KiB }",
			want: []string{"queue.mode: is \"maybe\"", "queue.poison: is 0, want 1", "queue.retry.max: is 1ms", "queue.segmentSize: is 1024"},
		},
		"no such key of a plugin":        {text: `listeners = [{ protocol = jt808, address = ":0", jt808.wheels = 4 }]`, want: []string{"listeners.0.jt808.wheels: is not a known key; known here: ack, "}},
		"a plugin that nobody has":       {text: `listeners = [{ protocol = jt808, address = ":0", acme.meter {} }]`, want: []string{"listeners.0.acme: is not a known key"}, not: []string{"did you mean"}},
		"a platform that is not used":    {text: "upstream.mqtt.url = x", want: []string{"upstream.mqtt: is not used: upstream.type is aliyun"}},
		"a check that is not used":       {text: "auth.static.file = x", want: []string{"auth.static: is not used: auth.type is none"}},
		"another loader's way":           {defines: []string{"config.file=x.conf"}, want: []string{"-Dconfig.file: config.file: does not choose the configuration; name the file with -c: -c x.conf"}, not: []string{"known key"}},
		"a listener by a definition":     {defines: []string{`listeners += { protocol = jt808, address = "127.0.0.1:0" }`}, want: []string{"ok\n"}, not: []string{"warning"}},
		"devices that listen themselves": {text: `listeners += { protocol = jt808, connect = ["127.0.0.1:1"] }`, want: []string{"ok\n"}, not: []string{"warning"}},
		"an address and devices to connect to": {
			text: `listeners += { protocol = jt808, address = ":0", connect = ["nowhere"] }`,
			want: []string{"listeners.1.connect: does not go with address"},
		},
		"devices without a port":          {text: `listeners += { protocol = jt808, connect = ["10.0.0.5"] }`, want: []string{"application.conf:6:44: listeners.1.connect: \"10.0.0.5\"", "want host:port"}},
		"half a listener by a definition": {defines: []string{`listeners += { protocol = jt808 }`}, want: []string{"-Dlisteners+", "listeners.1.address: is required and missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"config", "check", "-c", write(t, goodConfig+c.text, goodDevices)}
			for _, d := range c.defines {
				args = append(args, "-D", d)
			}
			out, err := run(t, "", args...)
			if err != nil {
				out += err.Error()
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("lacks %q:\n%s", want, out)
				}
			}
			for _, not := range append(c.not, "bad configuration", "configuration: ", "hocon:", "cli:") {
				if strings.Contains(out, not) {
					t.Errorf("has %q:\n%s", not, out)
				}
			}
		})
	}
}

// TestSecretsThatAreNotInTheEnvironment is about the first thing that a newcomer
// forgets.
func TestSecretsThatAreNotInTheEnvironment(t *testing.T) {
	t.Parallel()
	text := strings.Replace(goodConfig, "deviceSecret = s3cret", "deviceSecret = ${?NO_SUCH_SECRET}", 1)
	out, err := run(t, "", "config", "check", "-c", write(t, text, goodDevices))
	const want = "application.conf:2:59: deviceSecret: is missing, so the bridge has no gateway device to be at the platform: " +
		"${?NO_SUCH_SECRET} found nothing: there is no such key, and no such environment variable; create a device of product gateway"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v: %s", err, out)
	}
	text = strings.Replace(goodConfig, "productKey = gateway, deviceName = bridge, deviceSecret = s3cret", "upstream.aliyun { productKey = a, deviceName = b, deviceSecret = ${?NO_SUCH_SECRET} }", 1)
	out, err = run(t, "", "config", "check", "-c", write(t, text, goodDevices))
	if err == nil || !strings.Contains(err.Error(), "application.conf:2:66: upstream.aliyun.deviceSecret: missing: ${?NO_SUCH_SECRET} found nothing") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestMistakesInTheirOrder(t *testing.T) {
	t.Parallel()
	tree, err := config.Parse("a.conf", "room { a = 1, b { c = 2 } }")
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("b.c is 2")
	joined := errors.Join(errors.New("a: is odd"), errors.Join(cause, errors.New("all is lost")))
	got := placed(tree, "room", &wrapped{"room: configuration: ", joined}, []string{"room", "configuration"}, nil)
	const want = "config: a.conf:1:12: room.a: is odd\nconfig: a.conf:1:23: room.b.c: is 2\nconfig: a.conf:1:6: room: all is lost"
	if got.Error() != want || !errors.Is(got, cause) {
		t.Errorf("got\n%v\nwant\n%s", got, want)
	}
}

// wrapped is an error with words in front.
type wrapped struct {
	front string
	err   error
}

func (w *wrapped) Error() string { return w.front + w.err.Error() }
func (w *wrapped) Unwrap() error { return w.err }

func TestNoDevicesAreAWarning(t *testing.T) {
	t.Parallel()
	path := write(t, goodConfig, "")
	out, err := run(t, "", "config", "check", "--strict", "-c", path)
	if err == nil || !strings.Contains(out, "devices.file: there are no devices in ") {
		t.Errorf("%v: %s", err, out)
	}
	out, err = run(t, "", "config", "check", "--strict", "-c", path, "-D", "devices.unknown=template", "-D", "devices.template.productKey=a")
	if err != nil || strings.Contains(out, "warning") {
		t.Errorf("with a template: %v: %s", err, out)
	}
}

func TestFilesOfSecretsThatEverybodyMayRead(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there are no such permissions")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"application.conf": strings.Replace(goodConfig, "devices.file", "auth { type = static, static.file = secrets.txt }, devices.unknown = first-free, devices.pool = pool, devices.file", 1),
		"devices.conf":     goodDevices, "secrets.txt": "", "pool/a.conf": `{ productKey = a, deviceName = b }`,
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want ...string) {
		t.Helper()
		out, err := run(t, "", "config", "check", "-c", filepath.Join(dir, "application.conf"))
		if err != nil || strings.Count(out, "everybody may read") != len(want) {
			t.Errorf("%v: %s", err, out)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("lacks %q:\n%s", w, out)
			}
		}
	}
	check()
	for _, name := range []string{"devices.conf", "secrets.txt", "pool/a.conf"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check("devices.file: everybody may read", "auth.static.file: everybody may read", "devices.pool: everybody may read "+filepath.Join(dir, "pool", "a.conf"))
}

// TestOtherFormatsAreFound is about files that nobody has named.
func TestOtherFormatsAreFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	named := []string{"application.conf"}
	if got := defaultFiles(dir, named); len(got) != 1 || got[0] != "application.conf" {
		t.Errorf("without any file %q", got)
	}
	for _, name := range []string{"application.properties", "application.json", "application.conf"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := defaultFiles(dir, named); len(got) != 1 || got[0] != filepath.Join(dir, name) {
			t.Errorf("%q, want %s", got, name)
		}
	}

	path := write(t, strings.Replace(goodConfig, "devices.file = devices.conf", "", 1), goodDevices)
	list := filepath.Join(filepath.Dir(path), "devices.csv")
	if err := errors.Join(os.Remove(filepath.Join(filepath.Dir(path), "devices.conf")), os.WriteFile(list, []byte("identity,productKey,deviceName\n1,a,b\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "", "devices", "find", "-c", path, "1"); err != nil || !strings.Contains(out, "devices.csv:2") {
		t.Errorf("devices.csv beside the configuration: %v: %s", err, out)
	}
}

func TestFilesAsArguments(t *testing.T) {
	t.Parallel()
	for _, command := range [][]string{{"serve"}, {"config", "check"}, {"config", "print"}, {"platform"}} {
		_, err := run(t, "", append(command, "t.conf")...)
		if usage := (*usageError)(nil); !errors.As(err, &usage) || !strings.Contains(err.Error(), "use -c t.conf") {
			t.Errorf("%v: error %v", command, err)
		}
	}
}

func TestTheOtherLoadersWayWithoutAFile(t *testing.T) {
	t.Parallel()
	_, err := run(t, "", "config", "check", "-c", filepath.Join(t.TempDir(), "a.conf"), "-Dconfig.file=x.conf")
	if err == nil || !strings.Contains(err.Error(), "cannot open the file") || !strings.Contains(err.Error(), "-c x.conf") {
		t.Errorf("error %v", err)
	}
}

func TestLifetimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"30d": 30 * 24 * time.Hour, "12h": 12 * time.Hour, "1h30m": 90 * time.Minute, "2 days": 48 * time.Hour, "soon": 0} {
		var l lifetimeFlag
		if err := l.Set(text); time.Duration(l) != want || (err == nil) != (want != 0) {
			t.Errorf("%s is %v, %v", text, time.Duration(l), err)
		}
	}
	if _, err := run(t, "", "auth", "token", "--lifetime", "0s", "x"); err == nil || !strings.Contains(err.Error(), "want 1s or more") {
		t.Errorf("error %v", err)
	}
}

// TestServeTellsWarningsBesideMistakes is about a log that has both.
func TestServeTellsWarningsBesideMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	_, err := run(t, "", "serve", "-c", write(t, goodConfig+"bridge { maxCommands = -1, maxComands = 3 }\nlog.path = \""+filepath.ToSlash(log)+"\"", goodDevices))
	text, _ := os.ReadFile(log)
	if err == nil || !strings.Contains(err.Error(), "bridge.maxCommands: is -1") || !strings.Contains(string(text), "bridge.maxComands: is not a known key; did you mean maxCommands?") {
		t.Errorf("error %v, log\n%s", err, text)
	}
}

func TestResolvedTellsWhatIsDerived(t *testing.T) {
	t.Parallel()
	path := write(t, goodConfig, goodDevices)
	out, err := run(t, "", "config", "print", "--resolved", "-c", path)
	if err != nil || !strings.Contains(out, `productKey = "gateway" # from productKey, `+path+":2:14") || !strings.Contains(out, `deviceSecret = "******" # from deviceSecret, `+path) {
		t.Errorf("%v\n%s", err, out)
	}
}
