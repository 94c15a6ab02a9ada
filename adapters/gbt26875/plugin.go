package gbt26875

import (
	"github.com/linkspan/linkspan/adapters/internal/zone"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
)

// Name is what configurations call the protocol.
const Name = "gbt26875"

// Plugin is the protocol as listeners use it.
var Plugin = New(Name)

func init() { protocol.Register(Plugin) }

// New is the protocol under another name: for programs that are built with one of
// their own. Its counters are those of all listeners that use it.
func New(name string) protocol.Plugin {
	counters := &counters{}
	p := protocol.Define(name, DefaultConfig(), func(c Config) (protocol.Protocol[*gbt26875.Frame], error) {
		return build(c, counters)
	})
	p.Stats = func() any { return counters.stats() }
	return p
}

func build(c Config, counters *counters) (protocol.Protocol[*gbt26875.Frame], error) {
	if err := c.validate(); err != nil {
		return protocol.Protocol[*gbt26875.Frame]{}, err
	}
	location, err := zone.Parse(c.Clock.Zone)
	if err != nil {
		return protocol.Protocol[*gbt26875.Frame]{}, err
	}
	h := &host{config: c, zone: location, waits: c.Ack != ackReceived, counters: counters}
	if c.Ack == ackStored {
		h.sessions = []session.Option{session.Stored()}
	}
	if len(c.Allow) > 0 {
		h.allowed = make(map[string]bool, len(c.Allow))
		for _, identity := range c.Allow {
			h.allowed[identity] = true
		}
	}
	frames := gbt26875.Options{MaxData: c.MaxData, IgnoreChecksum: c.Checksum == checksumIgnore, Damaged: c.Checksum == checksumDeny}
	return protocol.Protocol[*gbt26875.Frame]{
		Decoder: func() codec.Decoder[*gbt26875.Frame] { return gbt26875.NewDecoder(frames) },
		Encoder: codec.AppendFunc[*gbt26875.Frame](gbt26875.AppendFrame),
		Adapter: func() protocol.Adapter[*gbt26875.Frame] { return &adapter{host: h} },
	}, nil
}
