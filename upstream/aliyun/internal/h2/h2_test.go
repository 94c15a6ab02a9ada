package h2

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

func limits() Config {
	return Config{
		Scheme: "http", Authority: "host", Window: 1 << 16, MaxHeader: 4096, MaxBody: 100 << 10, Streams: 10, Pushes: 3, Pending: 20,
		RequestTimeout: time.Hour, PingInterval: time.Hour, PingTimeout: time.Hour, WriteTimeout: patience,
	}
}

// events collects what a connection tells.
type events struct {
	pushed chan Message
	ended  chan error
}

func (e *events) Pushed(m Message) { e.pushed <- m }
func (e *events) Ended(err error)  { e.ended <- err }

// script is a server at the other end of a connection, which does what a test
// says frame by frame.
type script struct {
	t      *testing.T
	net    net.Conn
	framer *http2.Framer
	conn   *Conn
	events *events
	block  strings.Builder
	enc    *hpack.Encoder
}

func play(t *testing.T, cfg Config, prepare ...func(*Conn)) *script {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = server.SetDeadline(time.Now().Add(patience))
	s := &script{t: t, net: server, framer: http2.NewFramer(server, server), events: &events{make(chan Message, 100), make(chan error, 1)}}
	s.enc = hpack.NewEncoder(&s.block)
	s.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	s.conn = New(client, cfg, s.events)
	for _, p := range prepare {
		p(s.conn)
	}
	s.conn.Start()
	t.Cleanup(func() {
		s.conn.Close()
		_ = server.Close()
		select {
		case <-s.events.ended:
		case <-time.After(patience):
			t.Error("Ended was never called")
		}
	})
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(server, preface); err != nil || string(preface) != http2.ClientPreface {
		t.Fatalf("preface %q, %v", preface, err)
	}
	return s
}

func (s *script) settings(list ...http2.Setting) { s.must(s.framer.WriteSettings(list...)) }

func (s *script) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// next is the next frame of that kind.
func next[F http2.Frame](s *script) F {
	s.t.Helper()
	for {
		f, err := s.framer.ReadFrame()
		if err != nil {
			s.t.Fatalf("waiting for %T: %v", *new(F), err)
		}
		if want, ok := f.(F); ok {
			return want
		}
	}
}

func (s *script) fields(pairs ...string) []byte {
	s.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		s.must(s.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}))
	}
	return []byte(s.block.String())
}

func (s *script) headers(id uint32, end bool, pairs ...string) {
	s.t.Helper()
	s.must(s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: s.fields(pairs...), EndHeaders: true, EndStream: end}))
}

type outcome struct {
	m   Message
	err error
}

func (s *script) do(path string, body []byte) <-chan outcome {
	s.t.Helper()
	c := make(chan outcome, 2)
	s.must(s.conn.Do(&Request{Method: "POST", Path: path, Body: body, Done: func(m Message, err error) { c <- outcome{m, err} }}))
	return c
}

func await[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatalf("%s never came", what)
	}
	return v
}

// endsWith waits for the end of the connection and looks at its cause.
func (s *script) endsWith(check func(error) bool) {
	s.t.Helper()
	err := await(s.t, "the end", s.events.ended)
	if !check(err) {
		s.t.Errorf("ended with %v", err)
	}
	s.events.ended <- err // for the cleanup
}

func TestRequest(t *testing.T) {
	t.Parallel()
	s := play(t, limits())
	s.settings(http2.Setting{ID: 99, Val: 7}) // nobody knows it
	got := s.do("/a", []byte("question"))
	h := next[*http2.MetaHeadersFrame](s)
	if h.PseudoValue("path") != "/a" || h.PseudoValue("method") != "POST" || h.PseudoValue("authority") != "host" || h.StreamEnded() {
		t.Errorf("%v", h)
	}
	if d := next[*http2.DataFrame](s); string(d.Data()) != "question" || !d.StreamEnded() {
		t.Errorf("%v", d)
	}
	s.headers(1, false, ":status", "103") // not the final one
	s.headers(1, false, ":status", "200", "x-a", "1")
	s.must(s.framer.WriteDataPadded(1, false, []byte("ans"), make([]byte, 10)))
	s.must(s.framer.WriteData(1, false, []byte("wer")))
	s.headers(1, true, "x-trailer", "2")
	if o := await(t, "the response", got); o.err != nil || o.m.Status != 200 || string(o.m.Body) != "answer" || o.m.Get("x-a") != "1" {
		t.Errorf("%+v", o)
	}
}

