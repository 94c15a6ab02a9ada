//go:build !unix

package server

import (
	"errors"
	"net"
	"syscall"
)

var errUnsupported = errors.New("not supported on this system")

func shareAddress(string, string, syscall.RawConn) error { return errUnsupported }

func setBacklog(*net.TCPListener, int) error { return errUnsupported }

// takeQueued takes nothing here.
func takeQueued(*net.TCPListener, func() bool, func(*net.TCPConn)) error { return nil }
