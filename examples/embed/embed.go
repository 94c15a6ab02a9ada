// Package embed is a program with sockets of its own that uses linkspan's core
// SDK: the bridge, without listeners, codecs and adapters. Devices send lines
// "NAME TEXT" over TCP, and "NAME BYE" to go offline; what they say reaches the
// platform as it is, and what the platform tells them is written to them as
// lines.
package embed //nolint:revive // nobody imports it beside the standard one

import (
	"bufio"
	"bytes"
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

// Downlink writes what the platform says as lines.
type Downlink struct {
	bridge.DirectDownlink

	bridge *bridge.Bridge // set before it starts
}

// Push tells one device. It implements bridge.DownlinkHandler.
func (d *Downlink) Push(s *session.Session, cmd *thing.Command) (thing.State, error) {
	line := *cmd // commands are not changed
	line.Raw = append(bytes.TrimRight(cmd.Raw, "\n"), '\n')
	return d.DirectDownlink.Push(s, &line)
}

// Broadcast tells all devices that are online: the platform named none.
func (d *Downlink) Broadcast(cmd *thing.Command) error {
	var errs []error
	for s := range d.bridge.Sessions().All() {
		if s.State() == session.Online {
			_, err := d.Push(s, cmd)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Serve bridges the devices that connect to l until ctx ends. presence is told
// what happens to their sessions.
func Serve(ctx context.Context, l net.Listener, platform upstream.Connector, devices Devices, presence session.Listener) error {
	downlink := new(Downlink)
	b, err := bridge.New(bridge.DefaultConfig(), platform, devices, bridge.WithDownlink(downlink), bridge.WithListener(presence))
	if err != nil {
		return err
	}
	downlink.bridge = b
	if err = b.Start(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var served sync.WaitGroup
	for {
		conn, accepting := l.Accept()
		if accepting != nil {
			if ctx.Err() == nil { // nobody has closed it
				err = accepting
			}
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
	return errors.Join(err, b.Close(closing))
}

var errLine = errors.New("embed: want lines of a name and a text")

// device serves one connection.
func device(ctx context.Context, b *bridge.Bridge, conn net.Conn) error {
	var s *session.Session
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		name, text, ok := strings.Cut(lines.Text(), " ")
		switch {
		case !ok, s == nil && text == "BYE", s != nil && s.Identity() != name:
			return errLine
		case text == "BYE":
			return b.Offline(ctx, name)
		case s == nil:
			s = session.New(name, conn, session.Heartbeat(time.Minute, 2))
			if err := b.Online(ctx, s); err != nil {
				return err
			}
			defer b.Uplink().Offline(s, net.ErrClosed) // this time online, not a newer one
		}
		s.Touch(time.Now().UnixMilli())
		if err := publish(ctx, b, name, text); err != nil {
			return err
		}
	}
	return nil
}

// publish waits until the platform has an alarm, and for nothing else.
func publish(ctx context.Context, b *bridge.Bridge, name, text string) error {
	m := bridge.Message{Payload: []byte(text), QoS: thing.AtLeastOnce}
	if strings.HasPrefix(text, "alarm") {
		waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return b.Publish(waiting, name, m)
	}
	return b.PublishAsync(name, m).Err() // what is refused at once
}
