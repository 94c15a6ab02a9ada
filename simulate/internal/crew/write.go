package crew

import (
	"errors"
	"net"
	"os"
	"time"
)

// writeWithin writes what a connection takes in that time.
func writeWithin(conn net.Conn, p []byte, within time.Duration) (int, error) {
	if err := conn.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return 0, err
	}
	n, err := conn.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return n, err
}