// The server's limit of streams holds whatever is asked for, and what is too much
// is refused.
func TestStreamLimit(t *testing.T) {
	t.Parallel()
	s := play(t, limits())
	s.settings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 2})
	for next[*http2.SettingsFrame](s).IsAck() == false {
	}
	var got []<-chan outcome
	for range 22 {
		got = append(got, s.do("/", nil))
	}
	if err := s.conn.Do(&Request{}); !errors.Is(err, ErrBusy) {
		t.Errorf("one more than may wait: %v", err)
	}
	open := map[uint32]bool{}
	for i := range 22 {
		id := next[*http2.MetaHeadersFrame](s).StreamID
		if open[id] = true; len(open) > 2 {
			t.Fatalf("%d streams are open", len(open))
		}
		if i == 0 {
			continue
		}
		for id := range open {
			delete(open, id)
			s.headers(id, true, ":status", "200")
			break
		}
	}
	for id := range open {
		s.headers(id, true, ":status", "200")
	}
	for _, c := range got {
		if o := await(t, "a response", c); o.err != nil {
			t.Error(o.err)
		}
	}
}

// Bodies keep to the windows of the stream and of the connection.
func TestSendWindow(t *testing.T) {
	t.Parallel()
	s := play(t, limits())
	s.settings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	for next[*http2.SettingsFrame](s).IsAck() == false {
	}
	got := s.do("/", make([]byte, 100_000))
	if d := next[*http2.DataFrame](s); len(d.Data()) != 10 {
		t.Fatalf("%d bytes, want the window of 10", len(d.Data()))
	}
	s.settings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 20})
	if d := next[*http2.DataFrame](s); len(d.Data()) != 10 {
		t.Fatalf("%d bytes, want the 10 that the window has grown by", len(d.Data()))
	}
	s.must(s.framer.WriteWindowUpdate(1, 1<<20))
	total := 20
	for total < 65535 {
		d := next[*http2.DataFrame](s)
		if len(d.Data()) > defaultFrame {
			t.Errorf("a frame of %d bytes", len(d.Data()))
		}
		total += len(d.Data())
	}
	if total != 65535 {
		t.Errorf("%d bytes, want the connection's window", total)
	}
	other := s.do("/small", nil) // which needs no window
	if h := next[*http2.MetaHeadersFrame](s); h.PseudoValue("path") != "/small" {
		t.Errorf("%v", h)
	}
	s.must(s.framer.WriteWindowUpdate(0, 1<<20))
	for total < 100_000 {
		total += len(next[*http2.DataFrame](s).Data())
	}
	s.headers(1, true, ":status", "200")
	s.headers(3, true, ":status", "200")
	await(t, "the response", got)
	await(t, "the other", other)
}

// What the server pushes comes with a promise or without, in one frame or many,
// and its window is given back.
func TestPushes(t *testing.T) {
	t.Parallel()
	s := play(t, limits())
	s.settings()
	open := make(chan outcome, 2)
	s.must(s.conn.Do(&Request{Method: "GET", Path: "/open", Stay: true, Done: func(m Message, err error) { open <- outcome{m, err} }}))
	next[*http2.MetaHeadersFrame](s)
	s.headers(1, false, ":status", "200")
	await(t, "the response of a stream that stays open", open)
	block := s.fields(":method", "GET", ":path", "/", ":scheme", "http", ":authority", "a", "x-promised", "yes")
	s.must(s.framer.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: block[:3]}))
	s.must(s.framer.WriteContinuation(1, true, block[3:]))
	s.headers(2, false, ":status", "200", "x-topic", "/a")
	s.must(s.framer.WriteData(2, false, []byte("pay")))
	s.must(s.framer.WriteData(2, true, []byte("load")))
	if m := await(t, "the promised", s.events.pushed); string(m.Body) != "payload" || m.Get("x-topic") != "/a" || m.Get("x-promised") != "yes" {
		t.Errorf("%+v", m)
	}
	total := 0
	for id := uint32(4); id < 24; id += 2 {
		s.headers(id, false, "x-topic", "/b")
		s.must(s.framer.WriteData(id, true, make([]byte, 16000)))
		if m := await(t, "the unpromised", s.events.pushed); len(m.Body) != 16000 {
			t.Errorf("%d bytes", len(m.Body))
		}
		total += 16000
	}
	s.must(s.framer.WritePing(false, [8]byte{1}))
	for given := 0; ; {
		f, err := s.framer.ReadFrame()
		s.must(err)
		if w, ok := f.(*http2.WindowUpdateFrame); ok && w.StreamID == 0 {
			given += int(w.Increment)
		}
		if p, ok := f.(*http2.PingFrame); ok && p.IsAck() {
			if given < total-1<<16/4 {
				t.Errorf("%d bytes of the window given back, of %d", given, total)
			}
			break
		}
	}
}

