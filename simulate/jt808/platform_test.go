package jt808_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec"
	wire "github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/simulate/jt808"
)

// platform is a small JT/T 808 platform that does what a test says: it answers
// what terminals send and remembers the reports it has acknowledged.
type platform struct {
	t      testing.TB
	listen net.Listener
	work   sync.WaitGroup
	quiet  bool               // does not mind frames that are damaged
	stall  func(phone string) // called behind a terminal's reports, may wait

	mu       sync.Mutex
	conns    map[net.Conn]*session
	accepted int
	accepts  map[string]int                        // by the terminal's address
	numbers  map[string]map[uint64]int             // reports by terminal and number: how often they came
	frames   []*wire.Frame                         // but for reports and heartbeats
	counts   map[wire.ID]int                       // messages by kind
	damaged  int                                   // frames
	answer   func(f *wire.Frame) (wire.Body, bool) // instead of the usual answer; nil body: none
	waiting  chan struct{}                         // closed when anything has come
	reports  []wire.Location                       // kept if keep is set
	keep     bool
	serials  []uint16 // of reports
}

// session is a terminal's connection. Its writes are made under platform.mu.
type session struct {
	conn    net.Conn
	phone   wire.Phone
	version wire.Version
	serial  uint16
	parts   *wire.Reassembler
}

func makePlatform(tb testing.TB) *platform {
	tb.Helper()
	return &platform{
		t: tb, conns: map[net.Conn]*session{}, accepts: map[string]int{}, numbers: map[string]map[uint64]int{},
		counts: map[wire.ID]int{}, waiting: make(chan struct{}),
	}
}

func newPlatform(tb testing.TB) *platform {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := makePlatform(tb)
	p.listen = l
	tb.Cleanup(p.close)
	return p
}

// accept begins to accept connections: what a test says of p it says before.
func (p *platform) accept() {
	p.work.Go(func() {
		for {
			conn, err := p.listen.Accept()
			if err != nil {
				return
			}
			p.work.Go(func() { p.serve(conn) })
		}
	})
}

func (p *platform) close() {
	_ = p.listen.Close()
	p.disconnect()
	p.work.Wait()
}

// disconnect ends all connections.
func (p *platform) disconnect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

func (p *platform) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }() // it may have ended
	s := &session{conn: conn, parts: wire.NewReassembler(wire.DefaultReassemblyOptions())}
	p.mu.Lock()
	p.conns[conn] = s
	if tcp, ok := conn.(*net.TCPConn); ok && p.stall != nil {
		_ = tcp.SetReadBuffer(4096) // so that it is full soon
	}
	p.accepted++
	if host, _, err := net.SplitHostPort(conn.RemoteAddr().String()); err == nil {
		p.accepts[host]++
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.conns, conn)
		p.mu.Unlock()
	}()
	decoder := wire.NewDecoder(wire.DefaultOptions())
	var in []byte
	buf := make([]byte, 8<<10)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		in = append(in, buf[:n]...)
		for {
			f, used, err := decoder.Decode(in)
			in = in[used:]
			if errors.Is(err, codec.ErrIncomplete) {
				break
			}
			if err != nil {
				p.bad(err)
				continue
			}
			p.take(s, f)
			if p.stall != nil && f.ID == wire.IDLocation {
				p.stall(f.Phone.Stripped())
			}
		}
	}
}

func (p *platform) bad(err error) {
	p.mu.Lock()
	p.damaged++
	p.mu.Unlock()
	if !p.quiet {
		p.t.Errorf("a terminal sent a bad frame: %v", err)
	}
}

// take answers one frame.
func (p *platform) take(s *session, f *wire.Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.phone, s.version = f.Phone, f.Version
	p.counts[f.ID]++
	close(p.waiting)
	p.waiting = make(chan struct{})
	last := f.Serial
	if f.IsPackage() {
		whole, err := s.parts.Add(f, time.Now())
		if err != nil {
			p.t.Errorf("package: %v", err)
		}
		if whole == nil {
			return
		}
		f = whole
	}
	if p.answer != nil {
		if body, mine := p.answer(f); mine {
			if body != nil {
				p.send(s, body)
			}
			return
		}
	}
	switch f.ID {
	case wire.IDRegister:
		p.send(s, &wire.RegisterResponse{Serial: f.Serial, Code: "code-" + f.Phone.Stripped()})
		p.frames = append(p.frames, f.Clone())
		return
	case wire.IDLocation:
		p.serials = append(p.serials, f.Serial)
		p.note(f.Phone.Stripped(), p.parse(f).(*wire.Location))
	case wire.IDBatch:
		for _, l := range p.parse(f).(*wire.Batch).Locations {
			p.note(f.Phone.Stripped(), &l)
		}
	case wire.IDHeartbeat:
	default:
		p.frames = append(p.frames, f.Clone())
		if f.ID == wire.IDMediaData {
			p.send(s, &wire.MediaResponse{MediaID: p.parse(f).(*wire.MediaData).MediaID})
		}
		if f.ID != wire.IDAuthenticate {
			return
		}
	}
	p.send(s, &wire.PlatformResponse{Serial: last, Request: f.ID})
}

