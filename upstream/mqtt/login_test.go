package mqtt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/mqtt"
)

func wantRefused(tb testing.TB, what string, err error, code int) {
	tb.Helper()
	var refused *upstream.RefusedError
	if !errors.As(err, &refused) || refused.Code != code || refused.Temporary || refused.Reason == "" || !errors.Is(err, auth.ErrDenied) {
		tb.Errorf("%s: %v, want a refusal with code %d", what, err, code)
	}
}

// A broker that does not know linkspan ends Start; one that is not ready does not.
func TestStartRefused(t *testing.T) {
	t.Parallel()
	for code := byte(1); code <= 5; code++ {
		t.Run(fmt.Sprintf("code %d", code), func(t *testing.T) {
			t.Parallel()
			s := startScript(t)
			_, started := starting(t, bare(s, func(c *mqtt.Config) { c.Username, c.Password = "user", "secret" }))
			p := await(t, "a connection", s.conns)
			connect := expect[*packets.ConnectPacket](p)
			if connect.Username != "user" || string(connect.Password) != "secret" || !strings.HasPrefix(connect.ClientIdentifier, "linkspan-") {
				t.Errorf("CONNECT is %v", connect)
			}
			p.connack(code, false)
			err := await(t, "Start", started)
			if code == 3 {
				if err != nil {
					t.Errorf("Start: %v, but the broker was away for now", err)
				}
				s.connected(false)
				return
			}
			wantRefused(t, "Start", err, int(code))
		})
	}
}

func TestFailOver(t *testing.T) {
	t.Parallel()
	nobody, first, second := startScript(t), startScript(t), startScript(t)
	_ = nobody.ln.Close()
	up, started := starting(t, bare(first, func(c *mqtt.Config) {
		c.Endpoint = []string{nobody.url(), first.url(), second.url()}
	}))
	p, _ := first.connected(false)
	wantErr(t, "Start", started, nil)
	_ = p.net.Close()
	p, _ = first.connected(false) // the one that worked comes first
	_ = first.ln.Close()
	_ = p.net.Close()
	second.connected(false)
	awaitStats(t, up, func(s mqtt.Stats) bool { return s.Connections == 1 && s.Connects == 3 })
}

// A device whose subscription is refused when it is made again has lost its
// login; the others have not.
func TestDeniedAfterReconnect(t *testing.T) {
	t.Parallel()
	s := startScript(t)
	up, started := starting(t, bare(s, func(c *mqtt.Config) { c.Topics.Down.Command = "cmd/${productKey}/${deviceName}" }))
	p, _ := s.connected(false)
	wantErr(t, "Start", started, nil)
	c, done := login(t, up, truck("1"))
	if sub := p.grant(1); len(sub.Topics) != 1 || sub.Topics[0] != "cmd/demo/truck-1" || sub.Qoss[0] != 1 {
		t.Errorf("subscribed %v", sub)
	}
	wantErr(t, "Login", done, nil)
	_ = p.net.Close()
	p, _ = s.connected(false)
	p.grant(0x80)
	wantRefused(t, "Lost", await(t, "Lost", c.lost), 0x80)
	err := await(t, "done of Publish", c.publish(1, thing.AtLeastOnce))
	wantRefused(t, "Publish", err, 0x80)
	if got := up.Stats(); got.Errors["device_lost"] != 1 || got.Errors["subscription_denied"] != 1 || got.Devices != 0 {
		t.Errorf("%+v", got)
	}
}

