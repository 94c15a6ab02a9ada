package e2e

import (
	"net"
	"testing"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/server"
)

func byUDP(s *setup) { s.network = server.UDP }

// dialUDP makes a terminal with an address of its own, which the platform knows
// from now on.
func (w *world) dialUDP(phone string) *terminal {
	w.t.Helper()
	if w.setup.network != server.UDP {
		w.t.Fatal("the world listens on", w.setup.network)
	}
	w.know(phone)
	number, err := jt808.ParsePhone(phone, jt808.V2019)
	w.must(err)
	var d net.Dialer
	conn, err := d.DialContext(w.t.Context(), "udp", w.addr().String())
	w.must(err)
	x := &terminal{t: w.t, digits: phone, phone: number, version: jt808.V2019, conn: conn, frames: make(chan *jt808.Frame, 1024)}
	x.reading.Go(x.read)
	w.t.Cleanup(x.close)
	return x
}

// TestUDP carries a terminal that speaks UDP to the platform and back.
func TestUDP(t *testing.T) {
	t.Parallel()
	const phone = "13800138000"
	w := newWorld(t, byUDP)
	x := w.dialUDP(phone)
	w.must(x.login())
	for i := range 20 {
		w.must(x.report(i, patience))
	}
	done := w.invoke(phone, "linkCheck", nil)
	_, serial := told[jt808.LinkCheck](x)
	x.say(&jt808.TerminalResponse{Serial: serial, Request: jt808.IDLinkCheck})
	if r := w.outcome(done); r.State != "done" {
		t.Errorf("the command ends with %+v", r)
	}
	if s := w.listener(); s.Connections != 1 || len(s.Dropped) > 0 || s.Faults["damaged"] > 0 {
		t.Errorf("stats: %+v", s)
	}
}

// TestUDPNewAddress moves a terminal to another address, as a NAT does: it is
// there from the moment at which it has shown its code, and where it was until
// then. The platform sees it online all the while.
func TestUDPNewAddress(t *testing.T) {
	t.Parallel()
	const phone = "13800138000"
	w := newWorld(t, byUDP)
	here := w.dialUDP(phone)
	w.must(here.login())
	w.must(here.report(1, patience))

	there := w.dialUDP(phone)
	serial, err := there.send(location(2))
	w.must(err)
	if result, answered := there.answerTo(jt808.IDLocation, serial, patience); answered != nil || result == jt808.ResultOK {
		t.Errorf("a report from another address is answered with %v, %v", result, answered)
	}
	there.code = "no code of ours"
	if result, answered := there.authenticate(); answered != nil || result == jt808.ResultOK {
		t.Errorf("a wrong code is answered with %v, %v", result, answered)
	}
	w.must(here.report(3, patience)) // which disturbs nobody

	there.code = here.code
	if result, answered := there.authenticate(); answered != nil || result != jt808.ResultOK {
		t.Fatalf("authentication from the new address is answered with %v, %v", result, answered)
	}
	w.must(there.report(4, patience))
	if !w.device(phone).Online {
		t.Error("the platform has the terminal offline")
	}
	done := w.invoke(phone, "linkCheck", nil)
	_, serial = told[jt808.LinkCheck](there)
	there.say(&jt808.TerminalResponse{Serial: serial, Request: jt808.IDLinkCheck})
	if r := w.outcome(done); r.State != "done" {
		t.Errorf("the command ends with %+v", r)
	}
	await(t, "the takeover to be counted", func() bool { return w.listener().Closed["taken over"] == 1 })
	serial, err = here.send(location(5)) // what comes from the old address is a stranger's now
	w.must(err)
	if result, err := here.answerTo(jt808.IDLocation, serial, patience); err != nil || result == jt808.ResultOK {
		t.Errorf("a report from the old address is answered with %v, %v", result, err)
	}
	if n := w.bridge.Sessions().Len(); n != 1 {
		t.Errorf("there are %d sessions", n)
	}
}
