package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/internal/admin"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/session"
)

// listenerSettings is one element of listeners. The section named like the
// protocol holds the protocol's own settings.
type listenerSettings struct {
	Name      string             `conf:"name" doc:"names the listener in logs and metrics; default: its protocol and number. Of several addresses the second one's listener is NAME-2, and so on"`
	Protocol  string             `conf:"protocol,required" doc:"name of the protocol that devices speak; its settings are the section of the same name beside this key"`
	Network   string             `conf:"network" doc:"tcp or udp"`
	Address   []string           `conf:"address" doc:"address to listen on, host:port, or :port for all interfaces; or a list of such. The host may be an interface (eth1:7611: its IPv4 addresses) or the beginning of an IPv4 address (10.30:7611: those of the machine's addresses that begin so). Limits hold for each address" example:"\":7611\""`
	Connect   []string           `conf:"connect" doc:"in place of address: devices that listen themselves, host:port, to which linkspan connects, such as Modbus TCP servers" example:"[\"10.0.0.5:502\"]"`
	Reconnect server.DialConfig  `conf:"reconnect" doc:"with connect: when devices are connected to again"`
	Backlog   int                `conf:"backlog" doc:"connections that may wait to be accepted; 0: as many as the system allows (net.core.somaxconn)"`
	ReusePort bool               `conf:"reusePort" doc:"let other processes that do the same listen on the address too (SO_REUSEPORT): a new linkspan can take over from an old one"`
	Heartbeat heartbeatSettings  `conf:"heartbeat" doc:"when a silent device is taken offline"`
	Limits    server.Limits      `conf:"limits" doc:"what one listener's connections may do"`
	Proxy     server.ProxyConfig `conf:"proxyProtocol" doc:"the devices' addresses, as a load balancer tells them by the PROXY protocol (TCP only)"`
	TLS       *server.TLSConfig  `conf:"tls" doc:"the certificates with which connections are encrypted, and those that devices have to show; without this section connections are not encrypted (TCP only)"`
	Unsecured bool               `conf:"unsecured" doc:"with tls: take connections without TLS on the same port too"`
	UDP       server.UDPConfig   `conf:"udp" doc:"what is particular to network = udp"`
}

// SetDefaults implements config.Defaulter.
func (l *listenerSettings) SetDefaults() {
	*l = listenerSettings{
		Network:   server.TCP,
		Reconnect: server.DefaultDialConfig(),
		Heartbeat: heartbeatSettings{Interval: time.Minute, Probes: 2},
		Limits:    server.DefaultLimits(),
		Proxy:     server.DefaultProxyConfig(),
		UDP:       server.DefaultUDPConfig(),
	}
}

// door is where devices connect, from either place of the configuration: all
// that shares its settings.
type door struct {
	listenerSettings
	section string            // of its settings
	tls     *server.TLS       // nil: not encrypted
	at      []server.Listener // names and addresses alone
	config  any               // of its protocol; nil: there is none
	baseDir string            // where relative paths begin
}

// errNoListeners is put behind the place where listeners should be.
const errNoListeners = "there is none, so no device can connect"

// newDoors finds where devices connect. The error has every mistake.
func newDoors(tree *config.Tree, s settings, baseDir string, warn func(error)) ([]door, error) {
	var (
		errs  []error
		doors = make([]door, 0, len(s.Listeners)+1)
	)
	for i, l := range s.Listeners {
		d := door{listenerSettings: l, section: fmt.Sprintf("listeners.%d", i)}
		if d.Name == "" {
			d.Name = fmt.Sprintf("%s-%d", d.Protocol, i+1)
		}
		for _, given := range l.Address {
			addresses, err := server.Addresses(given)
			if err != nil {
				errs = append(errs, tree.Errorf(d.section+".address", unprefixed(err, "server", ""), `such as ":7611", "10.30.1.5:7611" or "eth1:7611"`))
			}
			d.add(d.Name, addresses...)
		}
		switch {
		case len(l.Connect) > 0:
			d.at = append(d.at, server.Listener{Name: d.Name, Connect: l.Connect})
			if len(l.Address) > 0 {
				errs = append(errs, tree.Errorf(d.section+".connect", "does not go with address", "make two listeners of it"))
			}
		case len(l.Address) == 0:
			errs = append(errs, tree.Errorf(d.section+".address", "is required and missing", `write address = ":7611", or connect = ["host:port"] for devices that listen themselves`))
		}
		if err := d.encrypt(tree, baseDir, "tls"); err != nil {
			errs = append(errs, err)
		}
		doors = append(doors, d)
	}
	if s.SocketServer != nil {
		d, err := s.SocketServer.door(tree, baseDir, warn)
		errs = append(errs, err)
		doors = append(doors, d)
	}
	for i := range doors {
		doors[i].baseDir = baseDir
		errs = append(errs, doors[i].Heartbeat.validate(tree, doors[i].section+".heartbeat"))
	}
	return doors, errors.Join(errs...)
}

// add adds addresses, whose listeners have that name, and -2 and so on behind it
// from the second one.
func (d *door) add(name string, addresses ...string) {
	for _, address := range addresses {
		unique := name
		for n := 2; slices.ContainsFunc(d.at, func(l server.Listener) bool { return l.Name == unique }); n++ {
			unique = fmt.Sprintf("%s-%d", name, n)
		}
		d.at = append(d.at, server.Listener{Name: unique, Address: address})
	}
}

