package mqtt

import (
	"testing"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// Commands that wait for logins are bounded in bytes over all devices, and cost
// nothing any more when the logins are done.
func TestEarlyCommandsAreBounded(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Endpoint, cfg.QueueBytes = []string{"tcp://127.0.0.1:1883"}, 1000
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.host.Logger, c.state = zap.NewNop(), started
	ln := newLane(c, 0)
	c.lanes = []*lane{ln}
	link := &mqttlink.Link{}
	ln.link, ln.released = link, true
	commands := 0
	for _, name := range []string{"a", "b", "a"} { // the last takes the place of the first
		id := auth.Identity{ProductKey: "demo", DeviceName: name}
		c.Login(upstream.Login{Device: id, Command: func(*thing.Command) { commands++ }}, func(upstream.Device, error) {})
		for range 3 {
			p := mqttlink.Packet{Type: mqttlink.Publish, Topic: "linkspan/demo/" + name + "/down/raw", Payload: make([]byte, 300)}
			flow{ln, link}.Received(&p)
		}
	}
	if ln.early != 900 || c.Stats().Errors["unknown_device"] != 6 {
		t.Errorf("%d bytes are kept, %d commands were dropped", ln.early, c.Stats().Errors["unknown_device"])
	}
	for _, d := range ln.devices {
		ln.mu.Lock()
		ln.goOnline(d)
		ln.unlock()
	}
	c.calls.end()
	c.calls.run()
	if ln.early != 0 || commands != 3 {
		t.Errorf("%d bytes are kept in the end, %d commands were handed over", ln.early, commands)
	}
}
