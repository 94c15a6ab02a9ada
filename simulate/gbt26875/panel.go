package gbt26875

import (
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/simulate/internal/crew"
)

// state is how far a panel has come.
type state uint8

const (
	stateWaiting    state = iota // for the time to connect
	stateConnecting              // the connection is being made
	stateConnected
	stateEnded // the fleet has ended
)

// String is "waiting", "connecting", "connected" or "ended".
func (s state) String() string {
	return [...]string{"waiting", "connecting", "connected", "ended"}[s]
}

// panel is one simulated panel. What is not constant is guarded by mu, which its
// shard's goroutine and the reader of its connection hold while they do something
// for it; neither waits for the network meanwhile.
type panel struct {
	fleet   *Fleet
	shard   *shard
	number  int // from 1
	name    string
	address gbt26875.Address
	source  net.IP
	fault   Fault
	form    string // of heartbeats

	entry crew.Entry[*panel] // on the shard's agenda

	mu     sync.Mutex
	state  state
	rng    rand.PCG
	serial uint16 // of the next frame
	link   link

	attempts  int // to connect, since a frame was last confirmed
	connects  uint64
	connectAt int64
	stateAt   int64 // next routine report
	beatAt    int64 // next heartbeat
	breakAt   int64 // when it breaks the connection off
	fireAt    int64 // next fire by chance
	faultAt   int64 // next fault of a part by chance
	endAt     int64 // when the first of the fires and faults that last for a time ends
	postAt    int64 // when somebody answers a check of the post

	clock      clock
	parts      []part
	device     gbt26875.DeviceBits // besides what the parts make of it
	turn       int                 // of routine reports
	chunk      int                 // first part of the next report of parts
	fires      uint64              // until now
	operations []operation         // the last ones, at the device
	reports    []report            // not confirmed, the oldest first
	retryAt    int64               // not after the first report is to be sent again
	spare      []byte              // data of a report that has gone

	sent, acked, refused, lost, commands uint64
}

func (p *panel) init(f *Fleet, i int) {
	p.fleet, p.shard, p.number = f, f.shards[i%len(f.shards)], i+1
	p.entry.Value = p
	p.fault, p.form = f.cfg.Faults.of(i, f.cfg.Devices), f.cfg.formOf(i)
	p.rng.Seed(f.cfg.Seed, uint64(i)) //nolint:gosec // an index
	p.address = gbt26875.NewAddress(f.first + uint64(i))
	p.name = p.address.String()
	p.stateAt, p.beatAt, p.breakAt, p.endAt, p.postAt, p.retryAt = never, never, never, never, never, never
	p.fireAt, p.faultAt, p.link.flushAt = never, never, never
	for n := range p.parts {
		p.parts[n] = part{state: gbt26875.PartNormal, until: never}
	}
	p.device = gbt26875.DeviceNormal
	p.clock = clock{
		ahead: time.Duration((2*p.random() - 1) * float64(f.cfg.ClockOffset)),
		rate:  (2*p.random() - 1) * f.cfg.ClockDrift / 86400,
	}
}

// random is a number from 0 to 1, without 1.
func (p *panel) random() float64 { return float64(p.rng.Uint64()>>11) / (1 << 53) }

// chance is true that share of times.
func (p *panel) chance(share float64) bool { return share > 0 && p.random() < share }

// exponential is a time after which something happens that happens at random, once
// in mean on average.
func (p *panel) exponential(mean float64) int64 {
	return int64(min(-mean*math.Log(1-p.random()), float64(never/2)))
}

// phase is when something happens first that happens every interval.
func (p *panel) phase(now, interval int64) int64 {
	if interval <= 0 || interval == never {
		return never
	}
	return now + int64(p.random()*float64(interval))
}

// next is when something comes that happens every interval and was due at due:
// without drift, but never in a burst to catch up.
func next(due, now, interval int64) int64 {
	if due += interval; due > now {
		return due
	}
	return now + interval
}

// backoff is how long to wait before attempt n to connect, from 1: twice as long
// each time, and jittered, so that a fleet does not come back at one moment.
func (p *panel) backoff(n int) int64 {
	least, most := int64(p.fleet.cfg.BackoffMin), int64(p.fleet.cfg.BackoffMax)
	wait := most
	if n < 32 && least<<(n-1) < most && least<<(n-1) > 0 {
		wait = least << (n - 1)
	}
	return wait/2 + int64(p.random()*float64(wait)/2) + int64(time.Microsecond)
}

// run does what is due, for the shard's goroutine.
func (p *panel) run(now int64, w *scratch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.reset()
	p.happen(now, w)
	switch p.state {
	case stateWaiting:
		if now >= p.connectAt {
			p.connect()
		}
	case stateConnected:
		p.connected(now, w)
	case stateConnecting, stateEnded:
	}
	p.send(now, w)
	p.flush(now, w)
	p.schedule()
}

// connected does what is due on a connection.
func (p *panel) connected(now int64, w *scratch) {
	if now >= p.breakAt {
		p.shard.broken.Add(1)
		p.drop(now, errChurn)
		return
	}
	if now >= p.stateAt {
		if late := now - p.stateAt; late > p.fleet.interval {
			p.shard.skipped.Add(uint64(late / p.fleet.interval)) //nolint:gosec // positive
		}
		p.stateAt = next(p.stateAt, now, p.fleet.interval)
		p.routine(now, w)
	}
	if now >= p.beatAt {
		p.beatAt = next(p.beatAt, now, int64(p.fleet.cfg.Heartbeat))
		p.beat(now, w)
	}
	p.resend(now, w)
	p.pump(now, w)
}

// schedule tells the shard when something is due next.
func (p *panel) schedule() {
	due := int64(never)
	if p.state != stateEnded {
		due = min(p.fireAt, p.faultAt, p.endAt, p.postAt)
	}
	switch p.state {
	case stateWaiting:
		due = min(due, p.connectAt)
	case stateConnected:
		due = min(due, p.stateAt, p.beatAt, p.breakAt, p.retryAt, p.link.flushAt)
	case stateConnecting, stateEnded:
	}
	p.shard.set(p, due)
}

// end closes what is open when the fleet has ended.
func (p *panel) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.close(nil)
	p.state = stateEnded
}
