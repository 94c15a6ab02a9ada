package devices

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// ErrEmptied says that a file that had devices has none any more, which may be
// one that is being written. Reload takes the devices away, Watch does not.
var ErrEmptied = errors.New("devices: the file has no devices any more; if that is meant, reload it by hand")

// Reload reads everything again and swaps it in at once. Devices that a
// certificate of the pool, a template or another source now gives the same
// identity as before have not changed. On an error, which means that something
// cannot be read or was written meanwhile ([ErrChanging]), all of it stays as it
// was.
func (c *Catalog) Reload() (Changes, error) { return c.read(true) }

// read reads what has changed, with force everything.
func (c *Catalog) read(force bool) (Changes, error) {
	c.reload.Lock()
	defer c.reload.Unlock()
	changes, err := c.swap(force)
	if err != nil {
		c.counts.failed.Add(1)
		return Changes{}, err
	}
	c.counts.reloads.Add(1)
	c.counts.changed.Add(uint64(len(changes.Changed)) + uint64(len(changes.Removed)))
	return changes, nil
}

func (c *Catalog) swap(force bool) (Changes, error) {
	pool, err := c.next(c.pool, force)
	if err != nil {
		return Changes{}, err
	}
	file, err := c.next(c.file, force)
	if err != nil {
		return Changes{}, err
	}
	if !force && file.loaded != nil && file.loaded.table.live == 0 && c.file.Len() > 0 {
		return Changes{}, fmt.Errorf("%w: %s", ErrEmptied, c.cfg.File)
	}
	if !c.composed() {
		c.publish(c.file, file)
		c.seen, c.failed = nil, nil
		return file.changes, nil
	}
	before := &former{}
	before.add(c, file.changes)
	before.add(c, c.dispossessed(file))
	more, err := c.reloadSource(force)
	if err != nil {
		return Changes{}, err
	}
	if c.bound != nil {
		bound, err := c.bound.reload(force, func(changes Changes) { before.add(c, changes) })
		if err != nil {
			return Changes{}, err
		}
		before.surely(bound.Changed, bound.Removed)
		file.changes.Kept = append(file.changes.Kept, bound.Kept...)
		file.changes.Mistakes = append(file.changes.Mistakes, bound.Mistakes...)
	}
	c.publish(c.pool, pool)
	c.publish(c.file, file)
	c.countFree()
	c.seen, c.failed = nil, nil
	changes := before.compare(c)
	changes.Kept = file.changes.Kept
	changes.Mistakes = append(file.changes.Mistakes, pool.changes.Mistakes...)
	changes.take(more, func(name string) bool { // the files come first
		_, listed := c.known(name)
		return !listed
	})
	return changes, nil
}

// dispossessed are devices with a certificate, from elsewhere, that the file now
// gives to another one.
func (c *Catalog) dispossessed(file reading) (changes Changes) {
	if file.loaded == nil {
		return changes
	}
	t := file.loaded.table
	for _, list := range [][]string{file.changes.Added, file.changes.Changed} {
		for _, name := range list {
			i, _ := t.findName(name)
			if owner, ok := c.Name(t.identity(i)); ok && owner != name {
				changes.Changed = append(changes.Changed, owner)
			}
		}
	}
	return changes
}

// reloadSource passes a reload on to another source.
func (c *Catalog) reloadSource(force bool) (Changes, error) {
	if r, ok := c.source.(Reloader); ok && force {
		return r.Reload()
	}
	return Changes{}, nil
}

// reading is what became of reading one file.
type reading struct {
	loaded  *loaded // nil: it was not read
	changes Changes
}

// next reads f, which nobody but the catalog reloads, and whose own lock is
// therefore not needed.
func (c *Catalog) next(f *File, force bool) (r reading, err error) {
	if f == nil || f.path == "" || !force && f.looked().changed() == "" {
		return r, nil
	}
	r.loaded, r.changes, err = f.next()
	return r, err
}

func (c *Catalog) publish(f *File, r reading) {
	if r.loaded != nil {
		f.publish(r.loaded)
	}
}

// composed says whether devices may be known from elsewhere than the file.
func (c *Catalog) composed() bool {
	return c.bound != nil || c.source != nil || c.cfg.Unknown == PolicyTemplate
}

// former is what devices were before a reload.
type former struct {
	names []string
	ids   []auth.Identity // the empty one: unknown
}

// lost stands for an identity that is not known any more. It is none that a
// device has.
var lost = auth.Identity{ProductKey: "?"}

// add notes what the devices of changes are now.
func (f *former) add(c *Catalog, changes Changes) {
	n := len(changes.Added) + len(changes.Changed) + len(changes.Removed)
	f.names, f.ids = slices.Grow(f.names, n), slices.Grow(f.ids, n)
	for _, list := range [][]string{changes.Added, changes.Changed, changes.Removed} {
		for _, name := range list {
			id, _, sure := c.peek(name)
			if !sure { // it may be online with whatever a source has told long ago
				id = lost
			}
			f.names, f.ids = append(f.names, name), append(f.ids, id)
		}
	}
}

// surely notes devices that are no more what they were, whatever that was.
func (f *former) surely(lists ...[]string) {
	for _, list := range lists {
		for _, name := range list {
			f.names, f.ids = append(f.names, name), append(f.ids, lost)
		}
	}
}

// compare tells what has become of them.
func (f *former) compare(c *Catalog) (changes Changes) {
	done := make(map[string]bool, len(f.names)) // names may come from several places
	for i, name := range f.names {
		if done[name] {
			continue
		}
		done[name] = true
		id, known := c.Peek(name)
		was := f.ids[i] != auth.Identity{}
		switch {
		case known && !was:
			changes.Added = append(changes.Added, name)
		case known && id != f.ids[i]:
			changes.Changed = append(changes.Changed, name)
		case !known && was:
			changes.Removed = append(changes.Removed, name)
		}
	}
	return changes
}

// countFree counts the certificates of the pool that no device has.
func (c *Catalog) countFree() {
	if c.pool == nil {
		return
	}
	known := c.file.table()
	free := 0
	for _, id := range c.pool.All() {
		_, listed := known.nameOf(id)
		_, bound := c.bound.name(id.ProductKey, id.DeviceName)
		if !listed && !bound {
			free++
		}
	}
	c.counts.free.Store(int64(free))
}

// Watch looks every Config.Watch whether files have changed, and loads those
// that have once they have stayed as they are from one look to the next. It
// tells told of each attempt that changed or failed, until ctx ends. It returns
// at once when Config.Watch is 0.
func (c *Catalog) Watch(ctx context.Context, told func(Changes, error)) {
	if c.cfg.Watch <= 0 {
		return
	}
	tick := time.NewTicker(c.cfg.Watch)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if c.due() {
				told(c.read(false))
			}
		}
	}
}

// due says whether files have changed, and have come to rest.
func (c *Catalog) due() bool {
	c.reload.Lock()
	defer c.reload.Unlock()
	loaded := c.looked()
	now := loaded.now()
	rested := now.same(c.seen)
	c.seen = now
	if now.same(loaded) || !rested || now.same(c.failed) && now.asReadable(c.failed) {
		return false
	}
	c.failed = now // unless it is loaded, and looks like this then
	return true
}

// looked is what the files looked like that are in use.
func (c *Catalog) looked() stamps {
	all := append(stamps{}, c.file.looked()...)
	if c.bound != nil {
		all = append(append(all, c.pool.looked()...), c.bound.looked()...)
	}
	return all
}
