package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/auth/attempts"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/bridge/away"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/config/devices"
	"github.com/linkspan/linkspan/internal/admin"
	"github.com/linkspan/linkspan/internal/datadir"
	"github.com/linkspan/linkspan/server"
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
	devices  *devices.Catalog
	queue    *queue.Connector // nil: there is none
	data     *datadir.Dir     // open while the node runs, if anything is kept there
	dataCfg  datadir.Config
	baseDir  string
	makeDirs []string // of the data directory
	// keepsData: something is kept in the data directory.
	keepsData bool
	reload    *reloader // of devices
	shutdown  shutdownSettings
	stats     []admin.Stats
	draining  atomic.Bool
	started   atomic.Bool
}

// errStarting and errDraining say why a node should not be sent devices.
var (
	errStarting = errors.New("starting")
	errDraining = errors.New("draining")
)

// newNode makes a node of its configuration. All mistakes that can be found
// without starting anything are in the error; what keeps nothing from running is
// among the tree's warnings. Relative paths of the configuration start at baseDir.
func newNode(tree *config.Tree, baseDir string, log *zap.Logger) (*node, error) {
	all, settingsErr := decodeSettings(tree)
	fitMemory(tree, &all, memoryLimit(os.DirFS("/")))
	n := &node{log: log, adminCfg: all.Admin, shutdown: all.Shutdown, dataCfg: all.Data, baseDir: baseDir}
	warn := func(w error) {
		if e := (*config.Error)(nil); errors.As(w, &e) {
			tree.Warn(e)
		}
	}
	keep := &keeping{dir: secretsDir(tree, all.Data, all.Queue.Mode, baseDir), used: map[string]string{}, warn: warn}
	connector, connectorStats, connectorErr := newUpstream(tree, all, keep, warn)
	n.makeDirs = keep.make
	n.keepsData = all.Queue.Mode != queue.ModeOff || len(keep.make) > 0 ||
		keep.dir != "" && all.Devices.Unknown == devices.PolicyFirstFree && !tree.Has("devices.bindings")
	known, devicesErr := newDevices(all.Devices, tree, baseDir, keep.dir, log, warn)
	checker, authErr := newAuth(all.Auth, tree, baseDir, log.Named("auth"), warn)
	guard, guardErr := attempts.New(all.Attempts, nil)
	guardErr = placed(tree, "attempts", guardErr, []string{"attempts", "configuration"}, nil)
	doors, doorsErr := newDoors(tree, all, baseDir, warn)
	listeners, stats, listenersErr := newListeners(tree, doors)
	tellNames(tree, doors, all.Devices)
	var queueErr error
	n.queue, queueErr = newQueue(tree, all, baseDir, doors, connector, known, warn)
	if n.queue != nil {
		connector, connectorStats = n.queue, append(connectorStats, statsOf(n.queue)...)
	}
	connector, awayStats, keepsCommands, awayErr := withAway(tree, all, baseDir, keep.dir != "", connector)
	n.keepsData = n.keepsData || keepsCommands
	var dataErr error
	if n.keepsData {
		dataErr = checkData(tree, all.Data, baseDir)
	}
	bridgeErr := placed(tree, "bridge", all.Bridge.Check(), []string{"bridge", "configuration"}, nil)
	serverErr := serverErrors(tree, doors, all.Server.Check())
	if err := errors.Join(settingsErr, adminErr(tree, all.Admin), bridgeErr, serverErr, awayErr, guardErr, all.Shutdown.validate(tree), connectorErr, devicesErr, authErr, doorsErr, listenersErr, queueErr, dataErr); err != nil {
		return nil, err
	}
	b, err := bridge.New(all.Bridge, connector, known,
		bridge.WithLogger(log.Named("bridge")), bridge.WithListener(presenceLog(log.Named("session"))), bridge.WithAuth(checker), devicesOption(known))
	if err != nil {
		return nil, placed(tree, "bridge", err, []string{"bridge", "configuration"}, nil)
	}
	for i := range listeners {
		listeners[i].Host.Uplink, listeners[i].Host.Guard = b.Uplink(), guard
	}
	srv, err := server.New(all.Server, listeners, server.WithLogger(log.Named("server")))
	if err != nil {
		return nil, serverErrors(tree, doors, err)
	}
	n.bridge, n.server, n.stats, n.auth, n.devices = b, srv, stats, checker, known
	n.reload = &reloader{devices: known, bridge: b, auth: checker, tls: certificates(doors), log: log.Named("devices")}
	n.reload.away, _ = connector.(*away.Connector)
	n.stats = append(append(n.stats, connectorStats...), awayStats...)
	for _, room := range []any{srv, b, b.Sessions(), checker, guard, known} {
		if stats := admin.StatsOf(room); stats != nil {
			n.stats = append(n.stats, stats)
		}
	}
	return n, nil
}

