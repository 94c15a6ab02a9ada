package away

import "sync/atomic"

type counts struct {
	away                                      atomic.Int64
	back, takenOver, gone                     atomic.Uint64
	kept, delivered, expired, refused, untold atomic.Uint64
}

// Stats is what a [Connector] has counted.
type Stats struct {
	Away      int64  `metric:"linkspan_away_devices" doc:"devices whose connection has broken and that are still logged in"`
	Back      uint64 `metric:"linkspan_away_returned_devices_total" doc:"devices that came back in time: the platform noticed nothing"`
	TakenOver uint64 `metric:"linkspan_away_taken_over_devices_total" doc:"devices that connected again before their old connection had ended: the platform noticed nothing"`
	Gone      uint64 `metric:"linkspan_away_lost_devices_total" doc:"devices that did not come back in time, and were logged out"`
	Waiting   int64  `metric:"linkspan_away_waiting_commands" doc:"commands that wait for their device to come back"`
	Kept      uint64 `metric:"linkspan_away_kept_commands_total" doc:"commands that had to wait"`
	Delivered uint64 `metric:"linkspan_away_delivered_commands_total" doc:"commands that had to wait and were handed to their device"`
	Expired   uint64 `metric:"linkspan_away_expired_commands_total" doc:"commands whose device did not come back in time; the platform was told"`
	Refused   uint64 `metric:"linkspan_away_refused_commands_total" doc:"commands that failed because too many waited"`
	Untold    uint64 `metric:"linkspan_away_untold_commands_total" doc:"commands that waited when the platform ended the login, and whose end nobody could be told"`
}

// Stats is what happened so far.
func (c *Connector) Stats() Stats {
	n := &c.counts
	return Stats{
		Away: n.away.Load(), Back: n.back.Load(), TakenOver: n.takenOver.Load(), Gone: n.gone.Load(),
		Waiting: c.waiting.Load(), Kept: n.kept.Load(), Delivered: n.delivered.Load(),
		Expired: n.expired.Load(), Refused: n.refused.Load(), Untold: n.untold.Load(),
	}
}
