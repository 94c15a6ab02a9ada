package jt808

import "sync/atomic"

// Stats is what the listeners of one plugin have counted.
type Stats struct {
	Registrations   uint64 `metric:"linkspan_jt808_registrations_total" doc:"registrations accepted"`
	Refused         uint64 `metric:"linkspan_jt808_logins_refused_total" doc:"registrations and authentications that were refused"`
	Strangers       uint64 `metric:"linkspan_jt808_unauthenticated_total" doc:"messages of terminals that have not authenticated"`
	Locations       uint64 `metric:"linkspan_jt808_locations_total" doc:"locations reported, those in batches and answers included"`
	Alarms          uint64 `metric:"linkspan_jt808_alarms_total" doc:"alarms that began"`
	Malformed       uint64 `metric:"linkspan_jt808_malformed_total" doc:"messages whose body could not be read"`
	Encrypted       uint64 `metric:"linkspan_jt808_encrypted_total" doc:"frames whose body is encrypted, refused"`
	Unknown         uint64 `metric:"linkspan_jt808_unknown_total" doc:"messages that nobody knows"`
	Undelivered     uint64 `metric:"linkspan_jt808_undelivered_total" doc:"messages answered with a failure because the platform did not take them"`
	Commands        uint64 `metric:"linkspan_jt808_commands_total" doc:"commands sent"`
	Retransmissions uint64 `metric:"linkspan_jt808_retransmissions_total" doc:"commands sent again"`
	TimedOut        uint64 `metric:"linkspan_jt808_commands_timedout_total" doc:"commands that were not answered"`
	Unmatched       uint64 `metric:"linkspan_jt808_answers_unmatched_total" doc:"answers to no command under way: too late, or twice"`
	Resent          uint64 `metric:"linkspan_jt808_packages_resent_total" doc:"packages of commands sent again at the terminal's request"`
	Packages        uint64 `metric:"linkspan_jt808_packages_total" doc:"packages of long messages received"`
	PackagesMissing uint64 `metric:"linkspan_jt808_packages_requested_total" doc:"missing packages asked for"`
	Incomplete      uint64 `metric:"linkspan_jt808_messages_incomplete_total" doc:"long messages given up because packages of them were missing or did not fit"`
	MediaStored     uint64 `metric:"linkspan_jt808_media_stored_total" doc:"multimedia items stored"`
	MediaFailed     uint64 `metric:"linkspan_jt808_media_failed_total" doc:"multimedia items that could not be stored"`
	MediaWaiting    int64  `metric:"linkspan_jt808_media_waiting" doc:"multimedia items waiting to be stored"`
}

// counters is what Stats is taken of. It may be used from any goroutine.
type counters struct {
	registrations, refused, strangers     atomic.Uint64
	locations, alarms                     atomic.Uint64
	malformed, unknown, undelivered       atomic.Uint64
	encrypted                             atomic.Uint64
	commands, retransmissions             atomic.Uint64
	timedOut, unmatched, resent           atomic.Uint64
	packages, packagesMissing, incomplete atomic.Uint64
	mediaStored, mediaFailed              atomic.Uint64
	mediaWaiting                          atomic.Int64
}

func (c *counters) stats() Stats {
	return Stats{
		Registrations: c.registrations.Load(), Refused: c.refused.Load(), Strangers: c.strangers.Load(),
		Locations: c.locations.Load(), Alarms: c.alarms.Load(),
		Malformed: c.malformed.Load(), Encrypted: c.encrypted.Load(), Unknown: c.unknown.Load(), Undelivered: c.undelivered.Load(),
		Commands: c.commands.Load(), Retransmissions: c.retransmissions.Load(),
		TimedOut: c.timedOut.Load(), Unmatched: c.unmatched.Load(), Resent: c.resent.Load(),
		Packages: c.packages.Load(), PackagesMissing: c.packagesMissing.Load(), Incomplete: c.incomplete.Load(),
		MediaStored: c.mediaStored.Load(), MediaFailed: c.mediaFailed.Load(), MediaWaiting: c.mediaWaiting.Load(),
	}
}
