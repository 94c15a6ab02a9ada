package modbus

import (
	"context"

	"github.com/linkspan/linkspan/simulate/internal/crew"
)

// never is a time that does not come.
const never = crew.Never

// shard does what is due for its links, on a goroutine of its own. A link's lock is
// taken before the agenda's, never behind it.
type shard struct {
	fleet  *Fleet
	agenda *crew.Agenda[*link]
}

func newShard(f *Fleet) *shard { return &shard{fleet: f, agenda: crew.NewAgenda[*link]()} }

// run does what is due until ctx ends.
func (s *shard) run(ctx context.Context) {
	s.agenda.Run(ctx, s.fleet.now, func(l *link, now int64) { l.run(now) })
}

// set makes l due at that time, whether it was on the agenda or not; never takes
// it off.
func (s *shard) set(l *link, due int64) { s.agenda.Set(&l.entry, due) }