// adminErr reports what cannot be.
func adminErr(tree *config.Tree, cfg admin.Config) error {
	return placed(tree, "admin", cfg.Validate(), []string{"admin"}, nil)
}

// start begins with the platform and ends with the devices, so that none comes
// before it can be served.
func (n *node) start(ctx context.Context) error {
	var err error
	if n.admin, err = admin.Start(ctx, n.adminCfg, n.log.Named("admin"), n.ready, n.stats...); err != nil {
		return err
	}
	if n.keepsData {
		if n.data, err = openData(n.dataCfg, n.baseDir, n.makeDirs); err != nil {
			return errors.Join(err, n.admin.Close(context.WithoutCancel(ctx)))
		}
	}
	if err := n.bridge.Start(ctx); err != nil {
		return errors.Join(err, n.closeData(), n.admin.Close(context.WithoutCancel(ctx)))
	}
	if err := n.server.Start(ctx); err != nil {
		end := context.WithoutCancel(ctx)
		return errors.Join(err, n.bridge.Close(end), n.closeData(), n.admin.Close(end))
	}
	n.reload.start(ctx)
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

// drainTimeout bounds an orderly end that no configuration says anything about.
const drainTimeout = 15 * time.Second

// close ends the node in order: balancers hear of it, then no more is taken from
// devices; when the platform has what they said, and they have their
// acknowledgements, they are disconnected and logged out.
func (n *node) close(ctx context.Context) error {
	n.draining.Store(true)
	n.reload.stop()
	ctx = context.WithoutCancel(ctx)
	<-time.After(n.shutdown.Pause) // a second signal ends the process
	ctx, cancel := context.WithTimeout(ctx, n.shutdown.Timeout)
	defer cancel()
	before := n.bridge.Stats() // a device that ends takes with it what is under way
	err := n.server.Drain(ctx)
	n.settle(ctx)
	err = errors.Join(err, n.server.Close(ctx))
	err = errors.Join(err, n.bridge.Close(ctx), n.closeData(), closeAuth(n.auth), n.devices.Close(), n.admin.Close(ctx))
	after := n.bridge.Stats()
	lost := after.Failed - before.Failed + uint64(max(after.InFlight, 0)) //nolint:gosec // not negative
	if n.queue != nil {
		lost -= min(lost, n.queue.Stats().Left) // these come with the next start
	}
	if lost > 0 {
		return errors.Join(err, fmt.Errorf("cli: %d messages %w", lost, errUndelivered))
	}
	return err
}

// closeData lets another process have the data directory.
func (n *node) closeData() error {
	if n.data == nil {
		return nil
	}
	return n.data.Close()
}

// settle waits until nothing is on its way to the platform, for half of the time
// that there is.
func (n *node) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, n.shutdown.Timeout/2)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n.bridge.Stats().InFlight > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// errUndelivered is the end of a node whose platform did not take everything in
// time. Devices that wait for an acknowledgement send again.
var errUndelivered = errors.New("had not reached the platform when linkspan stopped; devices of listeners with ack = received do not send them again")
