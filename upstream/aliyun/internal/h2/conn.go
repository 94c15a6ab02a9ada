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
	Scheme       string // https or http
	Authority    string // host or host:port
	Window       int    // bytes that the server may send before they are taken
	MaxHeader    int    // bytes of one header list
	MaxBody      int    // bytes of one response or pushed message
	Streams      int    // requests open at a time, whatever the server allows
	Pushes       int    // streams of the server's open at a time
	Pending      int    // requests that wait for a stream
	PingInterval time.Duration
	PingTimeout  time.Duration // silence that ends the connection, after a PING
	WriteTimeout time.Duration
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
	// Done is called once, on the goroutine that reads, or on that which ends the
	// connection. It does not block.
	Done func(Message, error)
	// Stay has Done called as soon as the header of the response is there; what
	// follows on the stream is not looked at, and the stream may stay open.
	Stay bool

	stream    *stream // once it has one; guarded by the connection's mu, as is cancelled
	cancelled bool
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
	ended   sync.WaitGroup

	mu       sync.Mutex // guards what follows
	written  *sync.Cond // out is not empty, or err is set
	out      buffer     // frames to be written
	encoder  *hpack.Encoder
	block    buffer // header block being encoded
	streams  map[uint32]*stream
	open     int // requests among them
	pushes   int // the others
	pending  queue
	blocked  []*stream // with bodies that wait for a window, in order
	nextID   uint32
	lastPush uint32
	peer     peer
	window   int64 // that the server has left for all our bodies
	credit   int   // of the connection, taken and not yet given back to the server
	left     int64 // of the connection's window, for the server
	goAway   *GoAwayError
	err      error
	stats    Stats

	decoder *hpack.Decoder // of the reader alone, as is headers
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
	assumed       = 100     // streams, before the server has said
	maxWaiting    = 1 << 20 // bytes of frames that answer the server's, waiting to be written
	flushAt       = 256 << 10
	lastWords     = time.Second // for what is written when the connection has an end
)

// New begins to speak over nc, which the connection then owns.
func New(nc net.Conn, cfg Config, handler Handler) *Conn {
	c := &Conn{
		cfg: cfg, net: nc, handler: handler, start: time.Now(), down: make(chan struct{}), leaving: make(chan struct{}),
		streams: map[uint32]*stream{}, nextID: 1,
		peer:   peer{streams: assumed, window: defaultWindow, frame: defaultFrame},
		window: defaultWindow, left: int64(max(cfg.Window, defaultWindow)),
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
	c.ended.Go(c.writeLoop)
	c.ended.Go(c.pingLoop)
	go func() { // ends with the connection; tells so by Ended
		c.readLoop()
		c.ended.Wait()
		handler.Ended(c.cause())
	}()
	return c
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
	case c.goAway != nil || c.nextID > 1<<31-1:
		return ErrGoingAway
	case c.pending.len() >= c.cfg.Pending:
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
	defer c.mu.Unlock()
	r.cancelled = true
	if s := r.stream; s != nil && c.err == nil && c.streams[s.id] == s {
		c.drop(s, http2.ErrCodeCancel)
		c.written.Signal()
	}
}

// Close ends the connection. Requests that are open fail with ErrClosed.
func (c *Conn) Close() { c.fail(ErrClosed) }

// Down is closed when the connection has an end.
func (c *Conn) Down() <-chan struct{} { return c.down }

// Stats is a snapshot.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Open, s.Pending = c.open, c.pending.len()
	return s
}

func (c *Conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

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
		if s.done != nil {
			done := s.done
			dones = append(dones, func() { done(Message{}, err) })
		}
	}
	dones = append(dones, c.refusePending(fmt.Errorf("%w: %w", ErrUnprocessed, err))...)
	clear(c.streams)
	c.blocked, c.open, c.pushes = nil, 0, 0
	_ = c.net.SetWriteDeadline(time.Now().Add(min(lastWords, c.cfg.WriteTimeout))) // a write that hangs ends
	c.written.Broadcast()
	close(c.down)
	c.mu.Unlock()
	for _, done := range dones {
		done()
	}
}

// refusePending is what ends the requests that have no stream. mu is held.
func (c *Conn) refusePending(err error) (dones []func()) {
	for c.pending.len() > 0 {
		if r := c.pending.pop(); !r.cancelled {
			dones = append(dones, func() { r.Done(Message{}, err) })
		}
	}
	return dones
}

// pingLoop keeps the connection alive, and ends it when the server is silent.
func (c *Conn) pingLoop() {
	ticker := time.NewTicker(c.cfg.PingInterval)
	defer ticker.Stop()
	late := time.NewTimer(c.cfg.PingTimeout)
	late.Stop()
	defer late.Stop()
	var count uint64
	asked := time.Duration(-1)
	leaving := c.leaving
	for {
		select {
		case <-ticker.C:
			if asked >= 0 && c.lastRead() > asked {
				asked = -1 // something came since: the older question is answered
			}
			if asked < 0 {
				asked = time.Since(c.start)
				late.Reset(c.cfg.PingTimeout)
			}
			count++
			c.ping(count)
		case <-leaving: // what is open has some time to end
			leaving, asked = nil, -1
			ticker.Stop()
			late.Reset(c.cfg.PingTimeout)
		case <-late.C:
			if leaving == nil {
				c.fail(c.gone())
				return
			}
			if c.lastRead() <= asked {
				c.fail(ErrSilent)
				return
			}
			asked = -1
		case <-c.down:
			return
		}
	}
}

// gone is why the server is going away.
func (c *Conn) gone() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.goAway
}

func (c *Conn) lastRead() time.Duration { return time.Duration(c.read.Load()) }

func (c *Conn) ping(count uint64) {
	var data [8]byte
	for i := range data {
		data[i] = byte(count >> (8 * i))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		_ = c.framer.WritePing(false, data)
		c.written.Signal()
	}
}

// buffer is written to in memory.
type buffer []byte

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}
