//go:build unix

package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// shareAddress lets sockets of other processes listen on the same address. It is
// the Control of a net.ListenConfig.
func shareAddress(_, _ string, socket syscall.RawConn) error {
	return control(socket, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
}

// setBacklog changes how many connections may wait to be accepted, by listening
// once more. The kernel takes no more than its own limit (net.core.somaxconn).
func setBacklog(l *net.TCPListener, n int) error {
	socket, err := l.SyscallConn()
	if err != nil {
		return err
	}
	return control(socket, func(fd int) error { return unix.Listen(fd, n) })
}

func control(socket syscall.RawConn, f func(fd int) error) error {
	var result error
	if err := socket.Control(func(fd uintptr) { result = f(int(fd)) }); err != nil {
		return err
	}
	return result
}

// takeQueued accepts the connections that wait in the kernel's queue, which would
// be reset when the socket closes, until there are none or more says no.
func takeQueued(l *net.TCPListener, more func() bool, take func(*net.TCPConn)) error {
	socket, err := l.SyscallConn()
	if err != nil {
		return err
	}
	for more() {
		c, err := acceptNow(socket)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
			continue
		case err != nil:
			return fmt.Errorf("accept: %w", err)
		}
		if c.RemoteAddr() == nil { // its peer has gone already
			_ = c.Close()
			continue
		}
		take(c) // which may wait; the socket can be closed meanwhile
	}
	return nil
}

// acceptNow accepts a connection without waiting for one.
func acceptNow(socket syscall.RawConn) (*net.TCPConn, error) {
	var connected int
	err := control(socket, func(fd int) (err error) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if connected, _, err = unix.Accept(fd); err == nil {
			unix.CloseOnExec(connected)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(connected), "")
	defer func() { _ = file.Close() }() // FileConn has a duplicate
	c, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil //nolint:forcetypeassert // a TCP listener has no other
}
