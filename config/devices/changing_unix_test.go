//go:build unix

package devices

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A file that is written while it is read counts for nothing. The pipe that it
// includes holds the reader up meanwhile.
func TestAFileThatChangesWhileItIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, pipe := filepath.Join(dir, "devices.conf"), filepath.Join(dir, "pipe.conf")
	write(t, path, entryOf("a", "b")+"include \"pipe.conf\"\n")
	f, err := OpenFile(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err = unix.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	wrote := make(chan error, 1)
	go func() {
		p, failed := os.OpenFile(pipe, os.O_WRONLY, 0) // when the reader has come so far
		if failed == nil {
			failed = errors.Join(os.WriteFile(path, []byte(entryOf("c")), 0o600), p.Close())
		}
		wrote <- failed
	}()
	if _, err = f.Reload(); !errors.Is(err, ErrChanging) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want ErrChanging", err)
	}
	if err = <-wrote; err != nil {
		t.Fatal(err)
	}
	if _, err = f.Identity("b"); err != nil || f.Len() != 2 {
		t.Errorf("%d devices, %v", f.Len(), err)
	}
}
