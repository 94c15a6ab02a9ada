package components

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/cli"
	"github.com/linkspan/linkspan/session"
)

// Passwords checks one word for all devices.
type Passwords struct{ Word string }

// Authenticate implements auth.Provider.
func (p Passwords) Authenticate(_ context.Context, identity string, credentials []string) error {
	if identity == "away" {
		return auth.ErrUnavailable
	}
	word, err := auth.Credential(credentials, 0)
	if err == nil && subtle.ConstantTimeCompare([]byte(word), []byte(p.Word)) != 1 {
		err = auth.ErrBadCredentials
	}
	return err
}

func TestAnotherAuthProvider(t *testing.T) {
	t.Parallel()
	cloud := newCloud()
	b := start(t, cloud, everyone{}, bridge.WithAuth(Passwords{Word: "sesame"}))
	online(t, b, session.New("a", nil), "sesame")
	expect(t, cloud.said, "a online")
	for name, c := range map[string]struct {
		identity    string
		credentials []string
		denied      bool
	}{
		"wrong": {"b", []string{"barley"}, true},
		"none":  {"b", nil, true},
		"away":  {"away", []string{"sesame"}, false},
	} {
		err := b.Online(t.Context(), session.New(c.identity, nil), c.credentials...)
		if err == nil || errors.Is(err, auth.ErrDenied) != c.denied {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(cloud.said) != 0 || b.Sessions().Len() != 1 {
		t.Errorf("the platform was asked: %q", <-cloud.said)
	}
}

// auth.None is no detour: the login has begun when Online returns.
func TestNoAuthProvider(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]auth.Provider{"none": auth.None{}, "nil": nil} {
		cloud := newCloud()
		b := start(t, cloud, everyone{}, bridge.WithAuth(p))
		done := make(chan error, 1)
		b.Uplink().Online(session.New("a", nil), nil, func(err error) { done <- err })
		if len(cloud.said) != 1 {
			t.Errorf("%s: the platform has not been asked yet", name)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// A program's own provider, by name: auth.type = acme.password.
var passwords = auth.Define("acme.password", PasswordsConfig{Word: "sesame"}, func(c PasswordsConfig, _ auth.Host) (auth.Provider, error) {
	if c.Word == "" {
		return nil, errNoWord
	}
	return Passwords{Word: c.Word.Reveal()}, nil
})

// PasswordsConfig is the section auth.acme.password.
type PasswordsConfig struct {
	Word auth.Secret `conf:"word" doc:"what devices have to say"`
}

var errNoWord = errors.New("word is empty")

func init() { auth.Register(passwords) }

func TestAnAuthProviderByName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ section, secret, want string }{
		"default": {`auth.type = acme.password`, "sesame", "ok"},
		"written": {`auth { type = acme.password, acme.password.word = barley }`, "barley", "ok"},
		"wrong":   {`auth { type = acme.password, acme.password.word = barley }`, "sesame", "bad credentials"},
		"mistake": {`auth { type = acme.password, acme.password.word = "" }`, "", "word is empty"},
	} {
		path := filepath.Join(t.TempDir(), "application.conf")
		if err := os.WriteFile(path, []byte(c.section), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		cmd := cli.Command()
		cmd.SetArgs([]string{"auth", "check", "-c", path, "a"})
		cmd.SetIn(strings.NewReader(c.secret + "\n"))
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			out.WriteString(err.Error())
		}
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: got %q, want %q", name, out.String(), c.want)
		}
	}
}
