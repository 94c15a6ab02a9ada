package jt808

import (
	"errors"
	"slices"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
)

// packages is the room for messages that come in several packages. A connection
// has one while such messages are under way, and a while after.
type packages struct {
	*jt808.Reassembler
	stop  func()      // the timer; nil when none runs
	due   time.Time   // of the timer
	last  time.Time   // when the last package came
	under []*whole    // complete, on their way to the platform
	media []mediaHead // of multimedia, the latest last
	now   *whole      // being handled
	batch *batchRun   // that came in packages, and is being reported in turns
}

// whole is a message that was put together.
type whole struct{ header jt808.Header }

// mediaHead is what package 1 of a multimedia item says: the item's id, with
// which missing packages are asked for.
type mediaHead struct {
	first, total uint16 // serial of package 1, number of packages
	id           uint32
	done         bool // all of it came, and was kept
}

const maxMediaHeads = 8

// addPackage handles one package of a longer message.
func (a *adapter) addPackage(c *conn, s *scratch, f *jt808.Frame) {
	a.counters.packages.Add(1)
	p := a.packages
	if p == nil {
		p = &packages{Reassembler: jt808.NewReassembler(a.config.Packages.ReassemblyOptions)}
		a.packages = p
	}
	p.last = c.Now()
	p.noteMedia(f)
	had := p.Stats()
	message, err := p.Add(f, c.Now())
	has := p.Stats()
	a.counters.incomplete.Add(has.Displaced - had.Displaced)
	repeated := has.Duplicates > had.Duplicates
	if !repeated {
		p.beginMedia(f)
	}
	a.watchPackages(c)
	switch {
	case errors.Is(err, jt808.ErrMessageTooLarge):
		a.counters.incomplete.Add(1)
		a.answerPackage(c, s, f, jt808.ResultFailed)
	case err != nil:
		a.counters.malformed.Add(1)
		a.answerPackage(c, s, f, jt808.ResultWrong)
	case message != nil:
		a.handleWhole(c, s, message, f.Serial)
	case repeated:
		a.repeated(c, s, f)
	case a.config.Packages.Acknowledge == acknowledgeEach:
		a.answerPackage(c, s, f, jt808.ResultOK)
	}
}

// handleWhole handles a message that was put together; the answer is to the package that
// completed it, the one with that serial. When that panics its packages are wanted again.
func (a *adapter) handleWhole(c *conn, s *scratch, message *jt808.Frame, serial uint16) {
	p, w := a.packages, &whole{header: message.Header}
	message.Serial = serial
	p.now = w
	handled := false
	defer func() {
		p.now = nil
		if !handled {
			p.end(w, true)
		}
	}()
	a.handle(c, s, message)
	handled = true
}

func (a *adapter) answerPackage(c *conn, s *scratch, f *jt808.Frame, result jt808.Result) {
	if answered(f.ID) || f.ID == jt808.IDMediaData {
		a.answer(c, s, f.ID, f.Serial, result)
	}
}

// repeated answers a package that was there before. One of a message whose fate
// is not yet known is not: its answer will come.
func (a *adapter) repeated(c *conn, s *scratch, f *jt808.Frame) {
	p := a.packages
	if slices.ContainsFunc(p.under, func(w *whole) bool { return w.header.ID == f.ID }) {
		return
	}
	if f.ID == jt808.IDMediaData {
		if m := p.mediaOf(f.Serial-(f.Index-1), f.Total); m != nil && m.done {
			a.sendBody(c, s, &jt808.MediaResponse{MediaID: m.id})
			return
		}
	}
	a.answerPackage(c, s, f, jt808.ResultOK)
}

// begin notes that the message being handled is on its way, if it was put
// together of packages; nil if not.
func (p *packages) begin() *whole {
	if p == nil || p.now == nil {
		return nil
	}
	p.under = append(p.under, p.now)
	return p.now
}

