package mqtt_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/mqtt"
)

// script is a broker that does what a test tells it, and nothing else but to answer
// a PINGREQ, which may come at any time. Its packets are those of another codec.
type script struct {
	tb     testing.TB
	ln     net.Listener
	conns  chan *peer
	silent atomic.Bool // a PINGREQ is the test's to answer
}

// peer is one connection of a script.
type peer struct {
	tb      testing.TB
	net     net.Conn
	packets chan packets.ControlPacket // closed when the connection has ended
}

func startScript(tb testing.TB) *script {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &script{tb: tb, ln: ln, conns: make(chan *peer, 1000)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p := &peer{tb: tb, net: c, packets: make(chan packets.ControlPacket, 10_000)}
			serving.Go(func() {
				defer close(p.packets)
				for {
					cp, err := packets.ReadPacket(c)
					if err != nil {
						return
					}
					if _, ping := cp.(*packets.PingreqPacket); ping && !s.silent.Load() {
						_ = packets.NewControlPacket(packets.Pingresp).Write(c) // the connection may be gone
						continue
					}
					p.packets <- cp
				}
			})
			tb.Cleanup(func() { _ = c.Close() })
			s.conns <- p
		}
	})
	tb.Cleanup(func() {
		_ = ln.Close()
		close(s.conns)
		for p := range s.conns {
			_ = p.net.Close()
		}
		serving.Wait()
	})
	return s
}

func (s *script) url() string { return "tcp://" + s.ln.Addr().String() }

// connected waits for a connection and its CONNECT, and accepts it.
func (s *script) connected(present bool) (*peer, *packets.ConnectPacket) {
	s.tb.Helper()
	p := await(s.tb, "a connection", s.conns)
	c := expect[*packets.ConnectPacket](p)
	p.connack(0, present)
	return p, c
}

func (p *peer) connack(code byte, present bool) {
	a := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	a.ReturnCode, a.SessionPresent = code, present
	p.send(a)
}

func (p *peer) send(cp packets.ControlPacket) {
	p.tb.Helper()
	if err := cp.Write(p.net); err != nil {
		p.tb.Error(err)
	}
}

// expect is the next packet, which has to be of that kind.
func expect[P packets.ControlPacket](p *peer) P {
	p.tb.Helper()
	cp := await(p.tb, "a packet", p.packets)
	got, ok := cp.(P)
	if !ok {
		p.tb.Fatalf("got %v, want another packet", cp)
	}
	return got
}

// published is the next PUBLISH, which is not acknowledged.
func (p *peer) published(topic string) *packets.PublishPacket {
	p.tb.Helper()
	m := expect[*packets.PublishPacket](p)
	if m.TopicName != topic {
		p.tb.Fatalf("got a message under %s, want %s", m.TopicName, topic)
	}
	return m
}

func (p *peer) ack(id uint16) {
	a := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	a.MessageID = id
	p.send(a)
}

// grant answers the next SUBSCRIBE with that code for each filter.
func (p *peer) grant(code byte) *packets.SubscribePacket {
	p.tb.Helper()
	s := expect[*packets.SubscribePacket](p)
	p.granted(s, code)
	return s
}

// granted answers a SUBSCRIBE.
func (p *peer) granted(s *packets.SubscribePacket, code byte) {
	p.tb.Helper()
	a := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	a.MessageID = s.MessageID
	for range s.Topics {
		a.ReturnCodes = append(a.ReturnCodes, code)
	}
	p.send(a)
}

// bare is a configuration without presence and downlinks, to a script.
func bare(s *script, change func(*mqtt.Config)) mqtt.Config {
	c := mqtt.DefaultConfig()
	c.Endpoint = []string{s.url()}
	c.Topics.Presence, c.Topics.Bridge, c.Topics.Down = "", "", mqtt.DownTopics{}
	c.ReconnectMin, c.ReconnectMax = time.Millisecond, 10*time.Millisecond
	if change != nil {
		change(&c)
	}
	return c
}

// starting begins to start a connector, which ends with the test; it returns
// before that has a connection.
func starting(tb testing.TB, cfg mqtt.Config) (up *mqtt.Connector, started <-chan error) {
	tb.Helper()
	up, err := mqtt.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { // ends with Start
		done <- up.Start(context.Background(), upstream.Host{Logger: zaptest.NewLogger(tb, zaptest.Level(zap.ErrorLevel))})
	}()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		_ = up.Close(ctx) // what a test leaves unacknowledged is late
	})
	return up, done
}

func start(tb testing.TB, cfg mqtt.Config) *mqtt.Connector {
	tb.Helper()
	up, started := starting(tb, cfg)
	if err := await(tb, "Start", started); err != nil {
		tb.Fatal(err)
	}
	return up
}

// client is a device's caller.
type client struct {
	tb       testing.TB
	device   upstream.Device
	commands chan *thing.Command
	lost     chan error
}

// login begins a login.
func login(tb testing.TB, up *mqtt.Connector, id auth.Identity) (c *client, done <-chan error) {
	tb.Helper()
	c = &client{tb: tb, commands: make(chan *thing.Command, 100), lost: make(chan error, 10)}
	end := make(chan error, 2)
	up.Login(upstream.Login{
		Device:  id,
		Command: func(cmd *thing.Command) { c.commands <- cmd },
		Lost:    func(cause error) { c.lost <- cause },
	}, func(d upstream.Device, err error) {
		c.device = d
		end <- err
	})
	return c, end
}

func loggedIn(tb testing.TB, up *mqtt.Connector, id auth.Identity) *client {
	tb.Helper()
	c, done := login(tb, up, id)
	if err := await(tb, "done of Login", done); err != nil {
		tb.Fatal(err)
	}
	return c
}

// publish publishes property n.
func (c *client) publish(n int, qos thing.QoS) <-chan error {
	done := make(chan error, 2)
	c.device.Publish(&thing.Message{
		Kind: thing.Property, QoS: qos, Time: time.UnixMilli(1_700_000_000_000),
		Fields: []thing.Field{{Name: "n", Value: thing.Int(int64(n))}},
	}, func(err error) { done <- err })
	return done
}
