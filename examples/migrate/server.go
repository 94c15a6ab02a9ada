package migrate

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// NewDecoder is the ByteToMessageDecoder: texts behind a length of two bytes.
func NewDecoder() codec.Decoder[string] {
	frames := codec.LengthField(codec.LengthFieldOptions{Size: 2, Strip: 2, MaxFrame: 1024})
	return codec.Map(frames, func(frame []byte) (string, error) { return string(frame), nil })
}

// Append is the MessageToByteEncoder.
func Append(dst []byte, text string) ([]byte, error) {
	if len(text) > 1022 {
		return dst, errors.New("migrate: text longer than 1022 bytes")
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(text))) //nolint:gosec // at most 1022
	return append(dst, text...), nil
}

// adapter is the CustomizedTcpBasedProtocolHandler.
type adapter struct{}

// Received is channelRead.
func (adapter) Received(c *protocol.Conn[string], text string) error {
	if c.Session() == nil { // the first text is the device's name
		c.Online(text, nil, func(err error) {
			if err != nil {
				c.Close(err)
			}
		})
		return nil
	}
	return c.Report(&thing.Message{Kind: thing.Publication, Topic: "user/update", Raw: []byte(text)}, func(err error) {
		if err == nil {
			_ = c.Send("ok")
		}
	})
}

// Command is pushToDevice, on the connection.
func (adapter) Command(c *protocol.Conn[string], s *session.Session, cmd *thing.Command) error {
	if cmd.Kind != thing.Notice {
		return &thing.ReplyError{State: thing.Unsupported, Text: "the protocol takes texts only"}
	}
	if err := c.Send(string(cmd.Raw)); err != nil {
		return err
	}
	c.Reply(s, cmd, thing.Done, nil)
	return nil
}

// Plugin is decoder, encoder and adapter together.
var Plugin = protocol.Define("acme.text", struct{}{}, func(struct{}) (protocol.Protocol[string], error) {
	return protocol.Protocol[string]{
		Decoder: NewDecoder,                                           // TcpDecoderFactory
		Encoder: codec.AppendFunc[string](Append),                     // TcpEncoderFactory
		Adapter: func() protocol.Adapter[string] { return adapter{} }, // TcpBasedProtocolAdaptorHandlerFactory
	}, nil
})

// Datagrams is the same over UDP, for texts that are a datagram each.
var Datagrams = protocol.Define("acme.datagrams", struct{}{}, func(struct{}) (protocol.Protocol[string], error) {
	return protocol.Protocol[string]{
		Decoder: func() codec.Decoder[string] {
			return codec.Map(codec.Raw(), func(datagram []byte) (string, error) { return string(datagram), nil })
		},
		Encoder: codec.AppendFunc[string](func(dst []byte, text string) ([]byte, error) { return append(dst, text...), nil }),
		Adapter: func() protocol.Adapter[string] { return adapter{} },
	}, nil
})

// Listen is BridgeServerBootstrap.start(): when it returns, devices can connect.
func Listen(ctx context.Context, b *bridge.Bridge, p protocol.Plugin, network, address string) (*server.Server, error) {
	open, err := p.New(p.Config)
	if err != nil {
		return nil, err
	}
	s, err := server.New(server.DefaultConfig(), []server.Listener{{
		Name: "devices", Network: network, Address: address, Protocol: p.Name, Open: open,
		Host: &protocol.Host{
			Uplink: b.Uplink(), Listener: "devices",
			Heartbeat: []session.Option{session.Heartbeat(time.Minute, 2)},
		},
		Limits: server.DefaultLimits(), UDP: server.DefaultUDPConfig(),
	}})
	if err != nil {
		return nil, err
	}
	return s, s.Start(ctx) // s.Addr("devices"); s.Close(ctx) at the end, before b.Close(ctx)
}
