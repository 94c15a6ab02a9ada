package queue_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// void takes everything at once.
type void struct{}

func (void) Login(_ upstream.Login, done func(upstream.Device, error)) { done(void{}, nil) }
func (void) Publish(_ *thing.Message, done func(error))                { done(nil) }
func (void) Logout(done func(error))                                   { done(nil) }

// position is what a terminal says most of the time.
func position() *thing.Message {
	return &thing.Message{Kind: thing.Property, Fields: []thing.Field{
		{Name: "latitude", Value: thing.Decimal(22544330, 6)},
		{Name: "longitude", Value: thing.Decimal(114056631, 6)},
		{Name: "altitude", Value: thing.Int(35)},
		{Name: "speed", Value: thing.Decimal(605, 1)},
		{Name: "direction", Value: thing.Int(271)},
		{Name: "positioned", Value: thing.Bool(true)},
		{Name: "acc", Value: thing.Bool(true)},
		{Name: "mileage", Value: thing.Decimal(1234, 1)},
		{Name: "fuel", Value: thing.Decimal(411, 1)},
		{Name: "signalStrength", Value: thing.Int(24)},
		{Name: "satellites", Value: thing.Int(11)},
	}}
}

// BenchmarkPublish is what a message costs through a bridge to a connector that takes
// everything: without a queue, past it, and through it, until it is on disk and
// forwarded. 64 devices each have up to 32 messages under way.
func BenchmarkPublish(b *testing.B) {
	for _, mode := range []string{queue.ModeOff, queue.ModeSpill, queue.ModeOn, "on, sync none"} {
		b.Run(mode, func(b *testing.B) { benchmarkPublish(b, mode) })
	}
}

func benchmarkPublish(b *testing.B, mode string) {
	b.Helper()
	var up upstream.Connector = void{}
	if mode != queue.ModeOff {
		cfg := config(b, queue.ModeOn)
		cfg.Away = queue.DefaultConfig().Away
		cfg.SegmentSize = queue.DefaultConfig().SegmentSize
		switch mode {
		case queue.ModeSpill:
			cfg.Mode = mode
		case queue.ModeOn:
		default:
			cfg.Sync = "none"
		}
		q, err := queue.New(cfg, up, nil)
		if err != nil {
			b.Fatal(err)
		}
		up = q
	}
	br, err := bridge.New(bridge.DefaultConfig(), up, names{})
	if err != nil {
		b.Fatal(err)
	}
	if err := br.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	const devices, window = 64, 32
	sessions, rooms := make([]*session.Session, devices), make([]chan struct{}, devices)
	dones := make([]func(error), devices)
	for i := range sessions {
		sessions[i] = session.New(fmt.Sprintf("d%d", i), nil, session.Stored())
		if err := br.Online(context.Background(), sessions[i]); err != nil {
			b.Fatal(err)
		}
		rooms[i] = make(chan struct{}, window)
		dones[i] = func(err error) {
			if err != nil {
				b.Error(err)
			}
			<-rooms[i]
		}
	}
	m, uplink := position(), br.Uplink()
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		i := n % devices
		rooms[i] <- struct{}{}
		_ = uplink.Publish(sessions[i], m, dones[i])
	}
	for _, room := range rooms { // all are done
		for range window {
			room <- struct{}{}
		}
	}
	if q, ok := up.(*queue.Connector); ok {
		settled(b, q)
	}
	b.StopTimer()
	if err := br.Close(context.Background()); err != nil {
		b.Error(err)
	}
}
