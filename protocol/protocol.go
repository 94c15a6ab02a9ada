package protocol

import (
	"net/netip"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// Adapter speaks one protocol with one peer; a fresh one serves each
// connection. Its methods run one at a time on the connection's loop and must
// not block: it needs no locks.
type Adapter[M any] interface {
	// Received handles one message, which is valid until it returns. An error
	// closes the connection with that cause.
	Received(c *Conn[M], msg M) error
}

// Opener is implemented by adapters of protocols in which our side speaks first.
type Opener[M any] interface {
	// Opened is called once, before anything else. An error closes the
	// connection with that cause.
	Opened(c *Conn[M]) error
}

// Commander is implemented by adapters whose devices can be told something.
type Commander[M any] interface {
	// Command tells the device of s, which is online, to do cmd. The adapter
	// reports a [thing.Reply] once it knows the outcome ([Conn.Reply]). An error
	// ends the command at once: a *thing.ReplyError with its own state, another
	// with thing.Failed.
	Command(c *Conn[M], s *session.Session, cmd *thing.Command) error
}

// Closer is implemented by adapters that hold something to let go. Closed is
// called once, after the connection has ended; nothing can be sent any more.
type Closer[M any] interface {
	Closed(c *Conn[M], cause error)
}

// LoginAwaiter is implemented by adapters that know when a connection is in order
// without a device online, and perhaps without a message: a line that is known, on
// which no device answers yet. Handlers of connections implement it too.
type LoginAwaiter interface {
	// AwaitsLogin says whether the connection still has to show that it belongs
	// here. As long as it does, servers end it when its first message or its login
	// takes too long; of adapters that do not implement this they do so always. On
	// the loop only. Once it is false it stays so.
	AwaitsLogin() bool
}

// Protocol is one configured protocol. Its functions are called once per
// connection; the decoder's also after a decoder has panicked, and for what comes
// behind a datagram that ended inside a message. A protocol whose
// messages are []byte may leave Decoder and Encoder nil: bytes are passed on as
// they are ([codec.Raw], [codec.AppendRaw]).
type Protocol[M any] struct {
	Decoder func() codec.Decoder[M]
	Encoder codec.Encoder[M] // nil: the device is never told anything; shared by all connections
	Adapter func() Adapter[M]
}

// Scheduler runs functions on a connection's loop.
type Scheduler interface {
	// Do runs f on the loop, soon, never inline, in the order of the calls, even
	// after the connection has closed; afterwards the loop offers again what
	// Data left. It may be called from any goroutine.
	Do(f func())
	// After runs f on the loop when d has passed, unless stop was called before.
	// Timers are coarse: up to 100 ms late. On the loop only.
	After(d time.Duration, f func()) (stop func())
	// Now is the time at which the loop's present callback began. On the loop only.
	Now() time.Time
}

// Peer is the other end of a connection.
type Peer interface {
	// Write sends p, which is not kept. On the loop only. An error means that
	// the connection is closing; its cause comes by Handler.Closed, later, never
	// inside Write. But for ErrTooLong, of [Datagrams]: then p was not sent, and the
	// connection goes on.
	Write(p []byte) error
	// Close ends the connection with that cause, soon. From any goroutine; only
	// the first cause counts.
	Close(cause error)
	// Remote is the peer's address.
	Remote() netip.AddrPort
}

// Transport is what a connection needs of whoever owns its socket. Servers
// implement it.
type Transport interface {
	Scheduler
	Peer
	// Fault counts a frame that was lost to err: a decode error, a
	// *PanicError. frame is its bytes, as far as known. A non-nil result is the
	// cause with which the connection has to end, for its faults were too many.
	// On the loop only, also after the connection has closed.
	Fault(err error, frame []byte) error
}

// Dialled is implemented by transports whose connections linkspan may have opened,
// to devices that listen themselves.
type Dialled interface {
	// Target is the address that was dialled, as the configuration has it; empty
	// for connections that devices have opened.
	Target() string
}

// Refuser is implemented by transports that say in the log whom adapters have turned
// away.
type Refuser interface {
	// Refused logs, at a limited rate, that a device that calls itself identity was
	// refused for err, which has no secrets in it. On the loop only.
	Refused(identity string, err error)
}

// Datagrams is implemented by transports whose peers may send datagrams, which
// have bounds of their own, instead of a stream of bytes. When it says so,
// Handler.Data gets one datagram at a time, or what it left of one, and each
// message is written by itself: what is left incomplete at a datagram's end is a
// fault, and never goes together with the next datagram.
type Datagrams interface {
	// Datagrams says whether the peer sends datagrams. It is asked once.
	Datagrams() bool
}

// Uplink is what a connection needs of whoever leads to the platform. Its
// methods do not block and may be called from any goroutine; done, if not nil,
// is called once, from any goroutine, perhaps before the method returns.
type Uplink interface {
	// Online brings the device of s online.
	Online(s *session.Session, credentials []string, done func(error))
	// Publish says m, which it does not keep, for the device of s. Messages of one
	// session keep their order; so do the calls of done, but for messages that are
	// refused at once, because the device is offline or too much is under way: their
	// done may come ahead of that of earlier ones, and Publish returns the reason as
	// well, for those who do not wait. Its nil says nothing of what comes later.
	Publish(s *session.Session, m *thing.Message, done func(error)) error
	// Offline ends s with that cause. It may be called more than once, and for
	// a session whose Online failed.
	Offline(s *session.Session, cause error)
}

// Guard decides who may try to log in. Its methods may be called from any
// goroutine and do not block. Package auth/attempts has one.
type Guard interface {
	// Admit is nil when that device may try now, from that address: an attempt has
	// begun, which Outcome ends, once. Its error is the login's.
	Admit(from netip.Addr, identity string) error
	// Outcome notes how an attempt ended.
	Outcome(from netip.Addr, identity string, err error)
	// Denied notes a failure that nobody has asked Admit for.
	Denied(from netip.Addr, identity string, err error)
	// Banned says whether connections of that address are refused now.
	Banned(from netip.Addr) bool
}

// Host is what all connections of one listener share.
type Host struct {
	Uplink    Uplink
	Guard     Guard            // nil: everybody may try as often as they like
	Listener  string           // its name in the configuration, for logs
	Heartbeat []session.Option // how sessions are made unless the adapter says otherwise
	// MaxAttached bounds the further devices behind one connection
	// ([Conn.Attach]); 0 means [DefaultMaxAttached].
	MaxAttached int
}

// DefaultMaxAttached is how many further devices a connection may have unless
// its Host says otherwise.
const DefaultMaxAttached = 1024

func (h *Host) maxAttached() int {
	if h.MaxAttached > 0 {
		return h.MaxAttached
	}
	return DefaultMaxAttached
}

// Handler is a connection with its message type erased, as servers hold it. Its
// methods are called on the connection's loop.
type Handler interface {
	// Opened is called once, before anything else. An error is the cause with
	// which the connection has to end.
	Opened() error
	// Data decodes and handles all messages that are whole in in. n bytes are
	// done with, messages were handled. An error is the cause with which the
	// connection has to end.
	Data(in []byte) (n, messages int, err error)
	// Session is the connection's own session or, of a connection without one,
	// the first that was attached; nil until one of them is online.
	Session() *session.Session
	// Closed is called once, after the connection has ended, and never inside
	// another call of the handler. Calls after it do nothing.
	Closed(cause error)
}

// Open makes the handler of one new connection.
type Open func(t Transport, h *Host) Handler
