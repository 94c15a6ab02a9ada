package server

import (
	queues "container/list"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/linkspan/linkspan/protocol"
)

var (
	errNotTLS   = errors.New("what arrives is not TLS: the device may not use TLS, or be meant for another port")
	errGivenUp  = errors.New("too many handshakes were under way, and this one had waited for its device longest")
	errHeldBack = errors.New("more than a handshake needs has arrived")
)

// handshake is the TLS handshake of one connection. What arrives is held for its
// goroutine, which exists from when the client's hello is whole (RFC 8446, 5.1) and
// there is a place among the handshakes of the server: peers that connect and say
// nothing cost no goroutine.
type handshake struct {
	stage *tlsStage
	pool  *handshakes

	started bool            // it was handed to the pool; of the loop
	parting *CloseError     // the socket has closed, and what is held is to be heard before the end; of the loop
	place   *queues.Element // in pool.queue or pool.waiting; guarded by pool.mu
	since   time.Time       // when it began to wait for its peer; guarded by pool.mu

	mu     sync.Mutex
	come   sync.Cond // something has arrived, or it is over
	held   *[]byte   // arrived, not read; nil when empty; guarded by mu
	taken  int       // bytes of held that were read; guarded by mu
	last   bool      // nothing comes behind held; guarded by mu
	over   bool      // guarded by mu
	reason error     // of being over, if it has one; guarded by mu
}

func newHandshake(t *tlsStage) *handshake {
	h := &handshake{stage: t, pool: t.conn.loop.server.handshakes}
	h.come.L = &h.mu
	return h
}

const (
	typeHandshake = 22      // RFC 8446, 5.1
	maxPlain      = 1 << 14 // bytes of a record's plaintext
	leastHeld     = 64 << 10
)

// feed takes what has arrived, which it does not keep. On the loop.
func (h *handshake) feed(in []byte) error {
	c := h.stage.conn
	size, total := h.hold(in)
	if limit := max(c.listener.limits.MaxPending, leastHeld); size > limit {
		return because(CausePending, fmt.Errorf("%w: %d bytes, the limit is %d", errHeldBack, size, limit))
	}
	if limit := int64(c.loop.server.cfg.MaxPending); total > limit && int64(size) > limit/max(c.loop.server.open.Load(), 1) {
		return because(CauseMemory, fmt.Errorf("%d bytes of all connections wait, maxPending of the server is %d", total, limit))
	}
	if h.started {
		return nil
	}
	whole, err := h.hello()
	if err != nil || !whole {
		return err
	}
	h.started = true
	h.fragment()
	h.stage.tls = tls.Server((*wire)(h.stage), c.listener.TLS.first)
	h.pool.submit(h)
	return nil
}

// hold adds in to what waits, and says how much that is, of this connection and of
// all.
func (h *handshake) hold(in []byte) (size int, total int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over { // given up; the loop will hear of it
		return 0, 0
	}
	if h.held == nil {
		h.held = newBuffer(len(in))
		h.taken = 0
	}
	h.held = appendBuffer(h.held, in)
	h.come.Signal()
	return len(*h.held) - h.taken, h.stage.conn.loop.server.pending.Add(int64(len(in)))
}

// hello says whether the first record is whole, or why it will never be.
func (h *handshake) hello() (whole bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	have := *h.held
	if have[0] != typeHandshake || len(have) > 1 && have[1] != 3 {
		return false, because(CauseTLS, fmt.Errorf("%w: it begins with % x", errNotTLS, have[:min(len(have), recordHeader)]))
	}
	if len(have) < recordHeader {
		return false, nil
	}
	size := int(have[3])<<8 | int(have[4])
	if size > maxPlain {
		return false, because(CauseTLS, fmt.Errorf("%w: a first record of %d bytes", errNotTLS, size))
	}
	return len(have) >= recordHeader+size, nil
}

