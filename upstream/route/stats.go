package route

import (
	"sync/atomic"
	"unsafe"

	"github.com/linkspan/linkspan/thing"
)

// Stats is what a router has counted since it was made, and what is under way.
type Stats struct {
	Unrouted  uint64          `metric:"linkspan_route_unrouted_total" doc:"logins that no route fits"`
	Upstreams []UpstreamStats // of each upstream that a route names
}

// UpstreamStats is one upstream's part.
type UpstreamStats struct {
	Name    string `label:"upstream"`
	Devices int64  `metric:"linkspan_route_devices" doc:"devices logged in at it as their platform"`
	Logins  uint64 `metric:"linkspan_route_logins_total" doc:"logins sent to it as the device's platform"`
	Refused uint64 `metric:"linkspan_route_logins_failed_total" doc:"of those, the ones that failed"`

	CopyDevices         int64             `metric:"linkspan_route_copy_devices" doc:"devices logged in at it for copies"`
	CopyLogins          uint64            `metric:"linkspan_route_copy_logins_total" doc:"logins sent to it for copies"`
	CopyLoginsFailed    uint64            `metric:"linkspan_route_copy_logins_failed_total" doc:"of those, the ones that failed"`
	Copied              uint64            `metric:"linkspan_route_copy_messages_total" doc:"messages to be copied to it"`
	CopiesDelivered     uint64            `metric:"linkspan_route_copy_messages_done_total" doc:"copies that it has"`
	CopiesDropped       map[string]uint64 `metric:"linkspan_route_copy_messages_dropped_total" label:"cause" doc:"copies that it did not get, by cause"`
	CopiesPending       int64             `metric:"linkspan_route_copy_messages_pending" doc:"copies waiting or under way now"`
	CopyBytesPending    int64             `metric:"linkspan_route_copy_pending_bytes" doc:"size of copies waiting or under way now"`
	CopyCommands        uint64            `metric:"linkspan_route_copy_commands_total" doc:"commands handed to devices that get copies there"`
	CopyCommandsRefused uint64            `metric:"linkspan_route_copy_commands_refused_total" doc:"commands of it that were refused, for it only gets copies"`
}

// counts are a mirror's.
type counts struct {
	logins, refusals, copied, delivered, failed, commands, refusedCommands atomic.Uint64
	full, offline, refused, lost                                           atomic.Uint64
	online                                                                 atomic.Int64
}

func (c *counts) dropped(cause string) {
	switch cause {
	case "full":
		c.full.Add(1)
	case "refused":
		c.refused.Add(1)
	case "lost":
		c.lost.Add(1)
	default:
		c.offline.Add(1)
	}
}

// Stats is a snapshot. It may be called at any time from any goroutine.
func (r *Router) Stats() Stats {
	s := Stats{Unrouted: r.lost.Load()}
	for _, n := range r.nodes {
		u := UpstreamStats{Name: n.name, Devices: n.devices.Load(), Logins: n.logins.Load(), Refused: n.refused.Load()}
		if m := n.mirror; m != nil {
			c := &m.counts
			u.CopyDevices, u.CopyLogins, u.CopyLoginsFailed = c.online.Load(), c.logins.Load(), c.refusals.Load()
			u.Copied, u.CopiesDelivered = c.copied.Load(), c.delivered.Load()
			u.CopiesPending, u.CopyBytesPending = m.pending.Load(), m.bytes.Load()
			u.CopyCommands, u.CopyCommandsRefused = c.commands.Load(), c.refusedCommands.Load()
			u.CopiesDropped = map[string]uint64{
				"full": c.full.Load(), "offline": c.offline.Load(), "refused": c.refused.Load(), "lost": c.lost.Load(), "failed": c.failed.Load(),
			}
		}
		s.Upstreams = append(s.Upstreams, u)
	}
	return s
}

const (
	messageSize = int(unsafe.Sizeof(thing.Message{}))
	fieldSize   = int(unsafe.Sizeof(thing.Field{}))
)
