package auth_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/auth"
)

func TestNoneAsksNothing(t *testing.T) {
	t.Parallel()
	if !strings.Contains(fmt.Sprint(auth.Default.Names()), "none") {
		t.Fatalf("registered: %v", auth.Default.Names())
	}
	plugin := auth.Default["none"]
	p, err := plugin.New(plugin.Config, auth.Host{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.(auth.None); !ok {
		t.Errorf("it is a %T", p)
	}
	if err := p.Authenticate(t.Context(), "anyone", nil); err != nil {
		t.Error(err)
	}
}

func TestCredential(t *testing.T) {
	t.Parallel()
	given := []string{"code", ""}
	for n, want := range map[int]string{0: "code", 1: ""} {
		if got, err := auth.Credential(given, n); err != nil || got != want {
			t.Errorf("%d: %q, %v", n, got, err)
		}
	}
	for _, n := range []int{-1, 2} {
		if _, err := auth.Credential(given, n); !errors.Is(err, auth.ErrBadCredentials) || !errors.Is(err, auth.ErrDenied) {
			t.Errorf("%d: %v", n, err)
		}
	}
}

func TestCounter(t *testing.T) {
	t.Parallel()
	var c auth.Counter
	for _, err := range []error{nil, auth.ErrBadCredentials, fmt.Errorf("no: %w", auth.ErrDenied), auth.ErrUnavailable, context.Canceled, nil} {
		if got := c.Count(err); !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
	c.Cached()
	if got, want := c.Stats(), (auth.Stats{Checks: 7, Denied: 2, Failures: 2, Cached: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if errors.Is(auth.ErrUnavailable, auth.ErrDenied) {
		t.Error("a device is denied when nothing is known")
	}
}

// A provider of somebody else's, and its configuration.
type words struct {
	Word string `conf:"word"`
}

var errWord = errors.New("word is empty")

func define() auth.Plugin {
	return auth.Define("acme.words", words{Word: "sesame"}, func(c words, h auth.Host) (auth.Provider, error) {
		if c.Word == "" {
			return nil, errWord
		}
		h.Log().Info("made")
		return auth.Func(func(_ context.Context, _ string, credentials []string) error {
			if got, err := auth.Credential(credentials, 0); err != nil || got != c.Word {
				return auth.ErrBadCredentials
			}
			return nil
		}), nil
	})
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	plugin := define()
	p, err := plugin.New(plugin.Config, auth.Host{})
	if err != nil {
		t.Fatal(err)
	}
	if err = p.Authenticate(t.Context(), "a", []string{"sesame"}); err != nil {
		t.Error(err)
	}
	if err = p.Authenticate(t.Context(), "a", []string{"barley"}); !errors.Is(err, auth.ErrBadCredentials) {
		t.Error(err)
	}
	if _, err = plugin.New(words{}, auth.Host{}); !errors.Is(err, errWord) || !strings.HasPrefix(err.Error(), "auth: acme.words: ") {
		t.Error(err)
	}
	if _, err = plugin.New(3, auth.Host{}); err == nil || !strings.Contains(err.Error(), "int") {
		t.Error(err)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	r := auth.Registry{}
	r.Add(define())
	if got := fmt.Sprint(r.Names()); got != "[acme.words]" {
		t.Error(got)
	}
	for name, plugin := range map[string]auth.Plugin{
		"no name": {New: define().New}, "no New": {Name: "x"}, "twice": define(),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is taken", name)
				}
			}()
			r.Add(plugin)
		}()
	}
}

func TestPathsStartAtTheHost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := auth.Host{Dir: dir}
	for path, want := range map[string]string{"": "", "a.txt": filepath.Join(dir, "a.txt"), dir: dir} {
		if got := h.Path(path); got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
	if got := (auth.Host{}).Path("a.txt"); got != "a.txt" {
		t.Errorf("without a folder: %q", got)
	}
}
