package h2

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Config is what a connection may hold and how long it waits. All fields are
// needed.
type Config struct {
	Scheme    string // https or http
	Authority string // host or host:port
	Window    int    // bytes that the server may send before they are taken
	MaxHeader int    // bytes of one header list
	MaxBody   int    // bytes of one response or pushed message
	Streams   int    // requests open at a time, whatever the server allows
	Pushes    int    // streams of the server's open at a time
	Pending   int    // requests that wait for a stream
	// RequestTimeout is how long the server may take to answer, from when the
	// request has a stream.
	RequestTimeout time.Duration
	PingInterval   time.Duration
	PingTimeout    time.Duration // silence that ends the connection, after a PING
	WriteTimeout   time.Duration // a connection that takes no bytes for so long ends
}

// Handler is told what the server does by itself. Its methods are called one at a
// time, on the goroutine that reads: while one does not return, nothing is read.
type Handler interface {
	// Pushed is a whole stream that the server began. The message is the
	// handler's own.
	Pushed(m Message)
	// Ended is called once, last: the connection is over, and no request of it is
	// open.
	Ended(cause error)
}

// Message is what a stream carried: a response, or what the server pushed.
type Message struct {
	Status int // 0 when there is none
	Header []hpack.HeaderField
	Body   []byte
}

// Get is the value of a header, empty when there is none. name is in lower case.
func (m *Message) Get(name string) string {
	for _, f := range m.Header {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// Request is what is asked of the server. It and what it points to belong to the
// connection until Done is called.
type Request struct {
	Method, Path string
	Header       []hpack.HeaderField
	Body         []byte
	// Done is called once, on a goroutine of the connection's, or on that which
	// ends the connection. It does not block.
	Done func(Message, error)
	// Stay has Done called as soon as the header of the response is there; what
	// follows on the stream is not looked at, and the stream may stay open.
	Stay bool

	// Guarded by the connection's mu.
	stream     *stream // once it has one
	next, prev *Request
	waits      bool // in the queue of pending requests
	refusals   int
}

// Stats is what a connection has counted.
type Stats struct {
	Open, Pending           int
	Pushed, Refused, Resets uint64
}

// Conn is one connection. Its methods may be called from any goroutine. It owns
// three goroutines, which read, write and ping; they end with the connection.
type Conn struct {
	cfg     Config
	net     net.Conn
	handler Handler
	framer  *http2.Framer // reads without mu, writes into out under it
	read    atomic.Int64  // when a frame last came, in nanoseconds since start
	start   time.Time
	down    chan struct{} // closed when the connection has an end
	leaving chan struct{} // closed when the server is going away
	told    chan struct{} // closed when the end has told all requests
	ended   sync.WaitGroup

	mu       sync.Mutex // guards what follows
	written  *sync.Cond // out is not empty, or err is set
	out      buffer     // frames to be written
	encoder  *hpack.Encoder
	block    buffer // header block being encoded
	streams  map[uint32]*stream
	open     int // requests among them
	pushes   int // the others, but for those that are only promised
	promised int
	held     int // bytes of messages that are not yet complete
	pending  queue
	blocked  []*stream // with bodies that wait for a window, in order
	nextID   uint32
	lastPush uint32
	peer     peer
	window   int64 // that the server has left for all our bodies
	credit   int   // of the server's window for the connection, taken and not yet given back
	goAway   error // why no more requests are taken; nil: they are
	err      error
	stats    Stats

	decoder *hpack.Decoder // of the reader alone, as are headers
	headers headerBlock
}

// peer is what the server has asked for.
type peer struct {
	streams int
	window  int64 // of a new stream
	frame   int
}

const (
	defaultWindow = 65535
	defaultFrame  = 16384
	assumed       = 100 // streams, before the server has said
	maxStream     = 1<<31 - 1
	maxWaiting    = 1 << 20  // bytes of frames that answer the server's, waiting to be written
	maxHeld       = 32 << 20 // bytes of messages that are not yet complete
	maxRefusals   = 5        // of one request's streams
	flushAt       = 256 << 10
	writeAtOnce   = 64 << 10         // bytes that WriteTimeout is for
	lastWords     = time.Second      // for what is written when the connection has an end
	maxLeaving    = 10 * time.Second // that what is open has to end, once the server is going away
)

// New makes a connection that is going to speak over nc, which it then owns. It
// does so from Start on.
func New(nc net.Conn, cfg Config, handler Handler) *Conn {
	c := &Conn{
		cfg: cfg, net: nc, handler: handler, start: time.Now(),
		down: make(chan struct{}), leaving: make(chan struct{}), told: make(chan struct{}),
		streams: map[uint32]*stream{}, nextID: 1,
		peer:   peer{streams: assumed, window: defaultWindow, frame: defaultFrame},
		window: defaultWindow,
	}
	c.written = sync.NewCond(&c.mu)
	c.encoder = hpack.NewEncoder(&c.block)
	c.framer = http2.NewFramer(&c.out, bufio.NewReaderSize(nc, defaultFrame))
	c.framer.SetReuseFrames()
	c.framer.SetMaxReadFrameSize(defaultFrame)
	c.framer.AllowIllegalReads = true // the order of header blocks is checked here: the framer's check knows no promises
	c.decoder = hpack.NewDecoder(4096, nil)
	c.decoder.SetMaxStringLength(cfg.MaxHeader)

	c.out = append(c.out, http2.ClientPreface...)
	_ = c.framer.WriteSettings( // into memory
		http2.Setting{ID: http2.SettingEnablePush, Val: 1},
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: number(cfg.Pushes)},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: number(cfg.Window)},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: number(cfg.MaxHeader)},
	)
	if cfg.Window > defaultWindow {
		_ = c.framer.WriteWindowUpdate(0, number(cfg.Window-defaultWindow))
	}
	return c
}

