package modbus

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/adapters/modbus/registration"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

type conn = protocol.Conn[[]byte]

// Why lines and units end.
var (
	// ErrUnidentified closes a connection that has not said who it is in time.
	ErrUnidentified = errors.New("modbus: the connection has not said who it is")
	// ErrUnconfigured closes a connection whose line has no units: add it to lines,
	// or set units and profile.
	ErrUnconfigured = errors.New("modbus: the line has no units in the configuration")
	// ErrReplaced closes a connection whose line came back on another one.
	ErrReplaced = errors.New("modbus: the line has come back on another connection")
	// ErrSilent closes a connection on which nothing comes although units are asked.
	ErrSilent = errors.New("modbus: nothing comes on the line although units are asked")
	// ErrNoAnswer is the cause of a device whose unit does not answer.
	ErrNoAnswer = errors.New("modbus: the unit does not answer")
)

// line serves one connection. It lives on the connection's loop.
type line struct {
	*host
	c      *conn
	name   string // empty: not known yet
	packet []byte // the registration
	secret string // in it
	wrap   registration.Wrap
	stage  stage

	rest    []byte // of the line, not understood yet
	wrapped []byte // has come, and is not unwrapped yet
	push    codec.Decoder[*modbus.Frame]

	units []unit
	dues  []int64  // when the groups of units are due, in ms; units have parts of it
	phase int64    // of its polls: another one for each line
	least int64    // the shortest interval of a group, in ms
	run   run      // the poll under way
	x     exchange // the request under way
	queue []*command
	now   int64 // when the present callback began, in unix ms

	freeAt      int64 // no request is sent before
	heardAt     int64 // when something came last
	identifyBy  int64 // when the name has to be known
	pauseAt     int64 // when the registration is over; 0: not known
	wakeAt      int64 // when the timer fires; 0: it is not set
	stopTimer   func()
	onWake      func() // made once
	transaction uint16
	strange     struct { // the last unit that is not in the configuration and did not answer
		number uint8
		unanswered
	}
	owed bool // a request was not answered, and its answer may still come
}

// stage is how far a line is.
type stage uint8

const (
	nameless stage = iota // it has not said who it is
	waiting               // for its own login
	working
	over
)

// unit is one slave.
type unit struct {
	siteUnit
	first     int32 // the place of due in the line's
	session   *session.Session
	attaching bool           // its login is under way
	held      *thing.Message // what was reported meanwhile
	retryAt   int64          // it is not polled before
	loginAt   int64          // it does not come online before
	failures  int32          // polls in a row that it did not answer
	careful   bool           // it refuses addresses that no point has
	due       []int64
	last      []reported // of the points; nil: nothing to remember
	faults    []modbus.Exception
	asked     unanswered // the last request that it did not answer
	seen      []byte     // the gateway's own request to it, while that is not answered
}

// groups are how u is polled.
func (u *unit) groups() []profile.Group {
	if u.careful {
		return u.profile.Careful
	}
	return u.profile.Groups
}

// reported is what was reported last of a point.
type reported struct {
	mark uint64
	at   int64 // 0: nothing yet
}

// Opened implements protocol.Opener.
func (l *line) Opened(c *conn) error {
	l.enter(c)
	l.heardAt = l.now
	var err error
	if target := c.Target(); target != "" {
		err = l.identified(target)
	} else if l.config.Registration.Form == registration.FormAddress {
		err = l.identified(c.Remote().Addr().Unmap().String())
	} else {
		l.identifyBy = l.now + l.config.Registration.Timeout.Milliseconds()
	}
	l.step()
	return err
}

// AwaitsLogin implements protocol.LoginAwaiter: a line that has a name is in order,
// whether its units answer or not.
func (l *line) AwaitsLogin() bool { return l.stage == nameless || l.stage == waiting }

// enter notes that a callback begins.
func (l *line) enter(c *conn) {
	if l.c == nil { // later on others read it, see claim
		l.c = c
	}
	l.now = c.Now().UnixMilli()
}

