package h2

import (
	"errors"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// push sends a message of the server's as far as the windows allow, and reads
// until they allow more.
type pusher struct {
	s       *script
	window  int            // of the connection
	streams map[uint32]int // windows
}

func (p *pusher) read() {
	p.s.t.Helper()
	w := next[*http2.WindowUpdateFrame](p.s)
	if w.StreamID == 0 {
		p.window += int(w.Increment)
	} else {
		p.streams[w.StreamID] += int(w.Increment)
	}
}

// send sends n bytes on a stream.
func (p *pusher) send(id uint32, n int, end bool) {
	p.s.t.Helper()
	if _, open := p.streams[id]; !open {
		p.streams[id] = 1 << 16
	}
	for n > 0 {
		part := min(n, p.window, p.streams[id], defaultFrame)
		if part <= 0 {
			p.read()
			continue
		}
		n -= part
		p.window -= part
		p.streams[id] -= part
		p.s.must(p.s.framer.WriteData(id, end && n == 0, make([]byte, part)))
	}
}

// Messages that are larger than the window, several at a time, do not wait for one
// another, and those that are refused do not use the window up.
func TestLargePushes(t *testing.T) {
	t.Parallel()
	s := play(t, limits())
	s.settings()
	p := &pusher{s: s, window: 1 << 16, streams: map[uint32]int{}}
	for id := uint32(2); id <= 6; id += 2 {
		s.headers(id, false, "x-topic", "/a")
	}
	for part := range 3 {
		for id := uint32(2); id <= 6; id += 2 {
			p.send(id, 30_000, part == 2)
		}
	}
	for range 3 {
		if m := await(t, "a large message", s.events.pushed); len(m.Body) != 90_000 {
			t.Errorf("%d bytes", len(m.Body))
		}
	}
	for id := uint32(8); id < 28; id += 2 {
		s.headers(id, false, "x-topic", "/too/large")
		p.send(id, 101<<10, false)
		for next[*http2.RSTStreamFrame](s).StreamID != id {
			t.Error("another stream was reset")
		}
		p.window = 1 << 16 // what the frames say that next has passed over
	}
	s.headers(30, false, "x-topic", "/b")
	p.send(30, 50_000, true)
	if m := await(t, "the last message", s.events.pushed); len(m.Body) != 50_000 {
		t.Errorf("%d bytes", len(m.Body))
	}
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.conn.held != 0 {
		t.Errorf("%d bytes are held", s.conn.held)
	}
}

// Bodies that wait for a window are forgotten when their streams have an end.
func TestBlockedBodies(t *testing.T) {
	t.Parallel()
	s := play(t, limits())
	s.settings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for next[*http2.SettingsFrame](s).IsAck() == false {
	}
	for range 50 {
		got := s.do("/", make([]byte, 1000))
		s.headers(next[*http2.MetaHeadersFrame](s).StreamID, true, ":status", "200")
		if o := await(t, "the early answer", got); o.err != nil {
			t.Fatal(o.err)
		}
	}
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if n := len(s.conn.blocked); n > 0 {
		t.Errorf("%d bodies wait for nothing", n)
	}
}

// A connection that has no streams left takes no more requests, and ends when
// those that are open have an end.
func TestStreamsUsedUp(t *testing.T) {
	t.Parallel()
	s := play(t, limits(), func(c *Conn) { c.nextID = maxStream - 2 })
	s.settings()
	first, second := s.do("/1", nil), s.do("/2", nil)
	if err := s.conn.Do(&Request{}); !errors.Is(err, ErrGoingAway) {
		t.Errorf("one more than there are streams: %v", err)
	}
	for _, c := range []<-chan outcome{first, second} {
		s.headers(next[*http2.MetaHeadersFrame](s).StreamID, true, ":status", "200")
		if o := await(t, "a response", c); o.err != nil {
			t.Error(o.err)
		}
	}
	s.endsWith(func(err error) bool { return errors.Is(err, ErrGoingAway) })

	idle := play(t, limits(), func(c *Conn) { c.nextID = maxStream + 2 })
	idle.settings()
	if err := idle.conn.Do(&Request{}); !errors.Is(err, ErrGoingAway) {
		t.Errorf("without any stream: %v", err)
	}
	idle.endsWith(func(err error) bool { return errors.Is(err, ErrGoingAway) })
}

// A request that is not answered has an end and gives its stream back.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	cfg := limits()
	cfg.RequestTimeout, cfg.Streams = 50*time.Millisecond, 1
	s := play(t, cfg)
	s.settings()
	first, second := s.do("/1", nil), s.do("/2", nil)
	id := next[*http2.MetaHeadersFrame](s).StreamID
	if o := await(t, "the end of the unanswered", first); !errors.Is(o.err, ErrUnanswered) {
		t.Errorf("%v, want ErrUnanswered", o.err)
	}
	if r := next[*http2.RSTStreamFrame](s); r.StreamID != id || r.ErrCode != http2.ErrCodeCancel {
		t.Errorf("%v", r)
	}
	s.headers(next[*http2.MetaHeadersFrame](s).StreamID, true, ":status", "200")
	if o := await(t, "the next", second); o.err != nil {
		t.Error(o.err)
	}
}

