package platform_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linkspan/linkspan/platform"
)

// A program that is being started has the open journal for a moment, and with it the
// lock: a platform that ends gives it back all the same.
func TestDataIsLeftThatSomebodyElseHasOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	change := func(c *platform.Config) { c.Data = path }
	p := start(t, change)
	child, err := unix.Dup(descriptor(t, path+".journal")) // as fork does
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(child) }()
	if err = p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	start(t, change)
}

// descriptor is by which this process has the file open.
func descriptor(t *testing.T, path string) int {
	t.Helper()
	const all = "/proc/self/fd"
	open, err := os.ReadDir(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range open {
		if to, err := os.Readlink(filepath.Join(all, e.Name())); err == nil && to == path {
			fd, err := strconv.Atoi(e.Name())
			if err != nil {
				t.Fatal(err)
			}
			return fd
		}
	}
	t.Fatalf("%s is not open", path)
	return 0
}
