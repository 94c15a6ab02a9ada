package platform

import (
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
)

// link is one MQTT connection. It is the net.Conn that the broker reads and
// writes: what is written while the broker works off what it has read is held
// back and leaves with one write before it reads again, so that a burst of
// posts costs one write for all of its acknowledgements and replies.
//
// Read is called by the connection's own goroutine; everything else may be
// called from anywhere.
type link struct {
	net.Conn
	p      *Platform
	secure bool // TLS

	wmu  sync.Mutex
	out  []byte // guarded by wmu: whole packets not written yet
	busy bool   // guarded by wmu: the reader will flush
	werr error  // guarded by wmu

	closeOnce sync.Once
	cause     atomic.Pointer[string] // why the platform ended it; nil: the peer did
	closed    chan struct{}          // closed with the socket
	told      atomic.Bool            // the log knows that something had no subscription
	done      chan struct{}          // closed when nothing of the link is left

	// Set while the CONNECT is worked off, by the connection's own goroutine,
	// and read by it or after the link was published under Platform.mu.
	client  *mqtt.Client
	dev     *device
	autoSub bool // _ss=1: system topics without subscriptions
	claimed bool // holds dev.claim

	subs map[*device]struct{} // sub-devices online through it; guarded by Platform.mu

	half     atomic.Pointer[rule]      // the fault that has made it half-open; nil: it is not
	deadline atomic.Pointer[time.Time] // that the broker has set

	fmu     sync.RWMutex
	filters map[key][]string // guarded by fmu: subscriptions by the device they are about
}

const (
	flushAt = 32 << 10 // bytes held back at most
	keepOut = 64 << 10 // capacity kept for the next burst

	// writeTimeout is for one write: a client that does not read so long is
	// gone, and nobody else waits for it any longer.
	writeTimeout = 5 * time.Second
)

func newLink(p *Platform, c net.Conn) *link {
	return &link{
		Conn:    c,
		p:       p,
		closed:  make(chan struct{}),
		done:    make(chan struct{}),
		subs:    map[*device]struct{}{},
		filters: map[key][]string{},
	}
}

// Read writes what was held back, then reads.
func (l *link) Read(b []byte) (int, error) {
	l.wmu.Lock()
	l.busy = false
	err := l.flush()
	l.wmu.Unlock()
	if err != nil {
		return 0, err
	}
	n, err := l.Conn.Read(b)
	if l.half.Load() != nil {
		return l.deaf(b, err)
	}
	if l.p.faults.frozen.Load() {
		l.p.faults.wait(l.closed, l.p.closing)
	}
	l.wmu.Lock()
	l.busy = true
	l.wmu.Unlock()
	return n, err
}

// Write takes one or more whole packets.
func (l *link) Write(b []byte) (int, error) {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if l.werr != nil {
		return 0, l.werr
	}
	l.out = append(l.out, b...)
	return len(b), l.written()
}

// written flushes what was appended to out unless the reader will. wmu is held.
func (l *link) written() error {
	if l.half.Load() != nil {
		l.out = l.out[:0] // nobody hears it
		return nil
	}
	if l.busy && len(l.out) < flushAt {
		return nil
	}
	return l.flush()
}

// flush writes out. wmu is held.
func (l *link) flush() error {
	if l.werr != nil {
		return l.werr
	}
	if len(l.out) == 0 || l.half.Load() != nil {
		return nil
	}
	_ = l.SetWriteDeadline(time.Now().Add(writeTimeout)) // a failure shows at the write
	_, l.werr = l.Conn.Write(l.out)
	if cap(l.out) > keepOut {
		l.out = nil
	}
	l.out = l.out[:0]
	return l.werr
}

// Close closes the connection, after a last try to write what was held back.
func (l *link) Close() error {
	err := net.ErrClosed
	l.closeOnce.Do(func() {
		if l.wmu.TryLock() { // otherwise a write is stuck, and closing frees it
			_ = l.flush()
			if l.werr == nil {
				l.werr = net.ErrClosed
			}
			l.wmu.Unlock()
		}
		if l.half.Load() != nil {
			err = l.SetReadDeadline(time.Now()) // the reader ends, the peer hears nothing; drop closes it
		} else {
			err = l.Conn.Close()
		}
		close(l.closed)
	})
	return err
}

// stop ends the connection from this side. Only the first cause counts.
func (l *link) stop(cause string) {
	l.cause.CompareAndSwap(nil, &cause)
	_ = l.Close() // the reader notices
}

// publish writes a PUBLISH of QoS 0 (MQTT 3.1.1, section 3.3) straight to the
// connection, past the broker. suffix is appended to the topic. It says whether
// the connection took it.
func (l *link) publish(topic, suffix string, payload []byte) bool {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if l.werr != nil {
		return false
	}
	l.out = append(l.out, 0x30)
	l.out = binary.AppendUvarint(l.out, uint64(2+len(topic)+len(suffix)+len(payload))) //nolint:gosec // lengths
	l.out = binary.BigEndian.AppendUint16(l.out, uint16(len(topic)+len(suffix)))       //nolint:gosec // topics are at most 65535 bytes: MQTT has no longer ones
	l.out = append(l.out, topic...)
	l.out = append(l.out, suffix...)
	l.out = append(l.out, payload...)
	return l.written() == nil
}

// wants says whether the client subscribed to the topic about that device.
func (l *link) wants(owner key, topic, suffix string) bool {
	l.fmu.RLock()
	defer l.fmu.RUnlock()
	for _, f := range l.filters[owner] {
		if f == topic && suffix == "" || matchesJoined(f, topic, suffix) {
			return true
		}
	}
	return false
}

// matchesJoined is matches(filter, topic+suffix) without joining them when the
// filter ends with #, which may stand for the end of the topic.
func matchesJoined(filter, topic, suffix string) bool {
	if suffix == "" {
		return matches(filter, topic)
	}
	if len(filter) == len(topic)+len(suffix) && filter[:len(topic)] == topic && filter[len(topic):] == suffix {
		return true
	}
	if filter[len(filter)-1] == '#' {
		return matches(filter, topic) // a suffix only lengthens the last level, which # takes whole
	}
	if !wild(filter) {
		return false
	}
	return matches(filter, topic+suffix)
}

// addFilter notes a subscription; the caller has checked that it is allowed.
func (l *link) addFilter(filter string) {
	owner := parseTopic(filter).owner
	l.fmu.Lock()
	defer l.fmu.Unlock()
	if slices.Contains(l.filters[owner], filter) {
		return
	}
	l.filters[owner] = append(l.filters[owner], filter)
}

func (l *link) removeFilter(filter string) {
	owner := parseTopic(filter).owner
	l.fmu.Lock()
	defer l.fmu.Unlock()
	list := l.filters[owner]
	for i, f := range list {
		if f != filter {
			continue
		}
		list[i] = list[len(list)-1]
		if list = list[:len(list)-1]; len(list) == 0 {
			delete(l.filters, owner)
		} else {
			l.filters[owner] = list
		}
		return
	}
}

// has says whether the client holds exactly that subscription.
func (l *link) has(owner key, filter string) bool {
	l.fmu.RLock()
	defer l.fmu.RUnlock()
	return slices.Contains(l.filters[owner], filter)
}

// filterCount is how many subscriptions about that device the client holds.
func (l *link) filterCount(owner key) int {
	l.fmu.RLock()
	defer l.fmu.RUnlock()
	return len(l.filters[owner])
}
