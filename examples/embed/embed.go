// Package embed is a program with sockets of its own that uses linkspan's core
// SDK: the bridge, without listeners, codecs and adapters. Devices send lines
// "NAME TEXT" over TCP; what they say reaches the platform as it is, and what
// the platform tells them is written to them as it is.
package embed //nolint:revive // nobody imports it beside the standard one

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// Devices maps devices' own names to the platform's.
type Devices map[string]auth.Identity

// Identity implements bridge.Devices.
func (d Devices) Identity(name string) (auth.Identity, error) {
	id, ok := d[name]
	if !ok {
		return id, fmt.Errorf("%q: %w", name, bridge.ErrUnknownDevice)
	}
	return id, nil
}

// Serve bridges the devices that connect to l until ctx ends.
func Serve(ctx context.Context, l net.Listener, platform upstream.Connector, devices Devices) error {
	b, err := bridge.New(bridge.DefaultConfig(), platform, devices, bridge.WithDownlink(bridge.DirectDownlink{}))
	if err != nil {
		return err
	}
	if err = b.Start(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var served sync.WaitGroup
	for {
		conn, err := l.Accept()
		if err != nil {
			break
		}
		served.Go(func() {
			defer func() { _ = conn.Close() }()
			end := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer end()
			_ = device(ctx, b, conn) // its end is the device's affair
		})
	}
	cancel()
	served.Wait()
	closing, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer done()
	return b.Close(closing)
}

var errLine = errors.New("embed: want lines of a name and a text")

// device serves one connection.
func device(ctx context.Context, b *bridge.Bridge, conn net.Conn) error {
	var s *session.Session
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		name, text, ok := strings.Cut(lines.Text(), " ")
		if !ok || s != nil && s.Identity() != name {
			return errLine
		}
		if s == nil {
			s = session.New(name, conn, session.Heartbeat(time.Minute, 2))
			if err := b.Online(ctx, s); err != nil {
				return err
			}
			defer b.Uplink().Offline(s, net.ErrClosed) // this time online, not a newer one
		}
		s.Touch(time.Now().UnixMilli())
		if err := b.Publish(ctx, name, bridge.Message{Payload: []byte(text), QoS: thing.AtLeastOnce}); err != nil {
			return err
		}
	}
	return nil
}