// More streams than may be open are refused, and so is what is too large; the
// connection goes on.
func TestPushesRefused(t *testing.T) {
	t.Parallel()
	s := play(t, limits())
	s.settings()
	for id := uint32(2); id <= 8; id += 2 {
		s.headers(id, false, "x-topic", "/a")
	}
	if r := next[*http2.RSTStreamFrame](s); r.StreamID != 8 || r.ErrCode != http2.ErrCodeRefusedStream {
		t.Errorf("%v", r)
	}
	s.must(s.framer.WriteRSTStream(2, http2.ErrCodeCancel))
	s.headers(10, false, "x-large", strings.Repeat("x", 5000)[:3900], "x-more", strings.Repeat("y", 900))
	if r := next[*http2.RSTStreamFrame](s); r.StreamID != 10 {
		t.Errorf("%v", r)
	}
	s.must(s.framer.WriteData(4, true, []byte("fits")))
	if m := await(t, "the message", s.events.pushed); string(m.Body) != "fits" {
		t.Errorf("%+v", m)
	}
	if st := s.conn.Stats(); st.Refused != 1 || st.Resets != 1 || st.Pushed != 1 {
		t.Errorf("%+v", st)
	}
}

// GOAWAY: what the server has not looked at is safe to send again, what it has is
// waited for, and then the connection ends.
func TestGoAway(t *testing.T) {
	t.Parallel()
	cfg := limits()
	cfg.Streams = 2
	s := play(t, cfg)
	s.settings()
	first, second, third := s.do("/1", nil), s.do("/2", nil), s.do("/3", nil)
	next[*http2.MetaHeadersFrame](s)
	next[*http2.MetaHeadersFrame](s)
	s.must(s.framer.WriteGoAway(1, http2.ErrCodeNo, []byte("maintenance")))
	for _, c := range []<-chan outcome{second, third} {
		if o := await(t, "the unprocessed", c); !errors.Is(o.err, ErrUnprocessed) {
			t.Errorf("%v, want ErrUnprocessed", o.err)
		}
	}
	if err := s.conn.Do(&Request{}); !errors.Is(err, ErrGoingAway) {
		t.Errorf("a new request: %v", err)
	}
	s.headers(1, true, ":status", "200")
	if o := await(t, "the response", first); o.err != nil {
		t.Error(o.err)
	}
	s.endsWith(func(err error) bool {
		var g *GoAwayError
		return errors.As(err, &g) && g.Text == "maintenance" && errors.Is(err, ErrGoingAway)
	})
}

func TestReset(t *testing.T) {
	t.Parallel()
	s := play(t, limits())
	s.settings()
	first, second := s.do("/1", nil), s.do("/2", nil)
	s.must(s.framer.WriteRSTStream(next[*http2.MetaHeadersFrame](s).StreamID, http2.ErrCodeInternal))
	var reset *StreamError
	if o := await(t, "the reset", first); !errors.As(o.err, &reset) || reset.Code != http2.ErrCodeInternal {
		t.Errorf("%v", o.err)
	}
	s.must(s.framer.WriteRSTStream(next[*http2.MetaHeadersFrame](s).StreamID, http2.ErrCodeRefusedStream))
	for range maxRefusals - 1 { // it is tried again some times
		s.must(s.framer.WriteRSTStream(next[*http2.MetaHeadersFrame](s).StreamID, http2.ErrCodeRefusedStream))
	}
	if o := await(t, "the refusal", second); !errors.Is(o.err, ErrRefused) {
		t.Errorf("%v", o.err)
	}
	cancelled := &Request{Method: "GET", Path: "/3", Done: func(Message, error) { t.Error("done of a cancelled request") }}
	s.must(s.conn.Do(cancelled))
	next[*http2.MetaHeadersFrame](s)
	s.conn.Cancel(cancelled)
	if r := next[*http2.RSTStreamFrame](s); r.ErrCode != http2.ErrCodeCancel {
		t.Errorf("%v", r)
	}
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	cfg := limits()
	cfg.PingInterval, cfg.PingTimeout = 10*time.Millisecond, 200*time.Millisecond
	s := play(t, cfg)
	s.settings()
	for range 30 { // answered: the connection stays
		if p := next[*http2.PingFrame](s); !p.IsAck() {
			s.must(s.framer.WritePing(true, p.Data))
		}
	}
	if s.conn.cause() != nil {
		t.Fatal(s.conn.cause())
	}
	go func() { _, _ = io.Copy(io.Discard, s.net) }() // silent from now on; ends with the connection
	s.endsWith(func(err error) bool { return errors.Is(err, ErrSilent) })
}

