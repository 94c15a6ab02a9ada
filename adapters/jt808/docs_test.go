package jt808

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/config"
)

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/protocols/jt808.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// keys are the configuration's keys.
func keys(t reflect.Type, prefix string) (all []string) {
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("conf"), ",")
		switch {
		case f.Anonymous:
			all = append(all, keys(f.Type, prefix)...)
		case f.Type.Kind() == reflect.Struct:
			all = append(all, keys(f.Type, prefix+key+".")...)
		default:
			all = append(all, prefix+key)
		}
	}
	return all
}

func TestThePageHasEveryName(t *testing.T) {
	t.Parallel()
	text := page(t)
	want := func(what, name string) {
		t.Helper()
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("the page has no %s %s", what, name)
		}
	}
	for _, key := range keys(reflect.TypeFor[Config](), "") {
		want("key", key)
	}
	for _, name := range eventNames {
		want("event", name)
	}
	for name := range services {
		want("service", name)
	}
	for _, p := range jt808.AllParameters() {
		want("parameter", p.LowerCamel())
	}
	for bit := range 32 {
		want("alarm", alarmNames[jt808.V2013][bit])
		if a := alarmNames[jt808.V2019][bit]; a != alarmNames[jt808.V2013][bit] {
			want("alarm", a)
		}
	}
	for f := range reflect.TypeFor[Stats]().Fields() {
		want("metric", f.Tag.Get("metric"))
	}
	for _, heading := range []string{"Name", "What it does", "Configuration", "Commands", "Limits", "Metrics", "Examples"} {
		if !strings.Contains(text, "\n## "+heading+"\n") {
			t.Errorf("the page has no heading %s", heading)
		}
	}
}

// Every property that a location can have is on the page.
func TestThePageHasEveryProperty(t *testing.T) {
	t.Parallel()
	text := page(t)
	x := dial(t, func(c *Config) { c.Extras = true }).join()
	seen := map[string]bool{}
	for id := range 256 {
		for _, size := range []int{1, 2, 3, 4, 5, 6, 7, 8} {
			l := x.place()
			l.Extras = []jt808.Extra{{ID: jt808.ExtraID(id), Value: make([]byte, size)}}
			x.say(l)
			for _, f := range x.TakeSaid()[0].Fields {
				seen[f.Name] = true
			}
		}
	}
	for name := range seen {
		if !strings.Contains(text, "| `"+name+"` |") {
			t.Errorf("the page has no property %s", name)
		}
	}
	if len(seen) < 30 {
		t.Errorf("%d properties, there should be more", len(seen))
	}
}

func TestTheConfigurationOfThePageIsValid(t *testing.T) {
	t.Parallel()
	block := regexp.MustCompile("(?s)```hocon[^\n]*\n(.*?)```").FindStringSubmatch(page(t))
	if block == nil {
		t.Fatal("the page has no configuration")
	}
	tree, err := config.Parse("page", block[1])
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := tree.DecodeNew("listeners.0.jt808", Plugin.Config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Plugin.New(decoded); err != nil {
		t.Error(err)
	}
	if c := decoded.(Config); c.Ack != ackDelivered || c.Authentication.Key == "" || c.Multimedia.Directory == "" || c.Commands != DefaultConfig().Commands {
		t.Errorf("decoded %+v", c)
	}
	sizes, err := config.Parse("sizes", `x { multimedia { maxFile = 4MiB }, packages { maxBytes = 4194304, acknowledge = last }, commands.timeout = 10s }`)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err = sizes.DecodeNew("x", Plugin.Config)
	if err != nil {
		t.Fatal(err)
	}
	if c := decoded.(Config); c.Multimedia.MaxFile != 4<<20 || c.Packages.MaxBytes != 4<<20 || c.Packages.Acknowledge != acknowledgeLast {
		t.Errorf("decoded %+v", c)
	}
}

// The examples of the page are what happens.
func TestTheExamplesOfThePage(t *testing.T) {
	t.Parallel()
	text := page(t)
	x := dial(t).join()
	l := x.place()
	l.Speed = 605
	l.SetPosition(31_234_759, 121_456_469)
	x.say(l)
	var squeezed strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		squeezed.WriteString(strings.TrimSpace(line))
	}
	if got := names(x.Said); len(got) != 1 {
		t.Fatal(got)
	}
	for _, want := range []string{
		textOf(x), "01DC9AC7 073D4755 002C 025D 005A 260102110405",
		"8103: 02 00000001 04 0000003C 00000055 04 0000005A",
	} {
		if !strings.Contains(squeezed.String(), want) {
			t.Errorf("the page does not show %s", want)
		}
	}
	f := x.order(set("c", `{"heartbeatInterval":60,"maxSpeed":90}`))
	if got := "02000000010400000" + "03C00000055040000005A"; strings.ToUpper(jt808.Hex(f.Body).String()) != got {
		t.Errorf("body %x, want %s", f.Body, got)
	}
}

func textOf(x *terminal) string { return text(x.TakeSaid()[0].Fields) }
