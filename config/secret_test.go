package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/config"
)

type secrets struct {
	Password secret   `conf:"password"`
	Key      string   `conf:"key,secret"`
	Keys     []secret `conf:"keys"`
	Plain    string   `conf:"plain"`
	Count    int      `conf:"count,secret"`
	Optional *secret  `conf:"optional"`
}

// folder makes files, named with their texts.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"a.conf": "include \"conf.d/b.conf\"\npassword = \"file:s/password\", plain = \"file:s/password\", keys = [\"file:s/one\", two], count = \"file:s/count\"",
		// relative to the file the value stands in
		"conf.d/b.conf": `key = "file:key"`,
		"s/password":    "geheim 1\n", "s/one": "geheim2\r\n", "s/count": "7", "conf.d/key": "geheim3\n\n", "env": "geheim4",
	})
	tree, err := config.Loader{
		Paths:   []string{filepath.Join(dir, "a.conf")},
		Environ: []string{"LINKSPAN_OPTIONAL=file:" + filepath.Join(dir, "env")},
	}.Load()
	if err != nil {
		t.Fatal(err)
	}
	var got secrets
	if err := tree.Decode("", &got); err != nil {
		t.Fatal(err)
	}
	if string(got.Password) != "geheim 1" || got.Key != "geheim3\n" || string(got.Keys[0]) != "geheim2" || string(got.Keys[1]) != "two" || got.Plain != "file:s/password" || got.Count != 7 ||
		got.Optional == nil || string(*got.Optional) != "geheim4" {
		t.Errorf("got %q %q %q %q %d", string(got.Password), got.Key, got.Keys, got.Plain, got.Count)
	}
	if unused := tree.Unused(); len(unused) != 1 || !strings.Contains(unused[0].Error(), "has 2 lines") || unused[0].Key != "key" {
		t.Errorf("warnings %v, want one of the secret with two lines", unused)
	}
	if out := tree.String(); strings.Contains(out, "geheim") || strings.Contains(out, "s/one") {
		t.Errorf("printed: %s", out)
	}
}

func TestWrongFilesOfSecrets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, want string
		is         error
	}{
		"missing":   {"", "no such file", fs.ErrNotExist},
		"empty":     {"\n", "is empty", nil},
		"large":     {strings.Repeat("geheim", 20_000), "larger than", nil},
		"binary":    {"geheim\xff", "UTF-8", nil},
		"directory": {"", "not a regular file", nil},
		"no number": {"geheim", "cannot be used", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"a.conf": "\n  count = \"file:secret\"", "secret": c.text}
			switch name {
			case "missing":
				delete(files, "secret")
			case "directory":
				delete(files, "secret")
				files["secret/x"] = ""
			}
			tree, err := config.Load(filepath.Join(folder(t, files), "a.conf"))
			if err != nil {
				t.Fatal(err)
			}
			err = tree.Decode("", &secrets{})
			var errs config.Errors
			if !errors.As(err, &errs) || len(errs) != 1 || errs[0].Line != 2 || errs[0].Key != "count" || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %v, want ...a.conf:2...count...%s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "geheim") {
				t.Error("a secret stands in an error")
			}
		})
	}
	if err := parse(t, `password = "file:"`).Decode("", &secrets{}); err == nil || !strings.Contains(err.Error(), "names no file") {
		t.Errorf("no name: error %v", err)
	}
}

func TestFilesOfSecretsThatOthersMayRead(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"a.conf": `password = "file:open"`, "open": "x"})
	if err := os.Chmod(filepath.Join(dir, "open"), 0o644); err != nil {
		t.Fatal(err)
	}
	tree, err := config.Load(filepath.Join(dir, "a.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Decode("", &secrets{}); err != nil {
		t.Fatal(err)
	}
	for _, w := range []config.Errors{tree.Warnings(), tree.Unused()} {
		if len(w) != 1 || w[0].Key != "password" || !strings.Contains(w.Error(), "permissions 0644") || !strings.Contains(w.Error(), "chmod 600") {
			t.Errorf("warnings: %v", w)
		}
	}
}
