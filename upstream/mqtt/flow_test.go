package mqtt_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/mqtt"
)

const propertyOf1 = "linkspan/demo/truck-1/up/property"

func wantN(tb testing.TB, m *packets.PublishPacket, n int) {
	tb.Helper()
	if want := fmt.Sprintf(`"fields":{"n":%d}}`, n); !strings.HasSuffix(string(m.Payload), want) {
		tb.Errorf("got %s, want %s", m.Payload, want)
	}
}

func wantErr(tb testing.TB, what string, done <-chan error, want error) {
	tb.Helper()
	if err := await(tb, what, done); !errors.Is(err, want) {
		tb.Errorf("%s: %v, want %v", what, err, want)
	}
}

// What was not acknowledged is sent again over the next connection, in order and
// before anything newer: as the same message where the broker has kept the
// session, else as a new one.
func TestResend(t *testing.T) {
	t.Parallel()
	for name, kept := range map[string]bool{"kept session": true, "new session": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startScript(t)
			up, started := starting(t, bare(s, func(c *mqtt.Config) { c.CleanSession = false }))
			p, connect := s.connected(false)
			if connect.CleanSession {
				t.Error("the session is a clean one")
			}
			wantErr(t, "Start", started, nil)
			c := loggedIn(t, up, truck("1"))
			var done []<-chan error
			var ids []uint16
			for n := range 4 {
				done = append(done, c.publish(n, thing.AtLeastOnce))
				m := p.published(propertyOf1)
				if m.Dup {
					t.Errorf("message %d is marked as a duplicate", n)
				}
				ids = append(ids, m.MessageID)
			}
			p.ack(ids[1])
			p.ack(ids[0])
			wantErr(t, "message 0", done[0], nil)
			wantErr(t, "message 1", done[1], nil)
			_ = p.net.Close()
			p, _ = s.connected(kept)
			done = append(done, c.publish(4, thing.AtLeastOnce))
			for n := 2; n <= 4; n++ {
				m := p.published(propertyOf1)
				wantN(t, m, n)
				if again := n < 4; m.Dup != (kept && again) || again && m.MessageID != ids[n] {
					t.Errorf("message %d: dup %v, identifier %d, before %d", n, m.Dup, m.MessageID, ids[min(n, 3)])
				}
				p.ack(m.MessageID)
				wantErr(t, "a message sent again", done[n], nil)
			}
			if got := up.Stats(); got.Resent != 2 || got.Reconnects != 1 || got.Acknowledged != 5 || got.Pending != 0 || got.InFlight != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A broker that acknowledges nothing costs its messages, not others, and their
// identifiers are not used again before it does.
func TestUnacknowledged(t *testing.T) {
	t.Parallel()
	s := startScript(t)
	up, started := starting(t, bare(s, func(c *mqtt.Config) { c.RequestTimeout, c.InFlight = 50*time.Millisecond, 2 }))
	p, _ := s.connected(false)
	wantErr(t, "Start", started, nil)
	c := loggedIn(t, up, truck("1"))
	seen := map[uint16]bool{}
	for n := range 6 {
		done := c.publish(n, thing.AtLeastOnce)
		m := p.published(propertyOf1)
		if seen[m.MessageID] {
			t.Errorf("identifier %d is used again", m.MessageID)
		}
		seen[m.MessageID] = true
		wantErr(t, "a message without PUBACK", done, upstream.ErrTimeout)
	}
	for id := range seen {
		p.ack(id) // late
	}
	done := c.publish(6, thing.AtLeastOnce)
	p.ack(p.published(propertyOf1).MessageID)
	wantErr(t, "a message with PUBACK", done, nil)
	if got := up.Stats(); got.Errors["message_timeout"] != 6 || got.InFlight != 0 || got.Pending != 0 {
		t.Errorf("%+v", got)
	}
}

// Messages that wait for the broker do so for holdTimeout; those of QoS 0 do not
// wait.
func TestBrokerAway(t *testing.T) {
	t.Parallel()
	s := startScript(t)
	up, started := starting(t, bare(s, func(c *mqtt.Config) { c.HoldTimeout = 100 * time.Millisecond }))
	p, _ := s.connected(false)
	wantErr(t, "Start", started, nil)
	c := loggedIn(t, up, truck("1"))
	sent := c.publish(0, thing.AtLeastOnce)
	p.published(propertyOf1)
	_ = s.ln.Close()
	_ = p.net.Close()
	awaitStats(t, up, func(s mqtt.Stats) bool { return s.Connections == 0 })
	wantErr(t, "QoS 0", c.publish(1, thing.AtMostOnce), upstream.ErrNotConnected)
	wantErr(t, "QoS 1", c.publish(2, thing.AtLeastOnce), upstream.ErrNotConnected)
	wantErr(t, "QoS 1 that was sent", sent, upstream.ErrTimeout)
	_, done := login(t, up, truck("2"))
	wantErr(t, "Close", closing(up), nil)
	wantErr(t, "Login", done, upstream.ErrClosed)
}

// awaitStats waits until the statistics are as they should be. They tell of no
// change, so it looks again and again.
func awaitStats(tb testing.TB, up *mqtt.Connector, is func(mqtt.Stats) bool) {
	tb.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !is(up.Stats()) {
		select {
		case <-tick.C:
		case <-late:
			tb.Fatalf("the statistics stay %+v", up.Stats())
		}
	}
}

func closing(up *mqtt.Connector) <-chan error {
	done := make(chan error, 1)
	go func() { done <- up.Close(timeoutContext()) }() // ends with Close
	return done
}

// More than the queue holds is refused, in its turn.
func TestOverload(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*mqtt.Config){
		"messages": func(c *mqtt.Config) { c.Queue = 3 },
		"bytes":    func(c *mqtt.Config) { c.QueueBytes = 300 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startScript(t)
			up, started := starting(t, bare(s, change))
			p, _ := s.connected(false)
			wantErr(t, "Start", started, nil)
			c := loggedIn(t, up, truck("1"))
			var done []<-chan error
			for n := range 10 {
				done = append(done, c.publish(n, thing.AtLeastOnce))
			}
			taken := int(up.Stats().Published)
			if taken < 2 || taken > 3 {
				t.Fatalf("%d messages were taken", taken)
			}
			for range taken {
				p.ack(p.published(propertyOf1).MessageID)
			}
			for n, d := range done {
				want := upstream.ErrOverloaded
				if n < taken {
					want = nil
				}
				wantErr(t, fmt.Sprintf("message %d", n), d, want)
			}
			if got := up.Stats().Errors["overloaded"]; got != uint64(10-taken) {
				t.Errorf("%d refusals counted", got)
			}
		})
	}
}

