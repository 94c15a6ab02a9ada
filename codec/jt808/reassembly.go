package jt808

import (
	"errors"
	"fmt"
	"time"
)

// Why a message whose packages came was given up. Each is found by errors.Is in
// what [Reassembler.Add] returns or in [Dropped.Cause].
var (
	// ErrExpired: no package came for ReassemblyOptions.Idle.
	ErrExpired = errors.New("jt808: message incomplete: no package came for too long")
	// ErrMessageTooLarge: it alone takes more than ReassemblyOptions.MaxBytes.
	ErrMessageTooLarge = errors.New("jt808: message too large to be put together")
	// ErrDisplaced: newer messages needed its room.
	ErrDisplaced = errors.New("jt808: message incomplete: displaced by newer ones")
)

// ReassemblyOptions limit what a [Reassembler] holds.
type ReassemblyOptions struct {
	MaxBytes    int           `conf:"maxBytes" doc:"bytes of incomplete messages held for one terminal"`
	MaxMessages int           `conf:"maxMessages" doc:"incomplete messages held for one terminal"`
	Idle        time.Duration `conf:"idle" doc:"time without a package after which an incomplete message is dropped"`
	Retry       time.Duration `conf:"retry" doc:"time without a package after which missing ones are asked for; twice that the second time, and so on"`
	Retries     int           `conf:"retries" doc:"how often missing packages are asked for; 0 is never"`
}

// DefaultReassemblyOptions are 2 MiB, 8 messages, a minute, and three requests
// from 5 seconds on.
func DefaultReassemblyOptions() ReassemblyOptions {
	return ReassemblyOptions{MaxBytes: 2 << 20, MaxMessages: 8, Idle: time.Minute, Retry: 5 * time.Second, Retries: 3}
}

// Validate reports all that makes no sense in o.
func (o ReassemblyOptions) Validate() error {
	var all []error
	check := func(ok bool, key string, value any, want string) {
		if !ok {
			all = append(all, fmt.Errorf("jt808: %s: %v, must be %s", key, value, want))
		}
	}
	check(o.MaxBytes >= MaxBody, "maxBytes", o.MaxBytes, "at least 1023")
	check(o.MaxMessages >= 1, "maxMessages", o.MaxMessages, "at least 1")
	check(o.Idle > 0, "idle", o.Idle, "positive")
	check(o.Retry > 0, "retry", o.Retry, "positive")
	check(o.Retries >= 0, "retries", o.Retries, "0 or more")
	return errors.Join(all...)
}

// Reassembler puts messages together that were cut into packages (JT/T 808-2019
// 4.4.3). Use one for each terminal, so that one cannot take the room of others.
//
// Packages of a message should have consecutive serial numbers, and in practice
// have not: other messages are sent between them. So they are told by message id
// and total number; the serials only help when messages of the same kind are
// under way at once. Packages may come in any order, more than once, and mixed
// with those of other messages. A package that comes again has the same body: one
// with the serial of another and other content begins another message.
//
// It knows no clock: times are parameters and must not go back. It holds nothing
// while no message is incomplete but a few words about those last completed, and
// four bytes for each of their packages. It
// may be used by one goroutine at a time.
type Reassembler struct {
	options  ReassemblyOptions
	partials []*partial // in the order of their last package, the latest at the end
	finished []finished // last completed, to know late copies of their packages
	dropped  []Dropped  // displaced since the last Expire
	stats    ReassemblyStats
}

// ReassemblyStats are counters of a [Reassembler] since it was made, and what it
// holds.
type ReassemblyStats struct {
	Packages   uint64 `metric:"linkspan_jt808_packages_total" doc:"packages of long messages received"`
	Duplicates uint64 `metric:"linkspan_jt808_packages_duplicate_total" doc:"packages received more than once"`
	Completed  uint64 `metric:"linkspan_jt808_reassembly_completed_total" doc:"messages put together"`
	Expired    uint64 `metric:"linkspan_jt808_reassembly_expired_total" doc:"messages dropped because no package came for too long"`
	Displaced  uint64 `metric:"linkspan_jt808_reassembly_displaced_total" doc:"messages dropped because newer ones needed their room"`
	TooLarge   uint64 `metric:"linkspan_jt808_reassembly_toolarge_total" doc:"messages dropped because they were too large"`
	Requested  uint64 `metric:"linkspan_jt808_packages_requested_total" doc:"packages asked for again"`
	Messages   int    `metric:"linkspan_jt808_reassembly_messages" doc:"incomplete messages held"`
	Bytes      int    `metric:"linkspan_jt808_reassembly_bytes" doc:"bytes of incomplete messages held"`
}

