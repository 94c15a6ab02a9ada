package protocol_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/session"
)

// gate is a guard that lets everybody pass but some, and notes how it went.
type gate struct {
	closed   map[string]bool
	outcomes []string
}

var errGate = errors.New("gate closed")

func (g *gate) Admit(_ netip.Addr, identity string) error {
	if g.closed[identity] {
		return errGate
	}
	return nil
}

func (g *gate) Outcome(from netip.Addr, identity string, err error) {
	g.outcomes = append(g.outcomes, fmt.Sprint(from.IsValid(), identity, err))
}

func (g *gate) Denied(from netip.Addr, identity string, err error) {
	g.outcomes = append(g.outcomes, fmt.Sprint("denied", from.IsValid(), identity, err))
}

func (g *gate) Banned(netip.Addr) bool { return false }

func through(g *gate) protocoltest.Option {
	return protocoltest.WithHost(func(h *protocol.Host) { h.Guard = g })
}

// A guard is asked before the uplink is, for a connection's own device and those
// behind it, and is told how it went.
func TestGuard(t *testing.T) {
	t.Parallel()
	g := &gate{closed: map[string]bool{"m1": true}}
	var outcomes []error
	note := func(err error) { outcomes = append(outcomes, err) }
	d := connect(t, &script{received: func(c *conn, line string) error {
		c.Online(line, nil, note)
		c.Attach(line, nil, func(_ *session.Session, err error) { note(err) })
		return nil
	}}, through(g))
	d.Send([]byte("m1\n"))
	if len(outcomes) != 2 || !errors.Is(outcomes[0], errGate) || !errors.Is(outcomes[1], errGate) || len(d.Online) != 0 || len(g.outcomes) != 0 {
		t.Errorf("done got %v, %d are online, the guard heard %q", outcomes, len(d.Online), g.outcomes)
	}
	d.Refuse = auth.ErrBadCredentials
	d.Send([]byte("m2\n"))
	d.Refuse = nil
	d.Send([]byte("m3\n"))
	bad := "truem2" + auth.ErrBadCredentials.Error()
	if want := []string{bad, bad, "truem3<nil>", "truem3<nil>"}; !slices.Equal(g.outcomes, want) {
		t.Errorf("the guard heard %q, want %q", g.outcomes, want)
	}
}

// What an adapter refuses itself was no attempt that the guard has let begin.
func TestGuardHearsOfDenials(t *testing.T) {
	t.Parallel()
	g := &gate{}
	d := connect(t, &script{received: func(c *conn, line string) error {
		c.Denied(line, auth.ErrBadCredentials)
		return nil
	}}, through(g))
	d.Send([]byte("m1\n"))
	if want := []string{"deniedtruem1" + auth.ErrBadCredentials.Error()}; !slices.Equal(g.outcomes, want) {
		t.Errorf("the guard heard %q, want %q", g.outcomes, want)
	}
}

// Whom an adapter turns away is told for the log, also where no guard has a say.
func TestRefusalsAreTold(t *testing.T) {
	t.Parallel()
	d := connect(t, &script{received: func(c *conn, line string) error {
		c.Denied(line, auth.ErrBadCredentials)
		c.Refused(line, errGate)
		return nil
	}})
	d.Send([]byte("m1\n"))
	want := []protocoltest.Refusal{{Identity: "m1", Err: auth.ErrBadCredentials}, {Identity: "m1", Err: errGate}}
	if !slices.Equal(d.Refused, want) {
		t.Errorf("refused %v, want %v", d.Refused, want)
	}
}

// A frame that was decoded may be a fault all the same, and the last one that there may be.
func TestFaultsOfAdapters(t *testing.T) {
	t.Parallel()
	d := connect(t, &script{received: func(c *conn, line string) error {
		c.Fault(fmt.Errorf("%w: %s", protocol.ErrUnsupported, line), []byte(line))
		return nil
	}})
	d.MaxFaults = 2
	d.Send([]byte("m1\nm2\nm3\n"))
	if len(d.Faults) != 2 || string(d.Faults[1].Frame) != "m2" || !errors.Is(d.Cause, protocoltest.ErrTooManyFaults) {
		t.Errorf("faults %v, closed with %v", d.Faults, d.Cause)
	}
}

// Anybody can send datagrams in anybody's name: failures of theirs count for
// nobody.
func TestGuardHasNoSayOverDatagrams(t *testing.T) {
	t.Parallel()
	g := &gate{closed: map[string]bool{"m1": true}}
	d := protocoltest.ConnectDatagrams(t, plugin(func() codec.Decoder[string] { return lines{} },
		func() protocol.Adapter[string] {
			return &script{received: func(c *conn, line string) error {
				c.Denied(line, auth.ErrBadCredentials)
				c.Online(line, nil, nil)
				return nil
			}}
		}), nil, through(g))
	d.Send([]byte("m1\n"))
	if len(d.Online) != 1 || len(g.outcomes) != 0 {
		t.Errorf("%d are online, the guard heard %q", len(d.Online), g.outcomes)
	}
}
