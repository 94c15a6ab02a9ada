package modbus

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Stats is what the listeners of one plugin have counted.
type Stats struct {
	Lines        int64   `metric:"linkspan_modbus_lines" doc:"lines whose name is known"`
	UnitsDown    int64   `metric:"linkspan_modbus_units_down" doc:"units that do not answer"`
	Polls        uint64  `metric:"linkspan_modbus_polls_total" doc:"polls of a unit's points, of one or several requests"`
	Skipped      uint64  `metric:"linkspan_modbus_polls_skipped_total" doc:"polls left out because the line was busy with earlier ones for a whole interval"`
	LatenessP99  float64 `metric:"linkspan_modbus_poll_lateness_p99_seconds" doc:"of the polls of the last minute or two that were answered, how late 99 of 100 were sent at most"`
	LatenessMax  float64 `metric:"linkspan_modbus_poll_lateness_max_seconds" doc:"how late the latest of these polls was"`
	Requests     uint64  `metric:"linkspan_modbus_requests_total" doc:"requests sent, repetitions included"`
	Responses    uint64  `metric:"linkspan_modbus_responses_total" doc:"answers, exceptions included"`
	Exceptions   uint64  `metric:"linkspan_modbus_exceptions_total" doc:"requests that units refused"`
	Timeouts     uint64  `metric:"linkspan_modbus_timeouts_total" doc:"requests that were not answered in time, each repetition by itself"`
	Retries      uint64  `metric:"linkspan_modbus_retries_total" doc:"requests sent again"`
	Invalid      uint64  `metric:"linkspan_modbus_values_invalid_total" doc:"values left out: registers that hold none of their type, or the number for no value"`
	Reports      uint64  `metric:"linkspan_modbus_reports_total" doc:"property messages"`
	Commands     uint64  `metric:"linkspan_modbus_commands_total" doc:"commands taken"`
	Pushed       uint64  `metric:"linkspan_modbus_frames_pushed_total" doc:"frames that gateways have pushed and that were understood"`
	Unexpected   uint64  `metric:"linkspan_modbus_frames_unexpected_total" doc:"frames that came unasked and fit nothing: pushed without direct.enabled, or of unknown units or addresses"`
	Heartbeats   uint64  `metric:"linkspan_modbus_heartbeats_total" doc:"heartbeats of DTUs, and registrations sent again"`
	Noise        uint64  `metric:"linkspan_modbus_noise_bytes_total" doc:"bytes that belong to no answer and no heartbeat, late answers included"`
	Late         uint64  `metric:"linkspan_modbus_late_bytes_total" doc:"of these, bytes that came after a time-out, while the line was quiet for them"`
	Strangers    uint64  `metric:"linkspan_modbus_strangers_total" doc:"connections closed because they did not say who they are"`
	Unconfigured uint64  `metric:"linkspan_modbus_lines_unconfigured_total" doc:"connections closed because their line has no units in the configuration"`
	Replaced     uint64  `metric:"linkspan_modbus_lines_replaced_total" doc:"connections closed because their line came back on another one"`
	Silent       uint64  `metric:"linkspan_modbus_lines_silent_total" doc:"connections closed because nothing came although units were asked"`
	Refused      uint64  `metric:"linkspan_modbus_logins_refused_total" doc:"logins of units and lines that failed"`
	Careful      uint64  `metric:"linkspan_modbus_units_careful_total" doc:"units that refused addresses between points, and are asked for points alone since"`
	Offline      uint64  `metric:"linkspan_modbus_units_offline_total" doc:"units taken offline because they did not answer"`
}

// counters is what Stats is taken of. It may be used from any goroutine.
type counters struct {
	lines, unitsDown                                   atomic.Int64
	polls, skipped, requests, responses, exceptions    atomic.Uint64
	timeouts, retries, invalid, reports, commands      atomic.Uint64
	pushed, unexpected, heartbeats, noise, late        atomic.Uint64
	strangers, unconfigured, replaced, silent, refused atomic.Uint64
	offline, careful                                   atomic.Uint64
	lateness                                           lateness
}

func (c *counters) stats(now time.Time) Stats {
	p99, most := c.lateness.read(now.UnixMilli())
	return Stats{
		Lines: c.lines.Load(), UnitsDown: c.unitsDown.Load(),
		Polls: c.polls.Load(), Skipped: c.skipped.Load(), LatenessP99: p99, LatenessMax: most,
		Requests: c.requests.Load(), Responses: c.responses.Load(), Exceptions: c.exceptions.Load(),
		Timeouts: c.timeouts.Load(), Retries: c.retries.Load(), Invalid: c.invalid.Load(), Reports: c.reports.Load(),
		Commands: c.commands.Load(), Pushed: c.pushed.Load(), Unexpected: c.unexpected.Load(),
		Heartbeats: c.heartbeats.Load(), Noise: c.noise.Load(), Late: c.late.Load(),
		Strangers: c.strangers.Load(), Unconfigured: c.unconfigured.Load(), Replaced: c.replaced.Load(),
		Silent: c.silent.Load(), Refused: c.refused.Load(), Offline: c.offline.Load(), Careful: c.careful.Load(),
	}
}

// lateness is how late polls were, in two windows of a minute: the present one
// and the one before. It may be used from any goroutine; what is noted while a
// window begins may be lost.
type lateness struct {
	windows [2]window
}

// window counts by the logarithm of the lateness, in eighths of a factor of two.
type window struct {
	number atomic.Int64
	most   atomic.Int64 // milliseconds
	counts [latenessSlots]atomic.Uint32
}

const (
	latenessWindow = 60_000 // milliseconds
	latenessSlots  = 8 * 24 // up to hours
)

// slot is where a lateness in milliseconds is counted, and floor its reverse.
func slot(ms int64) int {
	if ms < 8 {
		return int(max(ms, 0))
	}
	n := bits.Len64(uint64(ms)) - 1
	return min(8*(n-2)+int(ms>>(n-3)&7), latenessSlots-1)
}

// ceiling is the largest lateness in milliseconds that a slot counts.
func ceiling(slot int) int64 {
	if slot < 8 {
		return int64(slot)
	}
	n, eighth := slot/8+2, int64(slot%8)
	return (8+eighth+1)<<(n-3) - 1
}

func (l *lateness) note(now, late int64) {
	number := now / latenessWindow
	w := &l.windows[number&1]
	if was := w.number.Load(); was != number && w.number.CompareAndSwap(was, number) {
		w.most.Store(0)
		for i := range w.counts {
			w.counts[i].Store(0)
		}
	}
	w.counts[slot(late)].Add(1)
	for {
		most := w.most.Load()
		if late <= most || w.most.CompareAndSwap(most, late) {
			return
		}
	}
}

// read is the lateness that 99 of 100 polls did not exceed, and the greatest, in
// seconds.
func (l *lateness) read(now int64) (p99, most float64) {
	number := now / latenessWindow
	var counts [latenessSlots]uint64
	total, worst := uint64(0), int64(0)
	for i := range l.windows {
		w := &l.windows[i]
		if n := w.number.Load(); n != number && n != number-1 {
			continue
		}
		worst = max(worst, w.most.Load())
		for j := range w.counts {
			n := uint64(w.counts[j].Load())
			counts[j] += n
			total += n
		}
	}
	seen := uint64(0)
	for j, n := range counts {
		if seen += n; n > 0 && seen*100 >= total*99 {
			return float64(min(ceiling(j), worst)) / 1000, float64(worst) / 1000
		}
	}
	return 0, 0
}
