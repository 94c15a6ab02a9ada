package mqtt

import (
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// A broker that takes its time with many subscriptions costs no login: the time
// for an answer runs from when it was asked, by a clock of the test's own.
func TestLoginsWaitForTheirQuestion(t *testing.T) {
	t.Parallel()
	const devices = maxAsked + 500
	cfg := DefaultConfig()
	cfg.Endpoint, cfg.RequestTimeout = []string{"tcp://127.0.0.1:1883"}, 2*time.Second
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.host.Logger, c.state = zap.NewNop(), started
	ln := newLane(c, 0)
	c.lanes = []*lane{ln}
	link := &mqttlink.Link{}
	ln.link, ln.released = link, true
	c.now.Store(1000)
	done := make(chan error, devices)
	for i := range devices {
		id := auth.Identity{ProductKey: "demo", DeviceName: strconv.Itoa(i)}
		c.Login(upstream.Login{Device: id}, func(_ upstream.Device, err error) { done <- err })
	}
	for _, d := range ln.devices {
		ln.turn(d)
	}
	f := flow{ln, link}
	fill := func(now int64) (asked []uint16) {
		c.now.Store(now)
		for len(f.Fill(nil)) > 0 { // until nothing may be asked
			f.Wrote()
		}
		for id := range ln.asked {
			asked = append(asked, id)
		}
		return asked
	}
	answer := func(asked []uint16) {
		for _, id := range asked {
			f.Received(&mqttlink.Packet{Type: mqttlink.Suback, ID: id, Codes: []byte{1, 1}})
		}
	}
	first := fill(1000)
	ln.expireLogins(2900)
	answer(first)
	second := fill(2900)
	if len(first) != maxAsked || len(second) != devices-maxAsked {
		t.Fatalf("%d were asked first and %d then", len(first), len(second))
	}
	ln.expireLogins(4800) // 3.8 s behind the logins, 1.9 s behind the questions
	answer(second)
	late := fill(4800)
	if len(late) > 0 {
		t.Errorf("%d more were asked", len(late))
	}
	c.calls.end()
	c.calls.run()
	close(done)
	n := 0
	for err := range done {
		if n++; err != nil {
			t.Fatalf("a login: %v", err)
		}
	}
	if n != devices {
		t.Errorf("%d logins of %d are done", n, devices)
	}
}
