package aliyun

import (
	"errors"
	"testing"

	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// mqttLink is a link over MQTT that nothing runs.
func mqttLink() (*link, *mqttWire) {
	l := newLink(nil)
	w := &mqttWire{l: l, conn: new(mqttlink.Link), asks: map[uint16]*mqttSubscription{}}
	l.wire = w
	return l, w
}

// A packet identifier is taken until it is acknowledged, whoever it was for and
// whether anybody still waits for it.
func TestPacketIdentifiersInUse(t *testing.T) {
	t.Parallel()
	l, w := mqttLink()
	again := func() { l.lastID = 0 } // all identifiers were given out since
	next := func(want uint16) *outgoing {
		t.Helper()
		m := &outgoing{qos: 1}
		if id := w.track(m); id != want {
			t.Errorf("the message has identifier %d, want %d", id, want)
		}
		return m
	}
	l.inFlight = 1
	l.release(next(1))
	again()
	if id := w.ask(&mqttSubscription{}); id != 2 {
		t.Errorf("the SUBSCRIBE has identifier %d: 1 was not acknowledged", id)
	}
	again()
	twice := next(3)
	if id := w.track(twice); id != 4 {
		t.Errorf("the message has identifier %d when it is sent again, want 4", id)
	}
	again()
	next(5)
	l.acknowledge(1, nil)
	l.acknowledge(3, nil)
	if len(l.acked) > 0 || l.lost != 0 {
		t.Errorf("messages that were given up: %d acknowledged, %d lost", len(l.acked), l.lost)
	}
	again()
	next(1)
	next(3)
	l.acknowledge(4, nil)
	l.acknowledge(9, nil) // of nothing
	if len(l.acked) != 1 || l.acked[0].m != twice {
		t.Errorf("%d messages acknowledged, want the one that was sent again", len(l.acked))
	}
}

// A platform that acknowledges what was given up, however late, costs nothing; one
// that never does costs the connection before identifiers run out.
func TestLostIdentifiersEndTheConnection(t *testing.T) {
	t.Parallel()
	l, w := mqttLink()
	for n := range uint32(3 * maxLeaked) {
		m := &outgoing{qos: 1}
		w.track(m)
		l.release(m)
		l.acknowledge(m.packet, nil)
		if l.cause() != nil {
			t.Fatalf("the connection ended behind %d late answers: %v", n, l.cause())
		}
	}
	for range maxLeaked + 1 {
		if l.cause() != nil {
			t.Fatalf("the connection ended too early: %v", l.cause())
		}
		m := &outgoing{qos: 1}
		w.track(m)
		l.release(m)
	}
	if !errors.Is(l.cause(), errLeaked) {
		t.Errorf("the connection ended: %v", l.cause())
	}
}

// What is too large to be read is no command with nothing in it.
func TestTooLargeCommands(t *testing.T) {
	t.Parallel()
	k := newTold(t)
	w := &mqttWire{l: k.link}
	w.Received(&mqttlink.Packet{Type: mqttlink.Publish, Topic: deviceTopic + "thing/model/down_raw", TooLarge: true})
	w.Received(&mqttlink.Packet{Type: mqttlink.Publish, Topic: "/a1truck0001/truck-1/user/get", TooLarge: true})
	k.say("/none", "")
	if len(k.commands) > 0 || k.stats.malformed != 2 {
		t.Errorf("%d commands, %d malformed, want none and two", len(k.commands), k.stats.malformed)
	}
}
