package jt808

import (
	"sync"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

type conn = protocol.Conn[*jt808.Frame]

// host is what the connections of one listener share. It does not change, and
// may be used from any goroutine.
type host struct {
	config   Config
	zone     *time.Location
	codes    codes
	waits    bool             // answers wait for reports: ack is not received
	sessions []session.Option // how sessions are made; ack = stored
	sink     Sink             // nil: multimedia is not kept
	counters *counters
}

// adapter serves one connection. It lives on the connection's loop.
type adapter struct {
	*host
	origin   *origin     // how the terminal spoke last; nil before it has
	self     *origin     // how the terminal that is online spoke last; nil before one was
	packages *packages   // of long messages under way; nil until the first
	commands *commands   // under way; nil until the first
	strange  *origin     // whose messages without a login are in the log; nil: nobody's
	alarms   jt808.Alarm // of the last location that was reported live
	serial   uint16      // of our next message
	failures uint8       // failed logins
	greeting bool        // the terminal has registered, and said nothing since: commands wait
	_        [8]byte     // up to 64, which Go aligns to lines of the processor's cache
}

// origin is how a terminal speaks: answers are laid out in the same way. It does
// not change, so that what waits for the platform may hold it.
type origin struct {
	phone    jt808.Phone
	version  jt808.Version
	protocol uint8
	identity string // the phone without leading zeros
}

func (o *origin) spoke(h *jt808.Header) bool {
	return o != nil && o.phone == h.Phone && o.version == h.Version && o.protocol == h.ProtocolVersion
}

// scratch is what the handling of one message needs for as long as it lasts.
type scratch struct {
	location jt808.Location
	batch    jt808.Batch
	receipt  receipt // of a message that is answered at once
	message  thing.Message
	fields   []thing.Field
	frame    jt808.Frame // to be sent
	body     []byte      // of frame
	plain    bool        // the message was a location, of one frame: what it leaves is small
	large    bool        // the message was longer than one frame
}

// scratches are shared by all connections, so that an idle one holds none.
var scratches = sync.Pool{New: func() any { return &scratch{fields: make([]thing.Field, 0, 32), body: make([]byte, 0, 64)} }}

func borrow() *scratch { return scratches.Get().(*scratch) }

// Longer buffers than these go to the garbage collector.
const (
	maxScratchFields = 256
	maxScratchBatch  = 64
	maxScratchBody   = 64 << 10
)

// giveBack leaves the fields of a location as they are: to clear them costs a twentieth of
// what making them does.
func (s *scratch) giveBack() {
	if s.large || cap(s.fields) > maxScratchFields || cap(s.body) > maxScratchBody {
		return
	}
	if !s.plain {
		clear(s.fields[:cap(s.fields)])
	}
	s.plain = false
	if cap(s.batch.Locations) > maxScratchBatch {
		s.batch = jt808.Batch{}
	}
	s.message = thing.Message{}
	s.frame = jt808.Frame{}
	scratches.Put(s)
}

// Received handles one frame.
func (a *adapter) Received(c *conn, f *jt808.Frame) error {
	if !a.origin.spoke(&f.Header) {
		a.origin = &origin{phone: f.Phone, version: f.Version, protocol: f.ProtocolVersion, identity: f.Phone.Stripped()}
		if a.online(c) {
			a.self = a.origin
		}
	}
	switch {
	case f.Encryption != 0:
		a.encrypted(c, f)
	case f.ID == jt808.IDRegister && !f.IsPackage():
		a.register(c, f)
	case f.ID == jt808.IDAuthenticate && !f.IsPackage():
		a.authenticate(c, f)
	case !a.online(c):
		a.stranger(c, f)
	default:
		a.take(c, f)
	}
	return nil
}

// online says whether the terminal that spoke last is the one that is online. Most
// often it is the same origin: self has the session's identity while there is one.
func (a *adapter) online(c *conn) bool {
	s := c.Session()
	return s != nil && (a.self == a.origin || s.Identity() == a.origin.identity)
}

// take handles a frame of a terminal that is online.
func (a *adapter) take(c *conn, f *jt808.Frame) {
	s := borrow()
	defer s.giveBack()
	a.listens()
	if f.IsPackage() {
		a.addPackage(c, s, f)
		return
	}
	a.handle(c, s, f)
}

// handle handles a whole message of a terminal that is online.
func (a *adapter) handle(c *conn, s *scratch, f *jt808.Frame) {
	s.large = len(f.Body) > jt808.MaxBody
	switch f.ID {
	case jt808.IDLocation:
		a.location(c, s, f)
	case jt808.IDHeartbeat:
		a.answer(c, s, f.ID, f.Serial, jt808.ResultOK)
	case jt808.IDBatch:
		a.batch(c, s, f)
	case jt808.IDLogout:
		a.logout(c, s, f)
	case jt808.IDTimeRequest:
		a.tellTime(c, s)
	default:
		a.other(c, s, f)
	}
}

// Closed lets go of what the connection held.
func (a *adapter) Closed(*conn, error) {
	a.dropCommands()
	a.dropPackages()
}
