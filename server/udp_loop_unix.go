//go:build unix

package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/panjf2000/gnet/v2"
	gneterrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/panjf2000/gnet/v2/pkg/queue"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// udpLoop is an event loop for UDP sockets, on gnet's poller but not on gnet's
// loop: that makes a connection of each datagram, and reads sockets that it did
// not open itself without their datagrams' addresses.
//
// Only Execute may be called from another goroutine than the loop's, and only
// before the loop has been told to stop.
type udpLoop struct {
	*loop
	poller  *netpoll.Poller
	sockets []*udpSocket // one for each listener at most: few
	batch   *batch
	done    chan struct{} // closed when the goroutine has ended; nil: it was never started
}

// turns bounds the batches that are read before the loop looks at its other
// sockets, its tasks and its timers again.
const turns = 8

// listenUDP opens the sockets of all UDP listeners, and the loops for them.
func (s *Server) listenUDP(ctx context.Context) error {
	var errs []error
	for _, l := range s.listeners {
		if !l.datagrams {
			continue
		}
		if err := s.listenDatagrams(ctx, l); err != nil {
			errs = append(errs, fmt.Errorf("listener %q: %w", l.Name, err))
		}
	}
	largest := 0
	for _, l := range s.listeners {
		if l.datagrams {
			largest = max(largest, l.UDP.MaxDatagram)
		}
	}
	for _, u := range s.udp {
		u.batch = newBatch(largest)
	}
	return errors.Join(errs...)
}

func (s *Server) listenDatagrams(ctx context.Context, l *listener) error {
	n := s.cfg.Loops
	if l.UDP.Sockets > 0 {
		n = min(n, l.UDP.Sockets)
	}
	sockets, local, err := l.openSockets(ctx, n)
	for i, fd := range sockets {
		u, e := s.udpLoop(i)
		if e != nil {
			err = errors.Join(err, e)
			_ = unix.Close(fd)
			continue
		}
		if e := u.take(l, fd); e != nil {
			err = errors.Join(err, e)
		}
	}
	l.local = local
	return err
}

// udpLoop is the loop of that number, made when it is first asked for. s.mu is
// held.
func (s *Server) udpLoop(i int) (*udpLoop, error) {
	if i < len(s.udp) {
		return s.udp[i], nil
	}
	poller, err := netpoll.OpenPoller()
	if err != nil {
		return nil, fmt.Errorf("event loop: %w", err)
	}
	u := &udpLoop{poller: poller}
	u.loop = newLoop(s, u)
	s.udp = append(s.udp, u)
	s.loops = append(s.loops, u.loop)
	return u, nil
}

// take makes the loop read the socket, which is the loop's from then on.
func (u *udpLoop) take(l *listener, fd int) error {
	name, err := unix.Getsockname(fd)
	if err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("getsockname: %w", err)
	}
	six, v6 := name.(*unix.SockaddrInet6)
	four, v4 := name.(*unix.SockaddrInet4)
	if v6 && six.Addr == [16]byte{} || v4 && four.Addr == [4]byte{} {
		if err := tellLocal(fd, v6); err != nil {
			_ = unix.Close(fd)
			return fmt.Errorf("setsockopt: %w", err)
		}
	}
	socket := newUDPSocket(l, u.loop, fd, v6)
	u.sockets = append(u.sockets, socket)
	l.sockets = append(l.sockets, socket)
	return u.poller.AddRead(&netpoll.PollAttachment{FD: fd}, false)
}

// runUDP starts the loops.
func (s *Server) runUDP() {
	for _, u := range s.udp {
		u.done = make(chan struct{})
		go u.run() // ends with stopUDP, which waits
	}
}

func (u *udpLoop) run() {
	defer close(u.done)
	if err := u.poller.Polling(u.ready); !errors.Is(err, gneterrors.ErrEngineShutdown) {
		u.server.log.Error("an event loop has ended: its peers are not served any more", zap.NamedError("err", err))
	}
}

// ready reads the socket until it is empty, or has had its turn.
func (u *udpLoop) ready(fd int, _ netpoll.IOEvent, _ netpoll.IOFlags) error {
	var socket *udpSocket
	for _, s := range u.sockets {
		if s.fd == fd {
			socket = s
		}
	}
	for range turns {
		n := u.batch.read(fd)
		u.enter()
		for i := range n {
			from, local, in, whole := u.batch.datagram(i)
			socket.receive(from, local, in, whole)
		}
		if n < u.batch.size() {
			return nil
		}
	}
	return nil
}

// Execute implements executor.
func (u *udpLoop) Execute(_ context.Context, task gnet.Runnable) error {
	return u.poller.Trigger(queue.HighPriority, execute, task)
}

func execute(task any) error {
	return task.(gnet.Runnable).Run(context.Background()) //nolint:forcetypeassert // Execute has put it there
}

// stopUDP ends the loops, which nothing may be given to any more, and waits.
func (s *Server) stopUDP() {
	for _, u := range s.udp {
		if u.done != nil {
			_ = u.poller.Trigger(queue.HighPriority, func(any) error { return gneterrors.ErrEngineShutdown }, nil)
			<-u.done
		}
	}
	s.closeUDP()
}

// closeUDP closes the sockets and the pollers.
func (s *Server) closeUDP() {
	for _, u := range s.udp {
		for _, socket := range u.sockets {
			socket.close()
		}
		_ = u.poller.Close() // nothing to lose
	}
}

func (s *udpSocket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = unix.Close(s.fd) // nothing to lose
	s.fd = -1
}
