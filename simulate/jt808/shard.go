package jt808

import (
	"context"

	"github.com/linkspan/linkspan/simulate/internal/crew"
)

// never is a time that does not come.
const never = crew.Never

// shard does what is due for its terminals, on a goroutine of its own. A terminal's lock is
// taken before the agenda's, never behind it.
type shard struct {
	fleet  *Fleet
	agenda *crew.Agenda[*terminal]
	counters
}

func newShard(f *Fleet) *shard { return &shard{fleet: f, agenda: crew.NewAgenda[*terminal]()} }

// run does what is due until ctx ends.
func (s *shard) run(ctx context.Context) {
	w := newScratch()
	s.agenda.Run(ctx, s.fleet.now, func(t *terminal, now int64) { t.run(now, w) })
}

// set makes t due at that time, whether it was on the agenda or not; never takes
// it off.
func (s *shard) set(t *terminal, due int64) { s.agenda.Set(&t.entry, due) }