// encrypt reads the certificates. key is where the configuration has them.
func (d *door) encrypt(tree *config.Tree, baseDir, key string) error {
	if d.TLS == nil {
		return nil
	}
	if d.Unsecured && d.TLS.ClientAuth == server.ClientAuthRequired {
		return tree.Errorf(d.section+".unsecured", "lets devices in without the certificates that clientAuth = required asks for", "remove one of the two")
	}
	cfg := *d.TLS
	beside(baseDir, &cfg.Certificate, &cfg.Key, &cfg.KeyStoreFile)
	cfg.Certificates, cfg.ClientCA = slices.Clone(cfg.Certificates), slices.Clone(cfg.ClientCA)
	for i := range cfg.Certificates {
		c := &cfg.Certificates[i]
		beside(baseDir, &c.Certificate, &c.Key, &c.KeyStoreFile)
	}
	for i := range cfg.ClientCA {
		beside(baseDir, &cfg.ClientCA[i])
	}
	var err error
	if d.tls, err = server.NewTLS(cfg); err != nil {
		return placed(tree, d.section+"."+key, err, []string{"server", "tls"}, nil)
	}
	return nil
}

// serverErrors says where in the configuration the mistakes are that a server
// finds.
func serverErrors(tree *config.Tree, doors []door, err error) error {
	return placed(tree, "server", err, []string{"server", "bad configuration"}, func(text string) (path, rest string) {
		quoted, found := strings.CutPrefix(text, "listener ")
		if !found {
			return "server", text
		}
		name, rest, _ := strings.Cut(strings.TrimPrefix(quoted, `"`), `": `)
		for i, d := range slices.Backward(doors) { // of one name twice the later one is reported
			if slices.ContainsFunc(d.at, func(l server.Listener) bool { return l.Name == name }) {
				return doors[i].section, rest
			}
		}
		return "listeners", text
	})
}

// certificates are those of all doors that encrypt.
func certificates(doors []door) (all []*server.TLS) {
	for _, d := range doors {
		if d.tls != nil {
			all = append(all, d.tls)
		}
	}
	return all
}

// beside makes relative paths start at baseDir.
func beside(baseDir string, paths ...*string) {
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(baseDir, *p)
		}
	}
}

// newListeners makes the server's listeners, each with its protocol, and the
// counters of these. Their hosts have no uplink yet.
func newListeners(tree *config.Tree, doors []door) ([]server.Listener, []admin.Stats, error) {
	var (
		errs      []error
		stats     []admin.Stats
		listeners []server.Listener
	)
	counted := map[string]bool{}
	for i := range doors {
		d := &doors[i]
		plugin, ok := protocol.Default[d.Protocol]
		if !ok {
			if d.Protocol != "" { // what is missing was told before
				errs = append(errs, tree.Errorf(d.section+".protocol", fmt.Sprintf("no protocol %q", d.Protocol),
					fmt.Sprintf("one of %v", protocol.Default.Names())))
			}
			continue
		}
		open, err := d.open(tree, plugin)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if plugin.Stats != nil && !counted[d.Protocol] { // one set of counters for all listeners of a protocol
			counted[d.Protocol] = true
			stats = append(stats, plugin.Stats)
		}
		tellUnused(tree, d.section, "protocol", d.Protocol, protocol.Default.Names())
		for _, l := range d.at {
			l.Network, l.Protocol, l.Open = strings.ToLower(d.Network), d.Protocol, open
			l.Limits, l.Proxy, l.UDP = d.Limits, d.Proxy, d.UDP
			l.Backlog, l.ReusePort, l.Reconnect = d.Backlog, d.ReusePort, d.Reconnect
			l.TLS, l.PlainToo = d.tls, d.tls != nil && d.Unsecured
			l.Host = &protocol.Host{
				Listener:  l.Name,
				Heartbeat: []session.Option{session.Heartbeat(d.Heartbeat.Interval, d.Heartbeat.Probes), session.Via(l.Name)},
			}
			listeners = append(listeners, l)
		}
	}
	return listeners, stats, errors.Join(errs...)
}

// open makes the door's protocol of the settings beside it.
func (d *door) open(tree *config.Tree, plugin protocol.Plugin) (protocol.Open, error) {
	section := d.section + "." + d.Protocol
	pluginConfig, err := tree.DecodeNew(section, plugin.Config)
	if err != nil {
		return nil, err
	}
	if p, ok := pluginConfig.(protocol.Placed); ok {
		pluginConfig = p.Beside(d.baseDir)
	}
	d.config = pluginConfig
	open, err := plugin.New(pluginConfig)
	if err != nil {
		return nil, placed(tree, section, err, []string{"protocol", d.Protocol, "configuration"}, nil)
	}
	return open, nil
}

// builtIn says whether a protocol came with linkspan, and not as a plugin.
func builtIn(p protocol.Plugin) bool {
	const adapters = "github.com/linkspan/linkspan/adapters/"
	return p.Config != nil && strings.HasPrefix(reflect.TypeOf(p.Config).PkgPath(), adapters)
}
