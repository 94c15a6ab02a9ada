package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"
)

// Drain is the first half of an end in which nothing gets lost: when it returns,
// the server accepts no connections and adapters get no more messages, while what
// they still have to say to devices, such as acknowledgements of messages that are
// on their way to the platform, leaves. Wait for these, then call Close. What
// devices send meanwhile is dropped unread: nobody acknowledges it, so that they
// send it again where they connect next.
//
// The error says that ctx ended before all loops had heard of it. A server that
// does not run is drained.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	if !s.started || s.ending {
		s.mu.Unlock()
		return nil
	}
	s.drains = true // for loops that are made from now on
	loops := s.loops[:len(s.loops):len(s.loops)]
	s.mu.Unlock()
	s.stopListening(ctx)
	heard := make(chan struct{}, len(loops))
	for _, l := range loops {
		l.do(nil, func() { //nolint:contextcheck // a loop has no context
			l.draining = true
			heard <- struct{}{}
		})
	}
	for range loops {
		select {
		case <-heard:
		case <-s.closed:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("server: drain: an event loop is busy: %w", ctx.Err())
		}
	}
	return nil
}

// queueTime bounds how long connections that come while the listeners close are
// still taken.
const queueTime = time.Second

// stopListening closes the sockets that listen, once. The connections that the
// kernel has accepted are taken before, so that they end like the others, and
// not by a reset.
func (s *Server) stopListening(ctx context.Context) {
	s.mu.Lock()
	first := !s.deaf
	s.deaf = true
	s.mu.Unlock()
	if !first {
		return
	}
	taken := make(chan struct{})
	s.accepting.Go(func() { // ends when the loops have taken them; Close waits
		defer close(taken)
		s.takeQueues(ctx)
	})
	select {
	case <-taken:
	case <-ctx.Done():
	case <-time.After(queueTime): // an event loop is busy
	}
	s.stopDialling()
	for _, l := range s.listeners {
		if l.socket != nil {
			_ = l.socket.Close() // it is open
		}
	}
}

// takeQueues takes the connections that wait to be accepted, for queueTime at the
// most.
func (s *Server) takeQueues(ctx context.Context) {
	end := time.Now().Add(queueTime)
	more := func() bool { return ctx.Err() == nil && time.Now().Before(end) }
	for _, l := range s.listeners {
		socket, ok := l.socket.(*net.TCPListener)
		if !ok {
			continue
		}
		err := takeQueued(socket, more, func(c *net.TCPConn) { s.admit(l, c, nil) })
		if err != nil && !errors.Is(err, net.ErrClosed) {
			s.log.Warn("connections that waited to be accepted are lost", zap.String("listener", l.Name), zap.NamedError("err", err))
		}
	}
}