// A login whose subscription is not answered fails, and the connection, of which
// nobody knows what it has, is begun anew.
func TestSubscriptionUnanswered(t *testing.T) {
	t.Parallel()
	s := startScript(t)
	up, started := starting(t, bare(s, func(c *mqtt.Config) {
		c.Topics.Down.Command, c.RequestTimeout = "cmd/${productKey}/${deviceName}", 50*time.Millisecond
	}))
	p, _ := s.connected(false)
	wantErr(t, "Start", started, nil)
	_, done := login(t, up, truck("1"))
	expect[*packets.SubscribePacket](p)
	if err := await(t, "done of Login", done); !errors.Is(err, upstream.ErrTimeout) && !errors.Is(err, upstream.ErrNotConnected) {
		t.Errorf("Login: %v", err)
	}
	s.connected(false)
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	s := startScript(t)
	up, started := starting(t, bare(s, func(c *mqtt.Config) {
		c.Topics.Down.Command, c.MaxDevices = "cmd/${deviceName}", 2
	}))
	p, _ := s.connected(false)
	wantErr(t, "Start", started, nil)
	for _, dn := range []string{"", "a/b", "a+", "#", "a\x00", "\xff", strings.Repeat("x", 2000)} {
		_, done := login(t, up, auth.Identity{ProductKey: "demo", DeviceName: dn})
		wantRefused(t, fmt.Sprintf("device %.10q", dn), await(t, "done of Login", done), mqtt.CodeIdentity)
	}
	for i := range 2 {
		_, done := login(t, up, truck(strconv.Itoa(i)))
		p.grant(1)
		wantErr(t, "Login", done, nil)
	}
	_, done := login(t, up, auth.Identity{ProductKey: "other", DeviceName: "truck-1"})
	wantRefused(t, "a device that would share cmd/truck-1", await(t, "done of Login", done), mqtt.CodeShared)
	_, done = login(t, up, truck("2"))
	wantErr(t, "a third device", done, upstream.ErrOverloaded)
	if got := up.Stats().Errors["devices_full"]; got != 1 {
		t.Errorf("%d devices too many are counted", got)
	}
}

// Each connection of a device has its own identifier, credentials and last will.
func TestConnectionOfADevice(t *testing.T) {
	t.Parallel()
	s := startScript(t)
	up := start(t, bare(s, func(c *mqtt.Config) {
		c.Connections, c.Topics.Presence = mqtt.ConnectionsDevice, "state/${productKey}/${deviceName}"
		c.ClientID, c.Username, c.Password = "c-${deviceName}", "${deviceName}&${productKey}", "p:${deviceSecret}"
		c.MaxDevices = 1
	}))
	c, done := login(t, up, truck("1"))
	p, connect := s.connected(false)
	if connect.ClientIdentifier != "c-truck-1" || connect.Username != "truck-1&demo" || string(connect.Password) != "p:secret" {
		t.Errorf("CONNECT is %v", connect)
	}
	var will said
	if err := json.Unmarshal(connect.WillMessage, &will); err != nil || connect.WillTopic != "state/demo/truck-1" || !connect.WillRetain || connect.WillQos != 1 ||
		will.Type != "presence" || will.Online || will.DeviceName != "truck-1" {
		t.Errorf("the will is %s under %s: %v", connect.WillMessage, connect.WillTopic, err)
	}
	wantErr(t, "Login", done, nil)
	m := p.published("state/demo/truck-1")
	if !m.Retain || !strings.Contains(string(m.Payload), `"online":true`) {
		t.Errorf("presence is %s", m.Payload)
	}
	p.ack(m.MessageID)
	_, full := login(t, up, truck("2"))
	wantErr(t, "a second device", full, upstream.ErrOverloaded)

	newer := truck("1")
	newer.DeviceSecret = "renewed"
	c2, done := login(t, up, newer)
	p, connect = s.connected(false)
	if string(connect.Password) != "p:renewed" {
		t.Errorf("the new password is %s", connect.Password)
	}
	wantErr(t, "Login with a new secret", done, nil)
	wantErr(t, "Publish of the older login", c.publish(1, thing.AtLeastOnce), upstream.ErrSuperseded)
	p.ack(p.published("state/demo/truck-1").MessageID)

	sent := c2.publish(2, thing.AtLeastOnce)
	left := make(chan error, 1)
	c2.device.Logout(func(err error) { left <- err })
	p.ack(p.published(propertyOf1).MessageID)
	wantErr(t, "the last message", sent, nil)
	if m = p.published("state/demo/truck-1"); !strings.Contains(string(m.Payload), `"online":false`) {
		t.Errorf("presence is %s", m.Payload)
	}
	p.ack(m.MessageID)
	expect[*packets.DisconnectPacket](p)
	_ = p.net.Close()
	wantErr(t, "Logout", left, nil)
	awaitStats(t, up, func(s mqtt.Stats) bool { return s.Devices == 0 && s.Connections == 0 })
}

