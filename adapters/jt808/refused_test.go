package jt808

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/protocol"
)

// wantRefused checks that one refusal was told for the log, of the terminal, with those
// words and without the code.
func (x *terminal) wantRefused(code string, words ...string) {
	x.t.Helper()
	if len(x.Refused) != 1 || x.Refused[0].Identity != digits {
		x.t.Fatalf("refused %v, want %s once", x.Refused, digits)
	}
	text := x.Refused[0].Err.Error()
	for _, word := range words {
		if !strings.Contains(text, word) {
			x.t.Errorf("the log has %q, want %q in it", text, word)
		}
	}
	if code != "" && strings.Contains(text, code) {
		x.t.Errorf("the log has the code: %q", text)
	}
	x.Refused = nil
}

// A terminal with a wrong or an old code is named in the log, with what is wrong.
func TestRefusedCodesAreTold(t *testing.T) {
	t.Parallel()
	x := dial(t, withKey)
	x.say(&jt808.Authenticate{Code: "terminals-own-code"})
	x.wantRefused("terminals-own-code", "no code of ours")
	foreign := x.code(New("jt808"))
	x.say(&jt808.Authenticate{Code: foreign})
	x.wantRefused(foreign, "another key", "another terminal")

	old := dial(t, withKey, func(c *Config) { c.Authentication.Lifetime = time.Hour })
	code := old.code(New("jt808"), withKey)
	old.Advance(2 * time.Hour)
	old.say(&jt808.Authenticate{Code: code})
	if len(old.Refused) == 1 && !errors.Is(old.Refused[0].Err, auth.ErrBadCredentials) {
		t.Errorf("refused for %v", old.Refused[0].Err)
	}
	old.wantRefused(code, "too old", "2h0m0s", "authentication.lifetime")
}

// A terminal that sends messages without a login is named once on its connection.
func TestStrangersAreTold(t *testing.T) {
	t.Parallel()
	x := dial(t)
	x.say(x.place())
	x.say(x.place())
	x.say(&jt808.Heartbeat{})
	x.wantRefused("", "0x0200", "not authenticated")
	x.join()
	own := x.phone
	x.phone = phoneOf(t, "13900139000", jt808.V2013)
	x.say(x.place())
	if len(x.Refused) != 1 || x.Refused[0].Identity != "13900139000" {
		t.Errorf("refused %v, want the other number", x.Refused)
	}
	x.phone, x.Refused = own, nil
	x.say(&jt808.Logout{})
	x.say(&jt808.Logout{})
	if len(x.Refused) != 0 {
		t.Errorf("a logout is refused: %v", x.Refused)
	}
	x.say(x.place())
	x.wantRefused("", "0x0200")
}

// sealed is one frame of the terminal's with an encrypted body.
func (x *terminal) sealed(id jt808.ID, change func(*jt808.Header)) []byte {
	x.t.Helper()
	h := jt808.Header{ID: id, Version: x.version, Phone: x.phone, Serial: x.serial, Encryption: 1}
	if change != nil {
		change(&h)
	}
	x.serial++
	b, err := jt808.AppendFrame(nil, &jt808.Frame{Header: h, Body: []byte("\x01\x02\x03\x04")})
	if err != nil {
		x.t.Fatal(err)
	}
	return b
}

// What is encrypted is answered as not supported, whatever it is, and is a fault.
func TestEncryptedBodies(t *testing.T) {
	t.Parallel()
	p := New("jt808")
	x := dialVersion(t, jt808.V2013, p)
	check := func(answered bool, id jt808.ID, change func(*jt808.Header)) {
		t.Helper()
		x.Faults = nil
		x.Send(x.sealed(id, change))
		if got := x.heard(); answered {
			x.wantAnswer(got, id, jt808.ResultUnsupported)
		} else if len(got) != 0 {
			t.Errorf("%v was answered: %v", id, ids(got))
		}
		var e *jt808.EncryptedError
		if len(x.Faults) != 1 || !errors.Is(x.Faults[0].Err, protocol.ErrUnsupported) || !errors.As(x.Faults[0].Err, &e) || e.Header.ID != id {
			t.Errorf("%v: faults %v", id, x.Faults)
		}
	}
	all := func() {
		t.Helper()
		for _, id := range []jt808.ID{jt808.IDRegister, jt808.IDAuthenticate, jt808.IDLocation, jt808.IDLogout, jt808.IDTimeRequest, jt808.IDResendRequest, jt808.IDMediaData, 0x0F00} {
			check(true, id, nil)
		}
		check(true, jt808.IDLocation, func(h *jt808.Header) { h.Total, h.Index = 2, 1 })
		check(false, jt808.IDTerminalResponse, nil)
		check(false, jt808.IDParameters, nil)
	}
	all()
	if len(x.Tried) != 0 {
		t.Errorf("logins %v", x.Tried)
	}
	x.join()
	all()
	if s := p.Stats().(Stats); s.Encrypted != 22 || s.Malformed != 0 || s.Strangers != 0 || s.Packages != 0 || len(x.Said) != 0 || len(x.Live()) != 1 {
		t.Errorf("stats %+v, said %v, online %v", s, names(x.Said), x.Live())
	}
	x.wantAnswer(x.say(x.place()), jt808.IDLocation, jt808.ResultOK)
}

// A terminal that sends nothing but encrypted frames is let go of, as one that sends
// damaged ones is.
func TestTooManyEncryptedBodies(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	x.MaxFaults = 3
	for range 5 {
		if !x.Closed {
			x.Send(x.sealed(jt808.IDLocation, nil))
		}
	}
	if !x.Closed || len(x.Faults) != 3 {
		t.Errorf("closed %v after %d faults", x.Closed, len(x.Faults))
	}
}
