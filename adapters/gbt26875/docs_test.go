package gbt26875

import (
	"encoding/hex"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/thing"
)

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/protocols/gbt26875.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// keys are the configuration's keys.
func keys(t reflect.Type, prefix string) (all []string) {
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("conf"), ",")
		if f.Type.Kind() == reflect.Struct {
			all = append(all, keys(f.Type, prefix+key+".")...)
		} else {
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
	for _, name := range []string{eventFire, eventFault, eventState, eventOperation, eventPostCheck} {
		want("event", name)
	}
	for name := range services {
		want("service", name)
	}
	want("service", rawService)
	for f := range reflect.TypeFor[Stats]().Fields() {
		want("metric", f.Tag.Get("metric"))
	}
	for _, heading := range []string{"Name", "What it does", "Configuration", "Commands", "Limits", "Metrics", "Examples"} {
		if !strings.Contains(text, "\n## "+heading+"\n") {
			t.Errorf("the page has no heading %s", heading)
		}
	}
}

// Every field of properties, events and replies is on the page.
func TestThePageHasEveryField(t *testing.T) {
	t.Parallel()
	text := page(t)
	seen := map[string]bool{}
	var note func(fields []thing.Field)
	note = func(fields []thing.Field) {
		for _, f := range fields {
			seen[f.Name] = true
			for _, v := range f.Value.List() {
				note(v.Struct())
			}
		}
	}
	x := online(t)
	for _, c := range serviceCases(x) {
		if c.answer != nil {
			x.tell(c.answer)
			x.Send(x.unit(c.answer))
		}
		x.Command(invoke("c", c.name, c.input))
		for _, f := range x.frames() {
			if f.Command == gbt26875.CommandRequest && c.answer != nil {
				x.answer(f.Serial, c.answer)
			}
		}
		for _, m := range x.TakeSaid() {
			note(m.Fields)
		}
	}
	for name := range seen {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("the page has no field %s", name)
		}
	}
	if len(seen) < 40 {
		t.Errorf("%d fields, there should be more", len(seen))
	}
}

func TestTheConfigurationOfThePageIsValid(t *testing.T) {
	t.Parallel()
	block := regexp.MustCompile("(?s)```hocon fragment\n(.*?)```").FindStringSubmatch(page(t))
	if block == nil {
		t.Fatal("the page has no configuration")
	}
	tree, err := config.Parse("page", block[1])
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := tree.DecodeNew("listeners.0.gbt26875", Plugin.Config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Plugin.New(decoded); err != nil {
		t.Error(err)
	}
	if c := decoded.(Config); c.Ack != ackDelivered || len(c.Allow) != 2 || c.Clock.Sync.Hours() != 24 || c.Commands != DefaultConfig().Commands {
		t.Errorf("decoded %+v", c)
	}
}

// The example of the page is what happens.
func TestTheExampleOfThePage(t *testing.T) {
	t.Parallel()
	text := page(t)
	digits := regexp.MustCompile(`linkspan decode gbt26875 ([0-9a-f]+)`).FindStringSubmatch(text)
	if digits == nil {
		t.Fatal("the page has no frame")
	}
	wire, err := hex.DecodeString(digits[1])
	if err != nil {
		t.Fatal(err)
	}
	x := dial(t, func(c *Config) { c.Clock.Future = 1e6 * 3600e9 })
	x.Send(wire)
	said, _, _ := strings.Cut(x.said(), "\n")
	shown, _, _ := strings.Cut(said, `"shielded"`)
	squeezed := strings.ReplaceAll(text, "\n \"", "\"")
	if !strings.Contains(squeezed, strings.TrimSuffix(shown, `"fault":false,`)) {
		t.Errorf("the page does not show %s", shown)
	}
	if !strings.HasSuffix(said, `"time":1795275082000}`) || !strings.Contains(text, `"time":1795275082000}`) {
		t.Errorf("said %s", said)
	}
}
