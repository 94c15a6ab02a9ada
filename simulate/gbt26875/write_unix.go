//go:build unix

package gbt26875

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

// writer writes what a connection takes at once, without waiting and without
// allocating. It is for one goroutine at a time.
type writer struct {
	p    []byte
	n    int
	err  error
	once func(fd uintptr) bool // w.try; made once
}

// try writes p to the file, as far as it goes. It never has the caller wait.
func (w *writer) try(fd uintptr) bool {
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

// write says how much of p was written.
func (w *writer) write(l *link, p []byte) (n int, err error) {
	if l.raw == nil {
		return writeWithin(l.conn, p, time.Millisecond)
	}
	if w.once == nil {
		w.once = w.try
	}
	w.p, w.n, w.err = p, 0, nil
	err = l.raw.Write(w.once)
	w.p = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

// reserve is how many files the process needs besides connections.
const reserve = 64

// checkFiles makes sure that the process may have so many connections.
func checkFiles(connections int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil //nolint:nilerr // connecting will tell
	}
	if need := uint64(connections) + reserve; uint64(limit.Cur) < need { //nolint:gosec,unconvert // positive; signed on some systems
		return fmt.Errorf("simulate: devices: %d need %d open files and the limit is %d: raise it (ulimit -n), or simulate fewer", connections, need, limit.Cur)
	}
	return nil
}