// The last request that is given up ends a connection that the server goes away
// from.
func TestCancelWhileLeaving(t *testing.T) {
	t.Parallel()
	s := play(t, limits())
	s.settings()
	stuck := &Request{Method: "GET", Path: "/stuck", Done: func(Message, error) { t.Error("done of a cancelled request") }}
	s.must(s.conn.Do(stuck))
	next[*http2.MetaHeadersFrame](s)
	s.must(s.framer.WriteGoAway(1, http2.ErrCodeNo, nil))
	await(t, "GOAWAY", s.conn.leaving)
	s.conn.Cancel(stuck)
	s.endsWith(func(err error) bool { return errors.Is(err, ErrGoingAway) })
}

// What is given up while it waits for a stream makes room.
func TestCancelPending(t *testing.T) {
	t.Parallel()
	cfg := limits()
	cfg.Streams, cfg.Pending = 1, 3
	s := play(t, cfg)
	s.settings()
	first := s.do("/first", nil)
	var waiting []*Request
	for range 3 {
		r := &Request{Method: "GET", Path: "/waiting", Done: func(Message, error) { t.Error("done of a cancelled request") }}
		s.must(s.conn.Do(r))
		waiting = append(waiting, r)
	}
	for _, i := range []int{1, 0, 2} {
		s.conn.Cancel(waiting[i])
		s.conn.Cancel(waiting[i])
	}
	last := s.do("/last", nil)
	for _, c := range []<-chan outcome{first, last} {
		h := next[*http2.MetaHeadersFrame](s)
		if h.PseudoValue("path") == "/waiting" {
			t.Error("a cancelled request was sent")
		}
		s.headers(h.StreamID, true, ":status", "200")
		await(t, "a response", c)
	}
}

// lastly notes what was told before the end.
type lastly struct {
	told  atomic.Bool
	ended chan bool
}

func (*lastly) Pushed(Message) {}
func (l *lastly) Ended(error)  { l.ended <- l.told.Load() }

// The end is told last, whoever brings it about.
func TestEndedIsLast(t *testing.T) {
	t.Parallel()
	s := play(t, limits())
	eof := make(chan struct{})
	go func() { // ends with the connection
		_, _ = io.Copy(io.Discard, s.net)
		close(eof)
	}()
	l := &lastly{ended: make(chan bool, 1)}
	s.conn.handler = l
	s.must(s.conn.Do(&Request{Method: "GET", Path: "/", Done: func(Message, error) {
		<-eof
		for range 10_000 { // for others to come first, if they may
			runtime.Gosched()
		}
		l.told.Store(true)
	}}))
	s.conn.Close()
	if !await(t, "the end", l.ended) {
		t.Error("Ended came before Done")
	}
	s.events.ended <- nil // for the cleanup
}

// A response that is malformed is the end of its stream alone.
func TestMalformedResponse(t *testing.T) {
	t.Parallel()
	for name, pairs := range map[string][]string{
		"no status":                    {"x-a", "1"},
		"status that is none":          {":status", "20"},
		"two":                          {":status", "200", ":status", "200"},
		"status behind another header": {"x-a", "1", ":status", "200"},
		"name in upper case":           {":status", "200", "X-A", "1"},
		"informational and the end":    {":status", "103"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := play(t, limits())
			s.framer.ReadMetaHeaders.SetEmitEnabled(true)
			s.settings()
			first := s.do("/1", nil)
			s.headers(next[*http2.MetaHeadersFrame](s).StreamID, true, pairs...)
			var reset *StreamError
			if o := await(t, "the end of the malformed", first); !errors.As(o.err, &reset) || reset.Text == "" {
				t.Errorf("%v", o.err)
			}
			second := s.do("/2", nil)
			s.headers(next[*http2.MetaHeadersFrame](s).StreamID, true, ":status", "200")
			if o := await(t, "the next", second); o.err != nil {
				t.Error(o.err)
			}
		})
	}
}
