package aliyun

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
)

const (
	firstTooFast = 15 * time.Second // of a device that the platform has called too fast
	maxTooFast   = 2 * time.Minute
	paceWindow   = time.Minute
)

// pacer keeps each device to the logins that the platform takes of it within a
// minute, and to growing pauses once the platform has said 429. It remembers why the
// platform has refused a device that may not be asked about now. Its methods may be called
// from any goroutine.
type pacer struct {
	limit int // logins of a device in a minute; 0: only what the platform says counts

	mu      sync.Mutex
	devices map[string]*pace // guarded by mu; those who asked within the last minutes
	swept   int64            // guarded by mu: milliseconds
}

// pace is one device's.
type pace struct {
	asked  []int64 // milliseconds; of the logins within the last minute
	until  int64   // milliseconds; no login before
	refuse uint8   // times in a row that the platform said 429
	word   *word   // the platform's last, if that was a refusal for good
}

// word is a refusal for good.
type word struct {
	no     *upstream.RefusedError
	secret auth.Secret // of the device that was refused
	at     int64       // milliseconds
}

func newPacer(limit int) *pacer { return &pacer{limit: limit, devices: map[string]*pace{}} }

// ask counts a login of the device, or says how long it has to wait for one.
func (p *pacer) ask(name string, now int64) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep(now)
	d := p.devices[name]
	if d == nil {
		if p.limit == 0 {
			return 0
		}
		d = &pace{asked: make([]int64, 0, p.limit)}
		p.devices[name] = d
	}
	d.expire(now)
	until := d.until
	if p.limit > 0 && len(d.asked) >= p.limit {
		until = max(until, d.asked[len(d.asked)-p.limit]+paceWindow.Milliseconds())
	}
	if until > now {
		return time.Duration(until-now) * time.Millisecond
	}
	if p.limit > 0 {
		d.asked = append(d.asked, now)
	}
	return 0
}

// tooFast notes that the platform has refused the device's login with 429.
func (p *pacer) tooFast(name string, now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.devices[name]
	if d == nil {
		d = &pace{}
		p.devices[name] = d
	}
	pause := min(firstTooFast<<min(d.refuse, 8), maxTooFast)
	if d.refuse < 255 {
		d.refuse++
	}
	d.until = now + jitter(pause).Milliseconds()
}

// fine notes that the device is logged in.
func (p *pacer) fine(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.devices[name]; d != nil {
		d.until, d.refuse, d.word = 0, 0, nil
	}
}

// refused notes what the platform has said about a device with that secret, if that is
// a refusal for good.
func (p *pacer) refused(name string, secret auth.Secret, err error, now int64) {
	var no *upstream.RefusedError
	if !errors.As(err, &no) || no.Temporary || no.Repeated {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep(now)
	d := p.devices[name]
	if d == nil {
		d = &pace{}
		p.devices[name] = d
	}
	d.word = &word{no, secret, now}
}

// lastWord is why the platform does not let the device with that secret in, nil if
// that is not known.
func (p *pacer) lastWord(name string, secret auth.Secret) *upstream.RefusedError {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.devices[name]
	if d == nil || d.word == nil || d.word.secret != secret {
		return nil
	}
	return d.word.no.Repeat()
}

// forgive notes that the platform has enabled the device.
func (p *pacer) forgive(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.devices[name]; d != nil {
		d.word = nil
	}
}

// expire forgets logins that are older than a minute.
func (d *pace) expire(now int64) {
	n := 0
	for n < len(d.asked) && now-d.asked[n] >= paceWindow.Milliseconds() {
		n++
	}
	d.asked = append(d.asked[:0], d.asked[n:]...)
}

// sweep forgets devices that nothing counts of any more, once a minute. mu is
// held.
func (p *pacer) sweep(now int64) {
	if now-p.swept < paceWindow.Milliseconds() {
		return
	}
	p.swept = now
	for name, d := range p.devices {
		last := d.until
		if d.word != nil {
			last = max(last, d.word.at)
		}
		if d.expire(now); len(d.asked) == 0 && now-last > 2*maxTooFast.Milliseconds() {
			delete(p.devices, name)
		}
	}
}

// size is how many devices are remembered.
func (p *pacer) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.devices)
}

// paced is the part of a batch that may be asked for now. The others wait, or are
// told what the platform said last, without asking it: that it does not let them in, or
// else that they are too fast. mu is held.
func (g *gateway) paced(batch []*device) []*device {
	now := time.Now().UnixMilli()
	return slices.DeleteFunc(batch, func(d *device) bool {
		wait := g.connector.pacer.ask(d.name(), now)
		if wait <= 0 {
			return false
		}
		g.stats.paced++
		if h := d.current; h != nil && h.done == nil {
			d.state, d.retryAt = pausing, now+wait.Milliseconds()
			return true
		}
		err := g.connector.pacer.lastWord(d.name(), d.given())
		if err == nil {
			err = refused(codeTooFast, "")
		}
		err.Reason += "; its next login is asked for in " + wait.Round(time.Second).String() + " at the earliest"
		g.notLoggedIn(d, err, giveUp)
		return true
	})
}

// lastWord notes what the platform has said about a device, for the time in which it is not
// asked. mu is held.
func (g *gateway) lastWord(d *device, err error) {
	g.connector.pacer.refused(d.name(), d.given(), err, time.Now().UnixMilli())
}

// note takes note of why the platform did not log a device in, for its next login
// or for those of others. mu is held.
func (g *gateway) note(d *device, err error, what reaction) {
	switch what {
	case backOff:
		g.connector.pacer.tooFast(d.name(), time.Now().UnixMilli())
	case nextGateway:
		g.full()
	case giveUp:
		var r *upstream.RefusedError
		if !errors.As(err, &r) || r.Repeated {
			return
		}
		switch {
		case r.Code == codeBadSign && d.bare:
			name := d.name()
			g.later(func() { g.connector.doubt(name) })
		case r.Code == codeNoDevice:
			g.found(d)
		}
	case retryLater, addTopology, loginAgain:
	}
}
