package devices

import (
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
)

// File is a [Source]: the devices of a file, or of a directory of files, in
// memory. All methods may be called from several goroutines; look-ups take no
// lock and allocate nothing.
type File struct {
	path  string
	max   int64
	pool  bool                   // of certificates, whose entries need no name
	state atomic.Pointer[loaded] // what is in use

	reload sync.Mutex // held while the file is read and swapped in
}

// OpenFile reads path: a .conf, .json, .properties or .csv file, or a directory
// of these. Together they must not be larger than maxBytes; 0: 1 GiB. An error
// means that it cannot be read. Mistakes in entries are no error, see
// [File.Mistakes].
func OpenFile(path string, maxBytes int64) (*File, error) {
	f := newFile(path, maxBytes, false)
	if err := f.first(); err != nil {
		return nil, err
	}
	return f, nil
}

// first reads the file for the first time: nobody is told that all of its
// devices are new.
func (f *File) first() error {
	l, err := load(f.path, f.max, f.pool, nil)
	if err != nil {
		return err
	}
	l.table.settle()
	f.publish(l)
	return nil
}

func newFile(path string, maxBytes int64, pool bool) *File {
	if maxBytes <= 0 {
		maxBytes = defaultMaxFile
	}
	f := &File{path: path, max: maxBytes, pool: pool}
	f.publish(&loaded{table: newTable(nil)})
	return f
}

// table is what is in use.
func (f *File) table() *table { return f.state.Load().table }

// Identity implements [Source].
func (f *File) Identity(name string) (auth.Identity, error) {
	t := f.table()
	if i, ok := t.findName(name); ok {
		return t.identity(i), nil
	}
	return auth.Identity{}, fmt.Errorf("devices: %.64q is not in %s: %w", name, f.path, ErrUnknown)
}

// Name implements [Source].
func (f *File) Name(id auth.Identity) (name string, ok bool) {
	return f.table().nameOf(id)
}

func (t *table) nameOf(id auth.Identity) (name string, ok bool) {
	i, found := t.findIdentity(id.ProductKey, id.DeviceName)
	if !found {
		return "", false
	}
	return t.name(i), true
}

// Len implements [Source].
func (f *File) Len() int { return f.table().live }

// All are the devices as they were when the iteration began, in the order of
// the file.
func (f *File) All() iter.Seq2[string, auth.Identity] { return f.table().all() }

func (t *table) all() iter.Seq2[string, auth.Identity] {
	return func(yield func(string, auth.Identity) bool) {
		for i := range t.count {
			if !t.at(i).dead && !yield(t.name(i), t.identity(i)) {
				return
			}
		}
	}
}

// Where is the file and line of the device's entry; ok is false when it has
// none.
func (f *File) Where(name string) (file string, line int, ok bool) {
	t := f.table()
	i, ok := t.findName(name)
	if !ok {
		return "", 0, false
	}
	return t.fileOf(i), t.lineOf(i), true
}

// Mistakes are those of the last reading, in the order of the file. A device
// whose entry has one is not known, unless the mistake says otherwise.
func (f *File) Mistakes() config.Errors { return f.state.Load().bad }

// Reload reads the file again and swaps it in at once. On an error, which means
// that the file cannot be read, or was written meanwhile ([ErrChanging]),
// everything stays as it was.
func (f *File) Reload() (Changes, error) {
	f.reload.Lock()
	defer f.reload.Unlock()
	next, c, err := f.next()
	if err != nil {
		return Changes{}, err
	}
	f.publish(next)
	return c, nil
}

// next reads the file, without using it yet. f.reload is held, so that nothing
// else is published before it.
func (f *File) next() (*loaded, Changes, error) {
	old := f.table()
	l, err := load(f.path, f.max, f.pool, old)
	if err != nil {
		return nil, Changes{}, err
	}
	c := compare(old, l.table, len(l.bad) > 0)
	l.table.settle()
	c.Mistakes = l.bad
	return l, c, nil
}

// publish makes l what is in use.
func (f *File) publish(l *loaded) { f.state.Store(l) }

// looked is what the files looked like when they were read last.
func (f *File) looked() stamps { return f.state.Load().files }
