package jt808

import (
	"fmt"
	"math"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/codec/jt808"
)

// login registers, or authenticates if the terminal has a code.
func (t *terminal) login(now int64, w *scratch) {
	if t.code == "" {
		t.state = stateRegistering
		t.request(now, w, t.registration())
		return
	}
	t.state = stateAuthenticating
	t.request(now, w, t.authentication())
}

// request puts a message that has to be answered into w.
func (t *terminal) request(now int64, w *scratch, b jt808.Body) {
	t.ask = request{id: b.ID(), sent: now, due: now + int64(t.fleet.cfg.AckTimeout), serial: t.put(w, b)}
}

// askAgain sends the request again if it is due: after T, 2T, 6T, ... (JT/T
// 808-2019 7.2), and gives up when it was sent often enough.
func (t *terminal) askAgain(now int64, w *scratch) {
	if t.fault == FaultNeverReads && t.state == stateOnline {
		t.ask = request{} // it cannot know
	}
	if t.ask.id == 0 || now < t.ask.due {
		return
	}
	if t.ask.attempts++; t.ask.attempts > t.fleet.cfg.Retries {
		t.shard.silences.Add(1)
		t.drop(now, errSilent)
		return
	}
	t.ask.due = now + retryAfter(int64(t.fleet.cfg.AckTimeout), t.ask.attempts)
	t.shard.resent[kindOf(t.ask.id)].Add(1)
	var body jt808.Body = &heartbeatBody
	switch t.ask.id {
	case jt808.IDRegister:
		body = t.registration()
	case jt808.IDAuthenticate:
		body = t.authentication()
	default:
	}
	t.putAs(w, body, t.ask.serial)
}

// retryAfter is the wait for an answer after the message was sent again n times.
func retryAfter(timeout int64, n int) int64 {
	for i := 1; i <= n && timeout < int64(1)<<50; i++ {
		timeout *= int64(i) + 1
	}
	return timeout
}

// registration is the terminal's message 0x0100.
func (t *terminal) registration() *jt808.Register {
	id := t.name
	if len(id) > 7 {
		id = id[len(id)-7:]
	}
	r := &jt808.Register{
		Layout: t.version, Province: 44, City: 300, Manufacturer: "LKSPN", Model: "LS-S1", TerminalID: id,
		PlateColor: jt808.PlateYellow, Plate: t.plate(),
	}
	if t.version == jt808.V2019 {
		r.TerminalID = "LS" + t.name
	}
	return r
}

// plate is the number plate of the terminal's vehicle.
func (t *terminal) plate() string {
	id := "00000" + t.name
	return "粤B" + id[len(id)-5:]
}

func (t *terminal) authentication() *jt808.Authenticate {
	return &jt808.Authenticate{Code: t.code, IMEI: t.imei(), Software: "LS-S1 1.4.2"}
}

// imei has the terminal's number in it.
func (t *terminal) imei() string {
	id := fmt.Sprintf("86%012s", t.name)
	return id[:14] + "0"
}

// registered takes the answer to the registration.
func (t *terminal) registered(now int64, w *scratch, f *jt808.Frame) {
	var r jt808.RegisterResponse
	if err := r.ParseBody(f.Body, f.Version); err != nil {
		t.shard.badFrames.Add(1)
		return
	}
	if t.state != stateRegistering || r.Serial != t.ask.serial {
		t.shard.strayAcks.Add(1)
		return
	}
	t.answered(now, r.Result == jt808.RegisterOK)
	if r.Result != jt808.RegisterOK {
		t.fleet.log.Warn("registration refused", zap.String("device", t.name), zap.Uint8("result", uint8(r.Result)))
		t.drop(now, errRefused)
		return
	}
	t.code = r.Code
	t.state = stateAuthenticating
	t.request(now, w, t.authentication())
}

// answered counts the answer to the request.
func (t *terminal) answered(now int64, ok bool) {
	k := kindOf(t.ask.id)
	t.shard.latency[k].Add(now - t.ask.sent)
	if ok {
		t.shard.acked[k].Add(1)
	} else {
		t.shard.refused[k].Add(1)
	}
	t.ask = request{}
}

// authenticated takes the answer to the authentication.
func (t *terminal) authenticated(now int64, w *scratch, ok bool) {
	fresh := t.link.frames > 1 // it registered on this connection
	t.answered(now, ok)
	if !ok {
		t.code = ""
		if fresh {
			t.fleet.log.Warn("authentication refused", zap.String("device", t.name))
			t.drop(now, errRefused)
			return
		}
		t.login(now, w) // the code may be an old one
		return
	}
	t.shard.online.Add(1)
	t.shard.latency[kindLogin].Add(now - t.link.began)
	t.state, t.attempts = stateOnline, 0
	t.nextBeat = phase(now, t.heartbeat, t.random())
	if c := t.fleet.cfg.Churn; c > 0 {
		t.nextBreak = now + exponential(60e9/c, t.random())
	}
	if t.loggedIn {
		t.reconnects++
		t.shard.reconnects.Add(1)
	} else {
		t.loggedIn = true
		t.drive.at = now
		t.nextReport = phase(now, t.interval, t.random())
	}
	t.sendBacklog(now, w)
}

// exponential is a time after which something happens that happens at random, once
// in mean on average.
func exponential(mean, random float64) int64 {
	return int64(-mean * math.Log(1-random))
}

// phase is when something happens first that happens every interval.
func phase(now, interval int64, random float64) int64 {
	if interval <= 0 || interval == never {
		return never
	}
	return now + int64(random*float64(interval))
}
