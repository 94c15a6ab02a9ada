// Package migrate is the Go side of docs/migrating-from-java.md: each piece is
// what a piece of a program on the Java SDK becomes.
package migrate

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/config/devices"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

// Boot starts a bridge: new BridgeBootstrap().bootstrap(handler).
func Boot(ctx context.Context, productKey, deviceName string, secret auth.Secret) (*bridge.Bridge, error) {
	platform := aliyun.DefaultConfig()
	platform.Region = "cn-shanghai"
	platform.ProductKey, platform.DeviceName, platform.DeviceSecret = productKey, deviceName, secret
	connector, err := aliyun.New(platform)
	if err != nil {
		return nil, err
	}
	list := devices.DefaultConfig()
	list.File = "devices.conf"
	known, err := devices.Open(list)
	if err != nil {
		return nil, err
	}
	b, err := bridge.New(bridge.DefaultConfig(), connector, known, bridge.WithDownlink(Downlink{}))
	if err != nil {
		return nil, err
	}
	return b, b.Start(ctx) // b.Close(ctx) at the end
}

// Connect brings the device at the other end of conn online.
func Connect(ctx context.Context, b *bridge.Bridge, name string, conn net.Conn) error {
	s := session.New(name, conn, session.Heartbeat(30*time.Second, 2))
	err := b.Online(ctx, s, "credential")
	switch refused := (*upstream.RefusedError)(nil); {
	case err == nil:
		return nil // later: s.Touch(...) for each sign of life
	case errors.Is(err, bridge.ErrUnknownDevice), errors.Is(err, auth.ErrBadCredentials):
		_ = conn.Close() // trying again is of no use
	case errors.As(err, &refused):
		err = fmt.Errorf("the platform says %d: %w", refused.Code, err)
	case errors.Is(err, upstream.ErrNotConnected), errors.Is(err, upstream.ErrTimeout):
		// later, perhaps
	}
	return err
}

// Publish says something for a device, and waits at most ten seconds.
func Publish(ctx context.Context, b *bridge.Bridge, name string, payload []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return b.Publish(ctx, name, bridge.Message{Topic: "user/update", Payload: payload, QoS: thing.AtMostOnce})
}

// PublishAsync does not wait; then is called with the result.
func PublishAsync(b *bridge.Bridge, name string, payload []byte, then func(error)) {
	token := b.PublishAsync(name, bridge.Message{Topic: "user/update", Payload: payload, QoS: thing.AtLeastOnce})
	go func() { // or select on token.Done() where you wait for other things too
		<-token.Done()
		then(token.Err())
	}()
}

// Look finds what the factories of the Java SDK find.
func Look(b *bridge.Bridge, name string) (auth.Identity, *session.Session, error) {
	identity, err := b.Devices().Identity(name)
	if err != nil {
		return identity, nil, err // bridge.ErrUnknownDevice: not mapped
	}
	return identity, b.Sessions().Get(name), nil // nil: not online
}

// Disconnect takes a device offline.
func Disconnect(ctx context.Context, b *bridge.Bridge, name string) error {
	return b.Offline(ctx, name)
}

// Downlink tells devices what the platform says.
type Downlink struct{}

// Push is pushToDevice.
func (Downlink) Push(s *session.Session, cmd *thing.Command) (thing.State, error) {
	w, ok := s.Channel().(io.Writer)
	if !ok || cmd.Topic == "" {
		return thing.Unsupported, nil
	}
	if _, err := fmt.Fprintf(w, "%s %s\n", cmd.Topic, cmd.Raw); err != nil {
		return 0, err // false: the command has failed
	}
	return thing.Done, nil // true
}

// Broadcast is broadcast.
func (Downlink) Broadcast(*thing.Command) error { return bridge.ErrNoBroadcast }

// Presence hears what happens to sessions: bridge.WithListener(Presence{log}).
type Presence struct{ Log *zap.Logger }

// Presence implements session.Listener.
func (p Presence) Presence(e session.Event) {
	if e.Kind == session.TimedOut {
		p.Log.Info("heartbeats lost", zap.String("identity", e.Session.Identity()), zap.Int("count", e.Lost))
	}
}

// Passwords checks credentials: bridge.WithAuth(Passwords{...}).
type Passwords map[string]string

// Authenticate implements auth.Provider.
func (p Passwords) Authenticate(_ context.Context, name string, credentials []string) error {
	password, err := auth.Credential(credentials, 0)
	if err != nil {
		return err
	}
	if want, known := p[name]; !known || subtle.ConstantTimeCompare([]byte(password), []byte(want)) != 1 {
		return auth.ErrBadCredentials
	}
	return nil
}

// Database knows the devices: bridge.New(cfg, connector, Database{...}).
type Database struct {
	Look func(name string) (auth.Identity, bool)
}

// Identity implements bridge.Devices.
func (d Database) Identity(name string) (auth.Identity, error) {
	identity, ok := d.Look(name)
	if !ok {
		return identity, fmt.Errorf("%q: %w", name, bridge.ErrUnknownDevice)
	}
	return identity, nil
}

// Custom puts components of your own in place of those in the box. Either may be
// left out.
func Custom(up upstream.Connector, known Database, passwords Passwords, log *zap.Logger) (*bridge.Bridge, error) {
	cfg := bridge.DefaultConfig() // from wherever your configuration is
	cfg.LoginTimeout = 20 * time.Second
	return bridge.New(cfg, up, known,
		bridge.WithSlowDevices(), // known waits for a data base
		bridge.WithAuth(passwords),
		bridge.WithListener(Presence{log}),
		bridge.WithDownlink(bridge.DirectDownlink{}),
		bridge.WithLogger(log))
}
