//go:build unix

package server

import (
	"math"

	"golang.org/x/sys/unix"
)

// closeWrite tells the peer that nothing more comes, and says whether it could.
func closeWrite(fd int) bool { return unix.Shutdown(fd, unix.SHUT_WR) == nil }

// fileLimit is how many files the process may have open.
func fileLimit() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(limit.Cur)
}
