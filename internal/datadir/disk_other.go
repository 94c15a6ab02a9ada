//go:build !unix

package datadir

import "math"

// SyncDir has nothing to do here.
func SyncDir(string) error { return nil }

// Free is not known here: there is enough.
func Free(string) (int64, error) { return math.MaxInt64, nil }
