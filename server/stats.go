package server

import (
	"sync/atomic"
	"time"
)

// Stats is what a server has counted.
type Stats struct {
	Listeners    []ListenerStats
	TLS          []TLSStats // of the listeners that have it
	Handshakes   HandshakeStats
	PendingBytes int64   `metric:"linkspan_server_pending_bytes" doc:"bytes received and not yet decoded, of all connections"`
	LoopLag      float64 `metric:"linkspan_server_loop_lag_seconds" doc:"the longest time that a task waited for its event loop within the last 10 to 20 seconds"`
}

// ListenerStats is what a server has counted for one listener.
type ListenerStats struct {
	Listener string `label:"listener"`
	Protocol string `label:"protocol"`

	Connections   int64             `metric:"linkspan_server_connections" doc:"connections that are open"`
	Dialling      int               `metric:"linkspan_server_dialling_targets" doc:"devices that listen themselves and are being connected to"`
	Due           int               `metric:"linkspan_server_due_targets" doc:"devices that listen themselves and wait until fewer than reconnect.most are being connected to"`
	Accepted      uint64            `metric:"linkspan_server_accepted_connections_total" doc:"connections accepted, without those that were refused"`
	Refused       map[string]uint64 `metric:"linkspan_server_refused_connections_total" label:"cause" doc:"connections refused, by cause"`
	Closed        map[string]uint64 `metric:"linkspan_server_closed_connections_total" label:"cause" doc:"connections ended, by cause"`
	ReceivedBytes uint64            `metric:"linkspan_server_received_bytes_total" doc:"bytes received from devices"`
	SentBytes     uint64            `metric:"linkspan_server_sent_bytes_total" doc:"bytes sent to devices"`
	Messages      uint64            `metric:"linkspan_server_received_messages_total" doc:"messages decoded"`
	Reads         uint64            `metric:"linkspan_server_reads_total" doc:"reads from sockets"`
	Writes        uint64            `metric:"linkspan_server_writes_total" doc:"writes to sockets"`
	Faults        map[string]uint64 `metric:"linkspan_server_faults_total" label:"cause" doc:"frames lost, by cause: damaged, unsupported (not damaged, and nobody here can read them), panic"`
	Dropped       map[string]uint64 `metric:"linkspan_server_dropped_datagrams_total" label:"cause" doc:"UDP datagrams dropped in either direction, by cause: oversize, amplification, would block, unreachable, pending, bytes rate, messages rate, receive buffer"`
}

// counters is what one loop counts for one listener. Only the loop writes it.
type counters struct {
	closed   [causes]atomic.Uint64
	bytesIn  atomic.Uint64
	bytesOut atomic.Uint64
	messages atomic.Uint64
	reads    atomic.Uint64
	writes   atomic.Uint64
	damaged  atomic.Uint64
	panics   atomic.Uint64

	unsupported atomic.Uint64

	tlsDone    atomic.Uint64
	tlsResumed atomic.Uint64
	tlsFailed  atomic.Uint64

	dropped [drops]atomic.Uint64
}

// add adds to a counter that only the caller's goroutine writes, which is
// cheaper than the atomic Add.
func add(counter *atomic.Uint64, n uint64) { counter.Store(counter.Load() + n) }

// Stats is what the server has counted so far. It may be called from any
// goroutine, at any time.
func (s *Server) Stats() Stats {
	stats := Stats{PendingBytes: s.pending.Load(), Listeners: make([]ListenerStats, len(s.listeners))}
	stats.Handshakes = s.handshakes.stats()
	loops := s.allLoops()
	for _, l := range loops {
		stats.LoopLag = max(stats.LoopLag, l.lag.worst(time.Since(s.made)).Seconds())
	}
	for i, l := range s.listeners {
		stats.Listeners[i] = l.stats(loops)
		s.countSockets(l, &stats.Listeners[i])
		stats.Listeners[i].Dialling, stats.Listeners[i].Due = s.countDialled(l)
		if l.TLS != nil {
			stats.TLS = append(stats.TLS, l.tlsStats(loops))
		}
	}
	return stats
}

func (l *listener) stats(loops []*loop) ListenerStats {
	stats := ListenerStats{
		Listener:    l.Name,
		Protocol:    l.Protocol,
		Connections: l.open.Load(),
		Accepted:    l.accepted.Load(),
		Refused:     map[string]uint64{},
		Closed:      map[string]uint64{},
		Faults:      map[string]uint64{},
		Dropped:     map[string]uint64{},
	}
	for cause := Cause(1); cause < causes; cause++ {
		if n := l.refused[cause].Load(); n > 0 {
			stats.Refused[cause.String()] = n
		}
	}
	for _, loop := range loops {
		n := &loop.counters[l.index]
		stats.ReceivedBytes += n.bytesIn.Load()
		stats.SentBytes += n.bytesOut.Load()
		stats.Messages += n.messages.Load()
		stats.Reads += n.reads.Load()
		stats.Writes += n.writes.Load()
		stats.Faults["damaged"] += n.damaged.Load()
		stats.Faults["unsupported"] += n.unsupported.Load()
		stats.Faults["panic"] += n.panics.Load()
		for why := range drops {
			if dropped := n.dropped[why].Load(); dropped > 0 {
				stats.Dropped[dropTexts[why]] += dropped
			}
		}
		for cause := Cause(1); cause < causes; cause++ {
			if closed := n.closed[cause].Load(); closed > 0 {
				stats.Closed[cause.String()] += closed
			}
		}
	}
	return stats
}
