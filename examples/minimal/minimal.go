// Package minimal is the smallest useful protocol: every line that a device
// sends is "NAME TEMPERATURE", and needs no answer.
package minimal

import (
	"fmt"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/thing"
)

type reading struct {
	device string
	value  float64
}

func parse(line []byte) (r reading, err error) {
	_, err = fmt.Sscan(string(line), &r.device, &r.value)
	return r, err
}

type adapter struct{}

// Received brings the device online with its first line, and reports each.
func (adapter) Received(c *protocol.Conn[reading], r reading) error {
	report := func() {
		_ = c.Report(&thing.Message{Kind: thing.Property, Fields: []thing.Field{
			{Name: "temperature", Value: thing.Float(r.value)},
		}}, nil) // nobody could tell the device that it was refused
	}
	if c.Session() != nil {
		report()
		return nil
	}
	c.Online(r.device, nil, func(err error) {
		if err != nil {
			c.Close(err)
			return
		}
		report()
	})
	return nil
}

// Plugin is the protocol as listeners name it.
var Plugin = protocol.Define("minimal", struct{}{}, func(struct{}) (protocol.Protocol[reading], error) {
	return protocol.Protocol[reading]{
		Decoder: func() codec.Decoder[reading] { return codec.Map(codec.Line(64), parse) },
		Adapter: func() protocol.Adapter[reading] { return adapter{} },
	}, nil
})

func init() { protocol.Register(Plugin) }
