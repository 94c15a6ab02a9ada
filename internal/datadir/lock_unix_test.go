//go:build unix

package datadir

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A program that is being started has the open file for a moment, and with it the
// lock: who closes the lock gives it back all the same.
func TestLockIsGivenBackThatSomebodyElseHasOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := LockFile(path)
	if err != nil {
		t.Fatal(err)
	}
	child, err := unix.Dup(int(first.f.Fd())) // as fork does
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(child) }()
	if err = first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := LockFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err = second.Close(); err != nil {
		t.Error(err)
	}
}
