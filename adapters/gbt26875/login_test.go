package gbt26875

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/session"
)

func TestFirstFrameBringsOnline(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ identity, want string }{
		{identityHex, name}, {identityReversed, "000000000379"}, {identityNumber, "889"},
	} {
		x := dial(t, func(c *Config) { c.Identity = test.identity })
		x.HoldLogins = true
		// What comes behind waits, and is handled in order.
		x.Send(slices.Concat(x.unit(parts(x.smoke(2, gbt26875.PartFire))), x.unit(parts(x.smoke(3, gbt26875.PartFire)))))
		if len(x.Tried) != 1 || x.Tried[0].Identity != test.want || len(x.Said) != 0 || len(x.Written) != 0 {
			t.Fatalf("%s: tried %+v, said %d", test.identity, x.Tried, len(x.Said))
		}
		x.ReleaseLogins(nil)
		wants(t, "answers", x.heard(), "confirm 1, confirm 2")
		wants(t, "reports", kinds(x.said()), "event fire, property, event fire, property")
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	x := dial(t, func(c *Config) { c.Allow = []string{"000000000001", name} })
	x.Send(x.frame(gbt26875.CommandSend, nil))
	wants(t, "answers of one on the list", x.heard(), "confirm 1")

	x = dial(t, func(c *Config) { c.Allow, c.Attempts = []string{"000000000001"}, 3 })
	for n := 1; n <= 3; n++ {
		if x.Closed {
			t.Fatalf("closed after %d frames", n-1)
		}
		x.Send(x.frame(gbt26875.CommandSend, nil))
	}
	wants(t, "answers of one that is not", x.heard(), "deny 1, deny 2, deny 3")
	if !x.Closed || !errors.Is(x.Cause, ErrLogins) || !strings.Contains(x.Cause.Error(), name) || len(x.Tried) != 0 || x.stats().Refused != 3 {
		t.Errorf("closed %v with %v, tried %v, %+v", x.Closed, x.Cause, x.Tried, x.stats())
	}
}

// A refusal for good is told, one for now is not: the device sends again.
func TestRefused(t *testing.T) {
	t.Parallel()
	x := dial(t)
	x.Refuse = errors.New("the platform is away")
	x.Send(x.frame(gbt26875.CommandSend, nil))
	wants(t, "answers while the platform is away", x.heard(), "")
	x.Refuse = fmt.Errorf("platform: %w", auth.ErrDenied)
	x.Send(x.frame(gbt26875.CommandSend, nil))
	wants(t, "answers when the device is unknown", x.heard(), "deny 2")
	x.Send(x.frame(gbt26875.CommandConfirm, nil))
	wants(t, "answers to a confirmation", x.heard(), "")
	x.Refuse = nil
	x.Send(x.unit(parts(x.smoke(2, gbt26875.PartFire))))
	wants(t, "answers", x.heard(), "confirm 4")
	wants(t, "reports", kinds(x.said()), "event fire, property")
}

// A connection is one device's, unless it is a gateway's.
func TestAnotherAddress(t *testing.T) {
	t.Parallel()
	x := online(t)
	x.address = other
	x.Send(slices.Concat(x.unit(parts(x.smoke(2, gbt26875.PartFire))), x.frame(gbt26875.CommandConfirm, nil)))
	wants(t, "answers", x.heard(), "deny 2")
	if len(x.Tried) != 1 || x.said() != "" || x.stats().Strangers != 2 {
		t.Errorf("tried %v, %+v", x.Tried, x.stats())
	}
}

