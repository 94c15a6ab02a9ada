package upstream_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/upstream"
)

type config struct{ Endpoint string }

type nowhere struct{ config }

func (nowhere) Login(_ upstream.Login, done func(upstream.Device, error)) {
	done(nil, upstream.ErrNotConnected)
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	plugin := upstream.Define("nowhere", config{Endpoint: "default"}, func(c config) (upstream.Connector, error) {
		if c.Endpoint == "" {
			return nil, broken
		}
		return nowhere{c}, nil
	})
	r := upstream.Registry{}
	r.Add(plugin)
	if names := r.Names(); !slices.Equal(names, []string{"nowhere"}) {
		t.Errorf("Names = %v", names)
	}
	up, err := r["nowhere"].New(plugin.Config)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := up.(nowhere); !ok || c.Endpoint != "default" {
		t.Errorf("New = %+v", up)
	}
	if _, err = plugin.New(config{}); !errors.Is(err, broken) || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("New with a bad configuration: %v, want the cause and the plugin's name", err)
	}
	if _, err = plugin.New("text"); err == nil {
		t.Error("New with a configuration of another type: no error")
	}
	for name, p := range map[string]upstream.Plugin{"taken": plugin, "nameless": {New: plugin.New}, "empty": {Name: "x"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: Add did not panic", name)
				}
			}()
			r.Add(p)
		}()
	}
}
