package platform

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/linkspan/linkspan/platform/api"
)

// kind counts messages; the names are those of api.Message.
type kind uint8

const (
	kindProperty kind = iota
	kindEvent
	kindRaw
	kindReply
	kindCustom
	kindControl
	kinds
)

var kindNames = [kinds]string{api.KindProperty, api.KindEvent, api.KindRaw, api.KindReply, api.KindCustom, api.KindControl}

// counters are the platform's.
type counters struct {
	connections  atomic.Uint64
	messages     [kinds]atomic.Uint64
	bytes        atomic.Uint64
	replies      atomic.Uint64
	unsubscribed atomic.Uint64
	dropped      atomic.Uint64
	redelivered  atomic.Uint64

	mu       sync.Mutex
	refused  map[string]uint64 // guarded by mu; by cause, of which the platform has a fixed set but for codes
	commands map[string]uint64 // guarded by mu
	faults   map[string]uint64 // guarded by mu; by action
}

// maxCauses bounds the causes that are told apart; codes of event posts carry
// names of the devices' making.
const maxCauses = 256

func (c *counters) init() {
	c.refused, c.commands, c.faults = map[string]uint64{}, map[string]uint64{}, map[string]uint64{}
}

// count counts a message of a device.
func (p *Platform) count(dev *device, k kind, size int, refused bool) {
	p.stats.messages[k].Add(1)
	p.stats.bytes.Add(uint64(size)) //nolint:gosec // a length
	now := p.now()
	defer p.touch(dev) // behind what changes
	dev.mu.Lock()
	defer dev.mu.Unlock()
	dev.lastSeen = now
	c := &dev.counts
	c.Messages++
	if refused {
		c.Refused++
	}
	switch k {
	case kindProperty:
		c.Properties++
	case kindEvent:
		c.Events++
	case kindRaw:
		c.Raw++
	case kindReply:
		c.Replies++
	case kindCustom:
		c.Custom++
	case kindControl, kinds:
	}
}

// refused counts something that the platform did not take.
func (p *Platform) refused(cause string) {
	s := &p.stats
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.refused[cause]; !known && len(s.refused) >= maxCauses {
		cause = "other"
	}
	s.refused[cause]++
}

// commandEnded counts a command.
func (p *Platform) commandEnded(state string) {
	p.stats.mu.Lock()
	defer p.stats.mu.Unlock()
	p.stats.commands[state]++
}

// Stats are the platform's counters since it started.
func (p *Platform) Stats() api.Stats {
	s := &p.stats
	a := api.Stats{
		ConnectionsTotal: s.connections.Load(),
		Messages:         make(map[string]uint64, kinds),
		Bytes:            s.bytes.Load(),
		Replies:          s.replies.Load(),
		Unsubscribed:     s.unsubscribed.Load(),
		Dropped:          s.dropped.Load(),
		Redelivered:      s.redelivered.Load(),
		CommandsPending:  p.orders.pending(),
	}
	for k := range s.messages {
		n := s.messages[k].Load()
		a.Messages[kindNames[k]] = n
		a.MessagesTotal += n
	}
	if p.data != nil {
		a.Saves, a.SaveFailures, a.SavedBytes = p.data.saves.Load(), p.data.failures.Load(), p.data.written.Load()
	}
	s.mu.Lock()
	a.Refused, a.Commands, a.Faults = maps.Clone(s.refused), maps.Clone(s.commands), maps.Clone(s.faults)
	s.mu.Unlock()
	a.Watchers, a.Lagged = p.hub.stats()
	p.mu.RLock()
	defer p.mu.RUnlock()
	a.Connections, a.Devices, a.Online = len(p.links), len(p.devices), p.online
	return a
}
