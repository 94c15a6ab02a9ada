package jt808

import (
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/simulate/internal/crew"
)

// state is how far a terminal has come.
type state uint8

const (
	stateWaiting        state = iota // for the time to connect
	stateConnecting                  // the connection is being made
	stateRegistering                 // 0x0100 is sent
	stateAuthenticating              // 0x0102 is sent
	stateOnline                      // authenticated
	stateEnded                       // the fleet has ended
)

// String is "waiting", "connecting", "registering", "authenticating", "online"
// or "ended".
func (s state) String() string {
	return [...]string{"waiting", "connecting", "registering", "authenticating", "online", "ended"}[s]
}

// terminal is one simulated terminal. What is not constant is guarded by mu,
// which its shard's goroutine and the reader of its connection hold while they do
// something for it; neither waits for the network meanwhile.
type terminal struct {
	fleet   *Fleet
	shard   *shard
	name    string // its phone number
	phone   jt808.Phone
	source  net.IP
	version jt808.Version
	fault   Fault

	entry crew.Entry[*terminal] // on the shard's agenda

	mu     sync.Mutex
	state  state
	rng    rand.PCG
	serial uint16 // of the next message
	code   string // that it authenticates with; "" when it is not registered

	link       link
	ask        request // registration or authentication, then heartbeats
	attempts   int     // to connect, since it was last online
	connectAt  int64
	loggedIn   bool  // has been online: makes reports since
	nextReport int64 // never before it has been online
	nextBeat   int64
	nextBreak  int64 // when it breaks the connection off
	heartbeat  int64 // ns; 0: none
	interval   int64 // between reports, ns; never: none
	tracking   tracking

	drive    drive
	backlog  backlog
	commands commands

	sent, acked, refused, lost, reconnects uint64
}

// link is a terminal's connection.
type link struct {
	conn    net.Conn
	raw     syscall.RawConn // nil if it has none
	began   int64
	out     []byte // what could not be written yet
	flushAt int64  // when to try again; never with nothing in out
	stuck   int64  // since when nothing could be written
	frames  int    // written, for faults
}

// request is a message that waits for its answer, one at a time.
type request struct {
	id       jt808.ID // 0: none
	serial   uint16
	attempts int
	sent     int64 // the first time
	due      int64 // when it is sent again
}

// tracking is what 0x8202 made of a terminal's interval.
type tracking struct {
	until    int64 // 0: none
	interval int64 // ns
}

func (t *terminal) init(f *Fleet, i int) {
	t.fleet, t.shard = f, f.shards[i%len(f.shards)]
	t.entry.Value = t
	t.fault = f.cfg.Faults.of(i, f.cfg.Devices)
	t.rng.Seed(f.cfg.Seed, uint64(i)) //nolint:gosec // an index
	t.heartbeat, t.interval = int64(f.cfg.Heartbeat), f.interval
	t.nextReport, t.nextBeat, t.nextBreak = never, never, never
	t.link.flushAt = never
	t.drive.init(t)
}

// random is a number from 0 to 1, without 1.
func (t *terminal) random() float64 { return float64(t.rng.Uint64()>>11) / (1 << 53) }

// chance is true that share of times.
func (t *terminal) chance(share float64) bool { return share > 0 && t.random() < share }

// run does what is due, for the shard's goroutine.
func (t *terminal) run(now int64, w *scratch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w.reset()
	t.makeReport(now, w)
	switch t.state {
	case stateWaiting:
		if now >= t.connectAt {
			t.connect()
		}
	case stateRegistering, stateAuthenticating:
		t.askAgain(now, w)
	case stateOnline:
		t.online(now, w)
	case stateConnecting, stateEnded:
	}
	t.send(now, w)
	t.flush(now, w)
	t.schedule()
}

// online does what is due on an authenticated connection.
func (t *terminal) online(now int64, w *scratch) {
	if now >= t.nextBreak {
		t.nextBreak = never
		t.shard.broken.Add(1)
		t.drop(now, errChurn)
		return
	}
	t.askAgain(now, w)
	if t.state == stateOnline && now >= t.nextBeat {
		t.nextBeat = next(t.nextBeat, now, t.heartbeat)
		if t.ask.id == 0 {
			t.request(now, w, &heartbeatBody)
		}
	}
	if t.state == stateOnline {
		t.resend(now, w)
		t.sendBacklog(now, w)
		t.commands.answerLater(t, now, w)
	}
}

var heartbeatBody jt808.Heartbeat // it has no content

// next is when something comes that happens every interval and was due at due:
// without drift, but never in a burst to catch up.
func next(due, now, interval int64) int64 {
	if interval <= 0 || interval == never {
		return never
	}
	if due += interval; due > now {
		return due
	}
	return now + interval
}

// schedule tells the shard when something is due next.
func (t *terminal) schedule() {
	due := int64(never)
	switch t.state {
	case stateEnded:
	case stateWaiting:
		due = min(t.connectAt, t.nextReport)
	case stateConnecting:
		due = t.nextReport
	case stateRegistering, stateAuthenticating:
		due = min(t.ask.when(), t.nextReport, t.link.flushAt)
	case stateOnline:
		due = min(t.ask.when(), t.nextReport, t.link.flushAt, t.nextBeat, t.nextBreak, t.backlog.retryAt, t.commands.when())
	}
	t.shard.set(t, due)
}

// when is when the request is to be sent again.
func (r *request) when() int64 {
	if r.id == 0 {
		return never
	}
	return r.due
}

// end closes what is open when the fleet has ended.
func (t *terminal) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.close(nil)
	t.state = stateEnded
}

// backoff is how long to wait before attempt n to connect, from 1: twice as long
// each time, and jittered, so that a fleet does not come back at one moment.
func (t *terminal) backoff(n int) int64 {
	least, most := int64(t.fleet.cfg.BackoffMin), int64(t.fleet.cfg.BackoffMax)
	wait := most
	if n < 32 && least<<(n-1) < most && least<<(n-1) > 0 {
		wait = least << (n - 1)
	}
	return wait/2 + int64(t.random()*float64(wait)/2) + int64(time.Microsecond)
}
