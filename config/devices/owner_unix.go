//go:build unix

package devices

import (
	"os"
	"syscall"
)

// ownerOf says whose a file is.
func ownerOf(info os.FileInfo) (user, group uint32) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Uid, s.Gid
	}
	return 0, 0
}
