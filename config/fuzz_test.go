package config_test

import (
	"errors"
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
		if err := tree.Decode("", &got); err != nil && (!errors.As(err, &errs) || len(errs) == 0) {
			t.Fatalf("%q: error %T", text, err)
		}
		for _, l := range got.Listeners {
			if l.Settings != nil {
				_ = l.Settings.Text("x")
			}
		}
		_ = tree.Unused()
		if _, err := config.Parse("again.conf", tree.String()); err != nil {
			t.Fatalf("%q: what is printed does not read back: %v\n%s", text, err, tree)
		}
	})
}