// smallFragment is the most bytes of a client's hello that crypto/tls gets in one
// record. It reads records into a buffer that keeps its size for as long as the
// connection lives: with records of this size, and later those of a device's
// messages, that is 576 bytes; with the hello of a browser's size in one, 2 KB.
const smallFragment = 500

// fragment divides the first record, which is whole, into several. What a handshake
// message is divided into is no part of it (RFC 8446, 5.1).
func (h *handshake) fragment() {
	h.mu.Lock()
	defer h.mu.Unlock()
	have := *h.held
	size := int(have[3])<<8 | int(have[4])
	parts := 1 // doubled, as crypto/tls doubles the buffer that it puts them together in
	for size > parts*smallFragment {
		parts *= 2
	}
	if parts == 1 {
		return
	}
	each := (size + parts - 1) / parts
	out := newBuffer(len(have) + (parts-1)*recordHeader)
	for part := range slices.Chunk(have[recordHeader:recordHeader+size], each) {
		*out = append(*out, have[0], have[1], have[2], byte(len(part)>>8), byte(len(part)))
		*out = append(*out, part...)
	}
	*out = append(*out, have[recordHeader+size:]...)
	h.stage.conn.loop.server.pending.Add(int64(len(*out) - len(have)))
	freeBuffer(h.held)
	h.held = out
}

// read waits for something to arrive. While it waits, another handshake may have
// the CPU. On the handshake's goroutine.
func (h *handshake) read(p []byte) (int, error) {
	h.mu.Lock()
	if h.held == nil && !h.over && !h.last {
		h.mu.Unlock()
		h.pool.wait(h)
		h.mu.Lock()
		for h.held == nil && !h.over && !h.last {
			h.come.Wait()
		}
		h.mu.Unlock()
		h.pool.resume(h)
		h.mu.Lock()
	}
	defer h.mu.Unlock()
	if h.held == nil || h.over {
		return 0, io.EOF
	}
	have := (*h.held)[h.taken:]
	n := copy(p, have[:h.stage.record.take(have[:min(len(p), len(have))])])
	h.stage.conn.loop.server.pending.Add(int64(-n))
	if h.taken += n; h.taken == len(*h.held) {
		freeBuffer(h.held)
		h.held = nil
	}
	return n, nil
}

// close ends the handshake, with its goroutine if it has one; reason is told when
// the connection does not know it yet. It may be called from any goroutine, more
// than once.
func (h *handshake) close(reason error) {
	h.mu.Lock()
	if h.over {
		h.mu.Unlock()
		return
	}
	h.over, h.reason = true, reason
	h.discard()
	h.come.Signal()
	h.mu.Unlock()
	h.pool.forget(h)
}

// endOfInput notes that nothing more arrives, and says whether something is held.
func (h *handshake) endOfInput() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = h.held != nil && !h.over
	return h.last
}

// discard is called with mu held.
func (h *handshake) discard() {
	if h.held != nil {
		h.stage.conn.loop.server.pending.Add(int64(h.taken - len(*h.held)))
		freeBuffer(h.held)
		h.held = nil
	}
}

// finish ends a handshake whose goroutine has ended, and returns what the client
// has sent behind it, for freeBuffer; nil when that is nothing.
func (h *handshake) finish() *[]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	rest := h.held
	if h.over || rest == nil {
		h.over = true
		return nil
	}
	h.over, h.held = true, nil
	h.stage.conn.loop.server.pending.Add(int64(h.taken - len(*rest)))
	*rest = append((*rest)[:0], (*rest)[h.taken:]...)
	return rest
}

// run is the handshake's goroutine. The pool waits for it.
func (h *handshake) run() {
	h.pool.slots <- struct{}{}
	err := h.shake()
	<-h.pool.slots
	h.mu.Lock()
	if h.reason != nil {
		err = h.reason
	}
	h.mu.Unlock()
	t := h.stage
	t.conn.loop.do(t.conn, func() { t.shaken(err) }) // behind what the handshake has sent
	h.pool.done()
}

