package aliyun_test

import (
	"errors"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

// scripted is a broker that takes everything, logs everybody in, and leaves it
// to the test which messages it acknowledges and when it hangs up.
type scripted struct {
	t        *testing.T
	listener net.Listener
	ended    sync.WaitGroup
	got      chan arrival
}

// arrival is a message of a device as it came in.
type arrival struct {
	connection int
	n          int
	dup        bool
	ack        func()
	hangUp     func()
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveScript(t, l)
}

func serveScript(t *testing.T, l net.Listener) *scripted {
	t.Helper()
	s := &scripted{t: t, listener: l, got: make(chan arrival, 10_000)}
	s.ended.Go(func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.ended.Go(func() { s.serve(n, c) })
		}
	})
	return s
}

// config leads to the scripted broker; the connector has to be closed before it.
func (s *scripted) config() aliyun.Config {
	c := gatewayConfig()
	c.Endpoint = "tcp://" + s.listener.Addr().String()
	c.ReconnectMin, c.ReconnectMax = 10*time.Millisecond, 50*time.Millisecond
	c.WriteTimeout = time.Second
	c.LoginsPerMinute = 0
	return c
}

func (s *scripted) close() {
	_ = s.listener.Close()
	s.ended.Wait()
}

var (
	requestID = regexp.MustCompile(`"id":"(\d+)"`)
	propertyN = regexp.MustCompile(`"n":(\d+)`)
)

func (s *scripted) serve(number int, c net.Conn) {
	defer func() { _ = c.Close() }()
	var mu sync.Mutex
	write := func(p packets.ControlPacket) {
		mu.Lock()
		defer mu.Unlock()
		_ = p.Write(c) // the peer may have gone
	}
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			write(packets.NewControlPacket(packets.Connack))
		case *packets.SubscribePacket:
			a := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			a.MessageID, a.ReturnCodes = p.MessageID, slices.Repeat([]byte{1}, len(p.Topics))
			write(a)
		case *packets.UnsubscribePacket:
			a := packets.NewControlPacket(packets.Unsuback).(*packets.UnsubackPacket)
			a.MessageID = p.MessageID
			write(a)
		case *packets.PingreqPacket:
			write(packets.NewControlPacket(packets.Pingresp))
		case *packets.PublishPacket:
			s.published(number, c, p, write)
		}
	}
}

func (s *scripted) published(number int, c net.Conn, p *packets.PublishPacket, write func(packets.ControlPacket)) {
	if strings.Contains(p.TopicName, "/combine/") {
		r := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		r.TopicName = p.TopicName + "_reply"
		r.Payload = []byte(`{"id":"` + requestID.FindStringSubmatch(string(p.Payload))[1] + `","code":"200"}`)
		write(r)
		return
	}
	n, _ := strconv.Atoi(propertyN.FindStringSubmatch(string(p.Payload))[1])
	s.got <- arrival{number, n, p.Dup, func() {
		a := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
		a.MessageID = p.MessageID
		write(a)
	}, func() { _ = c.Close() }}
}

// A connection that is lost before anything was acknowledged: nothing is done
// until the platform has acknowledged it on the next one, where it comes in the
// same order.
func TestOnlyWhatWasAcknowledgedIsDone(t *testing.T) {
	t.Parallel()
	const messages = 50
	s := newScripted(t)
	defer s.close()
	up, d := online(t, s.config())
	defer closeConnector(t, up)
	done := make(chan error, messages)
	for n := range messages {
		d.Publish(number(n, thing.AtLeastOnce), func(err error) { done <- err })
	}
	for n := range messages {
		a := <-s.got
		if a.connection != 1 || a.n != n {
			t.Fatalf("message %d came as %+v", n, a)
		}
		if n == messages-1 {
			a.hangUp()
		}
	}
	again := make([]arrival, 0, messages)
	for n := range messages {
		a := <-s.got
		if a.connection != 2 || a.n != n {
			t.Fatalf("message %d came again as %d on connection %d", n, a.n, a.connection)
		}
		again = append(again, a)
	}
	if len(done) > 0 {
		t.Fatalf("%d messages are done that were never acknowledged, first with %v", len(done), <-done)
	}
	for _, a := range again {
		a.ack()
	}
	for range messages {
		if err := <-done; err != nil {
			t.Errorf("Publish: %v", err)
		}
	}
	if st := up.Stats(); st.Resent != messages || st.Pending != 0 || st.InFlight != 0 {
		t.Errorf("stats %+v, want %d resent and nothing left", st, messages)
	}
}

