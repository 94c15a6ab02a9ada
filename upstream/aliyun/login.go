package aliyun

import (
	"slices"
	"strconv"
	"time"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/internal/inorder"
)

const (
	maxLogins    = 16              // requests of logins that wait for their reply
	maxBackOff   = 2 * time.Minute // between logins after a reconnect
	firstBackOff = time.Second
)

// login begins a login. mu is held, and released.
func (g *gateway) login(d *device, l *upstream.Login, done func(upstream.Device, error)) {
	defer g.mu.Unlock()
	if g.closing {
		g.later(func() { done(nil, upstream.ErrClosed) })
		g.forget(d)
		return
	}
	if d.bare && l.Device.DeviceSecret == "" && d.state != offline {
		l.Device.DeviceSecret = d.secret // it is being got, or could not be kept
	}
	h := &handle{command: l.Command, lost: l.Lost, order: inorder.Login{Wanted: l.InOrder}, done: done}
	h.at.Store(d)
	if old := d.current; old != nil {
		old.err = upstream.ErrSuperseded
		h.early, old.early = old.early, nil
		g.stats.superseded++
		g.loginDone(old, nil, upstream.ErrSuperseded)
	}
	d.current = h
	if d.left != nil && d.state != leaving {
		g.leftNow(d, nil) // it was to leave once it was logged in, and now stays for h
	}
	changed := d.secret != l.Device.DeviceSecret
	d.secret = l.Device.DeviceSecret
	d.attempts = 0
	switch d.state {
	case online:
		if !changed {
			g.loginDone(h, h, nil)
			return
		}
		g.offlineForNow(d)
		g.wantLogin(d)
	case offline, pausing:
		g.wantLogin(d)
	case wanted, leaving: // is going to be logged in anyway
	default:
		d.again = d.again || changed
	}
	d.retryAt = time.Now().UnixMilli() + g.cfg.RequestTimeout.Milliseconds()
}

// loginDone calls a login's done, once. mu is held.
func (g *gateway) loginDone(h *handle, d *handle, err error) {
	done := h.done
	if done == nil {
		return
	}
	early := h.early
	h.done, h.early = nil, nil
	if err != nil {
		g.stats.unknown += uint64(len(early))
		g.later(func() { done(nil, err) })
		return
	}
	g.stats.logins++
	g.stats.commands += uint64(len(early))
	g.later(func() {
		done(d, nil)
		for _, c := range early {
			h.command(c)
		}
	})
}

// wantLogin has logIn log a device in. mu is held.
func (g *gateway) wantLogin(d *device) {
	d.state = wanted
	if g.link == nil || d.inWanted {
		return // serve wants all that are offline
	}
	d.inWanted = true
	g.wanted = append(g.wanted, d)
	signal(g.link.logWake)
}

// offlineForNow takes a device off that is going to be logged in again. mu is
// held.
func (g *gateway) offlineForNow(d *device) {
	d.state = wanted
	var keep sendQueue
	for g.queue.head != nil {
		if m := g.queue.pop(); m.dev != d {
			keep.push(m)
		}
	}
	g.queue = keep
	g.holdMessages(d)
}

// logIn sends the logins of wanted devices until the link is lost: in batches
// when there are several at a time, and no faster than loginRate.
func (l *link) logIn() {
	wait := time.NewTimer(0)
	<-wait.C
	pause := func(d time.Duration) bool {
		wait.Reset(d)
		select {
		case <-wait.C:
			return true
		case <-l.down:
			return false
		}
	}
	for {
		select {
		case <-l.logWake:
		case <-l.down:
			return
		}
		g := l.g
		for {
			n, free := g.wantedNow()
			if n == 0 || !free {
				break
			}
			if n < g.cfg.BatchLogin && g.cfg.BatchLogin > 1 && g.cfg.GatherWindow > 0 && !pause(g.cfg.GatherWindow) {
				return
			}
			batch := g.takeWanted()
			if len(batch) == 0 {
				break
			}
			now := time.Now()
			delay := g.connector.limiter.ReserveN(now, len(batch)).DelayFrom(now)
			if delay > 0 && !pause(delay+jitter(delay/4)) {
				return // detach wants the batch again
			}
			g.sendLogin(batch)
		}
	}
}

// wantedNow says how many devices want to be logged in, and whether the platform
// may be asked now.
func (g *gateway) wantedNow() (n int, free bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.wanted), g.asked < maxLogins
}

// takeWanted takes a batch of devices to be logged in together, or one alone.
func (g *gateway) takeWanted() (batch []*device) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.wanted) > 0 && len(batch) < g.cfg.BatchLogin {
		d := g.wanted[0]
		if d.alone && len(batch) > 0 {
			break
		}
		g.wanted = g.wanted[1:]
		d.inWanted = false
		if d.state != wanted {
			continue
		}
		batch = append(batch, d)
		if d.alone {
			break
		}
	}
	return batch
}