func (h *handshake) shake() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = because(CausePanic, &protocol.PanicError{Value: r, Stack: debug.Stack()})
		}
	}()
	if err := h.stage.tls.Handshake(); err != nil { //nolint:noctx // the loop ends it, by close
		return because(CauseTLS, err)
	}
	return nil
}

// handshakes bounds the handshakes of a server: how many have a goroutine, and how
// many of those compute at a time. It may be used from any goroutine.
type handshakes struct {
	limit   int
	slots   chan struct{}  // holds one for each that computes
	running sync.WaitGroup // goroutines of handshakes, and those that look after certificates

	mu      sync.Mutex
	count   int         // goroutines; guarded by mu
	givenUp uint64      // handshakes that lost their place; guarded by mu
	queue   queues.List // of *handshake that wait for a place; guarded by mu
	waiting queues.List // of *handshake that wait for their peers, longest first; guarded by mu
	relief  *time.Timer // looks at waiting again; set while there is a queue; guarded by mu
}

func newHandshakes(limit, cpus int) *handshakes {
	return &handshakes{limit: limit, slots: make(chan struct{}, cpus)}
}

const (
	// grace is how long a peer may let its handshake wait without losing its place to
	// another one: longer than the round trip of the worst network.
	grace       = time.Second
	reliefPause = grace / 4
)

// submit starts a handshake as soon as there is a place.
func (p *handshakes) submit(h *handshake) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count < p.limit {
		p.start(h)
		return
	}
	h.place = p.queue.PushBack(h)
	if p.relief == nil {
		p.relief = time.AfterFunc(0, p.relieve)
	}
}

// start is called with mu held.
func (p *handshakes) start(h *handshake) {
	p.count++
	p.running.Add(1)
	go h.run() // ends when the connection does, at the latest; Server.Close waits
}

// done gives a goroutine's place to the next.
func (p *handshakes) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.running.Done()
	p.count--
	if first := p.queue.Front(); first != nil {
		h := p.queue.Remove(first).(*handshake) //nolint:forcetypeassert // the list holds nothing else
		h.place = nil
		p.start(h)
	}
}

// relieve gives up handshakes that wait for their peers longest, one for each that
// waits for a place, and looks again later: peers that stall shall not keep others
// out.
func (p *handshakes) relieve() {
	var stalled []*handshake
	p.mu.Lock()
	for e := p.waiting.Front(); e != nil && len(stalled) < p.queue.Len(); e = e.Next() {
		h := e.Value.(*handshake) //nolint:forcetypeassert // the list holds nothing else
		if time.Since(h.since) < grace {
			break
		}
		stalled = append(stalled, h)
	}
	p.givenUp += uint64(len(stalled))
	if p.relief = nil; p.queue.Len() > 0 {
		p.relief = time.AfterFunc(reliefPause, p.relieve)
	}
	p.mu.Unlock()
	for _, h := range stalled {
		h.close(because(CauseHandshake, errGivenUp))
	}
}

// wait gives the CPU away until resume.
func (p *handshakes) wait(h *handshake) {
	p.mu.Lock()
	h.since = time.Now()
	h.place = p.waiting.PushBack(h)
	p.mu.Unlock()
	<-p.slots
}

// resume waits for a CPU, which is not the peer's fault: the handshake keeps its
// place meanwhile.
func (p *handshakes) resume(h *handshake) {
	p.forget(h)
	p.slots <- struct{}{}
}

// forget takes a handshake that is over out of the queues.
func (p *handshakes) forget(h *handshake) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.place != nil {
		p.queue.Remove(h.place) // does nothing when the place is in the other one
		p.waiting.Remove(h.place)
		h.place = nil
	}
}

// end waits for the goroutines, when all connections have ended.
func (p *handshakes) end() {
	p.running.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.relief != nil {
		p.relief.Stop()
		p.relief = nil
	}
}