// end notes that w has arrived, or has not: then its packages are wanted again.
func (p *packages) end(w *whole, failed bool) {
	if p == nil || w == nil {
		return
	}
	p.under = slices.DeleteFunc(p.under, func(have *whole) bool { return have == w })
	if failed {
		p.Forget(&w.header)
	}
}

// noteMedia remembers the id of a multimedia item whose package 1 comes.
func (p *packages) noteMedia(f *jt808.Frame) {
	var m jt808.MediaEvent // the item begins like that
	if f.ID != jt808.IDMediaData || f.Index != 1 || m.ParseBody(f.Body, f.Version) != nil {
		return
	}
	if head := p.mediaOf(f.Serial, f.Total); head != nil {
		if head.id != m.MediaID { // a terminal that uses serials again
			head.id, head.done = m.MediaID, false
		}
		return
	}
	if len(p.media) == maxMediaHeads {
		p.media = slices.Delete(p.media, 0, 1)
	}
	p.media = append(p.media, mediaHead{first: f.Serial, total: f.Total, id: m.MediaID})
}

// beginMedia notes that f is no copy: if all of an item with its serials came before,
// this is another one.
func (p *packages) beginMedia(f *jt808.Frame) {
	if f.ID != jt808.IDMediaData {
		return
	}
	if head := p.mediaOf(f.Serial-(f.Index-1), f.Total); head != nil {
		head.done = false
	}
}

func (p *packages) mediaOf(first, total uint16) *mediaHead {
	for i := range p.media {
		if m := &p.media[i]; m.first == first && m.total == total {
			return m
		}
	}
	return nil
}

// watchPackages sees to it that missing packages are asked for, and messages
// given up, in time.
func (a *adapter) watchPackages(c *conn) {
	p := a.packages
	at, ok := p.Next()
	if !ok { // nothing is incomplete: hold what is known of the last ones for a while
		at = p.last.Add(a.config.Packages.Idle)
	}
	if p.stop != nil && (!ok || !at.Before(p.due)) {
		return
	}
	if p.stop != nil {
		p.stop()
	}
	p.due = at
	p.stop = c.After(max(at.Sub(c.Now()), time.Millisecond), func() {
		if p == a.packages {
			p.stop = nil
			a.tendPackages(c)
		}
	})
}

// tendPackages asks for missing packages and drops what is too old.
func (a *adapter) tendPackages(c *conn) {
	p := a.packages
	s := borrow()
	defer s.giveBack()
	for _, m := range p.Missing(c.Now()) {
		a.counters.packagesMissing.Add(uint64(len(m.Indexes)))
		a.askFor(c, s, &m)
	}
	had := p.Stats().Expired
	p.Expire(c.Now())
	a.counters.incomplete.Add(p.Stats().Expired - had)
	if len(p.under) > 0 { // their packages may come again
		p.last = c.Now()
	}
	if _, busy := p.Next(); !busy && c.Now().Sub(p.last) >= a.config.Packages.Idle {
		a.packages = nil
		return
	}
	a.watchPackages(c)
}

// askFor asks for missing packages: by 0x8800 for multimedia whose id is known,
// else by 0x8003.
func (a *adapter) askFor(c *conn, s *scratch, m *jt808.Missing) {
	if m.Header.ID == jt808.IDMediaData {
		if head := a.packages.mediaOf(m.FirstSerial, m.Header.Total); head != nil {
			a.sendBodyTo(c, s, a.self, &jt808.MediaResponse{MediaID: head.id, Packets: m.Indexes})
			return
		}
	}
	a.sendBodyTo(c, s, a.self, &jt808.PlatformResendRequest{FirstSerial: m.FirstSerial, Packets: m.Indexes})
}

// dropPackages lets go of messages under way.
func (a *adapter) dropPackages() {
	if p := a.packages; p != nil {
		if p.stop != nil {
			p.stop()
		}
		a.packages = nil
	}
}
