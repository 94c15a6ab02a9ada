//go:build !unix

package server

import "math"

// closeWrite cannot half-close here: the socket is closed at once.
func closeWrite(int) bool { return false }

// fileLimit is unknown here.
func fileLimit() int { return math.MaxInt32 }
