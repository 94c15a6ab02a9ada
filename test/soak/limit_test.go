//go:build soak

package soak

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds what must happen soon, on a busy machine too.
const patience = time.Minute

// raiseFileLimit gives this process and its children as many descriptors as
// there may be. The Go runtime does so by itself, but not for children.
func raiseFileLimit(t *testing.T, need int) {
	t.Helper()
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: l.Cur, Max: l.Max}); err != nil {
		t.Fatal(err)
	}
	if l.Cur < uint64(need) {
		t.Fatalf("%d open files are needed, the limit is %d: raise it (ulimit -Hn) or take fewer -devices", need, l.Cur)
	}
}

func mib(bytes float64) string { return fmt.Sprintf("%.0f MiB", bytes/(1<<20)) }
