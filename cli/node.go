package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/internal/admin"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/session"
)

// node is one running bridge: listeners, bridge, connector, side door. start
// and close are called once each, by the same goroutine.
type node struct {
	log      *zap.Logger
	bridge   *bridge.Bridge
	server   *server.Server
	admin    *admin.Server
	adminCfg admin.Config
	auth     auth.Provider
	stats    []admin.Stats
	draining atomic.Bool
	started  atomic.Bool
}

// errStarting and errDraining say why a node should not be sent devices.
var (
	errStarting = errors.New("starting")
	errDraining = errors.New("draining")
)

// newNode makes a node of its configuration. All mistakes that can be found
// without starting anything are in the error. Relative paths of the
// configuration start at baseDir.
func newNode(tree *config.Tree, baseDir string, log *zap.Logger) (*node, error) {
	settings, settingsErr := decodeSettings(tree)
	connector, connectorErr := newConnector(tree, settings.Upstream)
	known, devicesErr := newDevices(settings.Devices, tree, baseDir, log)
	checker, authErr := newAuth(settings.Auth, tree, baseDir, log.Named("auth"))
	listeners, stats, listenersErr := newListeners(tree, settings.Listeners)
	if err := errors.Join(settingsErr, settings.Admin.Validate(), connectorErr, devicesErr, authErr, listenersErr); err != nil {
		return nil, err
	}
	b, err := bridge.New(settings.Bridge, connector, known,
		bridge.WithLogger(log.Named("bridge")), bridge.WithListener(presenceLog(log.Named("session"))), bridge.WithAuth(checker))
	if err != nil {
		return nil, fmt.Errorf("cli: section bridge: %w", err)
	}
	for i := range listeners {
		listeners[i].Host.Uplink = b.Uplink()
	}
	srv, err := server.New(settings.Server, listeners, server.WithLogger(log.Named("server")))
	if err != nil {
		return nil, fmt.Errorf("cli: sections server and listeners: %w", err)
	}
	n := &node{log: log, bridge: b, server: srv, adminCfg: settings.Admin, stats: stats, auth: checker}
	for _, room := range []any{srv, b, b.Sessions(), connector, checker} {
		if stats := admin.StatsOf(room); stats != nil {
			n.stats = append(n.stats, stats)
		}
	}
	return n, nil
}

// newListeners makes the server's listeners, each with its protocol, and the
// counters of these. Their hosts have no uplink yet.
func newListeners(tree *config.Tree, settings []listenerSettings) ([]server.Listener, []admin.Stats, error) {
	var (
		errs  []error
		stats []admin.Stats
	)
	counted := map[string]bool{}
	listeners := make([]server.Listener, 0, len(settings))
	for i, l := range settings {
		section := fmt.Sprintf("listeners.%d", i)
		plugin, ok := protocol.Default[l.Protocol]
		if !ok {
			errs = append(errs, tree.Errorf(section+".protocol", fmt.Sprintf("no protocol %q", l.Protocol),
				fmt.Sprintf("one of %v", protocol.Default.Names())))
			continue
		}
		pluginConfig, err := tree.DecodeNew(section+"."+l.Protocol, plugin.Config)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		open, err := plugin.New(pluginConfig)
		if err != nil {
			errs = append(errs, tree.Errorf(section+"."+l.Protocol, unprefixed(err, "protocol", l.Protocol), ""))
			continue
		}
		if plugin.Stats != nil && !counted[l.Protocol] { // one set of counters for all listeners of a protocol
			counted[l.Protocol] = true
			stats = append(stats, plugin.Stats)
		}
		name := l.Name
		if name == "" {
			name = fmt.Sprintf("%s-%d", l.Protocol, i+1)
		}
		listeners = append(listeners, server.Listener{
			Name: name, Address: l.Address, Protocol: l.Protocol, Open: open, Limits: l.Limits,
			Host: &protocol.Host{
				Listener:  name,
				Heartbeat: []session.Option{session.Heartbeat(l.Heartbeat.Interval, l.Heartbeat.Probes)},
			},
		})
	}
	return listeners, stats, errors.Join(errs...)
}

// start begins with the platform and ends with the devices, so that none comes
// before it can be served.
func (n *node) start(ctx context.Context) error {
	var err error
	if n.admin, err = admin.Start(ctx, n.adminCfg, n.log.Named("admin"), n.ready, n.stats...); err != nil {
		return err
	}
	if err := n.bridge.Start(ctx); err != nil {
		return errors.Join(err, n.admin.Close(context.WithoutCancel(ctx)))
	}
	if err := n.server.Start(ctx); err != nil {
		end := context.WithoutCancel(ctx)
		return errors.Join(err, n.bridge.Close(end), n.admin.Close(end))
	}
	n.started.Store(true)
	return nil
}

// unlessEnded is why a node did not start, nil if it was told to end meanwhile.
func unlessEnded(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (n *node) ready() error {
	switch {
	case n.draining.Load():
		return errDraining
	case !n.started.Load():
		return errStarting
	default:
		return nil
	}
}

// addr is where a listener really listens.
func (n *node) addr(listener string) net.Addr { return n.server.Addr(listener) }

// drainTimeout bounds an orderly end.
const drainTimeout = 15 * time.Second

// close ends the node in order: devices first, then what they said, then the
// platform.
func (n *node) close(ctx context.Context) error {
	n.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := n.server.Close(ctx)
	before := n.bridge.Stats()
	err = errors.Join(err, n.bridge.Close(ctx), closeAuth(n.auth), n.admin.Close(ctx))
	after := n.bridge.Stats()
	if lost := after.Failed - before.Failed + uint64(max(after.InFlight, 0)); lost > 0 { //nolint:gosec // not negative
		return errors.Join(err, fmt.Errorf("cli: %d messages %w", lost, errUndelivered))
	}
	return err
}

// errUndelivered is the end of a node whose platform did not take everything in
// time. Devices that wait for an acknowledgement send again.
var errUndelivered = errors.New("had not reached the platform when linkspan stopped; devices of listeners with ack = received do not send them again")
