package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/config"
)

const twoListeners = `defaults { burst = 10s, rate = 5 }
listeners = [
  { name = a, port = 1, limits = ${defaults} }
  { name = b, port = 2, limits = ${defaults} { rate = 6 } }
]
more = ${listeners} [{ name = c, port = 3 }]
ports = [1, 2, 3]
nested = [[1, 2], [3]]
`

func TestOverridesReachIntoLists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		defines, envs []string
		path, want    string
	}{
		{"a definition", []string{"listeners.0.port=9"}, nil, "listeners.0", `{"name":"a","port":"9","limits":{"burst":"10s","rate":5}}`},
		{"the other element stays", []string{"listeners.0.port=9"}, nil, "listeners.1", `{"name":"b","port":2,"limits":{"burst":"10s","rate":6}}`},
		{"a variable", nil, []string{"LINKSPAN_LISTENERS_1_PORT=9"}, "listeners.1", `{"name":"b","port":"9","limits":{"burst":"10s","rate":6}}`},
		{"a key that a substitution brings", nil, []string{"LINKSPAN_LISTENERS_0_LIMITS_RATE=9"}, "listeners.0.limits", `{"burst":"10s","rate":"9"}`},
		{"the definition is stronger", []string{"listeners.0.limits.rate=8"}, []string{"LINKSPAN_LISTENERS_0_LIMITS_RATE=9"}, "listeners.0.limits", `{"burst":"10s","rate":"8"}`},
		{"a list of other lists", []string{"more.2.port=9"}, []string{"LINKSPAN_MORE_1_PORT=8"}, "more", `[{"name":"a","port":1,"limits":{"burst":"10s","rate":5}},{"name":"b","port":"8","limits":{"burst":"10s","rate":6}},{"name":"c","port":"9"}]`},
		{"a list that refers to an overridden one", []string{"listeners.1.port=9"}, nil, "more.1.port", `"9"`},
		{"a text in a list", []string{"ports.1=9"}, []string{"LINKSPAN_PORTS_2=8"}, "ports", `[1,"9","8"]`},
		{"a list in a list", []string{"nested.0.1=9"}, nil, "nested", `[[1,"9"],[3]]`},
		{"a new key", []string{"listeners.0.extra.deep=1"}, nil, "listeners.0.extra", `{"deep":"1"}`},
		{"a whole element", []string{"listeners.0={ name = z }"}, nil, "listeners.0", `{"name":"z","port":1,"limits":{"burst":"10s","rate":5}}`},
		{"an element over a list of definitions", []string{"listeners=[{ port = 5, name = q }]", "listeners.0.port=6"}, nil, "listeners", `[{"port":"6","name":"q"}]`},
		{"a whole list over an element", []string{"ports.0=9", "ports=[7]"}, nil, "ports", `[7]`},
		{"a list that no file has", []string{"fresh.0.x=1", "fresh.1.x=2"}, nil, "fresh", `{"0":{"x":"1"},"1":{"x":"2"}}`},
		{"several", []string{"listeners.1.port=7", "listeners.1.name=n"}, []string{"LINKSPAN_LISTENERS_1_LIMITS_BURST=1s"}, "listeners.1", `{"name":"n","port":"7","limits":{"burst":"1s","rate":6}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tree, err := config.Loader{Paths: []string{write(t, "a.conf", twoListeners)}, Defines: c.defines, Environ: c.envs}.Load()
			if err != nil {
				t.Fatal(err)
			}
			want, err := config.Parse("want.conf", "v = "+c.want)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := shape(tree.Sub(c.path)), shape(want.Sub("v")); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// shape is a section in one line.
func shape(t *config.Tree) string { return strings.Join(strings.Fields(t.String()), " ") }

func TestOverridesBeyondListsAreMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, define, env string
		want              []string
	}{
		{"a definition", "listeners.2.port=9", "", []string{"-Dlisteners.2.port", "no element 2", "a.conf:2:13", "has 2"}},
		{"a variable", "", "LINKSPAN_LISTENERS_7_PORT=9", []string{"LINKSPAN_LISTENERS_7_PORT", "listeners", "no element 7", "has 2"}},
		{"no number", "ports.first=9", "", []string{"-Dports.first", "first is no element of the list"}},
		{"a negative number", "ports.-1=9", "", []string{"no element -1"}},
		{"in a list of lists", "nested.1.1=9", "", []string{"no element 1", "has 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := config.Loader{Paths: []string{write(t, "a.conf", twoListeners)}}
			if c.define != "" {
				l.Defines = []string{c.define}
			}
			if c.env != "" {
				l.Environ = []string{c.env}
			}
			_, err := l.Load()
			var errs config.Errors
			if !errors.As(err, &errs) {
				t.Fatalf("error %v, want config.Errors", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v lacks %q", err, want)
				}
			}
		})
	}
}