// A server that breaks the rules loses its connection, and hears why.
func TestBrokenRules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(*script)
		code http2.ErrCode
	}{
		"response nobody asked for":   {func(s *script) { s.headers(1, true, ":status", "200") }, http2.ErrCodeProtocol},
		"data of an idle stream":      {func(s *script) { s.must(s.framer.WriteData(2, true, nil)) }, http2.ErrCodeProtocol},
		"reset of an idle stream":     {func(s *script) { s.must(s.framer.WriteRSTStream(5, 0)) }, http2.ErrCodeProtocol},
		"window of an idle stream":    {func(s *script) { s.must(s.framer.WriteWindowUpdate(5, 1)) }, http2.ErrCodeProtocol},
		"window too large":            {func(s *script) { s.must(s.framer.WriteWindowUpdate(0, 1<<31-1)) }, http2.ErrCodeFlowControl},
		"header that is none":         {func(s *script) { s.raw(http2.FrameHeaders, 4, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) }, http2.ErrCodeCompression},
		"frame inside a header block": {func(s *script) { s.raw(http2.FrameHeaders, 0, 2, 0x88); s.settings() }, http2.ErrCodeProtocol},
		"continuation of nothing":     {func(s *script) { s.raw(http2.FrameContinuation, 4, 2, 0x88) }, http2.ErrCodeProtocol},
		"flood of continuations": {func(s *script) {
			s.raw(http2.FrameHeaders, 0, 2)
			for range maxPieces {
				s.raw(http2.FrameContinuation, 0, 2)
			}
		}, http2.ErrCodeEnhanceYourCalm},
		"promise of an odd stream":   {func(s *script) { s.raw(http2.FramePushPromise, 4, 1, 0, 0, 0, 3, 0x88) }, http2.ErrCodeProtocol},
		"promise on an idle stream":  {func(s *script) { s.raw(http2.FramePushPromise, 4, 9, 0, 0, 0, 2, 0x88) }, http2.ErrCodeProtocol},
		"promise on a stream of its": {func(s *script) { s.raw(http2.FramePushPromise, 4, 2, 0, 0, 0, 4, 0x88) }, http2.ErrCodeProtocol},
		"window setting too large":   {func(s *script) { s.settings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31}) }, http2.ErrCodeFlowControl},
		"setting out of range":       {func(s *script) { s.settings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1}) }, http2.ErrCodeProtocol},
		"frame too long":             {func(s *script) { s.raw(http2.FrameData, 0, 2, make([]byte, 20000)...) }, http2.ErrCodeFrameSize},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := play(t, limits())
			s.settings()
			open := s.do("/", nil)
			if name == "response nobody asked for" {
				open = nil
				s.conn.mu.Lock()
				s.conn.nextID = 1 // as if nothing had been asked
				clear(s.conn.streams)
				s.conn.mu.Unlock()
			}
			c.do(s)
			s.endsWith(func(err error) bool {
				var b *broken
				return errors.As(err, &b) && b.code == c.code
			})
			if open != nil {
				if o := await(t, "the request", open); o.err == nil {
					t.Error("the open request succeeded")
				}
			}
		})
	}
}

// raw writes a frame as it is.
func (s *script) raw(kind http2.FrameType, flags http2.Flags, id uint32, payload ...byte) {
	s.t.Helper()
	s.must(s.framer.WriteRawFrame(kind, flags, id, payload))
}

// A server that is none says what to check: the port may be that of MQTT, or of
// HTTP/1.
func TestOtherServers(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{
		"closes":  "",
		"HTTP/1":  "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
		"MQTT":    "\x20\x02\x00\x01",
		"another": "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := play(t, limits())
			_, err := io.WriteString(s.net, says)
			s.must(err)
			s.must(s.net.Close())
			ended := await(t, "the end", s.events.ended)
			s.events.ended <- ended // for the cleanup
			if !strings.Contains(ended.Error(), "endpoint's host and port") {
				t.Errorf("the connection ended with %q, which does not say what to check", ended)
			}
		})
	}
}

// A server that sends what has to be answered and does not read loses its
// connection, and makes this side hold no more than a bound.
func TestFlood(t *testing.T) {
	t.Parallel()
	cfg := limits()
	cfg.WriteTimeout = time.Hour
	s := play(t, cfg)
	s.settings()
	for range 1 << 20 { // 17 bytes each
		if err := s.framer.WritePing(false, [8]byte{}); err != nil {
			break
		}
	}
	_ = s.net.Close()
	s.endsWith(func(err error) bool { return err != nil })
	if cap(s.conn.out) > 4*maxWaiting {
		t.Errorf("%d bytes are held", cap(s.conn.out))
	}
}
