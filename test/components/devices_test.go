package components

import (
	"errors"
	"fmt"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// Inventory is devices of a table in memory.
type Inventory map[string]auth.Identity

// Identity implements bridge.Devices.
func (i Inventory) Identity(name string) (auth.Identity, error) {
	id, ok := i[name]
	if !ok {
		return id, fmt.Errorf("%w: %q", bridge.ErrUnknownDevice, name)
	}
	return id, nil
}

// Database is devices that somebody else knows, who takes time to answer.
type Database struct {
	Inventory

	asked chan string
	reply chan error
}

// Identity implements bridge.Devices.
func (d Database) Identity(name string) (auth.Identity, error) {
	d.asked <- name
	if err := <-d.reply; err != nil {
		return auth.Identity{}, err
	}
	return d.Inventory.Identity(name)
}

func TestOtherDevices(t *testing.T) {
	t.Parallel()
	cloud := newCloud()
	b := start(t, cloud, Inventory{"13800138001": {ProductKey: "demo", DeviceName: "truck-1"}})
	online(t, b, session.New("13800138001", nil))
	expect(t, cloud.said, "truck-1 online")
	if err := b.Online(t.Context(), session.New("13800138002", nil)); !errors.Is(err, bridge.ErrUnknownDevice) {
		t.Errorf("unknown: %v", err)
	}
	if err := b.Publish(t.Context(), "13800138002", bridge.Message{}); !errors.Is(err, bridge.ErrUnknownDevice) {
		t.Errorf("a message of an unknown device: %v", err)
	}
	if id, err := b.Devices().Identity("13800138001"); err != nil || id.DeviceName != "truck-1" {
		t.Errorf("%v, %v", id, err)
	}
}

var errDatabase = errors.New("components: the database is away")

func TestSlowDevices(t *testing.T) {
	t.Parallel()
	cloud := newCloud()
	d := Database{Inventory{"a": {ProductKey: "demo", DeviceName: "a"}}, make(chan string), make(chan error)}
	b := start(t, cloud, d, bridge.WithSlowDevices())
	results := make(chan error, 1)
	b.Uplink().Online(session.New("a", nil), nil, func(err error) { results <- err }) // returns although nobody replies
	expect(t, d.asked, "a")
	d.reply <- nil
	if err := <-results; err != nil {
		t.Fatal(err)
	}
	b.Uplink().Online(session.New("b", nil), nil, func(err error) { results <- err })
	expect(t, d.asked, "b")
	d.reply <- errDatabase
	if err := <-results; !errors.Is(err, errDatabase) || errors.Is(err, auth.ErrDenied) {
		t.Errorf("nothing is known: %v", err)
	}
}

// Radio is a downlink handler: it puts what devices are told into a frame.
type Radio struct {
	bridge.DirectDownlink

	antenna chan string // reaches all
}

// Push implements bridge.DownlinkHandler.
func (r Radio) Push(s *session.Session, cmd *thing.Command) (thing.State, error) {
	if cmd.Kind == thing.Service && cmd.Name == "reboot" {
		cmd = &thing.Command{Kind: thing.RawDown, Raw: []byte("<reboot>")}
	}
	return r.DirectDownlink.Push(s, cmd)
}

// Broadcast implements bridge.DownlinkHandler.
func (r Radio) Broadcast(cmd *thing.Command) error {
	r.antenna <- cmd.Topic + " " + string(cmd.Raw)
	return nil
}

func TestAnotherDownlinkHandler(t *testing.T) {
	t.Parallel()
	cloud, radio, channel := newCloud(), Radio{antenna: make(chan string, 1)}, newPipe()
	b := start(t, cloud, everyone{}, bridge.WithDownlink(radio))
	online(t, b, session.New("a", channel))
	cloud.tell("a", &thing.Command{ID: "1", Kind: thing.Service, Name: "reboot"})
	expect(t, channel.written, "<reboot>")
	cloud.tell("a", &thing.Command{ID: "2", Kind: thing.RawDown, Raw: []byte("as it is")})
	expect(t, channel.written, "as it is")
	cloud.tell("a", &thing.Command{ID: "3", Kind: thing.Service, Name: "dance"})
	expect(t, cloud.said, "a online", "a: reply done to 1", "a: reply done to 2", "a: reply unsupported to 3")
	cloud.host.Broadcast(&thing.Command{Kind: thing.Notice, Topic: "/all", Raw: []byte("storm")})
	expect(t, radio.antenna, "/all storm")
}
