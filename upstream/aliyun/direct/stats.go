package direct

import "sync/atomic"

// Stats is what a connector has counted since it was made, and what is under way.
type Stats struct {
	Devices      int    `metric:"linkspan_aliyun_direct_devices" doc:"devices connected or on their way there or back"`
	Online       int    `metric:"linkspan_aliyun_direct_devices_online" doc:"devices connected now"`
	Waiting      int    `metric:"linkspan_aliyun_direct_connects_waiting" doc:"devices that wait for their turn to be connected now"`
	Pending      int64  `metric:"linkspan_aliyun_direct_messages_pending" doc:"messages waiting or in flight now"`
	PendingBytes int64  `metric:"linkspan_aliyun_direct_pending_bytes" doc:"payload of messages waiting or in flight now"`
	Connects     uint64 `metric:"linkspan_aliyun_direct_connects_total" doc:"connections made"`
	Reconnects   uint64 `metric:"linkspan_aliyun_direct_reconnects_total" doc:"connections made after one was lost"`
	Failures     uint64 `metric:"linkspan_aliyun_direct_connect_failures_total" doc:"attempts to connect that failed"`
	Tokens       uint64 `metric:"linkspan_aliyun_direct_tokens_total" doc:"tokens got by HTTPS"`
	Registered   uint64 `metric:"linkspan_aliyun_direct_registrations_total" doc:"devices that came without a secret and got one of the platform"`
	Slowed       uint64 `metric:"linkspan_aliyun_direct_devices_slowed_total" doc:"how often a device had to wait because it was faster than messageRate"`
	Published    uint64 `metric:"linkspan_aliyun_direct_messages_total" doc:"messages taken from devices"`
	Bytes        uint64 `metric:"linkspan_aliyun_direct_message_bytes_total" doc:"payload bytes of messages taken from devices"`
	Acknowledged uint64 `metric:"linkspan_aliyun_direct_messages_done_total" doc:"messages that the platform has"`
	Resent       uint64 `metric:"linkspan_aliyun_direct_messages_resent_total" doc:"messages to be sent again after a connection was lost"`
	Commands     uint64 `metric:"linkspan_aliyun_direct_commands_total" doc:"commands handed to devices"`
	Logins       uint64 `metric:"linkspan_aliyun_direct_logins_total" doc:"logins that succeeded"`
	Logouts      uint64 `metric:"linkspan_aliyun_direct_logouts_total" doc:"logouts done"`
	Superseded   uint64 `metric:"linkspan_aliyun_direct_logins_superseded_total" doc:"logins whose place a newer one of the same device took"`

	Errors map[string]uint64 `metric:"linkspan_aliyun_direct_errors_total" doc:"what went wrong, by cause" label:"cause"`
}

// counts are a connector's.
type counts struct {
	connects, reconnects, failures, tokens          atomic.Uint64
	published, bytes, acknowledged, failed, resent  atomic.Uint64
	commands, logins, logouts, superseded           atomic.Uint64
	refused, lost, links, limited, full             atomic.Uint64
	registered, unregistered, unkept, slowed        atomic.Uint64
	overloaded, invalid, denied, malformed, unknown atomic.Uint64
}

// Stats is a snapshot. It may be called at any time from any goroutine.
func (c *Connector) Stats() Stats {
	n := &c.counts
	s := Stats{
		Pending: c.pending.Load(), PendingBytes: c.bytes.Load(),
		Connects: n.connects.Load(), Reconnects: n.reconnects.Load(), Failures: n.failures.Load(), Tokens: n.tokens.Load(),
		Registered: n.registered.Load(), Slowed: n.slowed.Load(),
		Published: n.published.Load(), Bytes: n.bytes.Load(), Acknowledged: n.acknowledged.Load(), Resent: n.resent.Load(),
		Commands: n.commands.Load(), Logins: n.logins.Load(), Logouts: n.logouts.Load(), Superseded: n.superseded.Load(),
		Errors: map[string]uint64{
			"message_failed":      n.failed.Load(),
			"message_invalid":     n.invalid.Load(),
			"overloaded":          n.overloaded.Load(),
			"too_many_devices":    n.full.Load(),
			"too_many_connects":   n.limited.Load(),
			"login_refused":       n.refused.Load(),
			"register_refused":    n.unregistered.Load(),
			"secret_not_kept":     n.unkept.Load(),
			"device_lost":         n.lost.Load(),
			"connection_lost":     n.links.Load(),
			"subscription_denied": n.denied.Load(),
			"malformed":           n.malformed.Load(),
			"unknown_device":      n.unknown.Load(),
		},
	}
	for _, d := range c.all(nil) {
		d.mu.Lock()
		s.Devices++
		switch d.state {
		case online:
			s.Online++
		case waiting:
			s.Waiting++
		default:
		}
		d.mu.Unlock()
	}
	return s
}
