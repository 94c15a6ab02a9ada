package away

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/internal/quiet"
)

type counts struct {
	away, stored                              atomic.Int64
	back, takenOver, gone                     atomic.Uint64
	kept, delivered, expired, refused, untold atomic.Uint64
	recovered, unstored, damaged              atomic.Uint64
}

// Stats is what a [Connector] has counted.
type Stats struct {
	Away      int64  `metric:"linkspan_away_devices" doc:"devices whose connection has broken and that are still logged in"`
	Back      uint64 `metric:"linkspan_away_returned_devices_total" doc:"devices that came back in time: the platform noticed nothing"`
	TakenOver uint64 `metric:"linkspan_away_taken_over_devices_total" doc:"devices that connected again before their old connection had ended: the platform noticed nothing"`
	Gone      uint64 `metric:"linkspan_away_lost_devices_total" doc:"devices that did not come back in time, and were logged out"`
	Waiting   int64  `metric:"linkspan_away_waiting_commands" doc:"commands that wait for their device to come back"`
	Bytes     int64  `metric:"linkspan_away_waiting_bytes" doc:"bytes of the commands that wait or are overdue"`
	Overdue   int64  `metric:"linkspan_away_overdue_commands" doc:"commands whose time is over, and of which the platform is told when their device logs in"`
	Stored    int64  `metric:"linkspan_away_stored_commands" doc:"commands, of these two, that are on the disk"`
	DiskBytes int64  `metric:"linkspan_away_disk_bytes" doc:"disk space of commands"`
	Kept      uint64 `metric:"linkspan_away_kept_commands_total" doc:"commands that had to wait"`
	Recovered uint64 `metric:"linkspan_away_recovered_commands_total" doc:"commands that an earlier process had left on the disk"`
	Delivered uint64 `metric:"linkspan_away_delivered_commands_total" doc:"commands that had to wait and were handed to their device"`
	Expired   uint64 `metric:"linkspan_away_expired_commands_total" doc:"commands whose device did not come back in time"`
	Refused   uint64 `metric:"linkspan_away_refused_commands_total" doc:"commands that failed because too many waited"`
	Untold    uint64 `metric:"linkspan_away_untold_commands_total" doc:"commands that were not delivered, and whose end nobody could be told"`
	Unstored  uint64 `metric:"linkspan_away_unstored_commands_total" doc:"commands that waited in memory alone because the disk did not take them"`
	Damaged   uint64 `metric:"linkspan_away_damaged_commands_total" doc:"commands on the disk that could not be read any more, as far as they can be counted"`
}

// Stats is what happened so far.
func (c *Connector) Stats() Stats {
	n := &c.counts
	overdue := c.overdue.len()
	s := Stats{
		Away: n.away.Load(), Back: n.back.Load(), TakenOver: n.takenOver.Load(), Gone: n.gone.Load(),
		Waiting: max(c.waiting.Load()-overdue, 0), Overdue: overdue, Bytes: c.bytes.Load(), Stored: n.stored.Load(),
		Kept: n.kept.Load(), Recovered: n.recovered.Load(), Delivered: n.delivered.Load(),
		Expired: n.expired.Load(), Refused: n.refused.Load(), Untold: n.untold.Load(),
		Unstored: n.unstored.Load(), Damaged: n.damaged.Load(),
	}
	if log := c.log.Load(); log != nil {
		disk := log.Stats()
		s.DiskBytes = disk.Bytes
		s.Damaged += disk.Damaged
	}
	return s
}

// lines are kinds of lines in the log.
type lines struct{ unsaved, overdue, forgotten quiet.Line }

// warn logs a line of a kind that there may be very many of.
func (c *Connector) warn(kind *quiet.Line, line string, fields ...zap.Field) {
	if count, ok := kind.Due(time.Now()); ok {
		c.logger.Warn(line, append(fields, zap.Uint64("count", count))...)
	}
}