// A broker that takes no more bytes blocks nobody; the connection is lost.
func TestBrokerReadsNoMore(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	gate := newGate(t, b.addr)
	cfg := config(b, func(c *mqtt.Config) {
		c.Endpoint = []string{"tcp://" + gate.addr}
		c.WriteTimeout = 100 * time.Millisecond
		c.MaxPayload = 1 << 20
	})
	up := start(t, cfg)
	c := loggedIn(t, up, truck("1"))
	gate.stall()
	done := make(chan error, 100)
	for range 100 { // 50 MB: more than any buffer between
		c.device.Publish(&thing.Message{Kind: thing.Raw, Raw: make([]byte, 512<<10)}, func(err error) { done <- err })
	}
	awaitStats(t, up, func(s mqtt.Stats) bool { return s.Connections == 0 })
	gate.flow()
	for range 100 {
		wantErr(t, "a message", done, nil)
	}
}

// A connection over which the broker answers nothing any more is lost.
func TestSilentBroker(t *testing.T) {
	t.Parallel()
	s := startScript(t)
	s.silent.Store(true)
	up, started := starting(t, bare(s, func(c *mqtt.Config) { c.KeepAlive, c.RequestTimeout = time.Second, 50*time.Millisecond }))
	p, _ := s.connected(false)
	wantErr(t, "Start", started, nil)
	expect[*packets.PingreqPacket](p)
	p.send(packets.NewControlPacket(packets.Pingresp))
	expect[*packets.PingreqPacket](p)
	_, connect := s.connected(false)
	if connect.Keepalive != 1 {
		t.Errorf("keep-alive is %d", connect.Keepalive)
	}
	awaitStats(t, up, func(s mqtt.Stats) bool { return s.Connects == 2 })
}

// A message is marked as a duplicate in no session but that which it was sent in.
func TestDuplicateOfASession(t *testing.T) {
	t.Parallel()
	s := startScript(t)
	up, started := starting(t, bare(s, func(c *mqtt.Config) {
		c.CleanSession, c.InFlight, c.Topics.Bridge = false, 1, "bridge"
	}))
	p, _ := s.connected(false)
	wantErr(t, "Start", started, nil)
	p.ack(p.published("bridge").MessageID)
	c := loggedIn(t, up, truck("1"))
	done := c.publish(1, thing.AtLeastOnce)
	p.published(propertyOf1)
	_ = p.net.Close()
	p, _ = s.connected(false)
	p.published("bridge") // with which as much is in flight as may be
	_ = p.net.Close()
	p, _ = s.connected(true)
	p.ack(p.published("bridge").MessageID)
	m := p.published(propertyOf1)
	if m.Dup {
		t.Error("the message is marked as a duplicate in a session that did not have it")
	}
	p.ack(m.MessageID)
	wantErr(t, "the message", done, nil)
}

// What is refused is not kept until its turn comes.
func TestRefusedMessagesAreSmall(t *testing.T) { //nolint:paralleltest // it measures memory
	s := startScript(t)
	up, started := starting(t, bare(s, func(c *mqtt.Config) {
		c.QueueBytes, c.RequestTimeout = 1, time.Minute
	}))
	p, _ := s.connected(false)
	wantErr(t, "Start", started, nil)
	c := loggedIn(t, up, truck("1"))
	first := c.publish(0, thing.AtLeastOnce)
	const count, size = 300, 64 << 10
	refused := make(chan error, count)
	before := heap()
	m := &thing.Message{Kind: thing.Property, QoS: thing.AtLeastOnce, Fields: []thing.Field{{Name: "s", Value: thing.String(strings.Repeat("x", size))}}}
	for range count {
		c.device.Publish(m, func(err error) { refused <- err })
	}
	if grown := heap() - before; grown > count*size/4 {
		t.Errorf("%d refused messages of %d bytes take %d bytes", count, size, grown)
	}
	p.ack(p.published(propertyOf1).MessageID)
	wantErr(t, "the first message", first, nil)
	for range count {
		wantErr(t, "a refused message", refused, upstream.ErrOverloaded)
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