// Missing is an incomplete message whose missing packages are to be asked for,
// by [PlatformResendRequest], or [MediaResponse] for multimedia data.
type Missing struct {
	Header      Header   // of one of the packages that came; Serial, Total and Index are its
	FirstSerial uint16   // of package 1; computed from the lowest there is if that is missing
	Indexes     []uint16 // missing packages, ascending; at most 255
	Attempt     int      // which request this is, from 1
}

// Dropped is an incomplete message that was given up.
type Dropped struct {
	Header   Header // of one of the packages that came
	Received int    // packages that came
	Bytes    int    // of their bodies
	Cause    error  // ErrExpired, ErrDisplaced
}

// partial is an incomplete message.
type partial struct {
	header  Header  // of the first package that came
	pieces  []piece // ascending by index
	size    int     // what the pieces count for
	last    time.Time
	asked   time.Time // when missing packages were last asked for; before that, last
	tries   int
	wanted  bool // missing packages were asked for: some terminals send them with new serials
	serials bool // every serial so far is where consecutive sending would have it, or later
	refused bool // too large: the pieces are gone, more of them are dropped too
	again   bool // its serials are those of a completed message with other content
}

type piece struct {
	index, serial uint16
	body          []byte
}

// pieceOverhead is what a piece costs beside its body.
const pieceOverhead = 64

// finished is a message that is complete.
type finished struct {
	header      Header   // of its first package
	first, last uint16   // serials of its first and last package
	sums        []uint32 // of the bodies of its packages
	at          time.Time
}

const maxFinished = 4

// NewReassembler returns an empty one. Options that are not positive mean the
// default, but for Retries, where 0 means never.
func NewReassembler(o ReassemblyOptions) *Reassembler {
	d := DefaultReassemblyOptions()
	if o.MaxBytes <= 0 {
		o.MaxBytes = d.MaxBytes
	}
	if o.MaxMessages <= 0 {
		o.MaxMessages = d.MaxMessages
	}
	if o.Idle <= 0 {
		o.Idle = d.Idle
	}
	if o.Retry <= 0 {
		o.Retry = d.Retry
	}
	return &Reassembler{options: o}
}

// Stats are the counters and what is held.
func (r *Reassembler) Stats() ReassemblyStats {
	s := r.stats
	for _, p := range r.partials {
		s.Bytes += p.size
		if !p.refused {
			s.Messages++
		}
	}
	return s
}

// Add takes a frame that came at now. A frame that is no package is returned as
// it is. A package is copied; whole is nil until it was the last that was
// missing, and then a frame of its own with the header of the first package, but
// Total and Index 0. Copies of packages that came before are counted and give nil
// and nil: answer them like the first time.
//
// The error wraps [ErrMessageTooLarge], for every package of such a message, or
// is a *codec.FrameError for a package that cannot be. The terminal is to be told
// in either case; nothing else is disturbed.
func (r *Reassembler) Add(f *Frame, now time.Time) (whole *Frame, err error) {
	if !f.IsPackage() {
		return f, nil
	}
	if f.Index == 0 || f.Index > f.Total {
		return nil, packageError(&f.Header, 0)
	}
	r.stats.Packages++
	if f.Total == 1 {
		r.stats.Completed++
		whole = f.Clone()
		whole.Total, whole.Index = 0, 0
		return whole, nil
	}
	p, duplicate := r.find(f)
	copied, again := r.isFinished(f, now)
	if copied && (p == nil || !p.again) {
		r.stats.Duplicates++
		return nil, nil
	}
	if p == nil {
		p = r.start(f)
		p.again = again
	}
	p.last, p.asked, p.tries = now, now, 0
	r.toEnd(p)
	switch {
	case p.refused:
		return nil, tooLarge(p, r.options.MaxBytes)
	case duplicate:
		r.stats.Duplicates++
		return nil, nil
	}
	p.add(f)
	if len(p.pieces) == int(p.header.Total) {
		r.remove(p)
		r.finish(p, now)
		return p.whole(), nil
	}
	return nil, r.makeRoom(p)
}