func (p *platform) parse(f *wire.Frame) wire.Body {
	body, err := f.Parse()
	if err != nil {
		p.t.Errorf("%v: %v", f.ID, err)
		return wire.NewBody(f.ID)
	}
	return body
}

// note remembers a report.
func (p *platform) note(phone string, l *wire.Location) {
	if p.keep {
		p.reports = append(p.reports, *l.Clone())
	}
	e, ok := l.Extra(jt808.NumberItemID)
	if !ok || len(e.Value) != 8 {
		return
	}
	if p.numbers[phone] == nil {
		p.numbers[phone] = map[uint64]int{}
	}
	p.numbers[phone][binary.BigEndian.Uint64(e.Value)]++
}

// send sends one message. The lock is held.
func (p *platform) send(s *session, b wire.Body) (serial uint16) {
	h := wire.Header{Version: s.version, Phone: s.phone, Serial: s.serial}
	if s.version == wire.V2019 {
		h.ProtocolVersion = 1
	}
	out, frames, err := wire.AppendMessage(nil, h, b)
	if err != nil {
		p.t.Errorf("%v: %v", b.ID(), err)
		return 0
	}
	serial = s.serial
	s.serial += uint16(frames)
	_, _ = s.conn.Write(out) // it may have ended
	return serial
}

// tell sends a command to the terminal of that number, which has to be connected.
func (p *platform) tell(phone string, b wire.Body) (serial uint16) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.conns {
		if !s.phone.IsZero() && s.phone.Stripped() == phone {
			return p.send(s, b)
		}
	}
	p.t.Errorf("%s is not connected", phone)
	return 0
}

// until waits until ok is true, which it asks whenever something came.
func (p *platform) until(what string, ok func() bool) {
	p.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		p.mu.Lock()
		done, more := ok(), p.waiting
		p.mu.Unlock()
		if done {
			return
		}
		select {
		case <-more:
		case <-timeout.C:
			p.t.Fatalf("waited in vain for %s; messages: %v", what, p.counts)
		}
	}
}

// wait waits for a message of a terminal that fits, and takes it.
func wait[B wire.Body](p *platform, fits func(B) bool) B {
	p.t.Helper()
	var found B
	p.until("a message", func() bool {
		for i, f := range p.frames {
			body, err := f.Parse()
			if err != nil {
				p.t.Errorf("%v: %v", f.ID, err)
				continue
			}
			if b, ok := body.(B); ok && (fits == nil || fits(b)) {
				found = b
				p.frames = slices.Delete(p.frames, i, i+1)
				return true
			}
		}
		return false
	})
	return found
}

// eventually waits until ok is true, for what no message tells.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

const patience = 20 * time.Second

// number is how many different reports of a terminal came.
func (p *platform) number(phone string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.numbers[phone])
}

// start runs a fleet of cfg against p, until the test ends or stop is called.
func start(tb testing.TB, p *platform, change func(*jt808.Config), opts ...jt808.Option) (f *jt808.Fleet, stop func()) {
	tb.Helper()
	cfg := jt808.DefaultConfig()
	cfg.Target, cfg.Devices, cfg.Number = p.listen.Addr().String(), 1, jt808.NumberItem
	cfg.Batch, cfg.Alarms, cfg.ConnectRate = 0, 0, 0
	cfg.BackoffMin, cfg.BackoffMax = 5*time.Millisecond, 20*time.Millisecond
	if change != nil {
		change(&cfg)
	}
	f, err := jt808.New(cfg, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	p.accept()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("Run: %v", err)
		}
	})
	tb.Cleanup(stop)
	return f, stop
}
