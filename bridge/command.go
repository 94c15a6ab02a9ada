package bridge

import (
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan/internal/wheel"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// Commander is what a session's channel may be, to be told things. Command does
// not block and may be called from any goroutine. The outcome comes back as a
// message of kind [thing.Reply].
type Commander interface{ Command(cmd *thing.Command) }

// pending is a command whose outcome the platform waits for, or, with no
// command, the deadline of a login.
type pending struct {
	timer wheel.Timer[*pending] // the bridge's timers'
	link  *link
	cmd   *thing.Command
	next  *pending // guarded by the link's mu
}

// command is called by the connector, in the platform's order.
func (l *link) command(cmd *thing.Command) {
	l.b.counts.commands.Add(1)
	l.mu.Lock()
	if l.at() == over && l.device != nil {
		l.mu.Unlock()
		l.answer(l.device, cmd, thing.Offline, "the device is offline")
		return
	}
	if cmd.ID != "" && (l.holds(cmd.ID) || l.hasConcluded(cmd)) {
		l.mu.Unlock()
		l.b.counts.repeated.Add(1)
		return
	}
	if l.full(cmd) {
		device := l.device
		l.mu.Unlock()
		l.b.counts.tooMany.Add(1)
		l.answer(device, cmd, thing.Failed, "too many commands under way")
		return
	}
	if cmd.ID != "" {
		l.hold(cmd)
	}
	if l.join != nil || l.at() == over { // undo answers the latter
		if l.at() != over {
			l.join.early = append(l.join.early, cmd)
		}
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	l.deliver(cmd)
}

// holds says whether the platform waits for the outcome of that command
// already: platforms repeat themselves. The caller holds mu.
func (l *link) holds(id string) bool {
	for p := l.commands; p != nil; p = p.next {
		if p.cmd.ID == id {
			return true
		}
	}
	return false
}

// full says whether there is no room for cmd. The caller holds mu.
func (l *link) full(cmd *thing.Command) bool {
	most := l.b.cfg.MaxCommands
	return cmd.ID != "" && int(l.count) >= most || l.join != nil && len(l.join.early) >= most
}

// expire has p expire when that time has passed.
func (b *Bridge) expire(p *pending, after time.Duration) {
	b.timers.Set(&p.timer, b.timers.Now()+after)
}

// forget lets p, if there is one, not expire.
func (b *Bridge) forget(p *pending) {
	if p != nil {
		b.timers.Stop(&p.timer)
	}
}

// hold notes that the platform waits for the outcome of cmd. The caller holds mu.
func (l *link) hold(cmd *thing.Command) {
	p := &pending{link: l, cmd: cmd, next: l.commands}
	p.timer.Value = p
	l.commands = p
	l.count++
	after := l.b.cfg.CommandTimeout
	if !cmd.Deadline.IsZero() {
		after = time.Until(cmd.Deadline)
	}
	l.b.expire(p, after)
}

// take ends the waiting for the command that match finds, nil if there is none.
func (l *link) take(match func(*pending) bool) *pending {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at := &l.commands; *at != nil; at = &(*at).next {
		if p := *at; match(p) {
			*at = p.next
			l.count--
			l.conclude(p.cmd)
			return p
		}
	}
	return nil
}

// takeCommands ends the waiting for all commands. The caller holds mu.
func (l *link) takeCommands() *pending {
	all := l.commands
	l.commands, l.count = nil, 0
	return all
}

// handOver delivers the commands that came before the device was online.
func (l *link) handOver() {
	for {
		l.mu.Lock()
		if l.at() == over || len(l.join.early) == 0 {
			l.join = nil
			l.mu.Unlock()
			return
		}
		early := l.join.early
		l.join.early = nil
		l.mu.Unlock()
		for _, cmd := range early {
			l.deliver(cmd)
		}
	}
}

// deliver tells the device.
func (l *link) deliver(cmd *thing.Command) {
	b := l.b
	if !cmd.Deadline.IsZero() && !time.Now().Before(cmd.Deadline) {
		l.settle(cmd, thing.TimedOut, 0, "its time was over when it came")
		return
	}
	if c, ok := l.s.Channel().(Commander); ok {
		c.Command(cmd)
		return
	}
	if b.downlink == nil {
		b.counts.refusedCommands.Add(1)
		b.warn(&b.quiet.commands, "command refused", l.s.Identity(), errNoHandler)
		l.settle(cmd, thing.Unsupported, 0, "there is no way to tell this device anything")
		return
	}
	if !b.pushes.submit(l.s.Epoch(), func() { l.push(cmd) }) {
		b.counts.refusedCommands.Add(1)
		l.settle(cmd, thing.Failed, 0, "too many commands wait for the downlink handler")
	}
}

// push gives cmd to the downlink handler, on one of the bridge's goroutines.
func (l *link) push(cmd *thing.Command) {
	if l.at() == over {
		return // its outcome has been told
	}
	var state thing.State
	err := guarded(func() (err error) {
		state, err = l.b.downlink.Push(l.s, cmd)
		return err
	})
	if err == nil {
		if state != 0 {
			l.settle(cmd, state, 0, "")
		}
		return
	}
	l.b.counts.refusedCommands.Add(1)
	l.b.warn(&l.b.quiet.commands, "command refused", l.s.Identity(), err)
	var r *thing.ReplyError
	if errors.As(err, &r) {
		l.settle(cmd, r.State, r.Code, r.Text)
		return
	}
	l.settle(cmd, thing.Failed, 0, err.Error())
}

// settle ends cmd with that state unless it has ended before.
func (l *link) settle(cmd *thing.Command, state thing.State, code int, text string) {
	p := l.take(func(p *pending) bool { return p.cmd == cmd })
	if p == nil {
		return
	}
	l.b.forget(p)
	l.tell(l.device, cmd, state, code, text)
}

// expired is called when the time of p is over.
func (l *link) expired(p *pending) {
	if p.cmd == nil {
		if l.at() == joining {
			l.end(ending{cause: fmt.Errorf("bridge: login of %q: %w", l.s.Identity(), upstream.ErrTimeout)})
		}
		return
	}
	l.mu.Lock()
	if l.device == nil { // nobody can be told before the login completes
		if l.at() == joining {
			l.b.expire(p, time.Second)
		}
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	if l.take(func(q *pending) bool { return p == q }) != nil {
		l.tell(l.device, p.cmd, thing.TimedOut, 0, "the device did not reply in time")
	}
}

// reply says m, with which the device ends a command.
func (l *link) reply(m *thing.Message, done func(error)) error {
	if m.ID == "" { // nobody waits for it
		call(done, nil)
		return nil
	}
	p := l.take(func(p *pending) bool { return p.cmd.ID == m.ID })
	if p == nil {
		return l.b.refuse(l.s.Identity(), &l.b.counts.lateReplies, ErrNoCommand, done)
	}
	l.b.forget(p)
	r := *m
	if r.State == 0 {
		r.State = thing.Done
	}
	if r.Name == "" {
		r.Name = p.cmd.Name
	}
	l.b.outcome(r.State)
	l.begin()
	l.send(&r, done)
	return nil
}

// answer ends a command that was never held.
func (l *link) answer(device upstream.Device, cmd *thing.Command, state thing.State, text string) {
	if cmd.ID != "" {
		l.tell(device, cmd, state, 0, text)
	}
}

// answerAll ends commands because the session has ended.
func (l *link) answerAll(device upstream.Device, commands *pending) {
	for p := commands; p != nil; p = p.next {
		l.b.forget(p)
		l.tell(device, p.cmd, thing.Offline, 0, "the device went offline")
	}
}

// tell tells the platform how cmd ended. It is counted as under way but never
// refused: commands are few, and bounded themselves.
func (l *link) tell(device upstream.Device, cmd *thing.Command, state thing.State, code int, text string) {
	l.b.outcome(state)
	if device == nil { // the login has not completed
		l.b.counts.untold.Add(1)
		return
	}
	m := cmd.Reply(state)
	m.Code, m.Text = code, text
	l.begin()
	device.Publish(&m, l.ack)
}

// begin counts a message as under way without asking for room.
func (l *link) begin() {
	l.inflight.Add(1)
	l.b.stripes[l.stripe].inflight.Add(1)
}

// broadcast is called by the connector for a command that names no device.
func (b *Bridge) broadcast(cmd *thing.Command) {
	b.counts.broadcasts.Add(1)
	if b.ready() != nil || !b.broadcasts.submit(0, func() { b.tellAll(cmd) }) {
		b.counts.refusedCommands.Add(1)
		b.warn(&b.quiet.commands, "broadcast refused", "", ErrOverloaded)
	}
}

// tellAll tells every device that is online, on one of the bridge's goroutines.
func (b *Bridge) tellAll(cmd *thing.Command) {
	c := *cmd
	c.ID = "" // nobody waits for replies of all devices
	others := 0
	for s := range b.sessions.All() {
		if b.ready() != nil {
			return
		}
		if s.State() != session.Online {
			continue
		}
		if d, ok := s.Channel().(Commander); ok {
			d.Command(&c)
		} else {
			others++
		}
	}
	if others == 0 {
		return
	}
	err := ErrNoBroadcast
	if b.downlink != nil {
		err = guarded(func() error { return b.downlink.Broadcast(&c) })
	}
	if err != nil {
		b.counts.refusedCommands.Add(1)
		b.warn(&b.quiet.commands, "broadcast refused", "", err)
	}
}
