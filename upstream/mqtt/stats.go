package mqtt

import "sync/atomic"

// Stats is what a connector has counted since it was made, and what is under way.
type Stats struct {
	Connections  int    `metric:"linkspan_upstream_mqtt_connections" doc:"connections to the broker now"`
	Devices      int    `metric:"linkspan_upstream_mqtt_devices" doc:"devices online or on their way there or back"`
	Online       int    `metric:"linkspan_upstream_mqtt_devices_online" doc:"devices logged in now"`
	Pending      int    `metric:"linkspan_upstream_mqtt_messages_pending" doc:"messages waiting or in flight now"`
	PendingBytes int64  `metric:"linkspan_upstream_mqtt_pending_bytes" doc:"payload of messages waiting or in flight now"`
	InFlight     int    `metric:"linkspan_upstream_mqtt_messages_in_flight" doc:"messages sent and not yet acknowledged now"`
	Connects     uint64 `metric:"linkspan_upstream_mqtt_connects_total" doc:"connections made"`
	Reconnects   uint64 `metric:"linkspan_upstream_mqtt_reconnects_total" doc:"connections made after one was lost"`
	Failures     uint64 `metric:"linkspan_upstream_mqtt_connect_failures_total" doc:"attempts to connect, to all endpoints, that failed"`
	Published    uint64 `metric:"linkspan_upstream_mqtt_messages_total" doc:"messages taken from devices"`
	Bytes        uint64 `metric:"linkspan_upstream_mqtt_message_bytes_total" doc:"payload bytes of messages taken from devices"`
	Acknowledged uint64 `metric:"linkspan_upstream_mqtt_messages_done_total" doc:"messages that the broker has"`
	Resent       uint64 `metric:"linkspan_upstream_mqtt_messages_resent_total" doc:"messages to be sent again after a connection was lost"`
	Commands     uint64 `metric:"linkspan_upstream_mqtt_commands_total" doc:"commands handed to devices"`
	Broadcasts   uint64 `metric:"linkspan_upstream_mqtt_broadcasts_total" doc:"commands that named no device"`
	Logins       uint64 `metric:"linkspan_upstream_mqtt_logins_total" doc:"logins that succeeded"`
	Relogins     uint64 `metric:"linkspan_upstream_mqtt_relogins_total" doc:"devices logged in again by the connector itself"`
	Logouts      uint64 `metric:"linkspan_upstream_mqtt_logouts_total" doc:"logouts"`
	Superseded   uint64 `metric:"linkspan_upstream_mqtt_logins_superseded_total" doc:"logins whose place a newer one of the same device took"`

	Errors map[string]uint64 `metric:"linkspan_upstream_mqtt_errors_total" doc:"what went wrong, by cause" label:"cause"`
}

// counters are what all lanes of a connector have counted.
type counters struct {
	connects, reconnects, failures              atomic.Uint64
	published, bytes, acknowledged, resent      atomic.Uint64
	commands, broadcasts                        atomic.Uint64
	logins, relogins, logouts, superseded       atomic.Uint64
	failed, invalid, overloaded, full, timeouts atomic.Uint64
	refused, lost, denied                       atomic.Uint64
	malformed, retained, unknown                atomic.Uint64
}

// Stats is a snapshot. It may be called at any time from any goroutine.
func (c *Connector) Stats() Stats {
	n := &c.count
	s := Stats{
		Connects: n.connects.Load(), Reconnects: n.reconnects.Load(), Failures: n.failures.Load(),
		Published: n.published.Load(), Bytes: n.bytes.Load(), Acknowledged: n.acknowledged.Load(), Resent: n.resent.Load(),
		Commands: n.commands.Load(), Broadcasts: n.broadcasts.Load(),
		Logins: n.logins.Load(), Relogins: n.relogins.Load(), Logouts: n.logouts.Load(), Superseded: n.superseded.Load(),
		Errors: map[string]uint64{
			"message_failed":      n.failed.Load(),
			"message_invalid":     n.invalid.Load(),
			"message_timeout":     n.timeouts.Load(),
			"overloaded":          n.overloaded.Load(),
			"devices_full":        n.full.Load(),
			"login_refused":       n.refused.Load(),
			"device_lost":         n.lost.Load(),
			"subscription_denied": n.denied.Load(),
			"malformed":           n.malformed.Load(),
			"retained":            n.retained.Load(),
			"unknown_device":      n.unknown.Load(),
		},
	}
	for _, ln := range c.allLanes(nil) {
		ln.addTo(&s)
	}
	return s
}

func (ln *lane) addTo(s *Stats) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.link != nil {
		s.Connections++
	}
	s.Pending += ln.pending
	s.PendingBytes += ln.bytes
	s.InFlight += ln.inFlight
	s.Devices += len(ln.devices)
	for _, d := range ln.devices {
		if d.state == online {
			s.Online++
		}
	}
}