// Start begins to speak. It is called once.
func (c *Conn) Start() {
	c.ended.Go(c.writeLoop)
	c.ended.Go(c.pingLoop)
	go func() { // ends with the connection; tells so by Ended
		c.readLoop()
		c.ended.Wait()
		<-c.told
		c.handler.Ended(c.cause())
	}()
}

// number is a figure of the configuration, which is positive and small.
func number(n int) uint32 { return uint32(n) } //nolint:gosec // checked by those who configure

// Do sends a request when a stream is free. An error says that it was not taken,
// and that Done is not called: [ErrBusy], [ErrGoingAway], or why the connection
// has ended.
func (c *Conn) Do(r *Request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return c.err
	case c.goAway != nil:
		return ErrGoingAway
	case int64(c.nextID)+2*int64(c.pending.n) > maxStream:
		c.leave(errExhausted)
		return ErrGoingAway
	case c.pending.n >= c.cfg.Pending:
		return ErrBusy
	}
	c.pending.push(r)
	c.progress()
	return nil
}

// Cancel gives up a request that Do has taken. Done is not called any more, unless
// it is being called now.
func (c *Conn) Cancel(r *Request) {
	c.mu.Lock()
	if r.waits {
		c.pending.remove(r)
	} else if s := r.stream; s != nil && c.err == nil && c.streams[s.id] == s {
		c.drop(s, http2.ErrCodeCancel)
		c.written.Signal()
	}
	end := c.drained()
	c.mu.Unlock()
	if end != nil {
		c.fail(end)
	}
}

// Close ends the connection. Requests that are open fail with ErrClosed.
func (c *Conn) Close() { c.fail(ErrClosed) }

// Stats is a snapshot.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Open, s.Pending = c.open, c.pending.n
	return s
}

func (c *Conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// over says whether the connection has an end. mu is held.
func (c *Conn) over() bool { return c.err != nil }

// fail ends the connection; err of the first call is its cause.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	var b *broken
	if errors.As(err, &b) {
		_ = c.framer.WriteGoAway(c.lastPush, b.code, []byte(b.text))
	} else {
		_ = c.framer.WriteGoAway(c.lastPush, http2.ErrCodeNo, nil)
	}
	var dones []func()
	for _, s := range c.streams {
		if r := s.request; r != nil {
			dones = append(dones, func() { r.Done(Message{}, err) })
		}
	}
	dones = append(dones, c.refusePending(fmt.Errorf("%w: %w", ErrUnprocessed, err))...)
	clear(c.streams)
	c.blocked, c.open, c.pushes, c.promised, c.held = nil, 0, 0, 0, 0
	_ = c.net.SetWriteDeadline(time.Now().Add(min(lastWords, c.cfg.WriteTimeout))) // a write that hangs ends
	c.written.Broadcast()
	close(c.down)
	c.mu.Unlock()
	for _, done := range dones {
		done()
	}
	close(c.told)
}

// refusePending is what ends the requests that have no stream. mu is held.
func (c *Conn) refusePending(err error) (dones []func()) {
	for c.pending.n > 0 {
		r := c.pending.pop()
		dones = append(dones, func() { r.Done(Message{}, err) })
	}
	return dones
}

// buffer is written to in memory.
type buffer []byte

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}
