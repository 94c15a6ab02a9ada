package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
)

const tokenKey = "0123456789abcdef0123456789abcdef"

// written writes secrets.txt beside the configuration.
func written(t *testing.T, application, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(filepath.Dir(application), "secrets.txt"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAuthConfigCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		section string
		secrets string
		want    []string // in the output; none: ok
	}{
		"none":                   {section: "auth.type = none"},
		"static":                 {section: `auth { type = static, static.file = secrets.txt }`, secrets: "# nobody"},
		"static, no file":        {section: `auth.type = static`, want: []string{"auth.static", "auth.static.file: is"}},
		"static, file gone":      {section: `auth { type = static, static.file = gone.txt }`, want: []string{"auth.static", "gone.txt"}},
		"static, file's fault":   {section: `auth { type = static, static.file = secrets.txt }`, secrets: "\na:hunter2", want: []string{"secrets.txt:2", "linkspan auth hash"}},
		"http":                   {section: `auth { type = http, http { url = "https://auth.example.com/check", token = hunter2 } }`},
		"http, several mistakes": {section: `auth { type = http, http { timeout = 0s, token = "hunter2 x" } }`, want: []string{"auth.http", "url", "timeout", "auth.http.token: is ******"}},
		"token":                  {section: `auth { type = token, token.keys = [{ id = k1, secret = ` + tokenKey + ` }] }`},
		"token, short key":       {section: `auth { type = token, token.keys = [{ id = k1, secret = hunter2 }] }`, want: []string{"auth.token", "keys.0", "at least 32"}},
		"token, key has no id":   {section: `auth { type = token, token.keys = [{ secret = ` + tokenKey + ` }] }`, want: []string{"auth.token.keys.0.id"}},
		"no such check":          {section: `auth.type = ldap`, want: []string{"auth.type", `"ldap"`, "http", "none", "static", "token"}},
		"a key misspelt":         {section: `auth { type = static, static { file = secrets.txt, fyle = x } }`, secrets: "#", want: []string{"fyle", "did you mean file?"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, goodConfig+test.section, goodDevices)
			if test.secrets != "" {
				written(t, path, test.secrets)
			}
			out, err := run(t, "", "config", "check", "-c", path)
			if err != nil {
				out += err.Error()
			}
			if len(test.want) == 0 && out != "ok\n" {
				t.Errorf("got %q", out)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("lacks %q:\n%s", want, out)
				}
			}
			if strings.Contains(out, "configuration:") {
				t.Errorf("says what the key says:\n%s", out)
			}
			if strings.Contains(out, "hunter2") || strings.Contains(out, tokenKey) {
				t.Errorf("shows a secret:\n%s", out)
			}
		})
	}
}

func TestAuthHashAndCheck(t *testing.T) {
	t.Parallel()
	path := write(t, goodConfig+`auth { type = static, static.file = secrets.txt }`, goodDevices)
	var lines strings.Builder
	for identity, flags := range map[string][]string{
		"13800138001": {"--cost", "4"},
		"a:b":         {"--algorithm", "argon2id", "--memory", "64", "--passes", "1"},
	} {
		out, err := run(t, "sesame\r\n", append([]string{"auth", "hash", identity}, flags...)...)
		if err != nil || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, identity+":$") {
			t.Fatalf("%q, %v", out, err)
		}
		lines.WriteString(out)
	}
	bare, err := run(t, "other", "auth", "hash", "--cost", "4")
	if err != nil || !strings.HasPrefix(bare, "$2") {
		t.Fatalf("%q, %v", bare, err)
	}
	written(t, path, lines.String()+"c:"+bare)
	for _, c := range []struct {
		identity, secret string
		good             bool
	}{
		{"13800138001", "sesame\n", true},
		{"13800138001", "barley\n", false},
		{"13800138001", "\n", false},
		{"a:b", "sesame", true},
		{"c", "other\nsomething else\n", true},
		{"d", "other\n", false},
	} {
		out, err := run(t, c.secret, "auth", "check", "-c", path, c.identity)
		if c.good != (err == nil) || c.good != (out == "ok\n") || err != nil && !strings.Contains(err.Error(), "bad credentials") {
			t.Errorf("%s, %q: %q, %v", c.identity, c.secret, out, err)
		}
	}
}

