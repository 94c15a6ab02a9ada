package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/config"
)

// secret masks itself, as auth.Secret does.
type secret string

func (secret) String() string { return "******" }

type level int

func (l *level) UnmarshalText(text []byte) error {
	switch string(text) {
	case "info":
		*l = 1
	case "debug":
		*l = 2
	default:
		return errors.New("must be info or debug")
	}
	return nil
}

type common struct {
	Region string `conf:"region"`
}

type listener struct {
	Port     uint16       `conf:"port,required" doc:"the port to listen on"`
	Name     string       `conf:"name"`
	Protocol string       `conf:"protocol"`
	Settings *config.Tree `conf:"settings" doc:"of the protocol"`
}

func (l *listener) SetDefaults() { l.Name = "tcp" }

type profile struct {
	AccessKey string `conf:"accessKey,secret"`
	Secret    secret `conf:"accessSecret,required"`
}

type settings struct {
	common

	Debug     bool              `conf:"debug"`
	Workers   int8              `conf:"workers" doc:"how many work"`
	Ratio     float64           `conf:"ratio"`
	Big       uint64            `conf:"big"`
	Name      string            `conf:"productKey"`
	Idle      time.Duration     `conf:"idle" doc:"silence that is allowed"`
	MaxFrame  int               `conf:"maxFrame,bytes" doc:"largest frame"`
	Buffer    config.Size       `conf:"buffer"`
	Level     level             `conf:"level"`
	Ports     []int             `conf:"ports"`
	Labels    map[string]string `conf:"labels"`
	Listeners []listener        `conf:"listeners"`
	Named     map[string]listener
	Profile   *profile `conf:"popClientProfile"`
	Free      any      `conf:"free"`
	Untagged  string
}

