package gbt26875

import (
	"context"

	"github.com/linkspan/linkspan/simulate/internal/crew"
)

// never is a time that does not come.
const never = crew.Never

// shard does what is due for its panels, on a goroutine of its own. A panel's lock is
// taken before the agenda's, never behind it.
type shard struct {
	fleet  *Fleet
	agenda *crew.Agenda[*panel]
	counters
}

func newShard(f *Fleet) *shard { return &shard{fleet: f, agenda: crew.NewAgenda[*panel]()} }

// run does what is due until ctx ends.
func (s *shard) run(ctx context.Context) {
	w := newScratch()
	s.agenda.Run(ctx, s.fleet.now, func(p *panel, now int64) { p.run(now, w) })
}

// set makes p due at that time, whether it was on the agenda or not; never takes
// it off.
func (s *shard) set(p *panel, due int64) { s.agenda.Set(&p.entry, due) }
