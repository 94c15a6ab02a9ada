package mqttlink

import (
	"cmp"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Owner is whom a link works for. Its methods do not block for long.
type Owner interface {
	// Fill appends the packets that may be sent now to dst, in their order, some
	// tens of KiB at a time, and returns it; nothing appended means that the link
	// sleeps until [Link.Wake]. On the link's writing goroutine.
	Fill(dst []byte) []byte
	// Wrote says that the network has taken what Fill appended last. On the same
	// goroutine.
	Wrote()
	// Received gets each packet but PINGRESP, in their order. A PUBLISH of QoS 1
	// is acknowledged when it returns. On the goroutine of Run; while it blocks,
	// nothing is read.
	Received(p *Packet)
}

// The reasons why links end, besides those of the network.
var (
	// ErrClosed: Close or Disconnect was called.
	ErrClosed = errors.New("mqttlink: closed")
	// ErrSilent: the broker did not answer a PINGREQ.
	ErrSilent = errors.New("mqttlink: the broker answers no more")
)

// maxAcks bounds the acknowledgements, in bytes, that wait to be written; above,
// nothing is read.
const maxAcks = 16 << 10

// maxLeave is how long a broker has to close its side behind a DISCONNECT.
const maxLeave = time.Second

// Link is one connection, from CONNACK until it ends. Its methods may be called
// from any goroutine.
type Link struct {
	conn         net.Conn
	in           reader // Run's goroutine only
	owner        Owner
	resumed      bool
	keepAlive    int64 // milliseconds
	pingTimeout  int64 // milliseconds
	writeTimeout time.Duration
	kept         int // capacity of the largest buffer that is kept for the next write
	wake         chan struct{}
	down         chan struct{} // closed when the link has ended
	sent         atomic.Int64  // when something was written last: milliseconds
	heard        atomic.Int64  // when something was read last
	pinged       atomic.Int64  // when a PINGREQ was sent that is not answered; 0: none is

	mu      sync.Mutex // guards what follows
	changed *sync.Cond // acks were taken, or the link ended
	acks    []byte     // packets of the link's own, to be written first
	leaving bool       // Disconnect was called
	left    bool       // a DISCONNECT was written
	err     error      // why down was closed
}

func newLink(conn net.Conn, o *Options) *Link {
	l := &Link{
		conn: conn, writeTimeout: o.WriteTimeout, kept: cmp.Or(o.WriteBuffer, 128<<10),
		keepAlive: int64(o.keepAlive()) * 1000, pingTimeout: o.PingTimeout.Milliseconds(),
		wake: make(chan struct{}, 1), down: make(chan struct{}),
	}
	l.changed = sync.NewCond(&l.mu)
	now := time.Now().UnixMilli()
	l.sent.Store(now)
	l.heard.Store(now)
	return l
}

// Resumed says whether the broker had a session of the client, which goes on.
func (l *Link) Resumed() bool { return l.resumed }

// Down is closed when the link has ended.
func (l *Link) Down() <-chan struct{} { return l.down }

// RemoteAddr is the broker's address.
func (l *Link) RemoteAddr() net.Addr { return l.conn.RemoteAddr() }

// Run reads and writes until the link ends, and returns why. It is called once.
func (l *Link) Run(owner Owner) error {
	l.owner = owner
	var writer sync.WaitGroup
	writer.Go(l.write)
	l.read()
	writer.Wait()
	_ = l.conn.Close() // it is over
	return l.cause()
}

// Wake has the link ask its owner for packets.
func (l *Link) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Close ends the link at once, without a DISCONNECT: the broker publishes the
// will. The first cause counts; nil is ErrClosed.
func (l *Link) Close(cause error) {
	if cause == nil {
		cause = ErrClosed
	}
	l.fail(cause)
}

// Disconnect ends the link in order, once its owner has no more to send.
func (l *Link) Disconnect() {
	l.mu.Lock()
	l.leaving = true
	l.mu.Unlock()
	l.Wake()
}

// Tick keeps the connection alive, and ends one that is dead. It is called a few
// times within keep-alive and within the ping's timeout.
func (l *Link) Tick(now time.Time) {
	ms := now.UnixMilli()
	if since := l.pinged.Load(); since != 0 {
		if ms-since > l.pingTimeout {
			l.fail(ErrSilent)
		}
		return
	}
	// A quarter in hand, for the broker counts from the last packet that it got.
	if idle := ms - min(l.sent.Load(), l.heard.Load()); idle < l.keepAlive*3/4 {
		return
	}
	l.ping(ms)
}

// Probe is for an owner whom the broker has not answered in time. If nothing at all
// was heard of the broker within the ping's timeout it is asked now whether it is
// there, and not when the keep-alive is over: a connection whose other end is gone
// without a word takes what is written to it for minutes.
func (l *Link) Probe() {
	if ms := time.Now().UnixMilli(); ms-l.heard.Load() >= l.pingTimeout {
		l.ping(ms)
	}
}

// ping asks the broker for an answer, unless that is on its way.
func (l *Link) ping(ms int64) {
	if !l.pinged.CompareAndSwap(0, ms) {
		return
	}
	l.mu.Lock()
	l.acks = appendHead(l.acks, pingreq, 0, 0)
	l.mu.Unlock()
	l.Wake()
}

func (l *Link) read() {
	var p Packet
	for {
		if err := l.in.next(&p); err != nil {
			l.mu.Lock()
			if l.left {
				err = ErrClosed
			}
			l.mu.Unlock()
			l.fail(err)
			return
		}
		now := time.Now().UnixMilli()
		l.heard.Store(now)
		if p.Type == Pingresp {
			l.pinged.Store(0)
			continue
		}
		l.owner.Received(&p)
		if p.Type == Publish && p.QoS > 0 && !l.acknowledge(p.ID) {
			return
		}
	}
}

// acknowledge queues a PUBACK, and says whether the link is up.
func (l *Link) acknowledge(id uint16) bool {
	l.mu.Lock()
	for len(l.acks) > maxAcks && l.err == nil {
		l.changed.Wait()
	}
	up := l.err == nil
	l.acks = appendPuback(l.acks, id)
	l.mu.Unlock()
	l.Wake()
	return up
}

func (l *Link) write() {
	var buf []byte
	for {
		var own int
		var leaving bool
		buf, own, leaving = l.takeOwn(buf[:0])
		buf = l.owner.Fill(buf)
		filled := len(buf) > own
		last := leaving && !filled
		if last {
			buf = appendHead(buf, disconnect, 0, 0)
		}
		if len(buf) == 0 {
			if cap(buf) > l.kept {
				buf = nil
			}
			select {
			case <-l.wake:
				continue
			case <-l.down:
				return
			}
		}
		if err := l.conn.SetWriteDeadline(time.Now().Add(l.writeTimeout)); err != nil {
			l.fail(err)
			return
		}
		if _, err := l.conn.Write(buf); err != nil {
			l.fail(err)
			return
		}
		l.sent.Store(time.Now().UnixMilli())
		if filled {
			l.owner.Wrote()
		}
		if last {
			l.leave()
			return
		}
	}
}

// leave closes this side's half of the connection, and waits for the broker to
// close its own: whoever closes all with bytes unread may take back what it has
// sent.
func (l *Link) leave() {
	l.mu.Lock()
	l.left = true
	l.mu.Unlock()
	if half, ok := l.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // it is over in any case
	}
	_ = l.conn.SetReadDeadline(time.Now().Add(min(l.writeTimeout, maxLeave))) // ends the reader
}

// takeOwn takes what the link itself has to send.
func (l *Link) takeOwn(dst []byte) (out []byte, own int, leaving bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	dst = append(dst, l.acks...)
	l.acks = l.acks[:0]
	l.changed.Broadcast()
	return dst, len(dst), l.leaving
}

// fail ends the link; the first cause counts.
func (l *Link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = err
	l.changed.Broadcast()
	close(l.down)
	// This ends the reader and the writer. What is below TLS is closed, for TLS
	// itself would try to say goodbye to whom does not listen.
	conn := l.conn
	for {
		outer, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = outer.NetConn()
	}
	_ = conn.Close()
}

func (l *Link) cause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
