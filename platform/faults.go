package platform

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/platform/api"
)

// faults are what the platform does wrong on purpose.
type faults struct {
	active atomic.Bool  // silent or a delay: looked at for every reply
	frozen atomic.Bool  // looked at for every read
	armed  atomic.Int32 // rules: looked at for everything

	mu       sync.Mutex
	logins   api.Refusal   // guarded by mu
	connects api.Refusal   // guarded by mu
	requests api.Refusal   // guarded by mu
	silent   bool          // guarded by mu
	delay    time.Duration // guarded by mu
	queue    []delayed     // guarded by mu: what waits, in the order it is due
	rules    []*rule       // guarded by mu: oldest first
	last     int           // guarded by mu: ID of the newest rule
	wake     chan struct{} // the queue has another head
	thaw     chan struct{} // guarded by mu: closed when the frost ends
}

// delayed is something that waits to be done.
type delayed struct {
	due  time.Time
	send func()
	lost func() // instead, when too much waits; nil: nothing
}

// maxDelayed bounds what waits; more is lost.
const maxDelayed = 100_000

func (f *faults) init() { f.wake = make(chan struct{}, 1) }

// spend takes one refusal.
func spend(r *api.Refusal) bool {
	if r.Count > 0 {
		r.Count--
		return true
	}
	return r.Count < 0
}

func (f *faults) login() (Code, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Code(f.logins.Code), spend(&f.logins)
}

// request is about registrations, topology and HTTP authentication.
func (f *faults) request() (Code, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Code(f.requests.Code), spend(&f.requests)
}

func (f *faults) connect() (byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return byte(f.connects.Code), spend(&f.connects)
}

func (f *faults) replies() (silent bool, delay time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.silent, f.delay
}

// later queues something to be done.
func (f *faults) later(d delayed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) >= maxDelayed && d.lost != nil {
		d.lost()
		return
	}
	i := len(f.queue)
	for i > 0 && f.queue[i-1].due.After(d.due) { // most are due last
		i--
	}
	f.queue = slices.Insert(f.queue, i, d)
	if i > 0 {
		return
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// due takes the first of what waits when its time has come. wait is how long
// that is off; below 0: nothing waits.
func (f *faults) due(now time.Time) (d delayed, wait time.Duration, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		return d, -1, false
	}
	if wait = f.queue[0].due.Sub(now); wait > 0 {
		return d, wait, false
	}
	d = f.queue[0]
	f.queue[0] = delayed{}
	f.queue = f.queue[1:]
	return d, 0, true
}

// run does what waits until the platform closes, which waits for it.
func (f *faults) run(p *Platform) {
	defer p.wg.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		d, wait, ok := f.due(p.now())
		if ok {
			d.send()
			continue
		}
		var at <-chan time.Time
		if wait > 0 {
			timer.Reset(wait)
			at = timer.C
		}
		select {
		case <-at:
		case <-f.wake:
		case <-p.closing:
			return
		}
	}
}

// SetFaults changes what the platform does wrong on purpose; what f leaves out
// stays as it is. Disconnect happens at once.
func (p *Platform) SetFaults(f api.Faults) error {
	if f.RefuseConnects != nil && f.RefuseConnects.Count != 0 && (f.RefuseConnects.Code < 1 || f.RefuseConnects.Code > 5) {
		return badRequest("refuseConnects.code is %d; CONNACK has 1 to 5", f.RefuseConnects.Code)
	}
	if f.RefuseLogins != nil && f.RefuseLogins.Count != 0 && f.RefuseLogins.Code <= 200 {
		return badRequest("refuseLogins.code is %d; want one of the vendor's, like 429 or 6401", f.RefuseLogins.Code)
	}
	if f.RefuseRequests != nil && f.RefuseRequests.Count != 0 && f.RefuseRequests.Code <= 200 {
		return badRequest("refuseRequests.code is %d; want one of the vendor's, like 460 or 6402", f.RefuseRequests.Code)
	}
	if f.Delay != nil && *f.Delay < 0 {
		return badRequest("delay is below 0")
	}
	p.faults.set(f)
	if f.Disconnect == "" {
		return nil
	}
	return p.Disconnect(f.Disconnect)
}

func (f *faults) set(n api.Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n.RefuseLogins != nil {
		f.logins = *n.RefuseLogins
	}
	if n.RefuseConnects != nil {
		f.connects = *n.RefuseConnects
	}
	if n.RefuseRequests != nil {
		f.requests = *n.RefuseRequests
	}
	if n.Silent != nil {
		f.silent = *n.Silent
	}
	if n.Delay != nil {
		f.delay = time.Duration(*n.Delay)
	}
	f.active.Store(f.silent || f.delay > 0)
	if n.Frozen == nil || *n.Frozen == f.frozen.Load() {
		return
	}
	if *n.Frozen {
		f.thaw = make(chan struct{})
	} else {
		close(f.thaw)
	}
	f.frozen.Store(*n.Frozen)
}

// wait returns when the frost ends, or the connection or the platform does.
func (f *faults) wait(closed, closing <-chan struct{}) {
	f.mu.Lock()
	thaw := f.thaw
	f.mu.Unlock()
	if thaw == nil {
		return
	}
	select {
	case <-thaw:
	case <-closed:
	case <-closing:
	}
}

// Faults is what the platform does wrong on purpose now.
func (p *Platform) Faults() api.Faults {
	f := &p.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	logins, connects, requests, silent, frozen, delay := f.logins, f.connects, f.requests, f.silent, f.frozen.Load(), api.Duration(f.delay)
	return api.Faults{RefuseLogins: &logins, RefuseConnects: &connects, RefuseRequests: &requests, Silent: &silent, Frozen: &frozen, Delay: &delay}
}

// ClearFaults makes the platform behave again.
func (p *Platform) ClearFaults() {
	no, delay := false, api.Duration(0)
	p.faults.endRules()
	p.faults.set(api.Faults{RefuseLogins: &api.Refusal{}, RefuseConnects: &api.Refusal{}, RefuseRequests: &api.Refusal{}, Silent: &no, Frozen: &no, Delay: &delay})
}

// Disconnect closes connections without a word, as a network does: "all" of
// them, or that of one productKey/deviceName.
func (p *Platform) Disconnect(which string) error {
	p.mu.RLock()
	var list []*link
	if which == "all" {
		for l := range p.links {
			list = append(list, l)
		}
	} else if k, ok := parseKey(which); ok && p.devices[k] != nil && p.devices[k].link != nil {
		list = append(list, p.devices[k].link)
	}
	p.mu.RUnlock()
	if which != "all" && len(list) == 0 {
		return badRequest("disconnect: %q is neither all nor a productKey/deviceName with a connection of its own", which)
	}
	for _, l := range list {
		l.stop(onPurpose)
	}
	return nil
}