func TestAuthTokenAndCheck(t *testing.T) {
	t.Parallel()
	path := write(t, goodConfig+`auth { type = token, token.keys = [{ id = k1, secret = `+tokenKey+` }, { id = k0, secret = x`+tokenKey+` }] }`, goodDevices)
	first, err := run(t, "", "auth", "token", "-c", path, "13800138001")
	if err != nil || !strings.HasPrefix(first, "v1.k1.") {
		t.Fatalf("%q, %v", first, err)
	}
	several, err := run(t, "", "auth", "token", "-c", path, "--key", "k0", "--lifetime", "1h", "a", "b")
	lines := strings.Split(several, "\n")
	if err != nil || len(lines) != 3 || !strings.HasPrefix(lines[0], "a v1.k0.") || !strings.HasPrefix(lines[1], "b v1.k0.") {
		t.Fatalf("%q, %v", several, err)
	}
	for _, c := range []struct {
		identity, token string
		good            bool
	}{
		{"13800138001", first, true},
		{"b", strings.TrimPrefix(lines[1], "b "), true},
		{"a", strings.TrimPrefix(lines[1], "b "), false},
	} {
		if out, err := run(t, c.token, "auth", "check", "-c", path, c.identity); c.good != (err == nil) {
			t.Errorf("%s: %q, %v", c.identity, out, err)
		}
	}
}

func TestWrongAuthCommands(t *testing.T) {
	t.Parallel()
	path := write(t, goodConfig, goodDevices)
	short := write(t, goodConfig+`auth.token.keys = [{ id = k1, secret = hunter2 }]`, goodDevices)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no secret":             {[]string{"hash"}, "standard input"},
		"an identity like that": {[]string{"hash", "#a"}, "identity"},
		"an algorithm":          {[]string{"hash", "--algorithm", "md5"}, "bcrypt or argon2id"},
		"a cost":                {[]string{"hash", "--cost", "40"}, "4 to 31"},
		"no keys":               {[]string{"token", "-c", path, "a"}, "auth.token"},
		"a short key":           {[]string{"token", "-c", short, "a"}, "at least 32"},
		"no such configuration": {[]string{"token", "-c", path + "x", "a"}, "application.conf"},
		"a lifetime":            {[]string{"token", "-c", path, "--lifetime", "0s", "a"}, "--lifetime"},
		"no identity":           {[]string{"token", "-c", path}, "--help"},
		"check without input":   {[]string{"check", "-c", path, "a"}, "standard input"},
		"no such command":       {[]string{"has"}, "did you mean hash?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdin := ""
			if strings.HasPrefix(name, "a") {
				stdin = "sesame\n"
			}
			out, err := run(t, stdin, append([]string{"auth"}, test.args...)...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q; %s", err, test.want, out)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("shows a secret: %v", err)
			}
		})
	}
}

// The provider of a node is counted with the node's other rooms, and closed.
func TestAuthOfANode(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Identity string }
		text, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(text, &q)
		}
		if err != nil {
			t.Error(err)
		}
		asked <- q.Identity
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	path := write(t, goodConfig+`auth { type = http, http.url = "`+server.URL+`" }`, goodDevices)
	tree, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNode(tree, filepath.Dir(path), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.auth.Authenticate(t.Context(), "13800138001", nil); err == nil {
		t.Error("the device may go online")
	}
	if got := <-asked; got != "13800138001" {
		t.Errorf("asked about %q", got)
	}
	var text strings.Builder
	for _, stats := range n.stats {
		all, err := json.Marshal(stats())
		if err != nil {
			t.Fatal(err)
		}
		text.Write(all)
	}
	if !strings.Contains(text.String(), `"Auth":{"Checks":1,"Denied":1,"Failures":0,"Cached":0}`) {
		t.Errorf("counted %s", text.String())
	}
	if err := closeAuth(n.auth); err != nil {
		t.Error(err)
	}
	if err := closeAuth(auth.None{}); err != nil {
		t.Error(err)
	}
}

// A signal makes the secrets file be read again, however short ago that was.
func TestAuthIsReloaded(t *testing.T) {
	t.Parallel()
	path := write(t, goodConfig+`auth { type = static, static { file = secrets.txt, reload = 0s } }`, goodDevices)
	line, err := run(t, "sesame", "auth", "hash", "--cost", "4", "13800138001")
	if err != nil {
		t.Fatal(err)
	}
	written(t, path, "# nobody\n")
	tree, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	settings := authSettings{Type: "static"}
	p, err := newAuth(settings, tree, filepath.Dir(path), zap.NewNop(), func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	written(t, path, line)
	if err := p.Authenticate(t.Context(), "13800138001", []string{"sesame"}); err == nil {
		t.Error("the file was read again by itself")
	}
	reloadAuth(p)
	if err := p.Authenticate(t.Context(), "13800138001", []string{"sesame"}); err != nil {
		t.Error(err)
	}
	reloadAuth(auth.None{}) // has nothing to read
}
