package gbt26875

import "sync/atomic"

// Stats is what the listeners of one plugin have counted.
type Stats struct {
	Refused         uint64 `metric:"linkspan_gbt26875_logins_refused_total" doc:"logins that were refused"`
	Strangers       uint64 `metric:"linkspan_gbt26875_strangers_total" doc:"frames of another device than the connection's own"`
	Damaged         uint64 `metric:"linkspan_gbt26875_checksums_wrong_total" doc:"frames denied for their check sum"`
	Fires           uint64 `metric:"linkspan_gbt26875_fires_total" doc:"fire alarms reported"`
	Faults          uint64 `metric:"linkspan_gbt26875_faults_total" doc:"faults reported"`
	States          uint64 `metric:"linkspan_gbt26875_states_total" doc:"states of parts, systems and devices received"`
	Analogs         uint64 `metric:"linkspan_gbt26875_analogs_total" doc:"analogue values received"`
	Heartbeats      uint64 `metric:"linkspan_gbt26875_heartbeats_total" doc:"frames without data to keep a connection alive"`
	Repeated        uint64 `metric:"linkspan_gbt26875_repeated_total" doc:"frames that a device has sent again and that were reported before"`
	Malformed       uint64 `metric:"linkspan_gbt26875_malformed_total" doc:"frames whose objects are not what the standard says"`
	Unknown         uint64 `metric:"linkspan_gbt26875_unknown_total" doc:"frames of a type or with a command that nobody knows"`
	Undelivered     uint64 `metric:"linkspan_gbt26875_undelivered_total" doc:"frames not confirmed because the platform did not take them"`
	Forgotten       uint64 `metric:"linkspan_gbt26875_parts_forgotten_total" doc:"states for which there was no room among those remembered"`
	WrongClocks     uint64 `metric:"linkspan_gbt26875_clocks_wrong_total" doc:"times of devices that were too far from the time of receipt, or no times"`
	Dropped         uint64 `metric:"linkspan_gbt26875_frames_dropped_total" doc:"frames that came while too many waited for their device's login"`
	Patrols         uint64 `metric:"linkspan_gbt26875_patrols_total" doc:"silent devices asked for their state"`
	Commands        uint64 `metric:"linkspan_gbt26875_commands_total" doc:"commands sent"`
	Retransmissions uint64 `metric:"linkspan_gbt26875_retransmissions_total" doc:"commands sent again"`
	TimedOut        uint64 `metric:"linkspan_gbt26875_commands_timedout_total" doc:"commands that were not answered"`
	Unmatched       uint64 `metric:"linkspan_gbt26875_answers_unmatched_total" doc:"answers to no command under way: too late, or twice"`
}

// counters is what Stats is taken of. It may be used from any goroutine.
type counters struct {
	refused, strangers, damaged        atomic.Uint64
	fires, faults, states, analogs     atomic.Uint64
	heartbeats, repeated               atomic.Uint64
	malformed, unknown, undelivered    atomic.Uint64
	forgotten, wrongClocks, dropped    atomic.Uint64
	patrols, commands, retransmissions atomic.Uint64
	timedOut, unmatched                atomic.Uint64
}

func (c *counters) stats() Stats {
	return Stats{
		Refused: c.refused.Load(), Strangers: c.strangers.Load(), Damaged: c.damaged.Load(),
		Fires: c.fires.Load(), Faults: c.faults.Load(), States: c.states.Load(), Analogs: c.analogs.Load(),
		Heartbeats: c.heartbeats.Load(), Repeated: c.repeated.Load(),
		Malformed: c.malformed.Load(), Unknown: c.unknown.Load(), Undelivered: c.undelivered.Load(),
		Forgotten: c.forgotten.Load(), WrongClocks: c.wrongClocks.Load(), Dropped: c.dropped.Load(),
		Patrols: c.patrols.Load(), Commands: c.commands.Load(), Retransmissions: c.retransmissions.Load(),
		TimedOut: c.timedOut.Load(), Unmatched: c.unmatched.Load(),
	}
}