func parse(t *testing.T, text string) *config.Tree {
	t.Helper()
	tree, err := config.Parse("app.conf", text)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestDecode(t *testing.T) {
	t.Parallel()
	tree := parse(t, `
		region = r1, debug = on, workers = "12", ratio = 1e-3, big = 18446744073709551615
		productKey = 007, idle = 90 s, maxFrame = 64KiB, buffer = 1MB, level = debug
		ports = 9123
		labels { b = 2, "c.d" = x }
		listeners = [{ port = 1 }, { port = 2, name = udp, settings { x = 1 } }]
		popClientProfile { accessSecret = s }
		free = [1, { a = null }, 2.5, true, x]
	`)
	got := settings{Untagged: "u", Labels: map[string]string{"a": "1", "b": "0"}, Ports: []int{1, 2, 3}}
	defaults := got.Labels
	if err := tree.Decode("", &got); err != nil {
		t.Fatal(err)
	}
	if s := got.Listeners[1].Settings; s == nil || s.Path() != "listeners.1.settings" || s.Text("x") != "1" {
		t.Errorf("settings of the second listener: %v", s)
	}
	got.Listeners[1].Settings = nil
	want := settings{
		common: common{"r1"}, Debug: true, Workers: 12, Ratio: 0.001, Big: 1<<64 - 1, Name: "007", Idle: 90 * time.Second, MaxFrame: 65536, Buffer: 1e6, Level: 2,
		Ports: []int{9123}, Labels: map[string]string{"a": "1", "b": "2", "c.d": "x"},
		Listeners: []listener{{Port: 1, Name: "tcp"}, {Port: 2, Name: "udp"}}, Profile: &profile{Secret: "s"},
		Free: []any{int64(1), map[string]any{"a": nil}, 2.5, true, "x"}, Untagged: "u",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if defaults["b"] != "0" {
		t.Error("decoding has changed the map of the defaults")
	}
	if w := append(tree.Warnings(), tree.Unused()...); len(w) > 0 {
		t.Errorf("everything has been read, yet: %v", w)
	}
}

func TestDefaultsStay(t *testing.T) {
	t.Parallel()
	def := settings{Idle: time.Minute, Ports: []int{1}, Profile: &profile{AccessKey: "k", Secret: "x"}, Level: 1, MaxFrame: 3}
	got := def
	if err := parse(t, "idle = null\nlabels {}").Decode("", &got); err != nil {
		t.Fatal(err)
	}
	got.Labels = nil
	if !reflect.DeepEqual(got, def) {
		t.Errorf("got %+v, want the defaults %+v", got, def)
	}
	if err := parse(t, "popClientProfile { accessKey = other }").Decode("", &got); err != nil || *got.Profile != (profile{"other", "x"}) {
		t.Errorf("over a default that has the required key: %+v, error %v", got.Profile, err)
	}
	if err := parse(t, "popClientProfile { accessKey = other }").Decode("", &settings{}); err == nil || !strings.Contains(err.Error(), "app.conf:1:18: popClientProfile.accessSecret: is required") {
		t.Errorf("a required key is missing: error %v", err)
	}
	if def.Profile.AccessKey != "k" {
		t.Error("decoding has changed what the defaults point at")
	}
	if err := parse(t, "popClientProfile = null").Decode("", &got); err != nil || got.Profile != nil {
		t.Errorf("null leaves %v, error %v", got.Profile, err)
	}
	if err := parse(t, "x = 1").Decode("nowhere.at.all", &def); err != nil {
		t.Errorf("a section that is missing: %v", err)
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	tree := parse(t, `debug = maybe
workers = 300
ratio = 1e999
big = -1
productKey = [1]
idle = 5 parsecs
maxFrame = huge
buffer = -1
level = loud
ports = [1, x]
labels = 7
listeners = [{ port = 70000 }, { name = y }, 3]
popClientProfile { accessKey = [k], accessSecret = { a = geheim } }
`)
	var got settings
	err := tree.Decode("", &got)
	var errs config.Errors
	if !errors.As(err, &errs) {
		t.Fatalf("error %T %v, want config.Errors", err, err)
	}
	want := []struct{ at, key, problem string }{
		{"app.conf:1", "debug", `"maybe" is not a boolean`},
		{"app.conf:2", "workers", "300 is out of range: it must be from -128 to 127"},
		{"app.conf:3", "ratio", "1e999 is out of range"},
		{"app.conf:4", "big", "-1 is out of range: it must be from 0 to 18446744073709551615"},
		{"app.conf:5", "productKey", "is an array, want a text"},
		{"app.conf:6", "idle", `"5 parsecs" is not a duration`},
		{"app.conf:7", "maxFrame", `"huge" is not a size`},
		{"app.conf:8", "buffer", `"-1": a size is not negative`},
		{"app.conf:9", "level", `"loud": must be info or debug`},
		{"app.conf:10", "ports.1", `"x" is not a whole number`},
		{"app.conf:11", "labels", "is a number, want a section"},
		{"app.conf:12", "listeners.0.port", "70000 is out of range: it must be from 0 to 65535"},
		{"app.conf:12", "listeners.2", "is a number, want a section"},
		{"app.conf:13", "popClientProfile.accessKey", "is an array, want a text"},
		{"app.conf:13", "popClientProfile.accessSecret", "is an object, want a text"},
	}
	for _, w := range want {
		found := false
		for _, e := range errs {
			found = found || fmt.Sprintf("%s:%d", e.File, e.Line) == w.at && e.Key == w.key && e.Problem == w.problem
		}
		if !found {
			t.Errorf("no mistake %s %s %s in\n%v", w.at, w.key, w.problem, err)
		}
	}
	if len(errs) != len(want)+1 || !strings.Contains(err.Error(), "app.conf:12:32: listeners.1.port: is required and missing; it is the port to listen on; write port = 1") {
		t.Errorf("got %d mistakes, want %d:\n%v", len(errs), len(want)+1, err)
	}
	if strings.Contains(err.Error(), "geheim") {
		t.Error("a secret stands in an error")
	}
	var one *config.Error
	if !errors.As(err, &one) || errors.Unwrap(one) != nil {
		t.Errorf("the single mistakes cannot be reached: %v", one)
	}
}

func TestUnknownAndUnusedKeys(t *testing.T) {
	t.Parallel()
	tree := parse(t, `prodyctKey = a
workerz = 1
qqqq = 1
listeners = [{ port = 1, prt = 2 }]
socketServer { port = 1, x.y = 2 }
later { a = 1, b = 2 }
`)
	var got settings
	if err := tree.Decode("", &got); err != nil {
		t.Fatal(err)
	}
	var later struct {
		A int `conf:"a"`
	}
	if err := tree.Decode("later", &later); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"config: app.conf:1:1: prodyctKey: is not a known key; did you mean productKey?",
		"config: app.conf:2:1: workerz: is not a known key; did you mean workers?",
		"config: app.conf:3:1: qqqq: is not a known key",
		"config: app.conf:4:26: listeners.0.prt: is not a known key; did you mean port?",
		"config: app.conf:5:1: socketServer: is not a known key",
		"config: app.conf:6:16: later.b: is not a known key; known here: a",
	}, "\n")
	if got := tree.Warnings().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var server struct {
		Port int `conf:"port"`
	}
	if err := tree.Decode("socketServer", &server); err != nil {
		t.Fatal(err)
	}
	if got := tree.Unused().Error(); strings.Contains(got, "socketServer: ") || !strings.Contains(got, "app.conf:5:26: socketServer.x: is not a known key") {
		t.Errorf("after reading socketServer:\n%s", got)
	}
}

func TestWhatSubstitutionsReferToIsUsed(t *testing.T) {
	t.Parallel()
	tree := parse(t, "base { port = 1, name = n }\nsite.area = north\nsite.zone = x\nlisteners = [${base}], productKey = ${site.area}")
	if err := tree.Decode("", &settings{}); err != nil {
		t.Fatal(err)
	}
	if got, want := tree.Unused().Error(), "config: app.conf:3:1: site.zone: is not used"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestUnusedSectionsOfUndecodedParents(t *testing.T) {
	t.Parallel()
	tree := parse(t, "a { b { c = 1 }, d = 2 }\ne = 3")
	var c struct {
		C int `conf:"c"`
	}
	if err := tree.Decode("a.b", &c); err != nil {
		t.Fatal(err)
	}
	if w := tree.Warnings(); len(w) > 0 {
		t.Errorf("warnings %v about keys nobody has decided on", w)
	}
	if got, want := tree.Unused().Error(), "config: app.conf:1:18: a.d: is not used\nconfig: app.conf:2:1: e: is not used"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	type server struct {
		ListenType string        `conf:"listenType"`
		Ports      []int         `conf:"ports"`
		Idle       time.Duration `conf:"idle"`
		Fresh      string        `conf:"freshKey"`
		Default    string        `conf:"default"`
		Deep       *struct {
			Value int `conf:"value"`
		} `conf:"deep"`
	}
	l := config.Loader{
		Paths: []string{
			write(t, "a.conf", "socketServer { listenType = tcp, ports = [1], idle = 1s }\nderived = ${socketServer.listenType}-${SITE}"),
			write(t, "b.json", `{"socketServer": {"ports": [2, 3], "idle": "2s"}}`),
			write(t, "c.properties", "socketServer.idle=3s\n"),
		},
		Environ: []string{
			"LINKSPAN_SOCKET_SERVER_LISTEN_TYPE=udp", "LINKSPAN_SOCKETSERVER_IDLE=4s", "LINKSPAN_SOCKETSERVER_FRESHKEY=from env",
			"LINKSPAN_SOCKET_SERVER_DEEP_VALUE=7", "LINKSPAN_NOBODY_KNOWS=1", "SITE=home", "PATH=/bin",
		},
		Defines: []string{"socketServer.idle=5s", "socketServer.ports=[9]", "socketServer.idle=6s"},
	}
	tree, err := l.Load()
	if err != nil {
		t.Fatal(err)
	}
	got := server{Default: "stays"}
	if err := tree.Decode("socketServer", &got); err != nil {
		t.Fatal(err)
	}
	if got.Deep == nil || got.Deep.Value != 7 {
		t.Errorf("a key that only the environment has: %+v", got.Deep)
	}
	got.Deep = nil
	if want := (server{ListenType: "udp", Ports: []int{9}, Idle: 6 * time.Second, Fresh: "from env", Default: "stays"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := tree.Text("derived"); got != "udp-home" {
		t.Errorf("derived is %q, want udp-home", got)
	}
	if got, want := tree.Unused().Error(), "environment variable LINKSPAN_NOBODY_KNOWS: names no key"; !strings.Contains(got, want) || strings.Count(got, "\n") > 0 {
		t.Errorf("unused: %s", got)
	}
	var out strings.Builder
	if err := tree.Write(&out, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`listenType = "udp" # environment variable LINKSPAN_SOCKET_SERVER_LISTEN_TYPE`, `idle = "6s" # -DsocketServer.idle`, "ports = [9] # -DsocketServer.ports:1:1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestLoadReportsEachFile(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.conf")
	_, err := config.Load(write(t, "a.conf", "a = [1"), missing, "x.yaml", write(t, "b.json", `{"a": }`))
	var errs config.Errors
	if !errors.As(err, &errs) || len(errs) != 4 || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v, want 4 mistakes, one of them fs.ErrNotExist", err)
	}
	for i, want := range []string{"a.conf:1:7: a: the array", "missing.conf: cannot open", "x.yaml: the format is not known", "b.json:1:7: a: expected a value"} {
		if !strings.Contains(errs[i].Error(), want) {
			t.Errorf("mistake %d is %v, want ...%s...", i, errs[i], want)
		}
	}
	for _, define := range []string{"x", "=1", "a..b=1", "a=[1"} {
		if _, err := (config.Loader{Defines: []string{define}}).Load(); err == nil || !strings.Contains(err.Error(), "-D") {
			t.Errorf("-D%s: error %v", define, err)
		}
	}
}

func TestDecodeNewLeavesThePluginsDefaults(t *testing.T) {
	t.Parallel()
	def := listener{Name: "d", Port: 1}
	got, err := parse(t, "s { port = 9 }").DecodeNew("s", def)
	if err != nil || got != (listener{Name: "d", Port: 9}) || def.Port != 1 {
		t.Errorf("got %+v, error %v, defaults %+v", got, err, def)
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	const text = `popClientProfile { accessKey = geheim1, accessSecret = geheim2 }
devices { x { deviceSecret = geheim3 } }
keyPassword = 123456789
misspelt { authentication { key = geheim6 } }
list { token = [geheim4] }
hidden = geheim5
open = visible
`
	tree := parse(t, text)
	var got struct {
		Profile profile `conf:"popClientProfile"`
		Hidden  secret  `conf:"hidden"`
	}
	if err := tree.Decode("", &got); err != nil {
		t.Fatal(err)
	}
	out := tree.String()
	if strings.Contains(out, "geheim") || strings.Contains(out, "123456789") || !strings.Contains(out, `open = "visible"`) {
		t.Errorf("printed:\n%s", out)
	}
	if again := parse(t, out); again.Text("open") != "visible" || again.Text("hidden") != "******" {
		t.Errorf("what is printed does not read back:\n%s", out)
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	def := settings{Idle: 90 * time.Second, MaxFrame: 64 << 10, Buffer: 1 << 20, Ports: []int{9123}, Name: "a|b", Profile: &profile{AccessKey: "geheim"}}
	m := config.Reference(config.Section{Path: "server", Doc: "Where devices connect.", Config: def}, config.Section{Path: "nothing"})
	got := map[string]config.Key{}
	for _, k := range m.Sections[0].Keys {
		got[k.Path] = k
	}
	for path, want := range map[string]config.Key{
		"server.region":                        {Type: "text"},
		"server.idle":                          {Type: "duration", Default: "90s", Doc: "silence that is allowed"},
		"server.maxFrame":                      {Type: "size", Default: "64KiB", Doc: "largest frame"},
		"server.buffer":                        {Type: "size", Default: "1MiB"},
		"server.ports":                         {Type: "list of whole number", Default: "[9123]"},
		"server.listeners[].port":              {Type: "whole number", Required: true, Doc: "the port to listen on"},
		"server.listeners[].name":              {Type: "text", Default: `"tcp"`},
		"server.listeners[].settings":          {Type: "section", Doc: "of the protocol"},
		"server.popClientProfile.accessKey":    {Type: "text", Default: "******", Secret: true},
		"server.popClientProfile.accessSecret": {Type: "text", Required: true, Secret: true},
	} {
		want.Path = path
		if got[path] != want {
			t.Errorf("got  %+v\nwant %+v", got[path], want)
		}
	}
	text, md := m.Text(), m.Markdown()
	if strings.Contains(text+md, "geheim") {
		t.Error("a secret stands in the reference")
	}
	if want := "  server.idle (duration, default 90s)\n      silence that is allowed\n"; !strings.Contains(text, want) {
		t.Errorf("%q is missing in\n%s", want, text)
	}
	for _, want := range []string{"## server\n\nWhere devices connect.\n\n| Key |", "| `server.productKey` | text | `\"a\\|b\"` |  |\n", "| `server.maxFrame` | size | `64KiB` | largest frame |\n", "## nothing\n\nNo keys."} {
		if !strings.Contains(md, want) {
			t.Errorf("%q is missing in\n%s", want, md)
		}
	}
}

func TestWrongTagsPanic(t *testing.T) {
	t.Parallel()
	for name, into := range map[string]any{
		"option": &struct {
			A int `conf:"a,optional"`
		}{},
		"no key": &struct {
			A int `conf:",required"` //nolint:tagliatelle // the mistake that is tested
		}{},
		"twice": &struct {
			A int `conf:"a"`
			B int `conf:"a"`
		}{},
		"private": &struct {
			a int `conf:"a"`
		}{},
		"type": &struct {
			A chan int `conf:"a"`
		}{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_ = parse(t, "a = 1").Decode("", into)
		})
	}
	if err := parse(t, "").Decode("", settings{}); err == nil {
		t.Error("decoding into a value that is no pointer gives no error")
	}
}
