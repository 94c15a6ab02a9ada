package platform

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

var errTimeout = os.ErrDeadlineExceeded

// gatePush is a message on its way to the client. It is guarded by the gate's mu.
type gatePush struct {
	topic   string
	payload []byte
	id      string // with QoS 1
	qos     byte
	packet  uint16
	waiting bool
	due     time.Time // it is sent again after that; zero: it was not sent yet

	stream uint32 // 0: not open
	window int64
	sent   int // bytes of payload on that stream
}

// push queues a message. mu is held.
func (g *gate) push(m *gatePush) error {
	if !g.peer.push {
		g.p.refused("http2_push_disabled") // it stays unacknowledged
		return nil
	}
	size := len(m.payload) + len(m.topic)
	if g.held+size > gateWaiting+g.p.cfg.MaxPayload {
		return errSlow
	}
	g.held += size
	m.waiting = true
	g.waiting = append(g.waiting, m)
	return g.progress()
}

// progress sends what the client has room for. mu is held.
func (g *gate) progress() error {
	for _, m := range g.pushed {
		g.pushBody(m)
	}
	for len(g.waiting) > 0 && int64(len(g.pushed)) < g.peer.streams && g.window > 0 && len(g.out) < gateWaiting && !g.ended {
		if g.nextPush > maxGateWindow { // no stream is left
			g.ended = true
			break
		}
		m := g.waiting[0]
		g.waiting = g.waiting[1:]
		m.waiting = false
		g.begin(m)
	}
	if g.leaving && len(g.streams) == 0 && len(g.pushed) == 0 {
		g.ended = true
	}
	return g.wake()
}

// begin opens a stream for a message. mu is held.
func (g *gate) begin(m *gatePush) {
	m.stream, m.window, m.sent = g.nextPush, g.peer.window, 0
	m.due = g.p.now().Add(g.p.cfg.HTTP2Redelivery)
	g.nextPush += 2
	g.pushed[m.stream] = m
	if f := g.first; f != nil && f.push && g.p.cfg.HTTP2Push == PushPromise {
		block := g.encode(
			hpack.HeaderField{Name: ":method", Value: "GET"}, hpack.HeaderField{Name: ":scheme", Value: "https"},
			hpack.HeaderField{Name: ":authority", Value: "platform"}, hpack.HeaderField{Name: ":path", Value: "/message/push"})
		_ = g.framer.WritePushPromise(http2.PushPromiseParam{StreamID: f.id, PromiseID: m.stream, BlockFragment: block, EndHeaders: true})
	}
	fields := []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "x-topic", Value: m.topic}, {Name: "x-qos", Value: strconv.Itoa(int(m.qos))}}
	if m.id != "" {
		fields = append(fields, hpack.HeaderField{Name: "x-message-id", Value: m.id})
	}
	empty := len(m.payload) == 0
	_ = g.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: m.stream, BlockFragment: g.encode(fields...), EndHeaders: true, EndStream: empty})
	if empty {
		g.pushEnded(m.stream)
		return
	}
	g.pushBody(m)
}

// encode is a header block, which is good until the next. mu is held.
func (g *gate) encode(fields ...hpack.HeaderField) []byte {
	g.block = g.block[:0]
	for _, f := range fields {
		_ = g.encoder.WriteField(f) // into memory
	}
	return g.block
}

// pushBody sends as much of a message as the windows allow. mu is held.
func (g *gate) pushBody(m *gatePush) {
	for m.stream != 0 {
		n := int(min(int64(len(m.payload)-m.sent), m.window, g.window, int64(g.peer.frame)))
		if n <= 0 {
			return
		}
		last := m.sent+n == len(m.payload)
		_ = g.framer.WriteData(m.stream, last, m.payload[m.sent:m.sent+n])
		m.sent += n
		m.window -= int64(n)
		g.window -= int64(n)
		if last {
			g.pushEnded(m.stream)
		}
	}
}

// pushEnded forgets a stream of ours. mu is held.
func (g *gate) pushEnded(id uint32) {
	if m := g.pushed[id]; m != nil {
		delete(g.pushed, id)
		m.stream = 0
		g.held -= len(m.payload) + len(m.topic)
	}
}

// redeliver sends again what was not acknowledged in time.
func (g *gate) redeliver() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.p.now()
	for _, m := range g.unacked {
		if m.stream == 0 && !m.waiting && !m.due.IsZero() && now.After(m.due) {
			g.p.stats.redelivered.Add(1)
			_ = g.push(m) // a slow client shows at the next message
		}
	}
}

// respond answers a request.
func (g *gate) respond(s *gateStream, status int, messageID string) error {
	return g.answer(s, status, messageID, false)
}

// answer answers a request; early says that the request is not whole.
func (g *gate) answer(s *gateStream, status int, messageID string, early bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.streams[s.id] != s {
		return nil // it was reset
	}
	code := strconv.Itoa(status)
	fields := []hpack.HeaderField{{Name: ":status", Value: code}, {Name: "x-response-status", Value: code}}
	if messageID != "" {
		fields = append(fields, hpack.HeaderField{Name: "x-message-id", Value: messageID})
	}
	stays := s == g.first && s.stays && status == 200
	if !stays {
		if s == g.first {
			g.first = nil
		}
		delete(g.streams, s.id)
		fields = append(fields, hpack.HeaderField{Name: "content-length", Value: "0"})
	}
	_ = g.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: g.encode(fields...), EndHeaders: true, EndStream: !stays})
	if !stays && early {
		_ = g.framer.WriteRSTStream(s.id, http2.ErrCodeNo) // the rest of the request is not wanted
	}
	if g.leaving && g.first != nil && len(g.streams) == 1 && g.streams[g.first.id] != nil { // nothing else is open
		delete(g.streams, g.first.id)
		g.first.push = false
		_ = g.framer.WriteData(g.first.id, true, nil)
	}
	return g.progress()
}

// goAway has the client told that no more is taken; the connection ends when
// that is written.
func (g *gate) goAway(cause string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.leaving {
		_ = g.framer.WriteGoAway(g.lastID, http2.ErrCodeNo, []byte(cause))
	}
	g.leaving, g.ended = true, true
	return g.wake()
}

// wake has write write. mu is held.
func (g *gate) wake() error {
	if len(g.out) > 2*gateWaiting {
		return errSlow
	}
	g.changed.Broadcast()
	return nil
}

// end ends the connection when what waits is written. With an error of the
// client's making it is told why.
func (g *gate) end(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if code, ok := err.(http2.ConnectionError); ok { //nolint:errorlint // the framer wraps none
		g.p.refused("http2_protocol")
		_ = g.framer.WriteGoAway(g.lastID, http2.ErrCode(code), nil)
	}
	g.ended = true
	_ = g.net.SetReadDeadline(time.Now().Add(linger))
	g.changed.Broadcast()
}

// write writes frames until the connection ends.
func (g *gate) write() {
	defer close(g.written)
	var spare []byte
	for {
		g.mu.Lock()
		for len(g.out) == 0 && !g.ended {
			g.changed.Wait()
		}
		out := g.out
		last := g.ended
		g.out = spare[:0]
		g.mu.Unlock()
		_ = g.net.SetWriteDeadline(time.Now().Add(writeTimeout)) // a failure shows at the write
		_, err := g.net.Write(out)
		if err != nil {
			_ = g.net.Close()
		}
		if err != nil || last {
			g.end(nil)
			if half, ok := g.net.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
			return
		}
		if spare = out; cap(spare) > gateWaiting {
			spare = nil
		}
		g.mu.Lock()
		_ = g.progress() // what waited for room
		g.mu.Unlock()
	}
}
