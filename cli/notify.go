package cli

import (
	"net"
	"os"

	"go.uber.org/zap"
)

// notify tells the service manager how the process is doing, as sd_notify(3)
// describes it: READY=1, STOPPING=1. Without NOTIFY_SOCKET nobody wants to know.
func notify(log *zap.Logger, state string) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err == nil {
		_, err = conn.Write([]byte(state))
		_ = conn.Close()
	}
	if err != nil {
		log.Warn("cannot tell the service manager "+state, zap.NamedError("err", err))
	}
}
