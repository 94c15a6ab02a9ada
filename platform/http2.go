package platform

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// The values of Config.HTTP2Push.
const (
	PushPromise = "promise" // as a promise on the first request's stream, when that is open
	PushStream  = "stream"  // as a stream of the platform's own
)

const (
	gateWindow    = 1<<24 - 1 // what the vendor's gateway allows a client to send ahead
	gateStreams   = 256       // requests of a client open at a time
	gateWaiting   = 4 << 20   // bytes that wait for a client that does not read
	gateBuffer    = 16 << 10
	maxUnacked    = 1024 // messages that wait for their acknowledgement
	maxAsked      = 4096 // packets that the broker has not answered
	maxGateWindow = 1<<31 - 1
	gateHeaders   = 16 << 10
	gateKeepAlive = time.Minute
)

// gate is one HTTP/2 connection: it translates what comes over it into MQTT for
// the broker, which so treats all clients alike, and back. What it reads and
// writes it does with frames of its own, for net/http begins no streams.
//
// It owns three goroutines: read, listen and write. What is under mu is taken by
// all of them; the rest belongs to read.
type gate struct {
	p      *Platform
	net    net.Conn
	pipe   net.Conn // MQTT, to the broker
	secure bool
	framer *http2.Framer // reads without mu; writes into out under it
	in     *bufio.Reader
	toMQTT []byte // packets not written yet

	written   chan struct{} // closed when nothing more is written
	connected bool          // a CONNECT was sent
	packet    uint16
	requests  int

	mu       sync.Mutex
	changed  *sync.Cond // out, or ended
	out      []byte
	encoder  *hpack.Encoder
	block    []byte
	streams  map[uint32]*gateStream // requests that are open
	asked    map[uint16]*gateStream // by the MQTT packet that will be answered
	first    *gateStream            // the one that authenticates; its response is the CONNACK's
	lastID   uint32                 // of a request
	nextPush uint32
	pushed   map[uint32]*gatePush // open streams of ours
	waiting  []*gatePush          // for room: messages in order
	held     int                  // bytes of those
	unacked  map[string]*gatePush
	serial   uint64 // of message identifiers
	window   int64  // of the connection, for what we send
	peer     struct {
		window, streams int64
		frame           int
		push            bool
	}
	leaving bool // GOAWAY was sent: what is open goes on
	ended   bool
}

// gateStream is a request.
type gateStream struct {
	id     uint32
	method string
	path   string
	header map[string]string
	body   []byte
	id16   uint16
	opens  bool
	stays  bool // its response goes on, for promises
	whole  bool // the client has said all: END_STREAM was there; read only
	push   bool // promises may be made on it
}

// translate is a connection that speaks MQTT on behalf of a client of HTTP/2 at
// nc. Close of the platform waits for its goroutines.
func (p *Platform) translate(nc net.Conn, secure bool) net.Conn {
	ours, theirs := net.Pipe()
	g := &gate{
		p: p, net: nc, pipe: ours, secure: secure, in: bufio.NewReaderSize(nc, gateBuffer),
		streams: map[uint32]*gateStream{}, asked: map[uint16]*gateStream{}, pushed: map[uint32]*gatePush{}, unacked: map[string]*gatePush{},
		window: 65535, nextPush: 2, written: make(chan struct{}),
	}
	g.peer.window, g.peer.streams, g.peer.frame, g.peer.push = 65535, 100, 16384, true
	g.changed = sync.NewCond(&g.mu)
	g.encoder = hpack.NewEncoder(writerTo{&g.block})
	g.framer = http2.NewFramer(writerTo{&g.out}, g.in)
	g.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	g.framer.MaxHeaderListSize = gateHeaders
	g.framer.SetReuseFrames()
	p.wg.Go(g.read)
	p.wg.Go(g.listen)
	p.wg.Go(g.write)
	return gatePipe{theirs, nc}
}

type writerTo struct{ to *[]byte }

// Write implements io.Writer.
func (w writerTo) Write(b []byte) (int, error) {
	*w.to = append(*w.to, b...)
	return len(b), nil
}

