package config_test

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/config"
)

func (l level) String() string { return [...]string{"", "info", "debug"}[l] }

func resolvedText(t *testing.T, tree *config.Tree, origins bool) string {
	t.Helper()
	var b strings.Builder
	if err := tree.WriteResolved(&b, origins); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWhatIsResolvedLoadsAgain(t *testing.T) {
	t.Parallel()
	tree, err := config.Loader{
		Paths: []string{write(t, "app.conf", `
			productKey = "a \"b\" ${x}", workers = -3, ratio = 1e-9, big = 18446744073709551615, level = debug, ports = [1, 2]
			labels { "a.b" = 1, "" = "x\ny" }
			listeners = [{ port = 1 }, { port = 2, name = udp, settings { x = [1, { y = "z" }] } }]
			free = [1, { a = null }, 2.5, true, x]`)},
		Environ: []string{"LINKSPAN_IDLE=1500us", "LINKSPAN_PROFILE_NOBODY=1"}, Defines: []string{"listeners.0.protocol=jt808"},
	}.Load()
	if err != nil {
		t.Fatal(err)
	}
	first := settings{MaxFrame: 64 << 10, Buffer: 1 << 20, Level: 1, Idle: time.Minute, Profile: &profile{AccessKey: "geheim1", Secret: "geheim2"}}
	if err = tree.Decode("", &first); err != nil {
		t.Fatal(err)
	}
	text := resolvedText(t, tree, true)
	if strings.Contains(text, "geheim") || strings.Count(text, "******") != 2 {
		t.Errorf("secrets are not masked:\n%s", text)
	}
	for _, want := range []string{
		`idle = 1500us # environment variable LINKSPAN_IDLE`, `maxFrame = 64KiB # default`, `protocol = "jt808" # -Dlisteners.0.protocol`, `name = "tcp" # default`, "app.conf:2:17",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, origins := range []bool{false, true} {
		again := settings{}
		other := parse(t, resolvedText(t, tree, origins))
		if err = other.Decode("", &again); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if got, want := shape(again.Listeners[1].Settings), shape(first.Listeners[1].Settings); got != want {
			t.Errorf("the settings became %s, want %s", got, want)
		}
		var x struct {
			X any `conf:"x"`
		}
		if err = again.Listeners[1].Settings.Decode("", &x); err != nil {
			t.Fatal(err)
		}
		again.Listeners[1].Settings, again.Profile, first.Profile = first.Listeners[1].Settings, nil, nil
		if !reflect.DeepEqual(again, first) {
			t.Errorf("loaded again\n%+v\nwant\n%+v", again, first)
		}
		if unused := other.Unused(); unused != nil {
			t.Errorf("unknown keys are printed: %v", unused)
		}
	}
}

func TestResolvedPutsSectionsTogether(t *testing.T) {
	t.Parallel()
	tree := parse(t, "listeners = [{ port = 1, jt808.ack = delivered }]\nlog.level = debug")
	var root struct {
		Listeners []listener `conf:"listeners"`
	}
	var jt808 struct {
		Ack  string   `conf:"ack"`
		Tags []secret `conf:"tags"`
		None *profile `conf:"none"`
	}
	jt808.Tags = []secret{"geheim"}
	var logs struct {
		Level string `conf:"level"`
		Empty string `conf:"empty"`
	}
	for path, into := range map[string]any{"": &root, "listeners.0.jt808": &jt808, "log": &logs} {
		if err := tree.Decode(path, into); err != nil {
			t.Fatal(err)
		}
	}
	if tree.Has("log.other") || tree.Has("listeners.0.name") || !tree.Has("log.level") {
		t.Error("the tree has other keys than it should")
	}
	if text := resolvedText(t, tree, false); !strings.Contains(text, "    # name = \"tcp\"\n") {
		t.Errorf("that a key is not there matters, but it is printed:\n%s", text)
	}
	again := parse(t, resolvedText(t, tree, false))
	for path, want := range map[string]string{"listeners.0.jt808.ack": "delivered", "listeners.0.jt808.tags.0": "******", "listeners.0.port": "1", "log.level": "debug"} {
		if got := again.Text(path); got != want {
			t.Errorf("%s is %q, want %q in\n%s", path, got, want, again)
		}
	}
	if again.Has("listeners.0.jt808.none") || again.Has("listeners.0.name") || !again.Has("log.empty") {
		t.Errorf("optional sections are left out, empty texts are not:\n%s", again)
	}
}

func TestPrintedAreOriginsOfWhatIsSet(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"a.conf": "include \"b.conf\"\nlisteners = [{ port = 1 }\n{ port = ${p} }]\np = 3\nunknown = [1, 2]\nempty {}", "b.conf": "productKey = x"})
	tree, err := config.Loader{
		Paths: []string{filepath.Join(dir, "a.conf")}, Environ: []string{"LINKSPAN_IDLE=5s", "LINKSPAN_LISTENERS_1_NAME=n", "LINKSPAN_POPCLIENTPROFILE_ACCESSSECRET=geheim"}, Defines: []string{"listeners.0.port=2"},
	}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if err = tree.Decode("", &settings{}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err = tree.Write(&b, true); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(b.String(), dir+string(filepath.Separator), "")
	for _, want := range []string{
		`productKey = "x" # b.conf:1:14`, `port = "2" # -Dlisteners.0.port`, "port = 3 # a.conf:3:10", `idle = "5s" # environment variable LINKSPAN_IDLE`, `name = "n" # environment variable LINKSPAN_LISTENERS_1_NAME`,
		"unknown = [1, 2] # a.conf:5:11", "empty {}", `accessSecret = "******"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "maxFrame") {
		t.Errorf("a default is printed:\n%s", text)
	}
	if _, err := config.Parse("again.conf", text); err != nil {
		t.Error(err)
	}
}