// A device's own connection that the broker ends right after it was made, again
// and again, is given up.
func TestUnstable(t *testing.T) {
	t.Parallel()
	s := startScript(t)
	up := start(t, bare(s, func(c *mqtt.Config) { c.Connections, c.ReconnectMax = mqtt.ConnectionsDevice, time.Minute }))
	c, done := login(t, up, truck("1"))
	for i := range 5 {
		p, _ := s.connected(false)
		if i == 0 {
			wantErr(t, "Login", done, nil)
		}
		_ = p.net.Close()
	}
	wantRefused(t, "Lost", await(t, "Lost", c.lost), mqtt.CodeUnstable)
}

// With a connection for each device and the broker away, a login fails when its
// time is over, and one that is refused fails at once.
func TestOwnConnectionFails(t *testing.T) {
	t.Parallel()
	s := startScript(t)
	up := start(t, bare(s, func(c *mqtt.Config) { c.Connections, c.RequestTimeout = mqtt.ConnectionsDevice, 100*time.Millisecond }))
	_, done := login(t, up, truck("1"))
	p := await(t, "a connection", s.conns)
	p.connack(4, false)
	wantRefused(t, "Login", await(t, "done of Login", done), 4)
	_ = s.ln.Close()
	_, done = login(t, up, truck("2"))
	wantErr(t, "Login without a broker", done, upstream.ErrNotConnected)
	awaitStats(t, up, func(s mqtt.Stats) bool { return s.Devices == 0 })
}

// After a reconnect devices log in again no faster than loginRate allows.
func TestLoginsArePaced(t *testing.T) {
	t.Parallel()
	const devices, perSecond = 60, 100
	b := startBroker(t)
	up := start(t, config(b, func(c *mqtt.Config) { c.LoginRate = perSecond }))
	all := make([]<-chan error, 0, devices)
	for i := range devices {
		_, done := login(t, up, truck(strconv.Itoa(i)))
		all = append(all, done)
	}
	for _, done := range all {
		wantErr(t, "Login", done, nil)
	}
	b.cut()
	awaitStats(t, up, func(s mqtt.Stats) bool { return s.Connections == 0 })
	begin := time.Now()
	b.restore()
	awaitStats(t, up, func(s mqtt.Stats) bool { return s.Relogins == devices })
	const burst = perSecond / 10
	if took, least := time.Since(begin), time.Second*(devices-3*burst)/perSecond; took < least {
		t.Errorf("%d devices logged in again within %v, want no less than %v", devices, took, least)
	}
}

// When the connector ends, what it has retained says so of every device and of
// itself; when it is killed, its last will says it of itself.
func TestGoodbye(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	up := start(t, config(b, func(c *mqtt.Config) { c.ClientID = "bridge-1" }))
	loggedIn(t, up, truck("1"))
	gone := loggedIn(t, up, truck("2"))
	left := make(chan error, 1)
	gone.device.Logout(func(err error) { left <- err })
	wantErr(t, "Logout", left, nil)
	retained := func(topic string) (s said) {
		pk, ok := b.server.Topics.Retained.Get(topic)
		if !ok || json.Unmarshal(pk.Payload, &s) != nil {
			t.Errorf("%s holds %s", topic, pk.Payload)
		}
		return s
	}
	bridge, one, two := "linkspan/bridge/bridge-1", "linkspan/demo/truck-1/presence", "linkspan/demo/truck-2/presence"
	if s := retained(one); !s.Online || s.Bridge != "bridge-1" || s.Time == 0 || s.DeviceName != "truck-1" {
		t.Errorf("presence is %+v", s)
	}
	if retained(two).Online || !retained(bridge).Online {
		t.Error("the device that left is online, or the bridge is not")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := up.Close(ctx); err != nil {
		t.Error(err)
	}
	if retained(one).Online || retained(bridge).Online {
		t.Error("a device or the bridge is online after Close")
	}
	if err := up.Start(ctx, upstream.Host{}); !errors.Is(err, mqtt.ErrStarted) {
		t.Errorf("Start after Close: %v", err)
	}
}

// Devices that wait for their turn to connect do not run out of time over it.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	const devices = 15
	b := startBroker(t)
	up := start(t, config(b, func(c *mqtt.Config) {
		c.Connections, c.LoginRate, c.RequestTimeout = mqtt.ConnectionsDevice, 5, 2*time.Second
	}))
	all := make([]<-chan error, 0, devices)
	for i := range devices {
		_, done := login(t, up, truck(strconv.Itoa(i)))
		all = append(all, done)
	}
	for i, done := range all {
		wantErr(t, fmt.Sprintf("login %d", i), done, nil)
	}
}
