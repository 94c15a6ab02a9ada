package bridge

import (
	"sync/atomic"

	"github.com/linkspan/linkspan/thing"
)

// counts is what a bridge counts besides its stripes.
type counts struct {
	logins, undone, lost, logouts, logoutFailures    atomic.Uint64
	loginFailures                                    [failures]atomic.Uint64
	offline, overloaded, closed                      atomic.Uint64
	commands, tooMany, repeated, lateReplies, untold atomic.Uint64
	refusedCommands, broadcasts                      atomic.Uint64
	outcomes                                         [thing.Failed + 1]atomic.Uint64 // by state; 0: a state of nobody's
}

func (b *Bridge) outcome(s thing.State) {
	if int(s) >= len(b.counts.outcomes) {
		s = 0
	}
	b.counts.outcomes[s].Add(1)
}

// Stats is what a [Bridge] has counted.
type Stats struct {
	Logins          uint64            `metric:"linkspan_bridge_logins_total" doc:"devices that came online"`
	LoginFailures   map[string]uint64 `metric:"linkspan_bridge_login_failures_total" label:"cause" doc:"devices that did not come online"`
	UndoneLogins    uint64            `metric:"linkspan_bridge_undone_logins_total" doc:"logins that completed after their session had ended, and were logged out"`
	Lost            uint64            `metric:"linkspan_bridge_lost_logins_total" doc:"sessions ended by the platform"`
	Logouts         uint64            `metric:"linkspan_bridge_logouts_total" doc:"logouts"`
	LogoutFailures  uint64            `metric:"linkspan_bridge_logout_failures_total" doc:"logouts that the platform did not confirm"`
	InFlight        int64             `metric:"linkspan_bridge_inflight_messages" doc:"messages on their way to the platform"`
	Delivered       uint64            `metric:"linkspan_bridge_delivered_messages_total" doc:"messages that the platform has"`
	Failed          uint64            `metric:"linkspan_bridge_failed_messages_total" doc:"messages that the connector could not deliver"`
	Refused         map[string]uint64 `metric:"linkspan_bridge_refused_messages_total" label:"cause" doc:"messages that were not sent"`
	Commands        uint64            `metric:"linkspan_bridge_commands_total" doc:"commands of the platform to one device"`
	Repeated        uint64            `metric:"linkspan_bridge_repeated_commands_total" doc:"commands that came again while they were under way, or within ten seconds after they ended"`
	TooMany         uint64            `metric:"linkspan_bridge_excess_commands_total" doc:"commands that failed because their device had too many under way"`
	RefusedCommands uint64            `metric:"linkspan_bridge_refused_commands_total" doc:"commands and broadcasts that there was no way to deliver"`
	Outcomes        map[string]uint64 `metric:"linkspan_bridge_replies_total" label:"cause" doc:"final states of commands"`
	LateReplies     uint64            `metric:"linkspan_bridge_late_replies_total" doc:"replies of devices to commands that had ended"`
	Untold          uint64            `metric:"linkspan_bridge_untold_replies_total" doc:"final states that found no login to be told by"`
	Broadcasts      uint64            `metric:"linkspan_bridge_broadcasts_total" doc:"commands of the platform to all devices"`
	WaitingLogins   int               `metric:"linkspan_bridge_waiting_logins" doc:"devices that wait for their turn to log in"`
	OverdueLogins   uint64            `metric:"linkspan_bridge_overdue_logins_total" doc:"devices that were refused because their turn to log in did not come in time"`
	WaitingChecks   int               `metric:"linkspan_bridge_waiting_checks" doc:"devices that wait for a check of their credentials"`
	WaitingPushes   int               `metric:"linkspan_bridge_waiting_pushes" doc:"commands that wait for the downlink handler"`
}

// Stats is what happened so far.
func (b *Bridge) Stats() Stats {
	c := &b.counts
	st := Stats{
		Logins:         c.logins.Load(),
		LoginFailures:  make(map[string]uint64, failures),
		UndoneLogins:   c.undone.Load(),
		Lost:           c.lost.Load(),
		Logouts:        c.logouts.Load(),
		LogoutFailures: c.logoutFailures.Load(),
		InFlight:       b.underWay(),
		Refused: map[string]uint64{
			"offline": c.offline.Load(), "overloaded": c.overloaded.Load(), "closed": c.closed.Load(),
		},
		Commands:        c.commands.Load(),
		Repeated:        c.repeated.Load(),
		TooMany:         c.tooMany.Load(),
		RefusedCommands: c.refusedCommands.Load(),
		Outcomes:        make(map[string]uint64, len(c.outcomes)),
		LateReplies:     c.lateReplies.Load(),
		Untold:          c.untold.Load(),
		Broadcasts:      c.broadcasts.Load(),
		WaitingLogins:   b.admission.length(),
		OverdueLogins:   b.admission.late.Load(),
		WaitingChecks:   b.checks.waiting(),
		WaitingPushes:   b.pushes.waiting(),
	}
	for i := range b.stripes {
		st.Delivered += b.stripes[i].delivered.Load()
		st.Failed += b.stripes[i].failed.Load()
	}
	for i, name := range failureNames {
		st.LoginFailures[name] = c.loginFailures[i].Load()
	}
	for i := thing.Done; i <= thing.Failed; i++ {
		st.Outcomes[i.String()] = c.outcomes[i].Load()
	}
	return st
}
