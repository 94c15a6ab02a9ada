package config_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/config"
)

// FuzzDecode wants that no configuration makes decoding panic, that errors are
// all config.Errors, and that everything is decoded, warned of or wrong.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		"debug = on, workers = 300, idle = 5s, maxFrame = 64KiB", "listeners = [{ port = 1, settings { x = 1 } }, 3]", "listeners { 1 { port = 2 }, 0 { port = 1 } }",
		"popClientProfile { accessSecret = x }", "popClientProfile = null", "labels { a = [1] }", "free { a = [1, { b = null }] }", "ports = 1\nportz = 2", "ratio = 1e999",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			return
		}
		tree, err := config.Parse("app.conf", "include-free = 1\n"+text)
		var errs config.Errors
		if err != nil {
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("%q: error %T", text, err)
			}
			return
		}
		var got settings
		wrong := tree.Decode("", &got)
		if wrong != nil && (!errors.As(wrong, &errs) || len(errs) == 0) {
			t.Fatalf("%q: error %T", text, wrong)
		}
		for _, l := range got.Listeners {
			if l.Settings != nil {
				_ = l.Settings.Text("x")
			}
		}
		_ = tree.Unused()
		if _, err = config.Parse("again.conf", tree.String()); err != nil {
			t.Fatalf("%q: what is printed does not read back: %v\n%s", text, err, tree)
		}
		var resolved strings.Builder
		if err = tree.WriteResolved(&resolved, true); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, err := config.Parse("resolved.conf", resolved.String())
		if err != nil {
			t.Fatalf("%q: what is resolved does not read back: %v\n%s", text, err, resolved.String())
		}
		if wrong != nil {
			return
		}
		var same settings
		if err := again.Decode("", &same); err != nil {
			t.Fatalf("%q: what is resolved is wrong: %v\n%s", text, err, resolved.String())
		}
		if same.Workers != got.Workers || same.Idle != got.Idle || same.MaxFrame != got.MaxFrame || same.Buffer != got.Buffer || same.Name != got.Name || len(same.Listeners) != len(got.Listeners) ||
			!slices.Equal(same.Ports, got.Ports) || !maps.Equal(same.Labels, got.Labels) || (same.Profile == nil) != (got.Profile == nil) {
			t.Fatalf("%q: what is resolved means another thing:\n%s", text, resolved.String())
		}
	})
}