// One message is never acknowledged, the others in any order: only that one
// fails, the others do not wait for it on the wire, and done keeps the order.
func TestOneMissingAcknowledgement(t *testing.T) {
	t.Parallel()
	const messages, missing = 40, 3
	s := newScripted(t)
	defer s.close()
	cfg := s.config()
	cfg.RequestTimeout, cfg.InFlight = 400*time.Millisecond, 10
	up, d := online(t, cfg)
	defer closeConnector(t, up)
	type result struct {
		n   int
		err error
	}
	done := make(chan result, messages)
	for n := range messages {
		d.Publish(number(n, thing.AtLeastOnce), func(err error) { done <- result{n, err} })
	}
	var held []arrival // acknowledged the other way round, in pairs
	for range messages {
		a := <-s.got
		if a.n == missing {
			continue
		}
		if held = append(held, a); len(held) == 2 {
			held[1].ack()
			held[0].ack()
			held = nil
		}
	}
	for _, a := range held {
		a.ack()
	}
	for n := range messages {
		r := <-done
		if r.n != n {
			t.Fatalf("done of message %d was called in the place of %d", r.n, n)
		}
		if want := n == missing; errors.Is(r.err, upstream.ErrTimeout) != want || !want && r.err != nil {
			t.Errorf("message %d: %v", n, r.err)
		}
	}
}

// A message that was sent and then waits too long may be at the platform; one
// that was not sent is not.
func TestWaitingMessagesFailExactly(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	cfg := s.config()
	cfg.HoldTimeout, cfg.InFlight = 300*time.Millisecond, 1
	up, d := online(t, cfg)
	defer closeConnector(t, up)
	done := make(chan error, 2)
	d.Publish(number(0, thing.AtLeastOnce), func(err error) { done <- err })
	d.Publish(number(1, thing.AtLeastOnce), func(err error) { done <- err }) // behind the window
	a := <-s.got
	_ = s.listener.Close()
	a.hangUp()
	s.close()
	if err := <-done; !errors.Is(err, upstream.ErrTimeout) {
		t.Errorf("the message that was sent: %v, want ErrTimeout", err)
	}
	if err := <-done; !errors.Is(err, upstream.ErrNotConnected) {
		t.Errorf("the message that was not sent: %v, want ErrNotConnected", err)
	}
}

// A logout waits for its turn behind the messages, and its device is not logged
// in again after a reconnect.
func TestLogoutBehindMessages(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	defer s.close()
	up, d := online(t, s.config())
	defer closeConnector(t, up)
	done, left := make(chan error, 1), make(chan error, 1)
	d.Publish(number(0, thing.AtLeastOnce), func(err error) { done <- err })
	d.Logout(func(err error) { left <- err })
	a := <-s.got
	if err := <-left; err != nil {
		t.Errorf("Logout: %v", err)
	}
	a.hangUp()
	if err := <-done; !errors.Is(err, upstream.ErrTimeout) {
		t.Errorf("a message that was not acknowledged before the connection was lost, of a device that left: %v, want ErrTimeout", err)
	}
	if st := up.Stats(); st.Devices != 0 {
		t.Errorf("%d devices left", st.Devices)
	}
}

// A message that costs the connection whenever it comes is not sent for ever:
// its time runs from the first loss.
func TestMessageThatCostsTheConnection(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	defer s.close()
	cfg := s.config()
	cfg.HoldTimeout = 400 * time.Millisecond
	up, d := online(t, cfg)
	defer closeConnector(t, up)
	done := make(chan error, 1)
	d.Publish(number(0, thing.AtLeastOnce), func(err error) { done <- err })
	late := time.After(10 * time.Second)
	var err error
	for waiting := true; waiting; {
		select {
		case a := <-s.got:
			a.hangUp()
		case err = <-done:
			waiting = false
		case <-late:
			t.Fatalf("it is still sent, %d connections later", up.Stats().Reconnects)
		}
	}
	if !errors.Is(err, upstream.ErrTimeout) {
		t.Errorf("the message: %v, want ErrTimeout", err)
	}
	d.Publish(number(1, thing.AtLeastOnce), func(err error) { done <- err })
	for waiting := true; waiting; {
		select {
		case a := <-s.got:
			if a.n == 0 {
				a.hangUp()
			} else {
				a.ack()
			}
		case err = <-done:
			waiting = false
		}
	}
	if err != nil {
		t.Errorf("the next message: %v", err)
	}
}
