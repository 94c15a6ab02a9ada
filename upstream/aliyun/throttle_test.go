package aliyun

import (
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan/thing"
)

// handleOf is a login of the device.
func handleOf(d *device) *handle {
	h := &handle{}
	h.at.Store(d)
	return h
}

// sentNow is the QoS of what the sender may send now.
func sentNow(g *gateway) (qos []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.queue.head != nil {
		m := g.queue.pop()
		if m.logout {
			qos = append(qos, 'L')
			continue
		}
		m.state = taken
		qos = append(qos, m.qos)
	}
	return qos
}

// after has the clock tick when so much time has passed.
func after(g *gateway, d time.Duration) {
	now := g.now.Load() + d.Milliseconds()
	g.now.Store(now)
	g.expire(now)
}

// A device that is too fast waits and keeps its order; others do not.
func TestMessageRate(t *testing.T) {
	t.Parallel()
	g, h := onlineDevice(t, Config{MessageRate: 10})
	other := handleOf(newDevice(g, h.dev().identity()))
	other.dev().current, other.dev().state = other, online
	say := func(h *handle, qos thing.QoS, n int) {
		for range n {
			h.Publish(&thing.Message{Kind: thing.Property, QoS: qos, Fields: []thing.Field{{Name: "n", Value: thing.Int(1)}}}, func(error) {})
		}
	}
	say(h, thing.AtLeastOnce, 25)
	if n := len(sentNow(g)); n != 10 {
		t.Errorf("%d messages go at once, want those of a second, 10", n)
	}
	say(other, thing.AtLeastOnce, 3)
	if n := len(sentNow(g)); n != 3 {
		t.Errorf("%d messages of another device go, want 3", n)
	}
	after(g, 500*time.Millisecond)
	if n := len(sentNow(g)); n != 5 {
		t.Errorf("%d messages go half a second later, want 5", n)
	}
	after(g, time.Minute/2)
	if n := len(sentNow(g)); n != 10 {
		t.Errorf("%d messages go much later, want the 10 that are left", n)
	}
	after(g, 2*time.Second)
	say(h, thing.AtLeastOnce, 1)
	if n := len(sentNow(g)); n != 1 {
		t.Errorf("%d messages go when there is time again, want 1", n)
	}
	if g.stats.slowed != 15 {
		t.Errorf("%d messages counted, want 15", g.stats.slowed)
	}
}

// What a device has still to say when it leaves goes before its logout.
func TestMessageRateAndLogout(t *testing.T) {
	t.Parallel()
	g, h := onlineDevice(t, Config{MessageRate: 1})
	for range 3 {
		h.Publish(&thing.Message{Kind: thing.Property, QoS: thing.AtLeastOnce, Fields: []thing.Field{{Name: "n", Value: thing.Int(1)}}}, func(error) {})
	}
	h.Logout(func(error) {})
	if got := sentNow(g); !slices.Equal(got, []byte{1, 1, 1, 'L'}) {
		t.Errorf("sent %v, want three messages and the logout", got)
	}
}

func TestMessageRateOfTheVendor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		endpoint string
		rate     float64
		want     time.Duration
	}{
		{"", 0, 100 * time.Millisecond},
		{"", -1, 0},
		{"", 20, 50 * time.Millisecond},
		{"tcp://127.0.0.1:1883", 0, 0},
		{"ssl://iot-1.mqtt.iothub.aliyuncs.com:1883", 0, 100 * time.Millisecond},
	} {
		cfg := Config{ProductKey: "a1gateway01", DeviceName: "gateway-0", DeviceSecret: "secret", Endpoint: c.endpoint, MessageRate: c.rate}
		up, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got := up.cfg.interval; got != c.want {
			t.Errorf("endpoint %q, messageRate %v: %s, want %s", c.endpoint, c.rate, got, c.want)
		}
	}
}
