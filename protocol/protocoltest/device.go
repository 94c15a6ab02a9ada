package protocoltest

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// Start is the time that a device's clock shows at first.
var Start = time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)

// ErrTooManyFaults is the cause of a connection that had as many faults as
// [Device.MaxFaults].
var ErrTooManyFaults = errors.New("protocoltest: too many faults")

// Login is a device that the plugin brought online, or tried to.
type Login struct {
	Identity    string
	Credentials []string
	Session     *session.Session
}

// Logout is a session that ended.
type Logout struct {
	Identity string
	Cause    error
}

// Said is one message that reached the platform: a copy of it.
type Said struct {
	*thing.Message
	Identity string // of the device that said it
}

// Fault is a frame that was lost.
type Fault struct {
	Err   error
	Frame []byte
}

// Refusal is a device that the adapter has turned away ([protocol.Conn.Refused] and
// [protocol.Conn.Denied]).
type Refusal struct {
	Identity string
	Err      error
}

// Device is the far side of a connection in memory, and the platform behind it.
// The fields above the line are what happened; those below it may be set at any
// time and say what happens next.
type Device struct {
	Written []byte    // what the device was sent and Take has not yet taken
	Writes  int       // in how many writes all of it came
	Said    []Said    // what reached the platform, in order
	Tried   []Login   // logins, in order
	Online  []Login   // logins that succeeded, in order
	Offline []Logout  // sessions that ended after they were online, in order
	Faults  []Fault   // frames that were lost
	Refused []Refusal // whom the adapter has turned away, for the log
	Failed  []Refusal // for whom the adapter could not do something, for the log
	Closed  bool      // whether the connection has ended
	Cause   error     // why it has

	// ------------------------------------------------------------------

	Refuse        error // the platform's answer to logins; nil: they succeed
	HoldLogins    bool  // logins wait for ReleaseLogins
	FailPublish   error // the outcome of publishes; nil: they succeed
	HoldPublishes bool  // publishes wait for ReleasePublishes
	RefusePublish error // what publishes are refused with at once, as when too much is under way
	FailWrite     error // what writes fail with; the connection then ends with it
	MaxFaults     int   // faults that close the connection; 0: never. Connect sets 16
	AllowPanics   bool  // panics of the plugin are faults, and do not fail the test

	tb      testing.TB
	handler protocol.Handler
	pending []byte   // has arrived and is not decoded
	parted  bool     // the device sends datagrams: each Send is one
	behind  [][]byte // datagrams that have arrived behind pending
	now     time.Time
	timers  []*timer
	logins  []*held
	publish []*held
	live    map[*session.Session]bool

	mu     sync.Mutex
	queue  []func() // what Do was given; guarded by mu
	ending bool     // guarded by mu
	cause  error    // of ending; guarded by mu
}

// held is an answer of the platform that is not yet given.
type held struct {
	done func(error)
	then func(error) // before done
}

func (h *held) release(err error) {
	if h.then != nil {
		h.then(err)
	}
	if h.done != nil {
		h.done(err)
	}
}

// Option changes how a device is connected.
type Option func(*protocol.Host)

// WithHost changes what the plugin's connection gets of its host.
func WithHost(change func(*protocol.Host)) Option { return change }

// Connect opens a connection of p with config, or with p's defaults when config
// is nil. The connection is closed when the test ends.
func Connect(tb testing.TB, p protocol.Plugin, config any, opts ...Option) *Device {
	tb.Helper()
	return connect(tb, p, config, false, opts)
}

// ConnectDatagrams is Connect for a device that sends datagrams, as over UDP:
// each Send is one, and so is each of [Device.Writes].
func ConnectDatagrams(tb testing.TB, p protocol.Plugin, config any, opts ...Option) *Device {
	tb.Helper()
	return connect(tb, p, config, true, opts)
}

func connect(tb testing.TB, p protocol.Plugin, config any, parted bool, opts []Option) *Device {
	tb.Helper()
	if config == nil {
		config = p.Config
	}
	open, err := p.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	d := &Device{tb: tb, MaxFaults: 16, now: Start, live: map[*session.Session]bool{}, parted: parted}
	host := &protocol.Host{Uplink: platform{d}, Listener: "test"}
	for _, o := range opts {
		o(host)
	}
	d.handler = open(side{d}, host)
	if err := d.handler.Opened(); err != nil {
		d.end(err)
	}
	d.Run()
	tb.Cleanup(func() { d.Close(protocol.ErrClosed) })
	return d
}

