package modbus

import (
	"fmt"
	"strings"
	"time"
)

// Snapshot is what the fleet has done until now.
type Snapshot struct {
	Lines     int `metric:"linkspan_simulate_modbus_lines" doc:"simulated lines"`
	Slaves    int `metric:"linkspan_simulate_modbus_slaves" doc:"simulated slaves on all lines"`
	Connected int `metric:"linkspan_simulate_modbus_connections" doc:"connections open"`

	Requests   uint64 `metric:"linkspan_simulate_modbus_requests_total" doc:"requests received"`
	Answers    uint64 `metric:"linkspan_simulate_modbus_answers_total" doc:"answers made, those with exceptions and faults included"`
	Exceptions uint64 `metric:"linkspan_simulate_modbus_exceptions_total" doc:"answers that are exceptions"`
	Unanswered uint64 `metric:"linkspan_simulate_modbus_unanswered_total" doc:"requests to all slaves at once, and to slaves that are not there or dead"`
	Writes     uint64 `metric:"linkspan_simulate_modbus_writes_total" doc:"requests that wrote something"`
	Pushes     uint64 `metric:"linkspan_simulate_modbus_pushes_total" doc:"frames pushed without being asked for"`
	BadFrames  uint64 `metric:"linkspan_simulate_modbus_bad_frames_total" doc:"stretches of bytes that were no requests"`
	Dropped    uint64 `metric:"linkspan_simulate_modbus_dropped_total" doc:"answers dropped because too many waited for their time"`
	Full       uint64 `metric:"linkspan_simulate_modbus_full_total" doc:"writes refused because a slave holds too much that was written"`

	Registrations uint64 `metric:"linkspan_simulate_modbus_registrations_total" doc:"registration packets sent on their own"`
	Heartbeats    uint64 `metric:"linkspan_simulate_modbus_heartbeats_total" doc:"heartbeats sent on their own"`
	Connects      uint64 `metric:"linkspan_simulate_modbus_connects_total" doc:"connections made or accepted"`
	DialErrors    uint64 `metric:"linkspan_simulate_modbus_dial_errors_total" doc:"connections that could not be made"`
	Broken        uint64 `metric:"linkspan_simulate_modbus_broken_total" doc:"connections that modems broke off on purpose"`
	ClosedByPeer  uint64 `metric:"linkspan_simulate_modbus_closed_total" doc:"connections that the bridge or the network ended"`

	Faults map[string]uint64 `metric:"linkspan_simulate_modbus_faults_total" label:"cause" doc:"answers that went wrong on purpose"`
}

// Stats is what the fleet has done until now.
func (f *Fleet) Stats() Snapshot {
	c := &f.counters
	s := Snapshot{
		Lines: len(f.buses), Slaves: len(f.buses) * len(f.buses[0].slaves), Connected: int(c.connected.Load()),
		Requests: c.requests.Load(), Answers: c.answers.Load(), Exceptions: c.exceptions.Load(), Unanswered: c.unanswered.Load(),
		Writes: c.writes.Load(), Pushes: c.pushes.Load(), BadFrames: c.badFrames.Load(), Dropped: c.dropped.Load(), Full: c.full.Load(),
		Registrations: c.registrations.Load(), Heartbeats: c.heartbeats.Load(), Connects: c.connects.Load(),
		DialErrors: c.dialErrors.Load(), Broken: c.broken.Load(), ClosedByPeer: c.closedByPeer.Load(),
		Faults: make(map[string]uint64, faults),
	}
	for i, name := range faultNames {
		s.Faults[name] = c.faults[i].Load()
	}
	return s
}

// Report is what a fleet has done, in numbers for people.
type Report struct {
	Snapshot
	Elapsed time.Duration // of Run
}

// Report is what the fleet has done until now.
func (f *Fleet) Report() Report {
	r := Report{Snapshot: f.Stats()}
	if began, until := f.began.Load(), f.until.Load(); began != 0 {
		if until == 0 {
			until = f.now()
		}
		r.Elapsed = time.Duration(until - began)
	}
	return r
}

// String is the report as lines of text.
func (r Report) String() string {
	var b strings.Builder
	seconds := max(r.Elapsed.Seconds(), 1e-9)
	fmt.Fprintf(&b, "%d lines with %d slaves, %d connected, %.1f s\n", r.Lines, r.Slaves, r.Connected, r.Elapsed.Seconds())
	fmt.Fprintf(&b, "requests  %d received (%.1f/s), %d answered, %d of these with an exception, %d not answered, %d bad\n",
		r.Requests, float64(r.Requests)/seconds, r.Answers, r.Exceptions, r.Unanswered, r.BadFrames)
	fmt.Fprintf(&b, "writes    %d; pushed %d\n", r.Writes, r.Pushes)
	fmt.Fprintf(&b, "links     %d made, %d failed, %d broken off, %d closed by the peer; %d registrations, %d heartbeats\n",
		r.Connects, r.DialErrors, r.Broken, r.ClosedByPeer, r.Registrations, r.Heartbeats)
	fmt.Fprint(&b, "faults   ")
	for _, name := range faultNames {
		fmt.Fprintf(&b, " %s %d", name, r.Faults[name])
	}
	b.WriteByte('\n')
	return b.String()
}
