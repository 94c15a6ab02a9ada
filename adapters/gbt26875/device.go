package gbt26875

import (
	"sync"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// device is one device that is online, or on its way there. It lives on the loop of
// its connection.
type device struct {
	*adapter
	session  *session.Session // nil before its login
	address  gbt26875.Address
	centre   gbt26875.Address  // what the device calls us
	version  gbt26875.Version  // that the device speaks
	bcd      bool              // it writes times in BCD
	waiting  []*gbt26875.Frame // that came before its login
	heard    time.Time         // when its last frame came
	memory   memory            // of states that were reported
	frames   *recent           // that were handled; nil before the first
	commands []*pending        // under way, in the order in which they were sent
	clock    uint16            // serial number of the frame that set its clock last
	patrol   uint16            // serial number of the last patrol
	post     *postCheck        // under way, nil mostly
	stops    [timers]func()    // of running timers
}

// The timers of a device.
const (
	patrolTimer = iota
	clockTimer
	timers
)

// ended says that the device is no longer online, which nobody tells an adapter
// of devices behind a gateway.
func (d *device) ended() bool {
	return d.session != nil && d.session.State() == session.Closed
}

// begin is the device going online: what it has sent so far is handled.
func (d *device) begin(c *conn, s *session.Session) {
	d.session = s
	d.heard = c.Now()
	d.failures = 0
	waiting := d.waiting
	d.waiting = nil
	for _, f := range waiting {
		d.take(c, f)
	}
	if d.config.Patrol > 0 {
		d.armPatrol(c, d.config.Patrol)
	}
	if d.config.Clock.Sync > 0 {
		d.syncClock(c)
	}
}

// end stops what runs for the device. Its commands are ended by the bridge.
func (d *device) end() {
	for i, stop := range d.stops {
		if stop != nil {
			stop()
			d.stops[i] = nil
		}
	}
	d.endPost()
	commands := d.commands
	d.commands = nil
	for _, p := range commands {
		p.end()
	}
}

// received handles one frame of the device.
func (d *device) received(c *conn, f *gbt26875.Frame) {
	if d.session == nil {
		if len(d.waiting) < maxWaiting {
			d.waiting = append(d.waiting, f.Clone())
		} else {
			d.counters.dropped.Add(1)
		}
		return
	}
	d.take(c, f)
}

// take handles one frame of the device, which is online.
func (d *device) take(c *conn, f *gbt26875.Frame) {
	d.heard = c.Now()
	d.centre, d.version = f.Destination, f.Version
	if d.session != c.Session() {
		d.session.Touch(d.heard.UnixMilli())
	}
	switch f.Command {
	case gbt26875.CommandSend:
		d.sent(c, f)
	case gbt26875.CommandAnswer:
		d.answered(c, f)
	case gbt26875.CommandConfirm:
		d.confirmed(f)
	case gbt26875.CommandDeny:
		d.denied(f)
	default:
		d.odd(c, f)
	}
}

// heartbeat is the data of a heartbeat that some devices send, which is answered
// with heartbeatAnswer.
const (
	heartbeat       = 0x16
	heartbeatAnswer = 0x17
)

// sent handles a frame with which the device tells something.
func (d *device) sent(c *conn, f *gbt26875.Frame) {
	switch {
	case len(f.Data) == 0:
		d.counters.heartbeats.Add(1)
		d.answer(c, &f.Header, gbt26875.CommandConfirm, nil)
	case len(f.Data) == 1 && f.Data[0] == heartbeat:
		d.counters.heartbeats.Add(1)
		d.answer(c, &f.Header, gbt26875.CommandConfirm, []byte{heartbeatAnswer})
	default:
		key := keyOf(f)
		switch d.before(key, f.Serial, d.heard) {
		case frameDone:
			d.counters.repeated.Add(1)
			d.answer(c, &f.Header, gbt26875.CommandConfirm, nil)
		case frameDenied:
			d.counters.repeated.Add(1)
			d.answer(c, &f.Header, gbt26875.CommandDeny, nil)
		case framePending:
			d.counters.repeated.Add(1) // its answer is on its way
		default:
			d.report(c, f, key)
		}
	}
}

// odd handles a frame with a command that is not a device's, or nobody's.
func (d *device) odd(c *conn, f *gbt26875.Frame) {
	d.counters.unknown.Add(1)
	s := borrow()
	defer s.giveBack()
	r := d.receive(c, f, 0)
	r.raw(s, f)
	r.complete()
	if asks(f.Command) {
		d.answer(c, &f.Header, gbt26875.CommandDeny, nil)
	}
}

// scratch is what the handling of one frame needs for as long as it lasts.
type scratch struct {
	parts   gbt26875.PartStates
	systems gbt26875.SystemStates
	own     gbt26875.DeviceStates
	analogs gbt26875.PartAnalogs
	message thing.Message
	fields  []thing.Field
	data    []byte
}

// scratches are shared by all connections, so that an idle one holds none.
var scratches = sync.Pool{New: func() any { return &scratch{fields: make([]thing.Field, 0, 32)} }}

func borrow() *scratch { return scratches.Get().(*scratch) }

// maxScratch is above which size in bytes a buffer goes to the garbage collector.
const maxScratch = 4096

func (s *scratch) giveBack() {
	if cap(s.data) > maxScratch {
		return
	}
	clear(s.fields[:cap(s.fields)])
	s.message = thing.Message{}
	scratches.Put(s)
}

// parse reads a frame's data into the scratch, for types that come often. The
// result is valid as long as s is.
func (s *scratch) parse(data []byte) (gbt26875.Unit, error) {
	if len(data) == 0 {
		return gbt26875.ParseUnit(data)
	}
	var u gbt26875.Unit
	switch gbt26875.Type(data[0]) { // the others come rarely
	case gbt26875.TypePartState:
		u = &s.parts
	case gbt26875.TypeSystemState:
		u = &s.systems
	case gbt26875.TypeDeviceState:
		u = &s.own
	case gbt26875.TypePartAnalog:
		u = &s.analogs
	default:
		return gbt26875.ParseUnit(data)
	}
	if len(data) == 1 {
		return gbt26875.ParseUnit(data)
	}
	return u, u.ParseUnit(data)
}
