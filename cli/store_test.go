package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/datadir"
)

// A data directory that cannot be used is named with its key.
func TestDataDirectoryThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, file := range []string{"a-file", "foreign/thesis.txt"} {
		path := filepath.Join(dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	locked, err := datadir.Open(filepath.Join(dir, "locked"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = locked.Close() })
	for path, want := range map[string]string{
		"":        "is empty",
		"a-file":  "not a directory",
		"foreign": "thesis.txt and no file VERSION: name another directory",
		"locked":  "in use by another process",
	} {
		d, openErr := openData(datadir.Config{Directory: path}, dir, nil)
		if d != nil || openErr == nil || !strings.Contains(openErr.Error(), "data.directory") || !strings.Contains(openErr.Error(), want) {
			t.Errorf("%q: %v, want %s", path, openErr, want)
		}
	}
	d, err := openData(datadir.Config{Directory: "new"}, dir, []string{filepath.Join(dir, "new", "queue")})
	if err != nil {
		t.Fatal(err)
	}
	if err = d.Close(); err != nil {
		t.Error(err)
	}
}
