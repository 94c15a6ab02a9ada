package jt808

import (
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/simulate/internal/crew"
)

// kind is what messages and times are counted by.
type kind uint8

const (
	kindConnect kind = iota // the connection itself
	kindLogin               // from there to the answer to the authentication
	kindRegister
	kindAuthenticate
	kindHeartbeat
	kindLocation
	kindBatch
	kindMedia
	kindAnswer // to commands
	kinds
)

// String is the kind's name.
func (k kind) String() string {
	return [...]string{"connect", "login", "register", "authenticate", "heartbeat", "location", "batch", "media", "answer"}[k]
}

func kindOf(id jt808.ID) kind {
	switch id {
	case jt808.IDRegister:
		return kindRegister
	case jt808.IDAuthenticate:
		return kindAuthenticate
	case jt808.IDHeartbeat:
		return kindHeartbeat
	case jt808.IDLocation:
		return kindLocation
	case jt808.IDBatch:
		return kindBatch
	case jt808.IDMediaData, jt808.IDMediaEvent:
		return kindMedia
	default:
		return kindAnswer
	}
}

// Latency sums up durations. P50, P90 and P99 are at most 1.6 % too great.
type Latency = crew.Latency

// counters are those of one shard's terminals.
type counters struct {
	sent, resent, acked, refused [kinds]atomic.Uint64
	latency                      [kinds]crew.Histogram

	connected, online                                                            atomic.Int64
	reports, reportsAcked, reportsRefused, lost, skipped                         atomic.Uint64
	connects, reconnects, dialErrors, broken, closedByPeer                       atomic.Uint64
	silences, stalls, badFrames, strayAcks, strayFrames, commands, commandsNacks atomic.Uint64
}

// Snapshot is what the fleet has done until now.
type Snapshot struct {
	Devices   int `metric:"linkspan_simulate_devices" doc:"simulated terminals"`
	Connected int `metric:"linkspan_simulate_connections" doc:"connections open"`
	Online    int `metric:"linkspan_simulate_online" doc:"terminals that are authenticated"`

	Sent    uint64 `metric:"linkspan_simulate_reports_total" doc:"location reports made; each is acknowledged, refused, lost or pending"`
	Acked   uint64 `metric:"linkspan_simulate_reports_acked_total" doc:"location reports acknowledged"`
	Refused uint64 `metric:"linkspan_simulate_reports_refused_total" doc:"location reports that the platform called wrong or unsupported"`
	Lost    uint64 `metric:"linkspan_simulate_reports_lost_total" doc:"location reports for which terminals had no more room"`
	Pending uint64 `metric:"linkspan_simulate_reports_pending" doc:"location reports that are not acknowledged yet"`
	Skipped uint64 `metric:"linkspan_simulate_reports_skipped_total" doc:"location reports that were not made because the simulator was late"`
	Failed  uint64 `metric:"linkspan_simulate_failures_total" doc:"negative acknowledgements of messages of all kinds"`
	Resent  uint64 `metric:"linkspan_simulate_resent_total" doc:"messages sent again because no answer came in time"`

	Connects     uint64 `metric:"linkspan_simulate_connects_total" doc:"connections made"`
	Reconnects   uint64 `metric:"linkspan_simulate_reconnects_total" doc:"logins of terminals that had been online before"`
	DialErrors   uint64 `metric:"linkspan_simulate_dial_errors_total" doc:"connections that could not be made"`
	Broken       uint64 `metric:"linkspan_simulate_broken_total" doc:"connections that terminals broke off on purpose"`
	ClosedByPeer uint64 `metric:"linkspan_simulate_closed_total" doc:"connections that the platform or the network ended"`
	Silences     uint64 `metric:"linkspan_simulate_silences_total" doc:"connections given up because the platform did not answer"`
	Stalls       uint64 `metric:"linkspan_simulate_stalls_total" doc:"writes that a connection did not take whole"`

	Commands        uint64 `metric:"linkspan_simulate_commands_total" doc:"messages of the platform that are no answers"`
	CommandsRefused uint64 `metric:"linkspan_simulate_commands_refused_total" doc:"commands answered with another result than 0"`
	BadFrames       uint64 `metric:"linkspan_simulate_bad_frames_total" doc:"frames and bodies of the platform that were damaged"`
	StrayAcks       uint64 `metric:"linkspan_simulate_stray_acks_total" doc:"answers to nothing that waits for one"`
	StrayFrames     uint64 `metric:"linkspan_simulate_stray_frames_total" doc:"frames of the platform for another terminal"`
}

// Stats is what the fleet has done until now. While it runs the counters are read
// one after the other: Acked, Refused and Lost never sum up to more than Sent.
func (f *Fleet) Stats() Snapshot {
	s := Snapshot{Devices: len(f.terminals)}
	for _, sh := range f.shards {
		c := &sh.counters
		s.Acked += c.reportsAcked.Load()
		s.Refused += c.reportsRefused.Load()
		s.Lost += c.lost.Load()
		s.Sent += c.reports.Load() // after those that it counts too
		s.Connected += int(c.connected.Load())
		s.Online += int(c.online.Load())
		s.Skipped += c.skipped.Load()
		for k := range c.refused {
			s.Failed += c.refused[k].Load()
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
		s.CommandsRefused += c.commandsNacks.Load()
		s.BadFrames += c.badFrames.Load()
		s.StrayAcks += c.strayAcks.Load()
		s.StrayFrames += c.strayFrames.Load()
	}
	s.Pending = s.Sent - s.Acked - s.Refused - s.Lost
	return s
}

// Device is one terminal as it is now.
type Device struct {
	Phone   string        // its number, without zeros in front
	Version jt808.Version // edition that it speaks
	State   string        // waiting, connecting, registering, authenticating, online, ended
	Fault   Fault         // how it misbehaves

	Latitude, Longitude float64 // degrees, where it was at its last report
	Speed               float64 // km/h
	Direction           int     // degrees from north
	Mileage             float64 // km
	Alarm               jt808.Alarm

	LastCommand jt808.ID // 0: none
	LastText    string   // that it was told to show
	Commands    uint64   // received

	Sent, Acked, Refused, Lost uint64 // reports
	Pending                    int    // reports not acknowledged
	Reconnects                 uint64
}

// Devices lists the terminals in the order of their numbers, from number first
// on (from 0), at most n of them; n of 0 or less is all.
func (f *Fleet) Devices(first, n int) []Device {
	first = min(max(first, 0), len(f.terminals))
	if rest := len(f.terminals) - first; n <= 0 || n > rest {
		n = rest
	}
	list := make([]Device, n)
	for i := range list {
		list[i] = f.terminals[first+i].describe()
	}
	return list
}

func (t *terminal) describe() Device {
	t.mu.Lock()
	defer t.mu.Unlock()
	lat, lon := t.drive.position()
	return Device{
		Phone: t.name, Version: t.version, State: t.state.String(), Fault: t.fault,
		Latitude: lat, Longitude: lon, Speed: t.drive.speed * 3.6, Direction: t.drive.direction(),
		Mileage: t.drive.metres / 1000, Alarm: t.drive.alarm,
		LastCommand: t.commands.last, LastText: t.commands.text, Commands: t.commands.count,
		Sent: t.sent, Acked: t.acked, Refused: t.refused, Lost: t.lost, Pending: len(t.backlog.reports),
		Reconnects: t.reconnects,
	}
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