// Received handles what has come.
func (l *line) Received(c *conn, in []byte) error {
	l.enter(c)
	l.heardAt = l.now
	var err error
	switch l.stage {
	case nameless:
		err = l.register(in)
	case working:
		err = l.data(in)
	case waiting, over: // nothing is decoded while a login is under way
	}
	l.step()
	return err
}

// Closed implements protocol.Closer.
func (l *line) Closed(c *conn, _ error) {
	l.enter(c)
	if l.name != "" {
		l.release(l)
		l.counters.lines.Add(-1)
	}
	for i := range l.units {
		if l.units[i].failures > 0 {
			l.counters.unitsDown.Add(-1)
		}
	}
	l.stage = over
	l.queue, l.x.cmd, l.rest, l.wrapped = nil, nil, nil, nil
	l.run.end()
}

// identified gives the line its name.
func (l *line) identified(name string) error {
	s := l.sites.of(name)
	if s == nil {
		l.counters.unconfigured.Add(1)
		return fmt.Errorf("%w: %s: add it to lines, or set units and profile", ErrUnconfigured, name)
	}
	if l.name = name; s.name != "" {
		l.name = s.name
	}
	l.counters.lines.Add(1)
	l.pauseAt, l.identifyBy = 0, 0
	l.x = exchange{}
	l.settle(s)
	if l.config.Devices == devicesUnit {
		l.begin()
		return nil
	}
	l.stage = waiting
	l.c.Online(l.name, l.credentials(), func(err error) {
		l.enter(l.c)
		if err != nil {
			l.counters.refused.Add(1)
			l.c.Close(err)
			return
		}
		l.claim(l)
		l.begin()
		l.step()
	}, l.sessions...)
	return nil
}

// credentials are what a local check gets.
func (l *line) credentials() []string {
	if l.secret == "" {
		return nil
	}
	return []string{l.secret}
}

// settle makes the line's units.
func (l *line) settle(s *site) {
	l.units, l.dues = make([]unit, len(s.units)), make([]int64, s.dues)
	h := fnv.New64a()
	_, _ = h.Write([]byte(l.name))
	l.phase = int64(h.Sum64() >> 16) //nolint:gosec // 48 bits
	spread := max(l.config.Requests.Spread.Milliseconds(), 1)
	rest := l.dues
	l.least = never
	for i := range s.units {
		for _, g := range s.units[i].profile.Groups {
			l.least = min(l.least, g.Interval.Milliseconds())
		}
	}
	for i := range s.units {
		u := &l.units[i]
		u.siteUnit = s.units[i]
		u.first = int32(len(l.dues) - len(rest)) //nolint:gosec // few
		u.due, rest = rest[:len(u.profile.Groups):len(u.profile.Groups)], rest[len(u.profile.Groups):]
		for g := range u.due {
			u.due[g] = l.now + l.place(u, g, min(spread, u.profile.Groups[g].Interval.Milliseconds()))
		}
	}
}

// place is where in an interval the group of u has its place: lines anywhere, always
// at the same place, and the groups of a line evenly behind one another, so that none
// waits for another.
func (l *line) place(u *unit, group int, interval int64) int64 {
	k := int64(u.first) + int64(group)
	return (l.phase + k*min(l.least, interval)/int64(len(l.dues))) % interval
}

// begin lets the line work.
func (l *line) begin() {
	l.stage = working
	if l.config.Direct.Enabled {
		l.push = modbus.NewDecoder(modbus.Options{Mode: l.mode, Answers: l.config.Direct.Answer})
	}
}

// of is the unit whose device s is; nil when it is the line's.
func (l *line) of(s *session.Session) *unit {
	for i := range l.units {
		if l.units[i].session == s {
			return &l.units[i]
		}
	}
	return nil
}

// device is the session that speaks for u; nil while it is offline.
func (l *line) device(u *unit) *session.Session {
	if l.config.Devices == devicesLine {
		return l.c.Session()
	}
	if u.session != nil && !l.c.Holds(u.session) { // somebody else has ended it
		u.session = nil
		u.loginAt = l.now + l.config.Failures.Login.Milliseconds()
	}
	return u.session
}

