package jt808

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// nextSerial is the number of our next message; n messages are taken.
func (a *adapter) nextSerial(n int) uint16 {
	serial := a.serial
	a.serial += uint16(n) //nolint:gosec // counts modulo 65536
	return serial
}

// send sends one message with the body s.body, laid out as o speaks. A
// connection that is closing takes nothing, which its end will show.
func (a *adapter) send(c *conn, s *scratch, o *origin, id jt808.ID) {
	s.frame = jt808.Frame{
		Header: jt808.Header{ID: id, Version: o.version, ProtocolVersion: o.protocol, Phone: o.phone, Serial: a.nextSerial(1)},
		Body:   s.body,
	}
	_ = c.Send(&s.frame)
}

// sendBody sends one message of one frame to the terminal that spoke last.
func (a *adapter) sendBody(c *conn, s *scratch, b jt808.Body) { a.sendBodyTo(c, s, a.origin, b) }

func (a *adapter) sendBodyTo(c *conn, s *scratch, o *origin, b jt808.Body) {
	body, err := b.AppendBody(s.body[:0], o.version)
	if err != nil {
		return // answers of ours have no texts and no lists that can be too long
	}
	s.body = body
	a.send(c, s, o, b.ID())
}

// answer sends 0x8001 to the terminal that spoke last.
func (a *adapter) answer(c *conn, s *scratch, request jt808.ID, serial uint16, result jt808.Result) {
	a.answerTo(c, s, a.origin, request, serial, result)
}

func (a *adapter) answerTo(c *conn, s *scratch, o *origin, request jt808.ID, serial uint16, result jt808.Result) {
	s.body = binary.BigEndian.AppendUint16(s.body[:0], serial)
	s.body = binary.BigEndian.AppendUint16(s.body, uint16(request))
	s.body = append(s.body, byte(result))
	a.send(c, s, o, jt808.IDPlatformResponse)
}

// answered says whether a message of the terminal is to be answered by 0x8001:
// what answers one of ours is not, nor what has an answer of its own.
func answered(id jt808.ID) bool {
	switch id {
	case jt808.IDTerminalResponse, jt808.IDTimeRequest, jt808.IDResendRequest, jt808.IDParameters, jt808.IDAttributes,
		jt808.IDLocationResponse, jt808.IDVehicleControlResponse, jt808.IDAreaQueryResponse, jt808.IDRecorderData,
		jt808.IDMediaData, jt808.IDMediaSearchResponse, jt808.IDShotResponse, jt808.IDTerminalKey, jt808.IDAVAttributes:
		return false
	default:
		return !id.FromPlatform() // an answer to an answer would go round for ever
	}
}

// malformed answers a message whose body cannot be read.
func (a *adapter) malformed(c *conn, s *scratch, f *jt808.Frame) {
	a.counters.malformed.Add(1)
	if answered(f.ID) {
		a.answer(c, s, f.ID, f.Serial, jt808.ResultWrong)
	}
}

// encrypted refuses a message whose body is encrypted: nobody here has the key. Without
// an answer the terminal would send it again and again.
func (a *adapter) encrypted(c *conn, f *jt808.Frame) {
	s := borrow()
	defer s.giveBack()
	a.counters.encrypted.Add(1)
	switch f.ID {
	case jt808.IDTimeRequest, jt808.IDResendRequest, jt808.IDMediaData: // it waits for an answer that nobody can give
		a.answer(c, s, f.ID, f.Serial, jt808.ResultUnsupported)
	default:
		if answered(f.ID) {
			a.answer(c, s, f.ID, f.Serial, jt808.ResultUnsupported)
		}
	}
	c.Fault(fmt.Errorf("%w: %w", protocol.ErrUnsupported, &jt808.EncryptedError{Header: f.Header}), nil)
}

// tellTime answers 0x0004.
func (a *adapter) tellTime(c *conn, s *scratch) {
	a.sendBody(c, s, &jt808.TimeResponse{Time: jt808.NewBCDTimeIn(c.Now(), time.UTC)})
}

// receipt is one message of the terminal on its way to the platform, in as many
// reports as it takes: once all of them have arrived it is answered. It lives on
// the connection's loop. With ack received nobody waits but batches that are
// reported in turns: it is answered at once, and has failed when a report was
// refused.
type receipt struct {
	a       *adapter
	c       *conn
	session *session.Session
	origin  *origin
	whole   *whole    // the message was put together of packages; nil if not
	batch   *batchRun // that is reported in turns; nil of all else
	id      jt808.ID
	serial  uint16
	pending int               // reports, and one for the maker
	failed  bool              // a report did not arrive
	raised  jt808.Alarm       // alarms that were reported as new
	result  jt808.Result      // when all arrived
	mute    bool              // the message takes no answer
	then    func(failed bool) // instead of the answer, if not nil
	done    func(error)       // of a report; made once; nil in a scratch, whose reports nobody waits for
}

var receipts sync.Pool

// receive begins the receipt of f.
func (a *adapter) receive(c *conn, f *jt808.Frame) *receipt {
	r, ok := receipts.Get().(*receipt)
	if !ok {
		r = &receipt{}
		r.done = r.reported
	}
	r.begin(a, c, f)
	return r
}

// begin is receive for a receipt that is new, was finished, or was left when something
// panicked.
func (r *receipt) begin(a *adapter, c *conn, f *jt808.Frame) {
	*r = receipt{
		a: a, c: c, session: c.Session(), origin: a.origin, whole: a.packages.begin(),
		id: f.ID, serial: f.Serial, pending: 1, mute: !answered(f.ID), done: r.done,
	}
}

// report says m to the platform for the terminal.
func (r *receipt) report(m *thing.Message) {
	if !r.a.waits && r.batch == nil {
		if r.c.ReportFor(r.session, m, nil) != nil {
			r.failed = true
		}
		return
	}
	if r.c.ReportFor(r.session, m, r.done) != nil {
		r.failed = true
		return
	}
	r.pending++
}

func (r *receipt) reported(err error) {
	if err != nil {
		r.failed = true
	}
	if r.batch != nil {
		r.batch.arrived(err)
	}
	if r.pending--; r.pending > 0 {
		return
	}
	s := borrow()
	defer s.giveBack()
	r.finish(s)
}

// complete says that no more reports follow.
func (r *receipt) complete(s *scratch) {
	if r.pending--; r.pending == 0 {
		r.finish(s)
	}
}

// finish answers the message.
func (r *receipt) finish(s *scratch) {
	a := r.a
	result := r.result
	if r.failed {
		result = jt808.ResultFailed
		a.counters.undelivered.Add(1)
		if r.session == r.c.Session() {
			a.alarms &^= r.raised // the terminal will say so again
		}
	}
	a.packages.end(r.whole, r.failed)
	then, failed := r.then, r.failed
	if then == nil && !r.mute {
		a.answerTo(r.c, s, r.origin, r.id, r.serial, result)
	}
	*r = receipt{done: r.done}
	if r.done != nil { // otherwise it is a scratch's
		receipts.Put(r)
	}
	if then != nil {
		then(failed)
	}
}