func TestGateway(t *testing.T) {
	t.Parallel()
	x := dial(t, func(c *Config) { c.Gateway = true })
	first, second := x.address, other
	x.HoldLogins = true
	for n := range maxWaiting + 3 {
		x.Send(x.unit(parts(x.smoke(uint16(n), gbt26875.PartFire))))
	}
	x.address = second
	x.Send(x.unit(parts(x.smoke(1, gbt26875.PartFault))))
	if len(x.Tried) != 2 || x.said() != "" || x.stats().Dropped != 3 {
		t.Fatalf("tried %v, dropped %d", x.Tried, x.stats().Dropped)
	}
	x.ReleaseLogins(nil)
	said := x.TakeSaid()
	for i, m := range said {
		if want := map[bool]string{true: name, false: second.String()}[i < 2*maxWaiting]; m.Identity != want {
			t.Errorf("message %d is of %s, want %s", i, m.Identity, want)
		}
	}
	if len(said) != 2*maxWaiting+2 {
		t.Errorf("%d messages", len(said))
	}
	if got := len(x.frames()); got != maxWaiting+1 {
		t.Errorf("%d answers, want one for each frame that was handled", got)
	}
	// Each is told things by itself.
	for i, address := range []gbt26875.Address{first, second} {
		x.CommandTo(x.Online[i].Session, invoke("a", "readState", "{}"))
		if f := x.frames(); len(f) != 1 || f[0].Destination != address {
			t.Errorf("command of device %d: %v", i, f)
		}
	}
	// The end of one is not that of the other; it comes back with its next frame.
	x.HoldLogins = false
	x.Online[1].Session.Enter(session.Closed)
	x.TakeOver(x.Online[1].Session, session.ErrTakenOver)
	x.Send(x.unit(parts(x.smoke(1, gbt26875.PartFault))))
	if x.Closed || len(x.Online) != 3 || x.Online[2].Identity != second.String() {
		t.Errorf("closed %v, online %v", x.Closed, x.Online)
	}
	wants(t, "reports after it came back", kinds(x.said()), "event fault, property")
	// A device that the platform does not know is denied, and nothing else happens.
	x.Take()
	x.Refuse = auth.ErrDenied
	x.address = gbt26875.NewAddress(891)
	for range 10 {
		x.Send(x.framed(&gbt26875.Frame{Header: x.header(gbt26875.CommandSend)}))
	}
	if x.Closed || len(x.Tried) != 13 {
		t.Errorf("closed %v with %v, %d logins", x.Closed, x.Cause, len(x.Tried))
	}
}

// The state of an earlier session does not hide a fire from a later one.
func TestConnectionsDoNotRemember(t *testing.T) {
	t.Parallel()
	for range 2 {
		x := online(t)
		wants(t, "a fault", kinds(x.tell(parts(x.smoke(2, gbt26875.PartFault)))), "event fault, property")
		x.Hangup()
		if x.Timers() != 0 {
			t.Errorf("%d timers run after the end", x.Timers())
		}
	}
}

func TestDatagrams(t *testing.T) {
	t.Parallel()
	x := dial(t)
	x.Device = connectDatagrams(t, x.plugin)
	x.Send(slices.Concat(x.unit(parts(x.smoke(2, gbt26875.PartFire))), x.frame(gbt26875.CommandSend, nil)))
	wants(t, "answers, the heartbeat's first for it says nothing", x.heard(), "confirm 2, confirm 1")
	wants(t, "reports", kinds(x.said()), "event fire, property")
}

// A gateway may go on for ever with ever new devices: those that have gone are not
// kept.
func TestGatewayForgetsDevicesThatHaveGone(t *testing.T) {
	t.Parallel()
	held := &adapter{}
	p := protocol.Define(Name, DefaultConfig(), func(c Config) (protocol.Protocol[*gbt26875.Frame], error) {
		c.Gateway = true
		b, err := build(c, &counters{})
		b.Adapter = func() protocol.Adapter[*gbt26875.Frame] {
			held.host = &host{config: c, zone: china, counters: &counters{}}
			return held
		}
		return b, err
	})
	x := &panel{Device: protocoltest.Connect(t, p, DefaultConfig()), t: t, plugin: p, decoder: gbt26875.NewDecoder(gbt26875.DefaultOptions())}
	const all, stay = 500, 20
	for n := range all {
		x.address = gbt26875.NewAddress(uint64(n))
		x.Send(x.unit(parts(x.smoke(1, gbt26875.PartFault))))
		if n < stay {
			continue
		}
		s := x.Online[len(x.Online)-1].Session
		s.Enter(session.Closed)
		x.TakeOver(s, session.ErrTakenOver)
	}
	if n := len(held.devices); len(x.Online) != all || n > 3*stay+minDevices {
		t.Errorf("%d devices came, %d stayed, and %d are remembered", len(x.Online), stay, n)
	}
	x.address = gbt26875.NewAddress(3)
	x.Take()
	x.Send(x.frame(gbt26875.CommandSend, nil))
	if len(x.Take()) == 0 || len(x.Online) != all {
		t.Error("a device that stayed was forgotten")
	}
}