func tooLarge(p *partial, most int) error {
	return fmt.Errorf("%w: %v in %d packages takes more than %d bytes", ErrMessageTooLarge, p.header.ID, p.header.Total, most)
}

// makeRoom drops what was least recently added to until the rest is within the
// limits. p is the latest.
func (r *Reassembler) makeRoom(p *partial) error {
	held := 0
	for _, q := range r.partials {
		held += q.size
	}
	for held > r.options.MaxBytes || len(r.partials) > r.options.MaxMessages {
		oldest := r.partials[0]
		if oldest == p {
			r.stats.TooLarge++
			p.pieces, p.size, p.refused = nil, 0, true
			return tooLarge(p, r.options.MaxBytes)
		}
		held -= oldest.size
		r.remove(oldest)
		if !oldest.refused {
			r.stats.Displaced++
			r.dropped = append(r.dropped, oldest.dropped(ErrDisplaced))
			if over := len(r.dropped) - r.options.MaxMessages; over > 0 {
				r.dropped = r.dropped[over:]
			}
		}
	}
	return nil
}

// Missing returns the messages whose missing packages are to be asked for now,
// and counts them as asked for: a message for which no package has come for
// ReassemblyOptions.Retry, then for twice that since, three times, up to Retries.
func (r *Reassembler) Missing(now time.Time) []Missing {
	var due []Missing
	for _, p := range r.partials {
		if at, ok := r.retryAt(p); !ok || now.Before(at) {
			continue
		}
		p.tries++
		p.asked, p.wanted = now, true
		m := Missing{Header: p.header, FirstSerial: p.firstSerial(), Indexes: p.missing(), Attempt: p.tries}
		r.stats.Requested += uint64(len(m.Indexes))
		due = append(due, m)
	}
	return due
}

// retryAt is when the missing packages of p are to be asked for; false if never.
func (r *Reassembler) retryAt(p *partial) (time.Time, bool) {
	if p.refused || p.tries >= r.options.Retries {
		return time.Time{}, false
	}
	return p.asked.Add(r.options.Retry * time.Duration(p.tries+1)), true
}

// Expire drops the messages for which no package has come for
// ReassemblyOptions.Idle. It returns them and those displaced since the last call,
// of these the last ReassemblyOptions.MaxMessages; [ReassemblyStats] count them all.
func (r *Reassembler) Expire(now time.Time) []Dropped {
	gone := r.dropped
	r.dropped = nil
	keep := r.partials[:0]
	for _, p := range r.partials {
		if now.Sub(p.last) < r.options.Idle {
			keep = append(keep, p)
			continue
		}
		if !p.refused { // that was reported by Add
			r.stats.Expired++
			gone = append(gone, p.dropped(ErrExpired))
		}
	}
	clear(r.partials[len(keep):])
	r.partials = keep
	if len(keep) == 0 {
		r.partials = nil
	}
	if n := len(r.finished); n > 0 && now.Sub(r.finished[n-1].at) >= r.options.Idle {
		r.finished = nil
	}
	return gone
}

// Next is when [Reassembler.Missing] or [Reassembler.Expire] has something to do
// next; false while no message is incomplete.
func (r *Reassembler) Next() (at time.Time, ok bool) {
	for _, p := range r.partials {
		t := p.last.Add(r.options.Idle)
		if retry, asks := r.retryAt(p); asks && retry.Before(t) {
			t = retry
		}
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	return at, ok
}
