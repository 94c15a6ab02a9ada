//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"time"

	adapter "github.com/linkspan/linkspan/adapters/jt808"
	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

// framesPerDevice is how many different reports a device repeats.
const framesPerDevice = 64

func header(device int, id jt808.ID, serial int) (jt808.Header, error) {
	phone, err := jt808.ParsePhone(fmt.Sprintf("138%08d", device), jt808.V2013)
	return jt808.Header{ID: id, Version: jt808.V2013, Phone: phone, Serial: uint16(serial)}, err //nolint:gosec // counts modulo 65536
}

// appendLogin appends the frame that brings a device online.
func appendLogin(dst []byte, device int) ([]byte, error) {
	h, err := header(device, jt808.IDAuthenticate, 0)
	if err != nil {
		return dst, err
	}
	dst, _, err = jt808.AppendMessage(dst, h, &jt808.Authenticate{Code: "bench"})
	return dst, err
}

// appendReport appends a device's location report number i: 69 bytes and what
// its escapes take. Somewhere in it a vehicle drives.
func appendReport(dst []byte, device, i int) ([]byte, error) {
	h, err := header(device, jt808.IDLocation, i+1)
	if err != nil {
		return dst, err
	}
	mix := uint32(device*7919 + i*104729) //nolint:gosec // wraps
	l := &jt808.Location{
		Status:    jt808.StatusACC | jt808.StatusLocated,
		Altitude:  int16(mix % 900),   //nolint:gosec // small
		Speed:     uint16(mix % 1200), //nolint:gosec // small
		Direction: uint16(mix % 360),  //nolint:gosec // small
		Time:      jt808.NewBCDTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(i) * 10 * time.Second)),
		Extras: []jt808.Extra{
			{ID: jt808.ExtraMileage, Value: []byte{0, byte(mix >> 16), byte(mix >> 8), byte(i)}},
			{ID: jt808.ExtraFuel, Value: []byte{1, byte(mix >> 4)}},
			{ID: jt808.ExtraRecorderSpeed, Value: []byte{2, byte(mix)}},
			{ID: jt808.ExtraVehicleSignals, Value: []byte{0, 0, 0, byte(i & 3)}},
			{ID: jt808.ExtraSignalStrength, Value: []byte{byte(mix % 32)}},
			{ID: jt808.ExtraSatellites, Value: []byte{byte(mix % 20)}},
		},
	}
	l.SetPosition(int32(31_000_000+mix%500_000), int32(121_000_000+mix%700_000)) //nolint:gosec // small
	dst, _, err = jt808.AppendMessage(dst, h, l)
	return dst, err
}

// payloads are what the platform gets of a device's reports: they go through
// linkspan's adapter, on a connection that is none.
func payloads(device int) ([][]byte, error) {
	return payloadsBy(device, func(n int, m *thing.Message) []byte {
		return aliyun.AppendPropertyPost(nil, uint32(1_000_000+n), m) //nolint:gosec // few
	})
}

// payloadsBy is payloads for a platform for which encode makes the n-th one.
func payloadsBy(device int, encode func(n int, m *thing.Message) []byte) ([][]byte, error) {
	cfg := adapter.DefaultConfig()
	cfg.Authentication.Policy = "accept"
	open, err := adapter.New("capture").New(cfg)
	if err != nil {
		return nil, err
	}
	c := &capture{encode: encode}
	h := open(c, &protocol.Host{Uplink: c})
	stream, err := appendLogin(nil, device)
	if err != nil {
		return nil, err
	}
	if _, _, err = h.Data(stream); err != nil {
		return nil, err
	}
	c.run()
	c.posts = nil // what it says when it logs in
	stream = stream[:0]
	for i := range framesPerDevice {
		if stream, err = appendReport(stream, device, i); err != nil {
			return nil, err
		}
	}
	if n, _, err := h.Data(stream); err != nil || n != len(stream) {
		return nil, fmt.Errorf("%d of %d bytes handled: %w", n, len(stream), err)
	}
	if len(c.posts) != framesPerDevice {
		return nil, fmt.Errorf("%d payloads of %d reports", len(c.posts), framesPerDevice)
	}
	return c.posts, nil
}

// capture is a transport that writes nowhere, and an uplink that keeps the
// payloads. It is used by one goroutine.
type capture struct {
	tasks  []func()
	posts  [][]byte
	encode func(n int, m *thing.Message) []byte
}

func (c *capture) run() {
	for len(c.tasks) > 0 {
		f := c.tasks[0]
		c.tasks = c.tasks[1:]
		f()
	}
}

// The methods of protocol.Transport.

func (c *capture) Do(f func())                             { c.tasks = append(c.tasks, f) }
func (*capture) After(time.Duration, func()) (stop func()) { return func() {} }
func (*capture) Now() time.Time                            { return time.Unix(1767323045, 0) }
func (*capture) Write([]byte) error                        { return nil }
func (*capture) Close(error)                               {}
func (*capture) Remote() netip.AddrPort                    { return netip.AddrPort{} }
func (*capture) Fault(err error, _ []byte) error           { return err }

// The methods of protocol.Uplink.

func (*capture) Online(_ *session.Session, _ []string, done func(error)) { done(nil) }
func (*capture) Offline(*session.Session, error)                         {}
func (c *capture) Publish(_ *session.Session, m *thing.Message, done func(error)) error {
	c.posts = append(c.posts, c.encode(len(c.posts), m))
	if done != nil {
		done(nil)
	}
	return nil
}
