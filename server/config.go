package server

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/linkspan/linkspan/protocol"
)

// Config is what all listeners of a server share.
type Config struct {
	Loops          int `conf:"loops" doc:"event loops that connections are spread over; 0: one per CPU"`
	MaxConnections int `conf:"maxConnections" doc:"TCP connections of all listeners; 0: as many as the process's limit of open files allows, less a reserve"`
	MaxPending     int `conf:"maxPending,bytes" doc:"undecoded bytes held for all connections together; above, connections that hold more than their equal share end as they receive more"`
	MaxHandshakes  int `conf:"maxHandshakes" doc:"TLS handshakes under way at once, which have a goroutine each; more wait, and those that wait for their devices longest give way; 0: the default"`
	HandshakeCPUs  int `conf:"handshakeCpus" doc:"CPUs that TLS handshakes may use at once; 0: half of them, at least one"`
}

// DefaultConfig is the configuration of someone who wrote nothing.
func DefaultConfig() Config { return Config{MaxPending: 256 << 20, MaxHandshakes: 1024} }

// Limits is what one listener's connections may do. A connection beyond a limit
// ends with the limit's Cause.
type Limits struct {
	MaxConnections    int           `conf:"maxConnections" doc:"connections of the listener; 0: no limit but the server's, 100,000 for UDP peers"`
	MaxPerAddress     int           `conf:"maxPerAddress" doc:"connections of one address (IPv6: of one /64 network); 0: no limit, as many devices may share an address"`
	MaxPending        int           `conf:"maxPending,bytes" doc:"bytes that a connection may send before they become messages: the longest frame, and what is sent behind a login; 0: the default"`
	MaxOutbound       int           `conf:"maxOutbound,bytes" doc:"bytes waiting for a device that does not read; 0: the default"`
	BytesPerSecond    int           `conf:"bytesPerSecond,bytes" doc:"bytes that a connection may send in a second, on average over burst; 0: no limit"`
	MessagesPerSecond int           `conf:"messagesPerSecond" doc:"messages that a connection may send in a second, on average over burst; 0: no limit"`
	Burst             time.Duration `conf:"burst" doc:"time over which the rates are averaged: a silent device may then send rate x burst at once; 0: the default"`
	Handshake         time.Duration `conf:"handshake" doc:"time until a connection's PROXY header has arrived and its TLS handshake is done; 0: the default"`
	FirstMessage      time.Duration `conf:"firstMessage" doc:"time until a connection's first message; 0: no limit. Where login does not apply this does not either"`
	Login             time.Duration `conf:"login" doc:"time until a connection's device is online, and online again after it has logged out; 0: no limit. Not of connections that are in order without one, as Modbus lines are once their name is known"`
	Idle              time.Duration `conf:"idle" doc:"time without any byte received; 0: no limit but the session's heartbeats, 5 minutes for UDP peers"`
	MaxFaults         int           `conf:"maxFaults" doc:"damaged frames that end a connection; 0: never"`
	FaultDecay        time.Duration `conf:"faultDecay" doc:"time after which one damaged frame is forgiven; 0: never"`
	Linger            time.Duration `conf:"linger" doc:"time that a device has to read the last bytes when its connection is ended in order; 0: none"`
	KeepAlive         time.Duration `conf:"keepAlive" doc:"idle time after which TCP probes the connection; 0: never"`
	NoDelay           bool          `conf:"noDelay" doc:"send small packets at once (TCP_NODELAY)"`
}

// DefaultLimits is the limits of someone who wrote none.
func DefaultLimits() Limits {
	return Limits{
		MaxPending:   256 << 10,
		MaxOutbound:  256 << 10,
		Burst:        10 * time.Second,
		Handshake:    10 * time.Second,
		FirstMessage: 30 * time.Second,
		Login:        60 * time.Second,
		Idle:         0,
		MaxFaults:    16,
		FaultDecay:   time.Minute,
		Linger:       time.Second,
		KeepAlive:    time.Minute,
		NoDelay:      true,
	}
}

