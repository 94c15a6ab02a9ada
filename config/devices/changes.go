package devices

import (
	"github.com/linkspan/linkspan/config"
)

// Changes are what a reload has changed: names of devices.
type Changes struct {
	Added   []string
	Changed []string // with another identity or secret than before, or than another source may have told
	Removed []string
	// Kept are no longer in the file but stay, since the file has mistakes and
	// may only seem to lack them. They go with the first reload without one.
	Kept     []string
	Mistakes config.Errors
}

// take adds those of o that pass only.
func (c *Changes) take(o Changes, only func(name string) bool) {
	for _, l := range []struct {
		into *[]string
		from []string
	}{{&c.Added, o.Added}, {&c.Changed, o.Changed}, {&c.Removed, o.Removed}} {
		for _, name := range l.from {
			if only(name) {
				*l.into = append(*l.into, name)
			}
		}
	}
	c.Kept = append(c.Kept, o.Kept...)
	c.Mistakes = append(c.Mistakes, o.Mistakes...)
}

// compare tells what next changes, which takes old's place. With keep, next
// takes over what it lacks.
func compare(old, next *table, keep bool) (c Changes) {
	var added, changed, removed []uint32 // records: a quarter of what names cost while there are more and more
	for i := range next.count {
		r := next.at(i)
		if r.dead {
			continue
		}
		j, ok := old.findNameHash(r.nameHash, next.name(i)) // tables that follow each other have the same seed
		switch {
		case !ok:
			added = append(added, uint32(i)) //nolint:gosec // fewer records than 1<<32
		case old.identity(j) != next.identity(i):
			changed = append(changed, uint32(i)) //nolint:gosec // likewise
		}
	}
	c.Added, c.Changed = next.namesOf(added), next.namesOf(changed)
	for i := range old.count {
		r := old.at(i)
		if r.dead {
			continue
		}
		name := old.name(i)
		if _, ok := next.findNameHash(r.nameHash, name); ok {
			continue
		}
		id := old.identity(i)
		if _, taken := next.findIdentity(id.ProductKey, id.DeviceName); keep && !taken {
			next.put(entry{name: name, id: id, line: r.line, file: old.fileOf(i)})
			c.Kept = append(c.Kept, name)
			continue
		}
		removed = append(removed, uint32(i)) //nolint:gosec // likewise
	}
	c.Removed = old.namesOf(removed)
	return c
}

func (t *table) namesOf(records []uint32) []string {
	if len(records) == 0 {
		return nil
	}
	names := make([]string, len(records))
	for i, r := range records {
		names[i] = t.name(int(r))
	}
	return names
}