// gatePipe is the broker's end, with the client's address.
type gatePipe struct {
	net.Conn
	client net.Conn
}

// RemoteAddr implements net.Conn.
func (c gatePipe) RemoteAddr() net.Addr { return c.client.RemoteAddr() }

var (
	errPreface = errors.New("platform: not the preface of HTTP/2")
	errSlow    = errors.New("platform: the client does not read")
)

// read works off what the client sends until the connection ends.
func (g *gate) read() {
	err := g.readAll()
	g.end(err)
	_ = g.pipe.Close()
	<-g.written
	_, _ = io.Copy(io.Discard, g.net) // until the client has read the last words, or linger is over
	_ = g.net.Close()
}

// linger is how long a client has for the last words: closing at once would take
// them back.
const linger = time.Second

func (g *gate) readAll() error {
	_ = g.net.SetReadDeadline(time.Now().Add(g.p.cfg.ConnectTimeout))
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(g.in, preface); err != nil {
		return err
	}
	if string(preface) != http2.ClientPreface {
		return errPreface
	}
	g.mu.Lock()
	_ = g.framer.WriteSettings( // into memory
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: gateStreams},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: gateWindow},
		http2.Setting{ID: 99, Val: 1}, // the vendor's gateway sends one that nobody knows, too
	)
	_ = g.framer.WriteWindowUpdate(0, gateWindow-65535)
	g.changed.Broadcast()
	g.mu.Unlock()
	for {
		if g.in.Buffered() == 0 {
			if err := g.flushMQTT(); err != nil {
				return err
			}
		}
		if !g.patience() {
			return nil
		}
		f, err := g.framer.ReadFrame()
		if err != nil {
			return err
		}
		if err := g.frame(f); err != nil {
			return err
		}
	}
}

// patience says how long the next frame may take, and whether one is wanted.
func (g *gate) patience() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.connected && !g.ended {
		_ = g.net.SetReadDeadline(time.Now().Add(g.p.cfg.HTTP2Silence))
	}
	return !g.ended
}