// Listener is one address to listen on and what to do with its connections.
type Listener struct {
	Name    string // in the configuration; unique; labels logs and metrics
	Network string // TCP, which is also meant by "", or UDP
	Address string // "host:port", ":7611"; port 0 takes a free one
	// Connect are devices that listen themselves, "host:port", in place of Address:
	// the server connects to them, and again, as Reconnect says, when a connection
	// has ended. Its connections are like accepted ones otherwise.
	Connect   []string
	Reconnect DialConfig
	Protocol  string // the protocol's name, for logs and metrics
	Open      protocol.Open
	Host      *protocol.Host
	Limits    Limits
	// Backlog is how many connections may wait to be accepted; 0: as many as the
	// kernel allows.
	Backlog int
	// ReusePort lets listeners of other processes that do the same have the address
	// too: a new process can take over from an old one. The kernel spreads
	// connections over them.
	ReusePort bool
	TLS       *TLS        // nil: connections are not encrypted
	PlainToo  bool        // with TLS: connections that do not begin with it are taken as they are
	Proxy     ProxyConfig // the zero value expects no header of the PROXY protocol
	UDP       UDPConfig   // of a UDP listener
}

const (
	maxLoops     = 256 // gnet's own limit
	maxBytes     = 1 << 30
	maxBacklog   = 1<<16 - 1
	tickPeriod   = 100 * time.Millisecond
	longestLimit = 365 * 24 * time.Hour
)

// Check returns all that cannot be, joined; nil when there is nothing.
func (c Config) Check() error {
	return errors.Join(
		between("loops", c.Loops, 0, maxLoops),
		between("maxConnections", c.MaxConnections, 0, 1<<30),
		between("maxPending", c.MaxPending, 0, 1<<40),
		between("maxHandshakes", c.MaxHandshakes, 0, 1<<20),
		between("handshakeCpus", c.HandshakeCPUs, 0, maxLoops))
}

func (l *Listener) validate() error {
	var errs []error
	if l.Name == "" {
		errs = append(errs, errors.New("name is empty, want one that is unique among the listeners"))
	}
	if l.dials() {
		errs = append(errs, l.validateConnect(), l.Reconnect.validate())
	} else if _, port, err := net.SplitHostPort(l.Address); err != nil {
		errs = append(errs, fmt.Errorf("address %q: %w; want host:port, or :port for all interfaces", l.Address, err))
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		errs = append(errs, fmt.Errorf("address %q: port %q is not 0 to 65535", l.Address, port))
	}
	if l.TLS != nil && l.TLS.first == nil {
		errs = append(errs, errors.New("tls was made by neither NewTLS nor TLSWith"))
	}
	if l.Open == nil {
		errs = append(errs, errors.New("protocol is missing"))
	}
	if l.Host == nil || l.Host.Uplink == nil {
		errs = append(errs, errors.New("host or its uplink is missing"))
	}
	return errors.Join(append(errs, l.validateNetwork(), l.Limits.validate(), between("backlog", l.Backlog, 0, maxBacklog))...)
}

func (l *Limits) validate() error {
	errs := []error{
		between("maxConnections", l.MaxConnections, 0, 1<<30),
		between("maxPerAddress", l.MaxPerAddress, 0, 1<<30),
		between("maxPending", l.MaxPending, 0, maxBytes),
		between("maxOutbound", l.MaxOutbound, 0, maxBytes),
		between("bytesPerSecond", l.BytesPerSecond, 0, maxBytes),
		between("messagesPerSecond", l.MessagesPerSecond, 0, maxBytes),
		between("maxFaults", l.MaxFaults, 0, 1<<15),
		between("burst", l.Burst, 0, time.Hour),
		between("handshake", l.Handshake, 0, longestLimit),
		between("firstMessage", l.FirstMessage, 0, longestLimit),
		between("login", l.Login, 0, longestLimit),
		between("idle", l.Idle, 0, longestLimit),
		between("faultDecay", l.FaultDecay, 0, longestLimit),
		between("linger", l.Linger, 0, time.Minute),
		between("keepAlive", l.KeepAlive, 0, longestLimit),
	}
	return errors.Join(errs...)
}

// fill puts the defaults where zero makes no sense.
func (l *Limits) fill() {
	d := DefaultLimits()
	if l.MaxPending == 0 {
		l.MaxPending = d.MaxPending
	}
	if l.MaxOutbound == 0 {
		l.MaxOutbound = d.MaxOutbound
	}
	if l.Burst == 0 {
		l.Burst = d.Burst
	}
	if l.Handshake == 0 {
		l.Handshake = d.Handshake
	}
}

func between[T int | time.Duration](key string, have, low, high T) error {
	if have < low || have > high {
		return fmt.Errorf("%s is %v, want %v to %v", key, have, low, high)
	}
	return nil
}