// sendLogin asks the platform to log a batch in.
func (g *gateway) sendLogin(batch []*device) {
	g.mu.Lock()
	defer g.mu.Unlock()
	batch = slices.DeleteFunc(batch, func(d *device) bool {
		if d.state == wanted && d.current == nil {
			d.state = offline
			g.forget(d)
		}
		return d.state != wanted || d.inWanted
	})
	if len(batch) == 0 || g.link == nil {
		return
	}
	if batch = g.registerFirst(g.paced(batch)); len(batch) == 0 {
		return
	}
	if g.cfg.ManageTopology == TopologyAlways {
		if missing := slices.DeleteFunc(slices.Clone(batch), func(d *device) bool { return d.topology }); len(missing) > 0 {
			g.sendTopology(missing)
			batch = slices.DeleteFunc(batch, func(d *device) bool { return d.state != wanted })
		}
	}
	if len(batch) == 0 {
		return
	}
	id := g.ask(loginRequest, batch)
	stamp := strconv.FormatInt(time.Now().UnixMilli(), 10)
	payload := append([]byte(`{"id":"`), strconv.FormatUint(uint64(id), 10)...)
	payload = append(payload, `","params":`...)
	topic := g.topics.login
	if len(batch) > 1 {
		topic = g.topics.batchLogin
		payload = append(payload, `{"deviceList":[`...)
	}
	for i, d := range batch {
		d.state, d.loginID = loggingIn, id
		if i > 0 {
			payload = append(payload, ',')
		}
		payload = d.appendLogin(payload, g.cfg, stamp)
	}
	if len(batch) > 1 {
		payload = append(payload, `]}`...)
	}
	g.control(topic, append(payload, '}'))
}

// loggedIn goes on with a device that the platform has logged in. mu is held.
func (g *gateway) loggedIn(d *device) {
	d.attempts, d.alone = 0, false
	g.connector.pacer.fine(d.name())
	d.topology = g.cfg.ManageTopology == TopologyAlways
	switch {
	case d.current == nil: // its caller has gone meanwhile
		g.queueLogout(d)
	case d.again:
		d.again = false
		g.wantLogin(d)
	case g.cfg.Subscribe == SubscribeDevice && g.link != nil:
		d.state = subscribing
		g.unsubscribed = append(g.unsubscribed, d)
		signal(g.link.subWake)
	default:
		g.goOnline(d)
	}
}

// subscribed goes on with a device whose subscriptions were answered.
func (g *gateway) subscribed(d *device) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case d.state != subscribing:
	case d.current == nil:
		g.queueLogout(d)
	case d.again:
		d.again = false
		g.wantLogin(d)
	default:
		g.goOnline(d)
	}
}

// subscribeDevices subscribes the topics of devices that were logged in, until
// the link is lost.
func (l *link) subscribeDevices() {
	g := l.g
	for {
		select {
		case <-l.subWake:
		case <-l.down:
			return
		}
		g.mu.Lock()
		if g.link != l { // l was lost, and this was stuck in the wire until now
			g.mu.Unlock()
			return
		}
		devices := g.unsubscribed
		g.unsubscribed = nil
		g.mu.Unlock()
		for _, d := range devices {
			tokens := l.wire.subscribe(deviceFilters(g.cfg, d.name()))
			select {
			case l.subs <- subscription{d, tokens}:
			case <-l.down:
				return
			}
		}
	}
}

// goOnline lets a device's messages go. mu is held.
func (g *gateway) goOnline(d *device) {
	d.state = online
	if d.current.done == nil {
		g.stats.relogins++
	}
	g.loginDone(d.current, d.current, nil)
	for m := d.head; m != nil; m = m.next {
		if m.state == waiting {
			g.queueOrWait(d, m)
		}
	}
	if l := g.link.sleeping(); l != nil {
		l.wakeSender()
	}
}

// notLoggedIn goes on with a device that the platform did not log in. mu is held.
func (g *gateway) notLoggedIn(d *device, err error, what reaction) {
	h := d.current
	first := h == nil || h.done != nil
	g.note(d, err, what)
	switch {
	case h == nil:
		g.drop(d, upstream.ErrLoggedOut)
	case d.again:
		d.again = false
		g.wantLogin(d)
	case what == addTopology && (g.cfg.ManageTopology != TopologyNever || g.allowed[d.name()]) && !d.topology:
		g.sendTopology([]*device{d})
	case what == nextGateway && g.moves(d):
	case !first && what.temporary():
		g.pauseLogin(d)
	default:
		g.stats.refused++
		g.lastWord(d, err)
		d.current, h.err = nil, err
		if first {
			g.loginDone(h, nil, err)
		} else {
			g.tellLost(h, err)
		}
		g.drop(d, err)
	}
}

// pauseLogin tries a login again later. mu is held.
func (g *gateway) pauseLogin(d *device) {
	pause := min(firstBackOff<<min(d.attempts, 10), maxBackOff)
	if d.attempts < 255 {
		d.attempts++
	}
	d.state, d.alone = pausing, true
	d.retryAt = time.Now().UnixMilli() + jitter(pause).Milliseconds()
}

// loginAfterLoss logs a device in again whose session has gone: at once, or with
// growing pauses when its sessions do not last. mu is held.
func (g *gateway) loginAfterLoss(d *device) {
	now := time.Now().UnixMilli()
	if now-d.lostAt > 2*maxBackOff.Milliseconds() {
		d.losses = 0
	}
	d.lostAt = now
	if d.losses == 0 {
		d.losses = 1
		g.wantLogin(d)
		return
	}
	pause := min(firstBackOff<<min(d.losses-1, 10), maxBackOff)
	if d.losses < 255 {
		d.losses++
	}
	d.state, d.retryAt = pausing, now+jitter(pause).Milliseconds()
}
