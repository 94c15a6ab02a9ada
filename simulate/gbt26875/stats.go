package gbt26875

import (
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/simulate/internal/crew"
)

// kind is what frames and times are counted by.
type kind uint8

const (
	kindConnect   kind = iota // the connection itself
	kindState                 // routine
	kindAlarm                 // fires, faults, their ends
	kindOperation             // what somebody does at the panel
	kindHeartbeat
	kindAnswer // to controls and requests
	kinds
)

// String is the kind's name.
func (k kind) String() string {
	return [kinds]string{"connect", "state", "alarm", "operation", "heartbeat", "answer"}[k]
}

// Latency sums up durations. P50, P90 and P99 are at most 1.6 % too great.
type Latency = crew.Latency

// counters are those of one shard's panels.
type counters struct {
	sent, resent, confirmed, denied [kinds]atomic.Uint64
	latency                         [kinds]crew.Histogram

	connected                                              atomic.Int64
	made, acked, refused, lost, skipped, fires             atomic.Uint64
	connects, reconnects, dialErrors, broken, closedByPeer atomic.Uint64
	silences, stalls, badFrames, strayAcks, strayFrames    atomic.Uint64
	commands, commandsDenied                               atomic.Uint64
}

// Snapshot is what the fleet has done until now. Reports are frames of command 2:
// states, alarms, operations, and heartbeats of that command.
type Snapshot struct {
	Devices   int `metric:"linkspan_simulate_gbt26875_devices" doc:"simulated panels"`
	Connected int `metric:"linkspan_simulate_gbt26875_connections" doc:"connections open"`

	Sent    uint64 `metric:"linkspan_simulate_gbt26875_reports_total" doc:"reports made; each is acknowledged, refused, lost or pending"`
	Acked   uint64 `metric:"linkspan_simulate_gbt26875_reports_acked_total" doc:"reports confirmed"`
	Refused uint64 `metric:"linkspan_simulate_gbt26875_reports_refused_total" doc:"reports denied as often as they were sent"`
	Lost    uint64 `metric:"linkspan_simulate_gbt26875_reports_lost_total" doc:"reports given up with their connection, or for want of room"`
	Pending uint64 `metric:"linkspan_simulate_gbt26875_reports_pending" doc:"reports that are not confirmed yet"`
	Skipped uint64 `metric:"linkspan_simulate_gbt26875_reports_skipped_total" doc:"routine reports not made because the simulator was late or a panel had no room"`
	Denied  uint64 `metric:"linkspan_simulate_gbt26875_denials_total" doc:"denials of reports"`
	Resent  uint64 `metric:"linkspan_simulate_gbt26875_resent_total" doc:"frames sent again because they were denied, or not confirmed in time"`
	Fires   uint64 `metric:"linkspan_simulate_gbt26875_fires_total" doc:"fires of parts"`

	Connects     uint64 `metric:"linkspan_simulate_gbt26875_connects_total" doc:"connections made"`
	Reconnects   uint64 `metric:"linkspan_simulate_gbt26875_reconnects_total" doc:"connections of panels that had been connected before"`
	DialErrors   uint64 `metric:"linkspan_simulate_gbt26875_dial_errors_total" doc:"connections that could not be made"`
	Broken       uint64 `metric:"linkspan_simulate_gbt26875_broken_total" doc:"connections that panels broke off on purpose"`
	ClosedByPeer uint64 `metric:"linkspan_simulate_gbt26875_closed_total" doc:"connections that the centre or the network ended"`
	Silences     uint64 `metric:"linkspan_simulate_gbt26875_silences_total" doc:"connections given up because the centre did not answer"`
	Stalls       uint64 `metric:"linkspan_simulate_gbt26875_stalls_total" doc:"writes that a connection did not take whole"`

	Commands       uint64 `metric:"linkspan_simulate_gbt26875_commands_total" doc:"controls and requests of the centre"`
	CommandsDenied uint64 `metric:"linkspan_simulate_gbt26875_commands_denied_total" doc:"of these, denied"`
	BadFrames      uint64 `metric:"linkspan_simulate_gbt26875_bad_frames_total" doc:"frames of the centre that were damaged"`
	StrayAcks      uint64 `metric:"linkspan_simulate_gbt26875_stray_acks_total" doc:"confirmations and denials of nothing that waits for one"`
	StrayFrames    uint64 `metric:"linkspan_simulate_gbt26875_stray_frames_total" doc:"frames of the centre for another panel, or of no use to one"`
}

// Stats is what the fleet has done until now. While it runs the counters are read
// one after the other: Acked, Refused and Lost never sum up to more than Sent.
func (f *Fleet) Stats() Snapshot {
	s := Snapshot{Devices: len(f.panels)}
	for _, sh := range f.shards {
		c := &sh.counters
		s.Acked += c.acked.Load()
		s.Refused += c.refused.Load()
		s.Lost += c.lost.Load()
		s.Sent += c.made.Load() // after those that it counts too
		s.Connected += int(c.connected.Load())
		s.Skipped += c.skipped.Load()
		s.Fires += c.fires.Load()
		for k := range c.denied {
			s.Denied += c.denied[k].Load()
			s.Resent += c.resent[k].Load()
		}
		s.Connects += c.connects.Load()
		s.Reconnects += c.reconnects.Load()
		s.DialErrors += c.dialErrors.Load()
		s.Broken += c.broken.Load()
		s.ClosedByPeer += c.closedByPeer.Load()
		s.Silences += c.silences.Load()
		s.Stalls += c.stalls.Load()
		s.Commands += c.commands.Load()
		s.CommandsDenied += c.commandsDenied.Load()
		s.BadFrames += c.badFrames.Load()
		s.StrayAcks += c.strayAcks.Load()
		s.StrayFrames += c.strayFrames.Load()
	}
	s.Pending = s.Sent - s.Acked - s.Refused - s.Lost
	return s
}

// Device is one panel as it is now.
type Device struct {
	Panel   int    // from 1
	Address string // 12 hexadecimal digits as on the wire
	State   string // waiting, connecting, connected, ended
	Fault   Fault  // how it misbehaves
	Clock   time.Time
	Fires   uint64 // until now
	Burning int    // parts on fire

	Sent, Acked, Refused, Lost uint64 // reports
	Pending                    int    // reports not confirmed
	Commands                   uint64 // received
	Connects                   uint64
}

// Devices lists the panels from number first on, from 0, at most n of them; n of 0 or
// less is all.
func (f *Fleet) Devices(first, n int) []Device {
	first = min(max(first, 0), len(f.panels))
	if rest := len(f.panels) - first; n <= 0 || n > rest {
		n = rest
	}
	list := make([]Device, n)
	for i := range list {
		list[i] = f.panels[first+i].describe()
	}
	return list
}

// elapsed is how long the fleet has run.
func (f *Fleet) elapsed() time.Duration {
	began, until := f.began.Load(), f.until.Load()
	if began == 0 {
		return 0
	}
	if until == 0 {
		until = f.now()
	}
	return time.Duration(until - began)
}
