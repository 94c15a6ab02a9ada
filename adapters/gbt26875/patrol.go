package gbt26875

import (
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/thing"
)

// readState is the data of a patrol: the device is asked for its state.
var readState = []byte{byte(gbt26875.TypeReadDeviceState), 1, 0}

// armPatrol has the device asked for its state when it has been silent for long
// enough: one timer, which looks again when something was heard meanwhile.
func (d *device) armPatrol(c *conn, wait time.Duration) {
	d.stops[patrolTimer] = c.After(wait, func() {
		d.stops[patrolTimer] = nil
		if d.ended() {
			return
		}
		silent := c.Now().Sub(d.heard)
		if left := d.config.Patrol - silent; left > 0 {
			d.armPatrol(c, left)
			return
		}
		d.counters.patrols.Add(1)
		d.patrol = d.nextSerial()
		d.tell(c, d.patrol, gbt26875.CommandRequest, readState)
		d.armPatrol(c, d.config.Patrol)
	})
}

// syncClock sets the device's clock, now and again. Nobody waits for the answer.
func (d *device) syncClock(c *conn) {
	if d.ended() {
		return
	}
	d.clock = d.nextSerial()
	d.tell(c, d.clock, gbt26875.CommandControl, d.clockData(c.Now()))
	d.stops[clockTimer] = c.After(d.config.Clock.Sync, func() {
		d.stops[clockTimer] = nil
		d.syncClock(c)
	})
}

// clockData is the application data that sets a clock.
func (d *device) clockData(now time.Time) []byte {
	label := d.label(now, d.usesBCD(d.address))
	return append([]byte{byte(gbt26875.TypeSetClock), 1}, label[:]...)
}

// postCheck is a look whether somebody is at the post of the device: who is presses a
// button there in time.
type postCheck struct {
	began time.Time
	stop  func()
}

// waitAtPost begins the wait for somebody to press the button. A newer check takes
// the place of an older one.
func (d *device) waitAtPost(p *pending) {
	d.endPost()
	c := p.c
	d.post = &postCheck{began: c.Now()}
	d.post.stop = c.After(time.Duration(p.minutes)*time.Minute, func() {
		d.post = nil
		m := thing.Message{Kind: thing.Event, Name: eventPostCheck, Fields: []thing.Field{
			truth("answered", false), number("minutes", p.minutes),
		}}
		_ = c.ReportFor(d.session, &m, nil) // refused it is lost: nobody would say it again
	})
}

func (d *device) endPost() {
	if d.post != nil {
		d.post.stop()
		d.post = nil
	}
}

// postAnswered is somebody at the post having pressed the button.
func (r *receipt) postAnswered(s *scratch, operator uint8) {
	d := r.d
	if d.post == nil {
		return
	}
	seconds := int64(r.c.Now().Sub(d.post.began) / time.Second)
	d.endPost()
	s.fields = append(s.fields[:0], truth("answered", true), number("operator", operator), number("seconds", seconds))
	s.message = thing.Message{Kind: thing.Event, Name: eventPostCheck, Fields: s.fields}
	r.report(&s.message)
}
