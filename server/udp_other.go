//go:build !unix

package server

import (
	"context"
	"errors"
	"fmt"
)

type (
	udpLoop  struct{}
	sockaddr struct{}
	envelope struct{}
)

// listenUDP refuses UDP listeners.
func (s *Server) listenUDP(context.Context) error {
	for _, l := range s.listeners {
		if l.datagrams {
			return fmt.Errorf("listener %q: UDP: %w on this system", l.Name, errors.ErrUnsupported)
		}
	}
	return nil
}

func (s *Server) runUDP()   {}
func (s *Server) stopUDP()  {}
func (s *Server) closeUDP() {}

func (s *udpSocket) send(address, []byte, *sockaddr) error    { return errors.ErrUnsupported }
func (s *udpSocket) sendFrom([16]byte, address, []byte) error { return errors.ErrUnsupported }
func (s *udpSocket) flooded() uint64                          { return 0 }
