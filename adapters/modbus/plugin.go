package modbus

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/adapters/modbus/registration"
	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
)

// Name is what configurations call the protocol.
const Name = "modbus"

// Plugin is the protocol as listeners use it.
var Plugin = New(Name)

func init() { protocol.Register(Plugin) }

// New is the protocol under another name. Its counters are those of all listeners
// that use it.
func New(name string) protocol.Plugin { return define(name, &counters{}) }

func define(name string, counters *counters) protocol.Plugin {
	p := protocol.Define(name, DefaultConfig(), func(c Config) (protocol.Protocol[[]byte], error) {
		h, err := build(c, counters)
		if err != nil {
			return protocol.Protocol[[]byte]{}, err
		}
		return protocol.Protocol[[]byte]{Adapter: func() protocol.Adapter[[]byte] { return &line{host: h} }}, nil
	})
	p.Stats = func() any { return counters.stats(time.Now()) }
	return p
}

// maxFile bounds the files that profiles are read from.
const maxFile = 4 << 20

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return nil, fmt.Errorf("%s is not a file of at most %d bytes", name, maxFile)
	}
	return os.ReadFile(name) //nolint:gosec // the configuration's
}

// Beside implements protocol.Placed: tables of points are beside the
// configuration.
func (c Config) Beside(dir string) any {
	profiles := make(map[string]profile.Config, len(c.Profiles))
	for name, p := range c.Profiles {
		if p.CSV != "" && !filepath.IsAbs(p.CSV) {
			p.CSV = filepath.Join(dir, p.CSV)
		}
		profiles[name] = p
	}
	c.Profiles = profiles
	return c
}

func build(c Config, counters *counters) (*host, error) {
	errs := []error{c.validate()}
	parser, err := registration.New(c.Registration)
	if err != nil {
		errs = append(errs, within("registration", err)...)
	}
	sites, err := buildSites(&c, readFile)
	if err = errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	h := &host{config: c, parser: parser, sites: sites, counters: counters, lines: map[string]*line{}}
	h.mode, _ = modbus.ParseMode(c.Mode) // validate has tried it
	h.timeout = c.Requests.Timeout.Milliseconds()
	h.quiet = c.Requests.Quiet.Milliseconds()
	if h.mode == modbus.TCP {
		h.quiet = 0
	} else {
		h.delay = defaultDelay.Milliseconds()
	}
	if c.Requests.Delay != nil {
		h.delay = c.Requests.Delay.Milliseconds()
	}
	for _, text := range c.Heartbeats {
		beat, _ := registration.Bytes(text) // validate has tried it
		h.heartbeats = append(h.heartbeats, beat)
	}
	slices.SortFunc(h.heartbeats, func(a, b []byte) int { return len(b) - len(a) })
	h.heartbeats = slices.CompactFunc(h.heartbeats, bytes.Equal)
	if !c.Direct.Enabled {
		h.sessions = []session.Option{session.Heartbeat(0, 0)} // polls find out sooner
	}
	if err := h.planProbe(); err != nil {
		return nil, err
	}
	return h, nil
}

// host is what the lines of one listener share. But for lines it does not change,
// and it may be used from any goroutine.
type host struct {
	config     Config
	mode       modbus.Mode
	parser     *registration.Parser
	sites      *sites
	heartbeats [][]byte // the longest first
	sessions   []session.Option
	counters   *counters
	probe      *probe // what lines are asked whose name is not known; nil: nothing

	timeout, quiet, delay int64 // milliseconds

	mu    sync.Mutex
	lines map[string]*line // that are online, by name; guarded by mu
}

// claim makes l the line of its name, and ends the one that was.
func (h *host) claim(l *line) {
	h.mu.Lock()
	old := h.lines[l.name]
	h.lines[l.name] = l
	h.mu.Unlock()
	if old != nil && old != l {
		h.counters.replaced.Add(1)
		old.c.Close(ErrReplaced)
	}
}

// release forgets l.
func (h *host) release(l *line) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lines[l.name] == l {
		delete(h.lines, l.name)
	}
}
