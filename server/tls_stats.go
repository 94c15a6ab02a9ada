package server

// TLSStats is what a server has counted for one listener whose connections are
// encrypted.
type TLSStats struct {
	Listener string `label:"listener"`
	Protocol string `label:"protocol"`

	Handshakes  uint64  `metric:"linkspan_server_tls_handshakes_total" doc:"TLS handshakes that were finished"`
	Resumed     uint64  `metric:"linkspan_server_tls_resumed_handshakes_total" doc:"TLS handshakes that resumed a session, of those that were finished"`
	Failed      uint64  `metric:"linkspan_server_tls_failed_handshakes_total" doc:"TLS handshakes that failed, without those that took too long"`
	Reloads     uint64  `metric:"linkspan_server_tls_reloads_total" doc:"times that changed certificates were read"`
	BadReloads  uint64  `metric:"linkspan_server_tls_failed_reloads_total" doc:"times that changed certificates could not be used, so that the old ones stayed"`
	Certificate float64 `metric:"linkspan_server_tls_certificate_expiry_seconds" doc:"when the first of the listener's certificates expires, in seconds since 1970; 0: unknown"`
}

// HandshakeStats is what a server has counted for the TLS handshakes of all its
// listeners.
type HandshakeStats struct {
	Running int    `metric:"linkspan_server_tls_running_handshakes" doc:"TLS handshakes under way, with a goroutine each"`
	Waiting int    `metric:"linkspan_server_tls_waiting_handshakes" doc:"TLS handshakes that wait for one of maxHandshakes to end"`
	GivenUp uint64 `metric:"linkspan_server_tls_given_up_handshakes_total" doc:"TLS handshakes ended because others waited and they had waited for their devices longest"`
}

func (p *handshakes) stats() HandshakeStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return HandshakeStats{Running: p.count, Waiting: p.queue.Len(), GivenUp: p.givenUp}
}

func (l *listener) tlsStats(loops []*loop) TLSStats {
	stats := TLSStats{
		Listener: l.Name, Protocol: l.Protocol,
		Reloads: l.TLS.reloads.Load(), BadReloads: l.TLS.failures.Load(), Certificate: l.TLS.expires(),
	}
	for _, loop := range loops {
		n := &loop.counters[l.index]
		stats.Handshakes += n.tlsDone.Load()
		stats.Resumed += n.tlsResumed.Load()
		stats.Failed += n.tlsFailed.Load()
	}
	return stats
}
