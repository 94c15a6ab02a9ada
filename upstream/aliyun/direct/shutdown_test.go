package direct_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/direct"
)

// Close keeps the time that it is given, whatever the platform does not do: here it
// takes no more bytes, with messages on their way.
func TestCloseKeepsItsTime(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	stuck, end := make(chan struct{}), make(chan struct{})
	serving.Go(func() { serveUntilPublish(t, l, stuck, end) })
	defer serving.Wait()
	defer close(end)
	cfg := direct.DefaultConfig()
	cfg.Endpoint = "tcp://" + l.Addr().String()
	cfg.WriteTimeout, cfg.RequestTimeout, cfg.HoldTimeout, cfg.Queue, cfg.InFlight = time.Hour, time.Hour, time.Hour, 200, 200
	c := newConnector(t, cfg)
	if err = c.Start(t.Context(), upstream.Host{}); err != nil {
		t.Fatal(err)
	}
	d, err := login(t, c, upstream.Login{Device: platformtest.Truck(1)})
	if err != nil {
		t.Fatal(err)
	}
	large := &thing.Message{Kind: thing.Raw, Raw: make([]byte, 200<<10), QoS: thing.AtLeastOnce}
	for range 200 { // more than the network holds
		d.Publish(large, func(error) {})
	}
	await(t, "a message", stuck)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- c.Close(ctx) }() // ends with Close
	if err := await(t, "the end of Close", closed); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v, want what was left", err)
	}
}

// serveUntilPublish is a broker of one connection that reads no more once a message
// has come.
func serveUntilPublish(t *testing.T, l net.Listener, stuck chan<- struct{}, end <-chan struct{}) {
	t.Helper()
	defer func() { _ = l.Close() }()
	c, err := l.Accept()
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = c.Close() }()
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			t.Error(err)
			return
		}
		var answer packets.ControlPacket
		switch p := p.(type) {
		case *packets.ConnectPacket:
			answer = packets.NewControlPacket(packets.Connack)
		case *packets.SubscribePacket:
			a, _ := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			a.MessageID, a.ReturnCodes = p.MessageID, slices.Repeat([]byte{1}, len(p.Topics))
			answer = a
		case *packets.PublishPacket:
			close(stuck)
			<-end
			return
		default:
			continue
		}
		if err := answer.Write(c); err != nil {
			t.Error(err)
			return
		}
	}
}