// Send is the device sending p in one piece. What follows from it has happened
// when Send returns.
func (d *Device) Send(p []byte) {
	d.tb.Helper()
	if d.parted && len(d.pending) > 0 {
		d.behind = append(d.behind, bytes.Clone(p))
	} else {
		d.pending = append(d.pending, p...)
	}
	d.Run()
}

// SendEach is the device sending p in pieces of size bytes.
func (d *Device) SendEach(size int, p []byte) {
	d.tb.Helper()
	for len(p) > 0 {
		n := min(max(size, 1), len(p))
		d.Send(p[:n])
		p = p[n:]
	}
}

// Take returns what the device was sent since the last time.
func (d *Device) Take() []byte {
	p := d.Written
	d.Written = nil
	return p
}

// TakeSaid returns what reached the platform since the last time.
func (d *Device) TakeSaid() []Said {
	s := d.Said
	d.Said = nil
	return s
}

// Command is the platform telling the device something: the one whose login was
// tried last, online or not.
func (d *Device) Command(cmd *thing.Command) {
	d.tb.Helper()
	if len(d.Tried) == 0 {
		d.tb.Fatal("protocoltest: command to a device that has not logged in")
	}
	d.CommandTo(d.Tried[len(d.Tried)-1].Session, cmd)
}

// CommandTo is the platform telling the device of s something.
func (d *Device) CommandTo(s *session.Session, cmd *thing.Command) {
	d.tb.Helper()
	c, ok := s.Channel().(interface{ Command(cmd *thing.Command) })
	if !ok {
		d.tb.Fatalf("protocoltest: the channel of %s is %T, which takes no commands", s.Identity(), s.Channel())
	}
	c.Command(cmd)
	d.Run()
}

// Close ends the connection with that cause, as a server does. It does nothing
// when the connection has ended.
func (d *Device) Close(cause error) {
	d.end(cause)
	d.Run()
}

// Hangup is the device closing its end.
func (d *Device) Hangup() { d.Close(io.EOF) }

// TakeOver is another session of the same device, or an operator, ending s: its
// channel is closed with that cause.
func (d *Device) TakeOver(s *session.Session, cause error) {
	s.CloseChannel(cause)
	d.Run()
}

// Pending is how many bytes wait behind a login or for the rest of a message.
func (d *Device) Pending() int {
	n := len(d.pending)
	for _, p := range d.behind {
		n += len(p)
	}
	return n
}

// Run is the connection's loop: it offers what has arrived and runs what was
// queued until nothing is left. It need only be called after a goroutine of the
// plugin's own has called Do.
func (d *Device) Run() {
	d.tb.Helper()
	for {
		d.offer()
		d.settle()
		queue := d.take()
		if len(queue) == 0 {
			return
		}
		for _, f := range queue {
			f()
		}
	}
}

// offer gives the handler what has arrived, and then takes it away from it.
func (d *Device) offer() {
	d.tb.Helper()
	d.mu.Lock()
	ending := d.ending
	d.mu.Unlock()
	if d.Closed || ending || len(d.pending) == 0 {
		return
	}
	in := bytes.Clone(d.pending)
	n, _, err := d.handler.Data(in)
	for i := range in {
		in[i] = 0xAA
	}
	if n < 0 || n > len(in) {
		d.tb.Fatalf("protocoltest: handler is done with %d of %d bytes", n, len(in))
	}
	d.pending = append(d.pending[:0], d.pending[n:]...)
	if err != nil {
		if errors.Is(err, protocol.ErrBadDecoder) && !d.AllowPanics {
			d.tb.Error(err)
		}
		d.end(err)
	}
	if len(d.pending) == 0 && len(d.behind) > 0 {
		d.pending, d.behind = d.behind[0], d.behind[1:]
		d.offer()
	}
}

func (d *Device) take() []func() {
	d.mu.Lock()
	defer d.mu.Unlock()
	queue := d.queue
	d.queue = nil
	return queue
}

// end asks for the connection's end; the first cause counts.
func (d *Device) end(cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.ending {
		d.ending, d.cause = true, cause
	}
}

// settle ends the connection when that was asked for.
func (d *Device) settle() {
	d.mu.Lock()
	ending, cause := d.ending, d.cause
	d.mu.Unlock()
	if !ending || d.Closed {
		return
	}
	d.Closed, d.Cause, d.timers = true, cause, nil
	d.handler.Closed(cause)
}