// answered notes that u is there, and brings it online if it is not.
func (l *line) answered(u *unit) {
	if u.failures > 0 {
		l.counters.unitsDown.Add(-1)
		u.failures, u.retryAt = 0, 0
		l.dueNow(u)
	}
	if l.config.Devices != devicesLine && l.device(u) == nil && !u.attaching && l.now >= u.loginAt {
		l.attach(u)
	}
}

// attach brings the device of u online. What is read meanwhile is reported then.
func (l *line) attach(u *unit) {
	u.attaching = true
	clear(u.last)
	clear(u.faults)
	inline := true // it may be told at once that there are too many; then the answer is still being handled
	l.c.Attach(l.name+l.config.Separator+strconv.Itoa(int(u.number)), l.credentials(), func(s *session.Session, err error) {
		l.enter(l.c)
		u.attaching = false
		held := u.held
		u.held = nil
		if err != nil {
			l.counters.refused.Add(1)
			u.loginAt = l.now + l.config.Failures.Login.Milliseconds()
			if !inline {
				l.step()
			}
			return
		}
		u.session = s
		l.claim(l)
		if held != nil {
			l.say(s, held)
		}
		l.step()
	}, l.sessions...)
	inline = false
}

// dueNow makes all points of u due, but for those that are being read.
func (l *line) dueNow(u *unit) {
	for g := range u.due {
		if l.run.unit != u || l.run.group != g {
			u.due[g] = l.now // what it has missed meanwhile is not late
		}
	}
}

// failed notes that u did not answer.
func (l *line) failed(u *unit) {
	if u.failures == 0 {
		l.counters.unitsDown.Add(1)
	}
	f := &l.config.Failures
	pause := f.Min.Milliseconds()
	for range min(u.failures, 30) {
		pause = min(2*pause, f.Max.Milliseconds())
	}
	u.failures++
	u.retryAt = l.now + pause
	if f.Offline > 0 && int(u.failures) == f.Offline {
		l.offline(u)
	}
	if f.Silence > 0 && l.now-l.heardAt > f.Silence.Milliseconds() {
		l.counters.silent.Add(1)
		l.c.Close(ErrSilent)
	}
}

// offline takes the device of u offline or, where it is the line's, tells of u.
func (l *line) offline(u *unit) {
	switch s := l.device(u); {
	case s == nil:
		return
	case l.config.Devices != devicesLine:
		u.session = nil
		l.c.Detach(s, fmt.Errorf("%w: %d polls in a row", ErrNoAnswer, u.failures))
	case l.config.Failures.Event != "":
		_ = l.c.ReportFor(s, &thing.Message{Kind: thing.Event, Name: l.config.Failures.Event, Fields: []thing.Field{
			{Name: "unit", Value: thing.Int(int64(u.number))},
			{Name: "code", Value: thing.Int(0)},
			{Name: "text", Value: thing.String("the unit does not answer")},
		}}, nil) // refused it is lost: nobody would say it again
	}
	l.counters.offline.Add(1)
}

// report says the fields of u's points, or keeps them while its device is on the
// way online.
func (l *line) report(u *unit, fields []thing.Field) {
	if len(fields) == 0 {
		return
	}
	m := thing.Message{Kind: thing.Property, Fields: fields}
	if s := l.device(u); s != nil {
		l.say(s, &m)
	} else if u.attaching {
		m.Time = l.c.Now()
		u.hold(&m)
	}
}

// hold keeps m, and of what was kept before what m does not say anew.
func (u *unit) hold(m *thing.Message) {
	before := u.held
	u.held = m.Clone()
	if before == nil {
		return
	}
	for _, f := range before.Fields {
		if _, anew := thing.Get(m.Fields, f.Name); !anew {
			u.held.Fields = append(u.held.Fields, f)
		}
	}
}

func (l *line) say(s *session.Session, m *thing.Message) {
	if l.c.ReportFor(s, m, nil) == nil {
		l.counters.reports.Add(1)
	}
}