// frame works one frame off.
func (g *gate) frame(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return g.headers(f)
	case *http2.DataFrame:
		return g.data(f)
	case *http2.SettingsFrame:
		return g.settings(f)
	case *http2.PingFrame:
		if f.IsAck() {
			return nil
		}
		if g.connected {
			g.toMQTT = append(g.toMQTT, 0xc0, 0) // PINGREQ
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		_ = g.framer.WritePing(true, f.Data)
		return g.wake()
	case *http2.WindowUpdateFrame:
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.idle(f.StreamID) {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		if f.StreamID == 0 {
			g.window += int64(f.Increment)
		} else if s := g.pushed[f.StreamID]; s != nil {
			s.window += int64(f.Increment)
		}
		return g.windows()
	case *http2.RSTStreamFrame:
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.idle(f.StreamID) {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		delete(g.streams, f.StreamID)
		if g.first != nil && g.first.id == f.StreamID {
			g.first.push = false
		}
		g.pushEnded(f.StreamID) // it comes again when it is not acknowledged
		return g.progress()
	case *http2.PushPromiseFrame:
		return http2.ConnectionError(http2.ErrCodeProtocol)
	default: // GOAWAY: the client closes when it is done; what nobody knows is passed over
		return nil
	}
}

// idle says whether a stream was never open. mu is held.
func (g *gate) idle(id uint32) bool {
	if id%2 == 0 {
		return id >= g.nextPush
	}
	return id > g.lastID && !g.leaving // what comes behind GOAWAY is not noted
}

// windows goes on when the client has given more room, if that is possible at all
// (RFC 9113, section 6.9.1). mu is held.
func (g *gate) windows() error {
	if g.window > maxGateWindow {
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	for _, m := range g.pushed {
		if m.window > maxGateWindow {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
	}
	return g.progress()
}

func (g *gate) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	err := f.ForeachSetting(func(s http2.Setting) error {
		if err := s.Valid(); err != nil {
			return err
		}
		switch s.ID { //nolint:exhaustive // the others are of no use here
		case http2.SettingInitialWindowSize:
			change := int64(s.Val) - g.peer.window
			g.peer.window = int64(s.Val)
			for _, push := range g.pushed {
				push.window += change
			}
		case http2.SettingMaxConcurrentStreams:
			g.peer.streams = int64(s.Val)
		case http2.SettingMaxFrameSize:
			g.peer.frame = int(min(s.Val, 1<<16))
		case http2.SettingEnablePush:
			g.peer.push = s.Val == 1
		case http2.SettingHeaderTableSize:
			g.encoder.SetMaxDynamicTableSizeLimit(min(s.Val, 4096))
		}
		return nil
	})
	if err != nil {
		return err
	}
	_ = g.framer.WriteSettingsAck()
	return g.windows()
}

// headers begins a request.
func (g *gate) headers(f *http2.MetaHeadersFrame) error {
	g.mu.Lock()
	if f.StreamID%2 == 0 || f.StreamID <= g.lastID {
		defer g.mu.Unlock()
		switch s := g.streams[f.StreamID]; {
		case s != nil && s.whole:
			return http2.ConnectionError(http2.ErrCodeStreamClosed)
		case s != nil && f.StreamEnded(): // a trailer
			return errors.Join(g.wake(), g.later(func() error { return g.request(s) }))
		case s == nil && f.StreamID%2 != 0: // of a request that was answered or reset before
			return g.wake()
		default:
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
	}
	if g.leaving { // above what the client was told: it sends it elsewhere
		g.mu.Unlock()
		return nil
	}
	g.lastID = f.StreamID
	s := &gateStream{id: f.StreamID, method: f.PseudoValue("method"), path: f.PseudoValue("path"), header: map[string]string{}}
	for _, h := range f.RegularFields() {
		s.header[h.Name] = h.Value
	}
	g.streams[s.id] = s
	tooMany, truncated := len(g.streams) > gateStreams+1 || len(g.asked) >= maxAsked, f.Truncated
	if tooMany {
		delete(g.streams, s.id)
		_ = g.framer.WriteRSTStream(s.id, http2.ErrCodeRefusedStream)
		defer g.mu.Unlock()
		return g.wake()
	}
	g.requests++
	if limit := g.p.cfg.HTTP2Requests; limit > 0 && g.requests >= limit {
		g.leaving = true
		_ = g.framer.WriteGoAway(g.lastID, http2.ErrCodeNo, []byte("enough requests"))
	}
	g.mu.Unlock()
	if truncated {
		return g.answer(s, 431, "", !f.StreamEnded())
	}
	if f.StreamEnded() {
		return g.request(s)
	}
	return nil
}

// later makes a call without mu, which is held.
func (g *gate) later(call func() error) error {
	g.mu.Unlock()
	defer g.mu.Lock()
	return call()
}

// data adds to the body of a request.
func (g *gate) data(f *http2.DataFrame) error {
	g.mu.Lock()
	s := g.streams[f.StreamID]
	if f.Length > 0 {
		_ = g.framer.WriteWindowUpdate(0, f.Length)
		if s != nil && !f.StreamEnded() {
			_ = g.framer.WriteWindowUpdate(f.StreamID, f.Length)
		}
	}
	err := g.wake()
	switch {
	case f.StreamID%2 == 0, g.idle(f.StreamID):
		err = http2.ConnectionError(http2.ErrCodeProtocol)
	case s != nil && s.whole:
		err = http2.ConnectionError(http2.ErrCodeStreamClosed)
	}
	g.mu.Unlock()
	if s == nil || err != nil {
		return err
	}
	if len(s.body)+len(f.Data()) > g.p.cfg.MaxPayload {
		g.p.refused("payload_too_large")
		return g.answer(s, 413, "", !f.StreamEnded())
	}
	s.body = append(s.body, f.Data()...)
	if f.StreamEnded() {
		return g.request(s)
	}
	return nil
}
