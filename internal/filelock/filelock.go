// Package filelock keeps other processes away from a file that is open: with flock(2),
// which holds until the file is unlocked or closed by all who have it open, and in any
// case ends with the process. On systems that are no Unix nobody is kept
// away.
package filelock

import "errors"

// ErrLocked says that another process has the file locked, or this one, by another
// opening of it.
var ErrLocked = errors.New("locked by another process")
