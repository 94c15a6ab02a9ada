//go:build unix

package filelock_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linkspan/linkspan/internal/filelock"
)

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestOneAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	one, other := open(t, path), open(t, path)
	if err := filelock.Try(one); err != nil {
		t.Fatal(err)
	}
	if err := filelock.Try(other); !errors.Is(err, filelock.ErrLocked) {
		t.Errorf("locked twice: %v", err)
	}
	waited := make(chan error, 1)
	go func() { waited <- filelock.Lock(other) }()
	select {
	case err := <-waited:
		t.Errorf("Lock did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := filelock.Unlock(one); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
	if err := filelock.Try(one); !errors.Is(err, filelock.ErrLocked) {
		t.Errorf("locked while the one that waited has it: %v", err)
	}
}

// A program that is being started has the open file for a moment, and with it the
// lock: Unlock takes it back all the same.
func TestUnlockedForWhoeverHasItOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	one, other := open(t, path), open(t, path)
	if err := filelock.Try(one); err != nil {
		t.Fatal(err)
	}
	child, err := unix.Dup(int(one.Fd())) // as fork does
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(child) }()
	if err = errors.Join(filelock.Unlock(one), one.Close()); err != nil {
		t.Fatal(err)
	}
	if err = filelock.Try(other); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeLocked(t *testing.T) {
	t.Parallel()
	f := open(t, filepath.Join(t.TempDir(), "file"))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"Try": filelock.Try(f), "Lock": filelock.Lock(f), "Unlock": filelock.Unlock(f)} {
		if err == nil || errors.Is(err, filelock.ErrLocked) {
			t.Errorf("%s of a closed file: %v", name, err)
		}
	}
}
