//go:build unix

package devices

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock keeps other processes that use the same file waiting until it is closed.
func lock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("flock", err)
		}
	}
}
