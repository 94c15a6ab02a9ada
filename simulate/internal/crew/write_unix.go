//go:build unix

package crew

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// Writer writes what a connection takes at once, without waiting and without
// allocating. It is for one goroutine at a time.
type Writer struct {
	p    []byte
	n    int
	err  error
	once func(fd uintptr) bool // w.try; made once
}

// try writes p to the file, as far as it goes. It never has the caller wait.
func (w *Writer) try(fd uintptr) bool {
	for w.n < len(w.p) {
		n, err := syscall.Write(int(fd), w.p[w.n:])
		switch {
		case n > 0:
			w.n += n
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return true
		case err != nil:
			w.err = err
			return true
		default:
			w.err = io.ErrUnexpectedEOF
			return true
		}
	}
	return true
}

// Write says how much of p was written. raw is what is below conn; nil when it has
// none, and then a write may take a millisecond.
func (w *Writer) Write(conn net.Conn, raw syscall.RawConn, p []byte) (n int, err error) {
	if raw == nil {
		return writeWithin(conn, p, time.Millisecond)
	}
	if w.once == nil {
		w.once = w.try
	}
	w.p, w.n, w.err = p, 0, nil
	err = raw.Write(w.once)
	w.p = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

// reserve is how many files the process needs besides connections.
const reserve = 64

// CheckFiles makes sure that the process may have so many connections.
func CheckFiles(connections int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil //nolint:nilerr // connecting will tell
	}
	if need := uint64(connections) + reserve; uint64(limit.Cur) < need { //nolint:gosec,unconvert // positive; signed on some systems
		return fmt.Errorf("simulate: devices: %d need %d open files and the limit is %d: raise it (ulimit -n), or simulate fewer", connections, need, limit.Cur)
	}
	return nil
}
