package queue

import (
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/internal/quiet"
	"github.com/linkspan/linkspan/upstream"
)

// counts is what a connector counts.
type counts struct {
	waiting                                  atomic.Int64
	stored, direct, spilled, forwarded, sent atomic.Uint64
	duplicates, setbacks, undeliverable      atomic.Uint64
	dropped, refused, bypassed               atomic.Uint64
	left, logins, provisional, passes        atomic.Uint64
	dead                                     [len(causes)]atomic.Uint64
}

// died counts a dead letter.
func (c *counts) died(cause error) {
	name := causeOf(cause)
	for i := range causes {
		if causes[i] == name {
			c.dead[i].Add(1)
		}
	}
}

// retried counts a message that has to be said again.
func (c *counts) retried(err error) {
	if errors.Is(err, upstream.ErrTimeout) {
		c.duplicates.Add(1)
	} else {
		c.setbacks.Add(1)
	}
}

// lines is the kinds of line that devices can cause.
type lines struct{ lookups, dead, graves, full quiet.Line }

// warn logs a line now and then.
func (q *Connector) warn(kind *quiet.Line, line string, fields ...zap.Field) {
	if count, ok := kind.Due(time.Now()); ok {
		q.logger.Warn(line, append(fields, zap.Uint64("count", count))...)
	}
}

func (q *Connector) warnStore(err error) {
	q.warn(&q.quiet.full, "message not stored", zap.NamedError("err", err))
}

// Stats is what a [Connector] has counted.
type Stats struct {
	Waiting       int64             `metric:"linkspan_queue_waiting_messages" doc:"stored messages that the platform does not have yet"`
	Memory        int64             `metric:"linkspan_queue_memory_messages" doc:"stored messages in memory, on their way to the platform"`
	MemoryBytes   int64             `metric:"linkspan_queue_memory_bytes" doc:"their size"`
	Devices       int               `metric:"linkspan_queue_devices" doc:"devices that are logged in or have something stored"`
	Guests        int64             `metric:"linkspan_queue_guests" doc:"devices that the queue itself has logged in"`
	Stored        uint64            `metric:"linkspan_queue_stored_messages_total" doc:"messages that were stored"`
	Direct        uint64            `metric:"linkspan_queue_direct_messages_total" doc:"messages that went to the platform without being stored"`
	Spilled       uint64            `metric:"linkspan_queue_spilled_messages_total" doc:"messages that were stored because the platform could not be given them"`
	Bypassed      uint64            `metric:"linkspan_queue_bypassed_messages_total" doc:"messages that went to the platform because they could not be stored"`
	Forwarded     uint64            `metric:"linkspan_queue_forwarded_messages_total" doc:"stored messages that the platform has"`
	Sent          uint64            `metric:"linkspan_queue_sent_messages_total" doc:"attempts to forward a stored message"`
	Setbacks      uint64            `metric:"linkspan_queue_setbacks_total" doc:"messages that are to be sent again because the platform does not have them"`
	Duplicates    uint64            `metric:"linkspan_queue_possible_duplicates_total" doc:"messages that are sent again although the platform may have them"`
	Refused       uint64            `metric:"linkspan_queue_refused_messages_total" doc:"messages that were neither stored nor sent"`
	Undeliverable uint64            `metric:"linkspan_queue_undeliverable_messages_total" doc:"messages that the platform refused for good, and whose devices were told so"`
	Dropped       uint64            `metric:"linkspan_queue_lost_messages_total" doc:"stored messages that the log dropped before the platform had them"`
	Left          uint64            `metric:"linkspan_queue_left_messages_total" doc:"stored messages whose senders waited for the platform when the queue was closed; they are forwarded after the next start"`
	Dead          map[string]uint64 `metric:"linkspan_queue_dead_letters_total" label:"cause" doc:"stored messages that could not be delivered"`
	Logins        uint64            `metric:"linkspan_queue_logins_total" doc:"attempts to log a device in"`
	Provisional   uint64            `metric:"linkspan_queue_provisional_logins_total" doc:"devices that came online without their platform"`
	Passes        uint64            `metric:"linkspan_queue_passes_total" doc:"passes over the log"`
	DeadBytes     int64             `metric:"linkspan_queue_dead_letter_bytes" doc:"disk space of the dead letters"`
	Log           segment.Stats
}

// Stats is what happened so far.
func (q *Connector) Stats() Stats {
	c := &q.counts
	s := Stats{
		Waiting: c.waiting.Load(), Memory: q.memory.records.Load(), MemoryBytes: q.memory.bytes.Load(),
		Guests: q.guests.Load(), Stored: c.stored.Load(), Direct: c.direct.Load(), Spilled: c.spilled.Load(),
		Bypassed: c.bypassed.Load(), Forwarded: c.forwarded.Load(), Sent: c.sent.Load(), Setbacks: c.setbacks.Load(),
		Duplicates: c.duplicates.Load(), Refused: c.refused.Load(), Undeliverable: c.undeliverable.Load(),
		Dropped: c.dropped.Load(), Left: c.left.Load(), Logins: c.logins.Load(), Provisional: c.provisional.Load(), Passes: c.passes.Load(),
		Dead: make(map[string]uint64, len(causes)),
	}
	for i, name := range causes {
		s.Dead[name] = c.dead[i].Load()
	}
	q.mu.Lock()
	s.Devices = len(q.lanes)
	q.mu.Unlock()
	if state(q.state.Load()) != fresh {
		s.Log = q.log.Stats()
		s.DeadBytes = q.graves.log.Stats().Bytes
	}
	return s
}
