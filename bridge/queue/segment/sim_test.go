package segment

import (
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/internal/datadir"
)

// simDisk is a disk in memory that notes all that is done to it, so that it can be
// had as it was at any moment, and that fails as it is told to.
type simDisk struct {
	mu    sync.Mutex
	files map[string]*simFile // by path
	ops   []simOp
	fault func(op, path string, size int) (allow int, err error)
	space int64 // free bytes
	locks map[string]bool
}

type simFile struct {
	data []byte
}

type simOp struct {
	kind string // create, write, truncate, sync, rename, remove, syncDir, note
	path string
	to   string
	off  int64
	data []byte
	note any
}

func newSimDisk() *simDisk {
	return &simDisk{files: map[string]*simFile{}, locks: map[string]bool{}, space: 1 << 40}
}

func (d *simDisk) note(n any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops = append(d.ops, simOp{kind: "note", note: n})
}

// do does an operation, unless it is to fail. d.mu is held.
func (d *simDisk) do(op simOp) error {
	allow, err := len(op.data), error(nil)
	if d.fault != nil {
		if allow, err = d.fault(op.kind, op.path, len(op.data)); err != nil && op.kind != "write" {
			return err
		}
		allow = min(allow, len(op.data))
	}
	op.data = slices.Clone(op.data[:allow])
	if e := apply(d.files, op); e != nil {
		return e
	}
	d.ops = append(d.ops, op)
	return err
}

// apply does an operation to a set of files.
func apply(files map[string]*simFile, op simOp) error {
	f := files[op.path]
	switch op.kind {
	case "create":
		if f != nil {
			return fs.ErrExist
		}
		files[op.path] = &simFile{}
	case "write":
		if f == nil {
			return nil // deleted while open
		}
		if grow := int(op.off) + len(op.data) - len(f.data); grow > 0 && len(op.data) > 0 {
			f.data = append(f.data, make([]byte, grow)...)
		}
		copy(f.data[min(int(op.off), len(f.data)):], op.data)
	case "truncate":
		if f != nil {
			f.data = f.data[:min(int(op.off), len(f.data))]
		}
	case "rename":
		if f == nil {
			return fs.ErrNotExist
		}
		delete(files, op.path)
		files[op.to] = f
	case "remove":
		if f == nil {
			return fs.ErrNotExist
		}
		delete(files, op.path)
	}
	return nil
}

func cloneFiles(files map[string]*simFile) map[string]*simFile {
	out := make(map[string]*simFile, len(files))
	for path, f := range files {
		out[path] = &simFile{data: slices.Clone(f.data)}
	}
	return out
}

// on is a disk that holds these files.
func on(files map[string]*simFile) *simDisk {
	d := newSimDisk()
	d.files = files
	return d
}

type simHandle struct {
	disk *simDisk
	path string
	file *simFile
}

func (h *simHandle) ReadAt(p []byte, off int64) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if h.disk.fault != nil {
		if _, err := h.disk.fault("read", h.path, int(off)); err != nil {
			return 0, err
		}
	}
	if off >= int64(len(h.file.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.file.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *simHandle) WriteAt(p []byte, off int64) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if err := h.disk.do(simOp{kind: "write", path: h.path, off: off, data: p}); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (h *simHandle) Sync() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	return h.disk.do(simOp{kind: "sync", path: h.path})
}

func (h *simHandle) Truncate(size int64) error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	return h.disk.do(simOp{kind: "truncate", path: h.path, off: size})
}

func (h *simHandle) Close() error { return nil }

type unlocker func()

func (u unlocker) Close() error { u(); return nil }

// disk is what a log takes.
func (d *simDisk) disk() disk {
	one := func(op simOp) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.do(op)
	}
	open := func(path string) (file, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		f := d.files[path]
		if f == nil {
			return nil, fs.ErrNotExist
		}
		return &simHandle{d, path, f}, nil
	}
	return disk{
		makeDir: func(string) error { return nil },
		create: func(path string) (file, error) {
			if err := one(simOp{kind: "create", path: path}); err != nil {
				return nil, err
			}
			return open(path)
		},
		open:    func(path string, _ bool) (file, error) { return open(path) },
		rename:  func(from, to string) error { return one(simOp{kind: "rename", path: from, to: to}) },
		remove:  func(path string) error { return one(simOp{kind: "remove", path: path}) },
		syncDir: func(dir string) error { return one(simOp{kind: "syncDir", path: dir}) },
		free: func(string) (int64, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.space, nil
		},
		list: func(string) ([]entry, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			var all []entry
			for path, f := range d.files {
				all = append(all, entry{filepath.Base(path), int64(len(f.data))})
			}
			slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
			return all, nil
		},
		lock: func(path string) (io.Closer, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.locks[path] {
				return nil, datadir.ErrLocked
			}
			d.locks[path] = true
			return unlocker(func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				delete(d.locks, path)
			}), nil
		},
	}
}

func (d *simDisk) setFault(f func(op, path string, size int) (int, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// small is a configuration with small segments and no waiting.
func small() Config {
	c := DefaultConfig()
	c.SegmentSize, c.MaxBytes, c.MaxRecord, c.MinFree = 64<<10, 1<<20, 4<<10, 0
	c.Commit.Interval = 0
	return c
}

func mustOpen(tb testing.TB, d *simDisk, cfg Config, options ...Option) *Log {
	tb.Helper()
	l, err := Open("q", cfg, append(options, withDisk(d.disk()))...)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func mustClose(tb testing.TB, l *Log) {
	tb.Helper()
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
}

// put appends one record and waits until it is stored.
func put(tb testing.TB, l *Log, payload string, flags Flags) Position {
	tb.Helper()
	p, err := tryPut(l, payload, flags)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func tryPut(l *Log, payload string, flags Flags) (Position, error) {
	type outcome struct {
		p   Position
		err error
	}
	ch := make(chan outcome, 1)
	if err := l.Append([]byte(payload), flags, func(p Position, err error) { ch <- outcome{p, err} }); err != nil {
		return Position{}, err
	}
	o := <-ch
	return o.p, o.err
}

// all reads everything there is to read now.
func all(l *Log) (payloads []string, positions []Position) {
	r := l.NewReader()
	defer r.Close()
	for rec, ok := r.Next(); ok; rec, ok = r.Next() {
		payloads = append(payloads, string(rec.Payload))
		positions = append(positions, rec.Position)
	}
	return payloads, positions
}

func wantRecords(tb testing.TB, l *Log, want []string) {
	tb.Helper()
	if got, _ := all(l); !slices.Equal(got, want) {
		tb.Fatalf("the log holds %.200q, want %.200q", got, want)
	}
}
