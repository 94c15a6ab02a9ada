package mqtt

import (
	"sync"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/internal/inorder"
)

// deviceState is where a device stands.
type deviceState uint8

const (
	offline     deviceState = iota
	wanted                  // waits for the connection, or for its turn to log in
	subscribing             // its subscription is on its way
	online
)

// device is one device at its lane. It lives from its first login until it is
// offline with nothing left to say. The fields of the first group do not change;
// the others are guarded by the lane's mu.
type device struct {
	ln       *lane
	key      string // of the lane's table: productKey/deviceName, or deviceName alone
	names    string // productKey/deviceName
	cut      int    // length of the product key in names
	property string // topic of properties
	members  []byte // of JSON objects: ,"productKey":"...","deviceName":"..."

	secret     auth.Secret
	current    *handle   // the login that counts; nil when the device is logged out
	head, tail *outgoing // published, done not yet called, in order
	notice     *outgoing // presence that was not sent yet
	saying     int       // presence on its way
	asked      int64     // when the subscription on its way was sent: milliseconds; 0: not yet
	login      uint32    // counts subscriptions, so that a late answer is known
	state      deviceState
	delivering bool // somebody is calling done of finished messages
	paced      bool // is in the pacer's queue
	announced  bool // presence has said that it is online
	known      bool // was online before: another login is one after a reconnect
}

// newDevice makes a device of what identify has found; t may be nil.
func newDevice(v values, t *topics) *device {
	d := &device{names: v[productKey] + "/" + v[deviceName], cut: len(v[productKey])}
	d.key = d.names
	d.members = appendMembers(nil, v[productKey], v[deviceName])
	if t == nil {
		return d
	}
	d.key = t.key(v[productKey], v[deviceName])
	if t.property != nil {
		v[kind] = thing.Property.String()
		d.property = t.property.with(&v)
	}
	return d
}

func (d *device) product() string { return d.names[:d.cut] }
func (d *device) device() string  { return d.names[d.cut+1:] }

func (d *device) values() (v values) {
	v[productKey], v[deviceName] = d.product(), d.device()
	return v
}

func (d *device) push(m *outgoing) {
	m.next = nil
	if d.tail == nil {
		d.head = m
	} else {
		d.tail.next = m
	}
	d.tail = m
}

// handle is one login of a device: what its caller holds. All fields but the
// first three are guarded by the lane's mu.
type handle struct {
	dev     *device
	command func(*thing.Command)
	lost    func(cause error)
	order   inorder.Login
	failing bool // is in the lane's list of those

	done  func(upstream.Device, error) // of the login, until it was called
	by    int64                        // when a login that found no broker fails: milliseconds
	err   error                        // why the handle is of no use any more
	early []*thing.Command             // came before done was called: handed over behind it
	size  int64                        // bytes of early
}

// Publish implements [upstream.Device].
func (h *handle) Publish(msg *thing.Message, done func(error)) {
	m, _ := outgoings.Get().(*outgoing)
	m.dev, m.by, m.done, m.reply = h.dev, h, done, msg.Kind == thing.Reply
	m.err = m.encode(h.dev, msg)
	h.dev.ln.submit(h, m)
}

// Resume implements [upstream.Resumer].
func (h *handle) Resume() {
	h.dev.ln.mu.Lock()
	h.order.Resume()
	h.dev.ln.mu.Unlock()
}

// Logout implements [upstream.Device].
func (h *handle) Logout(done func(error)) { h.dev.ln.logout(h, done) }

// outgoing is a message on its way, guarded by its lane's mu from submit on.
type outgoing struct {
	dev      *device
	by       *handle // that it was published by; nil for presence
	done     func(error)
	err      error
	topic    string
	payload  []byte
	next     *outgoing // of the same device
	before   *outgoing // in the lane's list
	behind   *outgoing // in the lane's list
	born     int64     // when it was published: milliseconds
	sentAt   int64     // when it was sent last
	packet   uint16    // MQTT packet identifier; 0: none
	qos      byte
	retain   bool
	presence bool // whether its device is online: no message of the device's own
	urgent   bool // goes in front of all that was not sent
	online   bool // of presence: what it says
	taken    bool // sent over this connection, not acknowledged or not yet written
	sent     bool // was sent over some connection: the broker may have it
	dup      bool // was sent in the session that the broker still has
	rejected bool // never was in the lane's list
	finished bool // done is to be called with err
	reply    bool // to a command: of no order
}

var outgoings = sync.Pool{New: func() any { return new(outgoing) }}

// maxPooled is the largest buffer that is kept for the next message.
const maxPooled = 16 << 10

// free gives m back for reuse. Nobody else may hold it.
func (m *outgoing) free() {
	if cap(m.payload) > maxPooled {
		return
	}
	*m = outgoing{payload: m.payload[:0]}
	outgoings.Put(m)
}

// encode fills in m's topic and payload for what a device says.
func (m *outgoing) encode(d *device, msg *thing.Message) (err error) {
	cfg := d.ln.cfg
	if !cfg.topics.takes(msg.Kind) {
		return upstream.ErrUnsupported
	}
	if m.topic, err = cfg.topics.of(d, msg); err != nil {
		return err
	}
	if m.payload, err = cfg.payloads.append(m.payload, d, msg); err != nil {
		return err
	}
	if len(m.payload) > cfg.MaxPayload {
		return ErrTooLarge
	}
	m.retain = cfg.Retain && msg.Kind == thing.Property
	switch msg.QoS {
	case thing.AtMostOnce:
		m.qos = 0
	case thing.AtLeastOnce:
		m.qos = 1
	default:
		m.qos = byte(cfg.QoS)
	}
	return nil
}

// takes says whether there is a topic for that kind of message.
func (t *topics) takes(k thing.Kind) bool {
	switch k {
	case thing.Property:
		return t.property != nil
	case thing.Event:
		return t.event != nil
	case thing.Raw:
		return t.raw != nil
	case thing.Reply:
		return t.reply != nil
	case thing.Publication:
		return t.publication != nil
	default:
		return false
	}
}

// outList is the unfinished messages of a lane, in the order in which they are
// sent: those that were sent over this connection, then the others.
type outList struct {
	first, last *outgoing
	unsent      *outgoing // the first of the others
}

// push puts m at the end.
func (l *outList) push(m *outgoing) {
	m.before, m.behind = l.last, nil
	if l.last == nil {
		l.first = m
	} else {
		l.last.behind = m
	}
	l.last = m
	if l.unsent == nil {
		l.unsent = m
	}
}

// pushFirst puts m in front, where nothing was sent yet.
func (l *outList) pushFirst(m *outgoing) {
	m.before, m.behind = nil, l.first
	if l.first == nil {
		l.last = m
	} else {
		l.first.before = m
	}
	l.first, l.unsent = m, m
}

// remove takes m out; whoever walks along the list has asked for its neighbour
// before.
func (l *outList) remove(m *outgoing) {
	if m.before == nil {
		l.first = m.behind
	} else {
		m.before.behind = m.behind
	}
	if m.behind == nil {
		l.last = m.before
	} else {
		m.behind.before = m.before
	}
	if l.unsent == m {
		l.unsent = m.behind
	}
	m.before, m.behind = nil, nil
}
