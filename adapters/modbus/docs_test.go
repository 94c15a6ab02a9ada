package modbus

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
)

// keys are the configuration's keys; those of the elements of maps have none of
// their owners' before them.
func keys(t reflect.Type, prefix string) (all []string) {
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("conf"), ",")
		if f.Type.Kind() == reflect.Struct {
			all = append(all, keys(f.Type, prefix+key+".")...)
			continue
		}
		all = append(all, prefix+key)
	}
	return all
}

func TestThePageHasEveryName(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/protocols/modbus.md")
	if err != nil {
		t.Fatal(err)
	}
	names := keys(reflect.TypeFor[Config](), "")
	names = append(names, keys(reflect.TypeFor[profile.Config](), "")...)
	names = append(names, keys(reflect.TypeFor[profile.Point](), "")...)
	for f := range reflect.TypeFor[Stats]().Fields() {
		names = append(names, f.Tag.Get("metric"))
	}
	for _, name := range append(names, rawServices...) {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("the page has no %s", name)
		}
	}
	for _, heading := range []string{"Name", "What it does", "Configuration", "Commands", "Limits", "Metrics", "Examples"} {
		if !strings.Contains(string(text), "\n## "+heading+"\n") {
			t.Errorf("the page has no heading %s", heading)
		}
	}
}

// A mode of doing without: whoever writes the defaults down gets the same.
func TestDefaultsAreSound(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	c.Profiles = map[string]profile.Config{"meter": meter()}
	if _, err := New("modbus").New(c); err != nil {
		t.Error(err)
	}
}
