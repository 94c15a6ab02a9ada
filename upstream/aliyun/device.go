package aliyun

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
	"github.com/linkspan/linkspan/upstream/internal/inorder"
)

// deviceState is where a device stands with the platform.
type deviceState uint8

const (
	offline     deviceState = iota // nothing known to the platform
	wanted                         // waits for a login to be sent
	pausing                        // a login after a reconnect was refused for now: waits for retryAt
	loggingIn                      // a login is on its way
	registering                    // its secret is being asked for
	moving                         // goes to the next gateway
	adding                         // the gateway's topology is being changed
	subscribing                    // logged in; its subscriptions are on their way
	online                         // may publish
	leaving                        // a logout is queued or on its way
)

// device is one device at its gateway. It lives from its first login until it is
// offline with nothing left to say. All fields but the first two are guarded by
// the gateway's mu.
type device struct {
	gw    *gateway
	names alink.Name

	secret     auth.Secret
	current    *handle   // the login that counts; nil when the device is logged out
	head, tail *outgoing // published, done not yet called, in order
	turn       *outgoing // when messages may overtake one another: the one on its way
	left       func(error)
	retryAt    int64         // pausing: milliseconds
	paid       time.Duration // since 1970: until when the device's messages use up its rate
	lostAt     int64         // when the platform ended a session of the device that was made again: milliseconds
	loginID    uint32        // of the last login request
	state      deviceState
	attempts   uint8 // refused logins in a row
	losses     uint8 // sessions in a row that did not last
	delivering bool  // somebody is calling done of finished messages
	inWanted   bool  // is in the gateway's list of wanted devices
	alone      bool  // next login is not part of a batch
	throttled  bool  // messages wait though the device is online
	bare       bool  // came without a secret
	topology   bool  // the topology was changed for this login already
	again      bool  // another login is needed when the one on its way has ended
	departs    bool  // its logout waits for its messages, one after the other
}

func newDevice(g *gateway, id auth.Identity) *device {
	return &device{gw: g, secret: id.DeviceSecret, names: alink.NameOf(id.ProductKey, id.DeviceName)}
}

func (d *device) identity() auth.Identity {
	return auth.Identity{ProductKey: d.productKey(), DeviceName: d.deviceName(), DeviceSecret: d.secret}
}

// given is the secret that the device came with, empty if it had none.
func (d *device) given() auth.Secret {
	if d.bare {
		return ""
	}
	return d.secret
}

// name is productKey/deviceName.
func (d *device) name() string { return d.names.String() }

func (d *device) productKey() string { return d.names.ProductKey() }
func (d *device) deviceName() string { return d.names.DeviceName() }

func (d *device) push(m *outgoing) {
	m.next = nil
	if d.tail == nil {
		d.head = m
	} else {
		d.tail.next = m
	}
	d.tail = m
}

func (d *device) pop() *outgoing {
	m := d.head
	if d.head = m.next; d.head == nil {
		d.tail = nil
	}
	m.next = nil
	return m
}

// handle is one login of a device: what its caller holds. All fields but the
// first three are guarded by the mu of the device's gateway; at changes when the
// device moves to another gateway, while both are locked.
type handle struct {
	at      atomic.Pointer[device]
	command func(*thing.Command)
	lost    func(cause error)
	order   inorder.Login

	done  func(upstream.Device, error) // of the login, until it was called
	err   error                        // why the handle is of no use any more
	early []*thing.Command             // came before done was called: handed over behind it
}

// maxEarly is how many commands may come for a device before done of its login
// is called; more are dropped.
const maxEarly = 64

// Publish implements [upstream.Device].
func (h *handle) Publish(msg *thing.Message, done func(error)) {
	m, _ := outgoings.Get().(*outgoing)
	d := h.dev()
	m.by, m.done = h, done
	m.reply = msg.Kind == thing.Reply
	m.id = d.gw.nextID()
	m.err = m.encode(d, msg)
	h.submit(m)
}

// Resume implements [upstream.Resumer].
func (h *handle) Resume() {
	d := h.lock()
	h.order.Resume()
	d.gw.mu.Unlock()
}

// dev is the device at the gateway that it is at now.
func (h *handle) dev() *device { return h.at.Load() }

// lock is dev, and locks the gateway.
func (h *handle) lock() *device {
	for {
		d := h.dev()
		d.gw.mu.Lock()
		if h.dev() == d {
			return d
		}
		d.gw.mu.Unlock() // it has moved
	}
}

// outState is where a message stands.
type outState uint8

const (
	waiting  outState = iota // for its device to be online
	inLine                   // for the message of the same device before it
	queued                   // for the sender
	taken                    // by the sender: handed to the connection, or about to be
	finished                 // done is to be called with err
)

// outgoing is a message on its way, or a logout in the sender's queue. It is
// guarded by its gateway's mu from submit on, but for what encode has set.
type outgoing struct {
	dev      *device
	by       *handle // that it was published by; nil for a logout
	done     func(error)
	err      error
	topic    string
	payload  []byte    // owned; the wire may read it until the platform has acknowledged it
	next     *outgoing // of the same device
	nextSend *outgoing // in the sender's queue
	deadline int64     // milliseconds
	until    int64     // the last deadline there is, set when its device was first taken off; 0: not yet
	id       uint32    // of the Alink request
	packet   uint32    // identifier of its packet; guarded by the link's mu
	qos      byte
	state    outState
	sent     bool // was handed to a connection: the platform may have it
	answered bool // done waits for the platform's answer
	acked    bool // the platform has acknowledged it: the wire is done with payload
	rejected bool // never was in the queue
	held     bool // was taken back from the sender, which may still hold it
	logout   bool // no message: log the device out
	alone    bool // of a logout: not in a batch
	reply    bool // to a command: of no order
}

var outgoings = sync.Pool{New: func() any { return new(outgoing) }}

// maxPooled is the largest buffer that is kept for the next message.
const maxPooled = 16 << 10

// free gives m back for reuse. Nobody else may hold it or its payload.
func (m *outgoing) free() {
	if cap(m.payload) > maxPooled {
		return
	}
	*m = outgoing{payload: m.payload[:0]}
	outgoings.Put(m)
}

// sendQueue is messages in the order of their sending.
type sendQueue struct{ head, tail *outgoing }

func (q *sendQueue) push(m *outgoing) {
	m.nextSend = nil
	if q.tail == nil {
		q.head = m
	} else {
		q.tail.nextSend = m
	}
	q.tail = m
}

func (q *sendQueue) pop() *outgoing {
	m := q.head
	if q.head = m.nextSend; q.head == nil {
		q.tail = nil
	}
	m.nextSend = nil
	return m
}
