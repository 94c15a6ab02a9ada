//go:build linux

package main

import (
	"errors"
	"time"
)

// scaleWidth is how many reports are under way at a time.
const scaleWidth = 64

// scale is what a report costs when more devices are connected, all of which
// report in turn. The sizes of one variant take turns; the variants do not, for
// all of that together is more than many a system's limit of open files.
func (b *bench) scale(r *report) error {
	for _, name := range b.wanted(limitName, discardName) {
		if err := b.scaleOf(r, name); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) scaleOf(r *report, name string) error {
	var all []*stand
	files := 0
	for _, n := range b.opts.Scale {
		// The generator has the connections of all sizes; a linkspan keeps a tenth
		// of its files for other things.
		if files+n+100 > fileLimit() || n+n/8 > fileLimit() {
			b.say("scale: %d open files are too few for %s with %d devices", fileLimit(), name, n)
			continue
		}
		files += n
		b.say("scale, %s with %d devices", name, n)
		s, err := b.open(name, "", n, 8)
		if err != nil {
			return errors.Join(err, shutAll(all))
		}
		s.series.Shape = "scale"
		s.turn = func() (int, time.Duration, error) { return s.fleet.rotate(b.opts.Duration, scaleWidth) }
		all = append(all, s)
	}
	if err := errors.Join(b.rounds(all), shutAll(all)); err != nil {
		return err
	}
	for _, s := range all {
		r.Scale = append(r.Scale, s.series)
	}
	return nil
}
