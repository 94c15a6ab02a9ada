package aliyun

// Stats is what a connector has counted since it was made, and what is under way.
type Stats struct {
	Gateways     int    `metric:"linkspan_aliyun_gateways" doc:"gateways configured"`
	Connected    int    `metric:"linkspan_aliyun_gateways_connected" doc:"gateways connected now"`
	Devices      int    `metric:"linkspan_aliyun_devices" doc:"devices online or on their way there or back"`
	Online       int    `metric:"linkspan_aliyun_devices_online" doc:"devices logged in now"`
	Pending      int    `metric:"linkspan_aliyun_messages_pending" doc:"messages waiting or in flight now"`
	InFlight     int    `metric:"linkspan_aliyun_messages_in_flight" doc:"messages sent and not yet acknowledged now"`
	LoginsQueued int    `metric:"linkspan_aliyun_logins_waiting" doc:"devices that wait to be logged in now"`
	Connects     uint64 `metric:"linkspan_aliyun_connects_total" doc:"connections made"`
	Reconnects   uint64 `metric:"linkspan_aliyun_reconnects_total" doc:"connections made after one was lost"`
	Failures     uint64 `metric:"linkspan_aliyun_connect_failures_total" doc:"attempts to connect that failed"`
	Published    uint64 `metric:"linkspan_aliyun_messages_total" doc:"messages taken from devices"`
	Bytes        uint64 `metric:"linkspan_aliyun_message_bytes_total" doc:"payload bytes of messages taken from devices"`
	Acknowledged uint64 `metric:"linkspan_aliyun_messages_done_total" doc:"messages that the platform has"`
	Resent       uint64 `metric:"linkspan_aliyun_messages_resent_total" doc:"messages to be sent again after a connection or a session was lost"`
	Commands     uint64 `metric:"linkspan_aliyun_commands_total" doc:"commands handed to devices"`
	Broadcasts   uint64 `metric:"linkspan_aliyun_broadcasts_total" doc:"commands that named no device"`
	Requests     uint64 `metric:"linkspan_aliyun_requests_total" doc:"logins, logouts and topology changes asked of the platform, a batch counting once"`
	Logins       uint64 `metric:"linkspan_aliyun_logins_total" doc:"logins that succeeded"`
	Relogins     uint64 `metric:"linkspan_aliyun_relogins_total" doc:"devices logged in again by the connector itself"`
	Registered   uint64 `metric:"linkspan_aliyun_registrations_total" doc:"devices that came without a secret and got one of the platform"`
	Moved        uint64 `metric:"linkspan_aliyun_logins_moved_total" doc:"logins that went on at the next gateway because one was full"`
	Paced        uint64 `metric:"linkspan_aliyun_logins_paced_total" doc:"logins that were put off or refused because the device logs in too often"`
	Slowed       uint64 `metric:"linkspan_aliyun_messages_slowed_total" doc:"messages that waited because their device was faster than messageRate"`
	Found        uint64 `metric:"linkspan_aliyun_devices_reported_total" doc:"devices unknown to the platform that it was told of"`
	Logouts      uint64 `metric:"linkspan_aliyun_logouts_total" doc:"logouts done"`
	Superseded   uint64 `metric:"linkspan_aliyun_logins_superseded_total" doc:"logins whose place a newer one of the same device took"`

	Errors map[string]uint64 `metric:"linkspan_aliyun_errors_total" doc:"what went wrong, by cause" label:"cause"`
}

// counters are one gateway's part of the statistics, guarded by its mu.
type counters struct {
	connects, reconnects, failures                                uint64
	published, bytes, acknowledged, failed, resent                uint64
	commands, broadcasts                                          uint64
	requests, logins, relogins, logouts, superseded               uint64
	refused, lost, sessions, timeouts                             uint64
	overloaded, full, invalid, denied, malformed, unknown         uint64
	registered, unregistered, unkept, moved, paced, found, slowed uint64
}

// Stats is a snapshot. It may be called at any time from any goroutine.
func (c *Connector) Stats() Stats {
	s := Stats{Gateways: len(c.gateways), Errors: make(map[string]uint64, 14)}
	for _, g := range c.gateways {
		g.addTo(&s)
	}
	return s
}

func (g *gateway) addTo(s *Stats) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := &g.stats
	if g.link != nil {
		s.Connected++
		s.InFlight += g.link.inFlight
	}
	s.Devices += len(g.devices)
	for _, d := range g.devices {
		if d.state == online {
			s.Online++
		}
	}
	s.Pending += g.pending
	s.LoginsQueued += len(g.wanted)
	s.Connects += n.connects
	s.Reconnects += n.reconnects
	s.Failures += n.failures
	s.Published += n.published
	s.Bytes += n.bytes
	s.Acknowledged += n.acknowledged
	s.Resent += n.resent
	s.Commands += n.commands
	s.Broadcasts += n.broadcasts
	s.Requests += n.requests
	s.Logins += n.logins
	s.Relogins += n.relogins
	s.Registered += n.registered
	s.Moved += n.moved
	s.Paced += n.paced
	s.Found += n.found
	s.Slowed += n.slowed
	s.Logouts += n.logouts
	s.Superseded += n.superseded
	for cause, count := range map[string]uint64{
		"message_failed":      n.failed,
		"message_invalid":     n.invalid,
		"overloaded":          n.overloaded,
		"gateway_full":        n.full,
		"login_refused":       n.refused,
		"device_lost":         n.lost,
		"session_lost":        n.sessions,
		"register_refused":    n.unregistered,
		"secret_not_kept":     n.unkept,
		"request_timeout":     n.timeouts,
		"subscription_denied": n.denied,
		"malformed":           n.malformed,
		"unknown_device":      n.unknown,
	} {
		s.Errors[cause] += count
	}
}
