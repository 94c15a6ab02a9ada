package segment

import (
	"errors"
	"fmt"
)

// The conditions that callers can tell apart.
var (
	// ErrFull: there is no room for the record, for one of the causes that a
	// [FullError] names. It is not stored; try again when records are finished.
	ErrFull = errors.New("segment: the log is full")
	// ErrOverloaded: more waits for the disk than may (maxPending). The record is not
	// stored; slow down.
	ErrOverloaded = errors.New("segment: too much waits for the disk")
	// ErrTooLarge: the record is larger than maxRecord.
	ErrTooLarge = errors.New("segment: the record is larger than maxRecord")
	// ErrClosed: the log is closed or closing.
	ErrClosed = errors.New("segment: closed")
	// ErrGone: there is no such record any more: it was finished, dropped or damaged.
	ErrGone = errors.New("segment: the record is gone")
	// ErrLocked: another process, or this one, has the directory open.
	ErrLocked = errors.New("segment: the directory is in use by another process")
	// ErrVersion: the files were written by a newer version. Use that version.
	ErrVersion = errors.New("segment: written by a newer version")
	// ErrWrongKey: records are encrypted with a key that is not in the configuration. Add
	// it to formerKeys; nothing was deleted.
	ErrWrongKey = errors.New("segment: encrypted with another key")
)

// What a log can be full by: causes of a [FullError].
const (
	FullMaxBytes = "maxBytes" // as large as it may become
	FullMinFree  = "minFree"  // too little would be left on the disk for others
	FullDisk     = "disk"     // no space left on the disk, or a quota reached
)

// FullError says what there is no room by. It is [ErrFull], by errors.Is.
type FullError struct {
	Cause string // FullMaxBytes, FullMinFree or FullDisk
	Err   error  // of the system, if there is one
}

// Error says how to mend it.
func (e *FullError) Error() string {
	switch {
	case e.Err != nil:
		return fmt.Sprintf("segment: the log is full: %v", e.Err)
	case e.Cause == FullMinFree:
		return "segment: the log is full: less than minFree is left on the disk"
	default:
		return "segment: the log is full: it has reached maxBytes"
	}
}

// Is makes it ErrFull.
func (e *FullError) Is(target error) bool { return target == ErrFull }

// Unwrap is the system's error.
func (e *FullError) Unwrap() error { return e.Err }

// IOError is an error of the disk: a record could not be written or made
// durable, also not in a new file.
type IOError struct {
	Op   string // what failed: create, write, sync
	Path string
	Err  error
}

// Error names operation and file.
func (e *IOError) Error() string { return fmt.Sprintf("segment: %s %s: %v", e.Op, e.Path, e.Err) }

// Unwrap is the system's error.
func (e *IOError) Unwrap() error { return e.Err }
