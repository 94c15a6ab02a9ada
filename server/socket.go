package server

import "github.com/panjf2000/gnet/v2"

// socket carries a connection's bytes: over TCP, over TLS, to a UDP peer. Its
// methods are called on the connection's loop, never after the socket has closed.
type socket interface {
	// write sends p, which it does not keep; what does not leave at once waits. An
	// error means that the socket is closed: socketClosed was called inside.
	write(p []byte) error
	// outbound is how many bytes wait to leave.
	outbound() int
	// closeWrite tells the peer that nothing more comes, and says whether it could.
	closeWrite() bool
	// close closes the socket; socketClosed is called inside.
	close()
}

// stage stands between a socket and the protocol: it takes what arrives, for as
// long as it is the connection's stage, and sees to it that the protocol begins
// (begin). Its methods are called on the connection's loop.
type stage interface {
	// received takes bytes off the socket, which it does not keep.
	received(in []byte)
	// closed says that the connection has ended, or its socket has closed. It may be
	// called twice.
	closed()
}

// tcpSocket is a socket of gnet's.
type tcpSocket struct{ gnet.Conn }

func (s *tcpSocket) write(p []byte) error {
	_, err := s.Write(p)
	return err
}

func (s *tcpSocket) outbound() int    { return s.OutboundBuffered() }
func (s *tcpSocket) closeWrite() bool { return closeWrite(s.Fd()) }
func (s *tcpSocket) close()           { _ = s.EventLoop().Close(s.Conn) } // an error would be of a descriptor that is closed
