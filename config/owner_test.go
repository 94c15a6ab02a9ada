package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/config"
)

// room is a section with one below it.
type room struct {
	Name  string `conf:"name"`
	Lists []hall `conf:"lists"`
	Inner hall   `conf:"inner"`
}

type hall struct {
	Size    int      `conf:"size"`
	Address []string `conf:"address,required" doc:"address of the hall" example:"\":7611\""`
}

func TestHintsForUnknownKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"a key like it":                 {"anme = x", "did you mean name?"},
		"a section like a key":          {"nam { x = 1 }", "room.nam: is not a known key"},
		"a section like another":        {"iner { size = 1 }", "did you mean inner?"},
		"a key of the section below":    {"size = 1, inner { address = a }", "did you mean inner.size?"},
		"nothing like it":               {"qqqqqq = 1", "known here: name, lists, inner"},
		"what is missing is still said": {"inner { addrss = 1 }", "did you mean address?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree, err := config.Parse("a.conf", "room { "+c.text+" }")
			if err != nil {
				t.Fatal(err)
			}
			var r room
			_ = tree.Decode("room", &r) // what is missing does not matter here
			if got := tree.Warnings(); len(got) != 1 || !strings.HasSuffix(got[0].Error(), c.want) {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
}

func TestExamplesOfRequiredKeys(t *testing.T) {
	t.Parallel()
	tree, err := config.Parse("a.conf", "room.inner {}")
	if err != nil {
		t.Fatal(err)
	}
	var r room
	if err = tree.Decode("room", &r); err == nil || !strings.Contains(err.Error(), `write address = ":7611"`) {
		t.Errorf("error %v", err)
	}
}

func TestOwnersTellMore(t *testing.T) {
	t.Parallel()
	tree, err := config.Parse("a.conf", "top = x\nroom { name = b, other = 1, inner { address = a } }")
	if err != nil {
		t.Fatal(err)
	}
	var r room
	if err := tree.Decode("room", &r); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"room.name": true, "room.inner.size": true, "room.other": false, "room.inner.name": false, "": false, "..": false} {
		if tree.Knows(path) != want {
			t.Errorf("Knows(%q) is %v", path, !want)
		}
	}
	tree.Warn(tree.Errorf("room.other", "is too old", ""))
	if got := tree.Warnings().Error(); got != "config: a.conf:2:26: room.other: is too old" {
		t.Errorf("warnings %s", got)
	}
	if got := tree.Errorf("room.inner.size", "is small", "").Error(); got != "config: a.conf:2:35: room.inner.size: is small" {
		t.Errorf("a key that is not set is at %s", got)
	}
	if got := tree.Errorf("nowhere", "is missing", "").Error(); got != "config: nowhere: is missing" {
		t.Errorf("a key at the top that is not set is at %s", got)
	}
	r.Inner.Size = 7
	if _, err := tree.DecodeNew("room", r); err != nil {
		t.Fatal(err)
	}
	tree.Derived("room.inner.size", "top")
	var b strings.Builder
	if err := tree.WriteResolved(&b, true); err != nil || !strings.Contains(b.String(), "size = 7 # from top, a.conf:1:7") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestDefinitionsAddElements(t *testing.T) {
	t.Parallel()
	path := write(t, "a.conf", twoListeners)
	for name, c := range map[string]struct{ define, path, want string }{
		"an object":        {"listeners += { port = 9 }", "listeners.2", `{ port = 9 }`},
		"without blanks":   {"listeners+={port=9}", "listeners.2", `{ port = 9 }`},
		"a text":           {"ports+=9", "ports", `[1, 2, 3, "9"]`},
		"to a deeper list": {"defaults.more += x", "defaults.more", `["x"]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree, err := config.Loader{Paths: []string{path}, Defines: []string{c.define}}.Load()
			if err != nil {
				t.Fatal(err)
			}
			want, err := config.Parse("want.conf", "v = "+c.want)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := shape(tree.Sub(c.path)), shape(want.Sub("v")); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	for _, define := range []string{"+=1", "defaults.rate += 1", "listeners += {"} {
		if _, err := (config.Loader{Paths: []string{path}, Defines: []string{define}}).Load(); err == nil || !strings.Contains(err.Error(), "-D") {
			t.Errorf("-D%s: error %v", define, err)
		}
	}
}

func TestLoadTellsOfTheOtherFormat(t *testing.T) {
	t.Parallel()
	path := write(t, "a.json", "{}")
	_, err := config.Load(strings.TrimSuffix(path, ".json") + ".conf")
	if err == nil || !strings.Contains(err.Error(), path+" is there") {
		t.Errorf("error %v", err)
	}
	if err = os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err = config.Load(filepath.Join(filepath.Dir(path), "a.conf")); err == nil || strings.Contains(err.Error(), "is there") {
		t.Errorf("error %v", err)
	}
}
