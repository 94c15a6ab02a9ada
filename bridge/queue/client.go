package queue

import (
	"time"

	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// client is a login of the bridge's: an upstream.Device and upstream.Storer.
type client struct {
	lane   *lane
	login  upstream.Login
	sender sender

	done func(upstream.Device, error) // nil once it was called; guarded by the lane's lock
	err  error                        // why it is over; guarded likewise
}

// Publish implements [upstream.Device]: done means that the platform has the message.
func (c *client) Publish(m *thing.Message, done func(error)) { c.say(m, done, false) }

// Store implements [upstream.Storer]: done means that the message is on disk, or that the
// platform has it.
func (c *client) Store(m *thing.Message, done func(error)) { c.say(m, done, true) }

// over is why the client can say nothing any more; the lane is locked.
func (c *client) over() error {
	if state(c.lane.q.state.Load()) != running {
		return upstream.ErrClosed
	}
	return c.err
}

func (c *client) say(m *thing.Message, done func(error), safe bool) {
	l := c.lane
	l.mu.Lock()
	if err := c.over(); err != nil {
		if l.first == nil {
			l.mu.Unlock()
			done(err)
			return
		}
		l.settle(l.ticket(done, safe), err)
		l.leave()
		return
	}
	it := newItem(l)
	it.payload = appendRecord(it.payload, l.q.run, time.Now(), &c.sender, m)
	if m.QoS == thing.AtMostOnce {
		it.flags = segment.Droppable
	}
	reply := m.Kind == thing.Reply
	direct := l.route(it, reply, done, safe)
	if direct == nil {
		l.leave()
		return
	}
	again := !reply && l.resumes()
	it.holders.Add(1)
	l.leave()
	if again {
		upstream.Resume(direct)
	}
	direct.Publish(m, it.onDirect)
	it.release()
}

// route decides where a message goes: to the log, or to the device that it returns.
func (l *lane) route(it *item, reply bool, done func(error), safe bool) upstream.Device {
	if reply && l.device != nil {
		it.reply, it.replySafe = done, safe
		return l.device
	}
	it.ticket = l.ticket(done, safe)
	switch {
	case l.q.cfg.Mode == ModeSpill && l.clear():
		l.directs++
		return l.device
	case l.directs > 0 || l.held != nil:
		l.hold(it)
		return nil
	default:
		return l.store(it)
	}
}

// hold keeps a message until those before it are answered that are on their way straight
// to the platform, or stored if they are on their way to the disk.
func (l *lane) hold(it *item) {
	if l.unheld == nil {
		l.held = it
	} else {
		l.unheld.next = it
	}
	l.unheld = it
	l.spilling = true
}

// store appends a message to the log. When that takes nothing but the platform
// would, it returns the device that can.
func (l *lane) store(it *item) upstream.Device {
	err := l.q.log.Append(it.payload, it.flags, it.onStored)
	switch {
	case err == nil:
		l.storing++
		return nil
	case l.storing > 0 && !it.spilled: // whether it may go straight depends on them
		l.hold(it)
		return nil
	default:
		return l.unstorable(it, err)
	}
}

// unstorable deals with a message that the log does not take. It returns the device that
// can be told the message straight, if nothing before it is stored.
func (l *lane) unstorable(it *item, err error) upstream.Device {
	q := l.q
	if l.reachable() && l.kept == 0 && !it.spilled {
		q.counts.bypassed.Add(1)
		l.directs++
		return l.device
	}
	q.counts.refused.Add(1)
	q.warnStore(err)
	l.settle(it.ticket, &StoreError{err})
	it.release()
	return nil
}

// stored is called when a record is on the disk, or could not be brought there.
func (l *lane) stored(it *item, pos segment.Position, err error) {
	q := l.q
	l.mu.Lock()
	l.storing--
	if err != nil {
		if l.unstorable(it, err) != nil { // what else is on its way to the disk came later
			l.straight(it)
			return
		}
		l.goOn()
		return
	}
	if t := it.ticket; t != nil {
		it.ticket = nil
		t.pos, t.stored = pos, true
		if t.safe {
			l.settle(t, nil)
		}
	}
	it.pos = pos
	l.kept++
	q.counts.stored.Add(1)
	q.counts.waiting.Add(1)
	if l.skipped == 0 && l.ready() && l.count < l.limit() && q.scan.complete() && q.memory.take(len(it.payload), true) {
		l.push(it)
	} else {
		if l.skipped++; l.skipped == 1 {
			l.from = pos
		}
		it.release()
	}
	q.scan.saw(pos)
	l.goOn()
}

// goOn stores what was held, once nothing is in front of it, and leaves the lane.
func (l *lane) goOn() {
	if l.held != nil && l.directs == 0 && l.storing == 0 {
		if cannot := l.unhold(); len(cannot) > 0 {
			l.straight(cannot...)
			return
		}
	}
	l.leave()
}

// straight says messages that cannot be stored to the platform, in their order, and
// leaves the lane.
func (l *lane) straight(items ...*item) {
	device := l.device
	for _, it := range items {
		it.holders.Add(1)
	}
	l.detain()
	again := l.resumes()
	l.leave()
	if again {
		upstream.Resume(device)
	}
	for _, it := range items {
		var m thing.Message
		words(nil).message(it.payload, &m)
		device.Publish(&m, it.onDirect)
		it.release()
	}
}

// answered is called when the platform has a message that went straight to it, or
// will not have it.
func (l *lane) answered(it *item, err error) {
	l.mu.Lock()
	if it.reply != nil {
		l.replied(it, err)
		return
	}
	l.directs--
	switch {
	case err == nil:
		l.q.counts.direct.Add(1)
		l.settle(it.ticket, nil)
		it.release()
	case !it.spilled && (upstream.Temporary(err) || it.ticket.safe && replaced(err)):
		l.q.counts.retried(err)
		it.spilled, l.spilling = true, true
		l.q.counts.spilled.Add(1)
		l.broken = l.broken || upstream.Temporary(err)
		if upstream.Temporary(err) && l.resumeAt.IsZero() {
			l.halt(unloading, l.pause())
		}
		l.store(it) // it is spilled: never straight again
	default:
		l.settle(it.ticket, err)
		it.release()
	}
	if l.held == nil && l.directs == 0 {
		l.spilling = false
	}
	l.goOn()
}

// unhold stores what was held. It returns what can be said to the platform alone.
func (l *lane) unhold() (cannot []*item) {
	it := l.held
	l.held, l.unheld, l.spilling = nil, nil, false
	for it != nil {
		next := it.next
		it.next = nil
		if l.held != nil {
			l.hold(it)
		} else if l.store(it) != nil {
			cannot = append(cannot, it)
		}
		it = next
	}
	return cannot
}

// replied is answered for a reply; the lane is locked.
func (l *lane) replied(it *item, err error) {
	done := it.reply
	if err != nil && (upstream.Temporary(err) || replaced(err)) {
		it.reply, it.spilled = nil, true
		it.ticket = l.ticket(done, it.replySafe)
		l.q.counts.spilled.Add(1)
		l.store(it)
		l.leave()
		return
	}
	it.release()
	l.leave()
	done(err)
}

// Logout implements [upstream.Device]. A device that has something stored stays
// logged in until that is said.
func (c *client) Logout(done func(error)) { c.end(upstream.Device.Logout, done) }

// Leave implements [upstream.Leaver].
func (c *client) Leave(done func(error)) {
	c.end(func(d upstream.Device, done func(error)) {
		if l, ok := d.(upstream.Leaver); ok {
			l.Leave(done)
			return
		}
		d.Logout(done)
	}, done)
}

// end ends the login; out logs the device out, if that is to be done now.
func (c *client) end(out func(upstream.Device, func(error)), done func(error)) {
	l := c.lane
	l.mu.Lock()
	if l.client != c {
		l.mu.Unlock()
		done(nil)
		return
	}
	c.err = upstream.ErrLoggedOut
	l.client = nil
	l.admitAt, l.retryAt = time.Time{}, time.Time{}
	var device upstream.Device
	if !l.backlog() && l.directs == 0 {
		device = l.device
		l.device, l.entry = nil, nil
	}
	l.leave()
	if device != nil {
		out(device, done)
		return
	}
	done(nil)
}
