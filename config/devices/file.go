package devices

import (
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
)

// ErrUnknown says that a name belongs to no device. Add the device to the file
// and reload it, or set a template for unknown devices.
var ErrUnknown = errors.New("devices: unknown device")

// File is a devices file in memory. All methods may be called from several
// goroutines; look-ups take no lock.
type File struct {
	cfg   Config
	table atomic.Pointer[table]

	reload sync.Mutex // held while a file is read; Mistakes waits for it
	bad    config.Errors
}

// Open reads the file of cfg. An error means that there is nothing to go on
// with: the settings are wrong, or the file cannot be read. Mistakes in entries
// are no error, see [File.Mistakes].
func Open(cfg Config) (*File, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	f := &File{cfg: cfg}
	f.table.Store(newTable())
	if cfg.File == "" {
		return f, nil
	}
	t, bad, err := load(cfg.File, cfg.limits())
	if err != nil {
		return nil, err
	}
	f.table.Store(t)
	f.bad = bad
	return f, nil
}

// Identity is the platform's identity of the device that calls itself name. The
// error wraps [ErrUnknown] when there is none.
func (f *File) Identity(name string) (auth.Identity, error) {
	t := f.table.Load()
	if i, ok := t.findName(name); ok {
		return t.identity(i), nil
	}
	if f.cfg.Unknown == PolicyTemplate {
		return f.cfg.Template.identity(name)
	}
	return auth.Identity{}, fmt.Errorf("devices: %.64q is not in %s: %w", name, f.cfg.source(), ErrUnknown)
}

// Name is the name of the device with that product key and device name; the
// secret does not matter. ok is false when no device has them.
func (f *File) Name(id auth.Identity) (name string, ok bool) {
	t := f.table.Load()
	if i, found := t.findIdentity(id.ProductKey, id.DeviceName); found {
		return t.name(i), true
	}
	if f.cfg.Unknown == PolicyTemplate {
		name, ok = f.cfg.Template.name(id)
		if _, taken := t.findName(name); taken {
			return "", false // the file gives that name another identity
		}
	}
	return name, ok
}

// Len is the number of devices in the file.
func (f *File) Len() int { return f.table.Load().live }

// All are the devices of the file as it was when the iteration began, in its
// order.
func (f *File) All() iter.Seq2[string, auth.Identity] {
	t := f.table.Load()
	return func(yield func(string, auth.Identity) bool) {
		for i := range t.records {
			if t.records[i].dead {
				continue
			}
			if !yield(t.name(i), t.identity(i)) {
				return
			}
		}
	}
}

// Mistakes are those of the last reading of the file, in its order. A device
// whose entry has one is not known, unless the mistake says otherwise.
func (f *File) Mistakes() config.Errors {
	f.reload.Lock()
	defer f.reload.Unlock()
	return f.bad
}

// Changes are what a reload has changed: names of devices.
type Changes struct {
	Added   []string
	Changed []string // with another identity or secret
	Removed []string
	// Kept are no longer in the file but stay, since the file has mistakes and
	// may only seem to lack them. They go with the first reload without one.
	Kept     []string
	Mistakes config.Errors
}

// Reload reads the file again and swaps it in at once. On an error, which means
// that the file cannot be read, everything stays as it was.
func (f *File) Reload() (Changes, error) {
	f.reload.Lock()
	defer f.reload.Unlock()
	if f.cfg.File == "" {
		return Changes{}, nil
	}
	next, bad, err := load(f.cfg.File, f.cfg.limits())
	if err != nil {
		return Changes{}, err
	}
	c := compare(f.table.Load(), next, len(bad) > 0)
	c.Mistakes = bad
	f.bad = bad
	f.table.Store(next)
	return c, nil
}

// compare tells what next changes. With keep it takes over what next lacks.
func compare(old, next *table, keep bool) (c Changes) {
	for i := range next.records {
		if next.records[i].dead {
			continue
		}
		name := next.name(i)
		j, ok := old.findName(name)
		switch {
		case !ok:
			c.Added = append(c.Added, name)
		case old.identity(j) != next.identity(i):
			c.Changed = append(c.Changed, name)
		}
	}
	for i := range old.records {
		if old.records[i].dead {
			continue
		}
		name := old.name(i)
		if _, ok := next.findName(name); ok {
			continue
		}
		id := old.identity(i)
		if _, taken := next.findIdentity(id.ProductKey, id.DeviceName); keep && !taken {
			next.put(name, id, old.records[i].line, old.fileOf(i))
			c.Kept = append(c.Kept, name)
			continue
		}
		c.Removed = append(c.Removed, name)
	}
	return c
}
