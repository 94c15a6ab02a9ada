package mqtt_test

import (
	"context"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/mqtt"
	"github.com/linkspan/linkspan/upstream/upstreamtest"
)

// A device that logs out while the broker is away is said to be offline when that
// is back, however late; nobody waits for it.
func TestLogoutWhileAway(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	up := start(t, config(b, func(c *mqtt.Config) { c.HoldTimeout = 50 * time.Millisecond }))
	c := loggedIn(t, up, truck("1"))
	b.untilPresence(t, upstreamtest.Online)
	b.cut()
	awaitStats(t, up, func(s mqtt.Stats) bool { return s.Connections == 0 })
	b.untilPresence(t, upstreamtest.Offline) // by the bridge's last will
	late := c.publish(1, thing.AtLeastOnce)
	left := make(chan error, 1)
	c.device.Logout(func(err error) { left <- err })
	wantErr(t, "Logout", left, nil)
	wantErr(t, "a message of a device that has gone", late, upstream.ErrNotConnected)
	b.restore()
	b.untilPresence(t, upstreamtest.Offline)
	awaitStats(t, up, func(s mqtt.Stats) bool { return s.Devices == 0 && s.Pending == 0 && s.Relogins == 0 })
}

// untilPresence waits until the application hears that a device comes or goes.
func (b *testBroker) untilPresence(tb testing.TB, kind upstreamtest.EventKind) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		e, err := b.next(ctx)
		if err != nil {
			tb.Fatalf("nobody said event %d: %v", kind, err)
		}
		if e.Kind == kind {
			return
		}
	}
}

func TestOwnLogoutWhileAway(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	up := start(t, config(b, func(c *mqtt.Config) { c.Connections = mqtt.ConnectionsDevice }))
	c := loggedIn(t, up, truck("1"))
	b.untilPresence(t, upstreamtest.Online)
	b.cut()
	b.untilPresence(t, upstreamtest.Offline) // by its last will
	awaitStats(t, up, func(s mqtt.Stats) bool { return s.Connections == 0 })
	waiting := c.publish(1, thing.AtLeastOnce)
	left := make(chan error, 1)
	c.device.Logout(func(err error) { left <- err })
	wantErr(t, "Logout", left, nil)
	wantErr(t, "a message that waited", waiting, upstream.ErrNotConnected)
	wantErr(t, "a message after Logout", c.publish(2, thing.AtLeastOnce), upstream.ErrLoggedOut)
	awaitStats(t, up, func(s mqtt.Stats) bool { return s.Devices == 0 })
}

// A broker that is there and too slow is told from one that is away.
func TestBrokerTooSlow(t *testing.T) {
	t.Parallel()
	s := startScript(t)
	up, started := starting(t, bare(s, func(c *mqtt.Config) { c.InFlight, c.HoldTimeout = 1, 50*time.Millisecond }))
	p, _ := s.connected(false)
	wantErr(t, "Start", started, nil)
	first, second := loggedIn(t, up, truck("1")), loggedIn(t, up, truck("2"))
	sent := first.publish(1, thing.AtLeastOnce)
	m := p.published(propertyOf1)
	wantErr(t, "a message that found no room in the window", second.publish(2, thing.AtLeastOnce), upstream.ErrOverloaded)
	p.ack(m.MessageID)
	wantErr(t, "the message before", sent, nil)
	next := second.publish(3, thing.AtLeastOnce)
	p.ack(p.published("linkspan/demo/truck-2/up/property").MessageID)
	wantErr(t, "the message behind", next, nil)
}

// What a device has said before it lost its login is reported.
func TestMessagesOfALostDevice(t *testing.T) {
	t.Parallel()
	s := startScript(t)
	up, started := starting(t, bare(s, func(c *mqtt.Config) {
		c.Topics.Down.Command, c.InFlight = "cmd/${productKey}/${deviceName}", 1
	}))
	p, _ := s.connected(false)
	wantErr(t, "Start", started, nil)
	c, done := login(t, up, truck("1"))
	p.grant(1)
	wantErr(t, "Login", done, nil)
	sent, waiting := c.publish(1, thing.AtLeastOnce), c.publish(2, thing.AtLeastOnce)
	p.published(propertyOf1)
	_ = p.net.Close()
	p, _ = s.connected(false)
	var asked *packets.SubscribePacket
	var again *packets.PublishPacket // it does not wait for the login, nor the login for it
	for range 2 {
		switch cp := await(t, "a packet", p.packets).(type) {
		case *packets.PublishPacket:
			again = cp
		case *packets.SubscribePacket:
			asked = cp
		default:
			t.Fatalf("got %v", cp)
		}
	}
	p.granted(asked, 0x80)
	wantErr(t, "a message that was sent", sent, upstream.ErrTimeout)
	wantRefused(t, "a message that was not", await(t, "done", waiting), 0x80)
	wantRefused(t, "Lost", await(t, "Lost", c.lost), 0x80)
	p.ack(again.MessageID) // too late
	awaitStats(t, up, func(s mqtt.Stats) bool { return s.Pending == 0 && s.InFlight == 0 && s.Devices == 0 })
}
