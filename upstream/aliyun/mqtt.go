package aliyun

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

const (
	readBuffer  = 32 << 10
	writeBuffer = 64 << 10 // bytes that may wait for the network; above, publish blocks
)

// mqttWire is MQTT: a wire onto which packets are put, above a link that asks for
// them. It has two goroutines, run and its ticker's, which disconnect ends, and is
// the link's owner.
type mqttWire struct {
	l    *link
	conn *mqttlink.Link
	over chan struct{} // closed when run has ended

	mu    sync.Mutex
	room  *sync.Cond // out was taken, or the connection has ended
	out   []byte     // packets to be written; guarded by mu
	mark  *moment    // when they are; guarded by mu, nil when nobody wants to know
	going *moment    // mark of what the network takes now; the writer's
	ended bool       // guarded by mu

	asks map[uint16]*mqttSubscription // SUBSCRIBEs that are not answered; guarded by the link's mu
}

// dialMQTT makes an MQTT connection.
func (l *link) dialMQTT(ctx context.Context, secret auth.Secret) error {
	g := l.g
	id, user, password := g.credentials(secret, time.Now())
	conn, err := mqttlink.Dial(ctx, mqttlink.Options{
		Endpoint: g.endpoint, TLS: g.cfg.tls, ClientID: id, Username: user, Password: password, Clean: g.cfg.CleanSession,
		KeepAlive: g.cfg.KeepAlive, PingTimeout: g.cfg.RequestTimeout, WriteTimeout: g.cfg.WriteTimeout,
		MaxPayload: alink.MaxPayload, ReadBuffer: readBuffer, WriteBuffer: 2 * writeBuffer,
	})
	if err != nil {
		return connectError(err)
	}
	w := &mqttWire{l: l, conn: conn, over: make(chan struct{}), asks: map[uint16]*mqttSubscription{}}
	w.room = sync.NewCond(&w.mu)
	l.wire = w
	go w.run()
	return nil
}

// run is the connection from its beginning to its end.
func (w *mqttWire) run() {
	defer close(w.over)
	var ticks sync.WaitGroup
	ticks.Go(w.tick)
	err := w.conn.Run(w)
	ticks.Wait()
	w.mu.Lock()
	w.ended = true
	w.room.Broadcast()
	w.mu.Unlock()
	w.l.fail(err)
}

// tick keeps the connection alive until it has ended.
func (w *mqttWire) tick() {
	ticker := time.NewTicker(max(min(w.l.g.cfg.KeepAlive, w.l.g.cfg.RequestTimeout)/8, 10*time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			w.conn.Tick(now)
		case <-w.conn.Down():
			return
		}
	}
}

// credentials are what a gateway's CONNECT carries (developer guide, chapter
// 6.1).
func (g *gateway) credentials(secret auth.Secret, now time.Time) (clientID, user string, password auth.Secret) {
	cid := g.cfg.ClientIDPrefix + g.identity.ProductKey + "." + g.identity.DeviceName
	stamp := strconv.FormatInt(now.UnixMilli(), 10)
	mode := "3"
	if g.endpoint.Scheme == "ssl" {
		mode = "2"
	}
	extra := ""
	if g.cfg.Subscribe == SubscribeNone {
		extra = ",_ss=1" // have the platform deliver without subscriptions
	}
	clientID = cid + "|securemode=" + mode + ",signmethod=" + string(g.cfg.sign) + ",timestamp=" + stamp + extra + "|"
	user = g.identity.DeviceName + "&" + g.identity.ProductKey
	id := g.identity
	id.DeviceSecret = secret
	return clientID, user, auth.Secret(alink.Sign(g.cfg.sign, id, cid, stamp))
}

// connectError is why a CONNECT failed.
func connectError(err error) error {
	var no *mqttlink.ConnackError
	if !errors.As(err, &no) {
		return err
	}
	if no.Code == mqttlink.CodeUnavailable {
		return &upstream.RefusedError{Code: int(no.Code), Reason: err.Error(), Temporary: true}
	}
	return &upstream.RefusedError{Code: int(no.Code), Reason: "the platform refused the gateway: " + err.Error() + "; check productKey, deviceName and deviceSecret"}
}

// moment is when the network has taken something, as a token.
type moment struct{ done chan struct{} }

// Done implements carrier.Token.
func (m *moment) Done() <-chan struct{} { return m.done }

// Error implements carrier.Token.
func (*moment) Error() error { return nil }

// publish implements wire.
func (w *mqttWire) publish(m *outgoing) token {
	var id uint16
	if m.qos > 0 {
		id = w.track(m)
	}
	return w.put(m.qos == 0, func(dst []byte) []byte {
		return mqttlink.AppendPublish(dst, m.topic, m.payload, id, m.qos, false, false)
	})
}

// track gives m a packet identifier that nothing on its way has.
func (w *mqttWire) track(m *outgoing) uint16 {
	l := w.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.packet != 0 && l.packets[m.packet] == m {
		l.packets[m.packet] = nil // it is sent again: one identifier at a time
		l.lost++
	}
	id := w.free()
	m.packet = uint32(id)
	l.packets[m.packet] = m
	return id
}

// free is a packet identifier that nothing on its way has. Those that have one are
// fewer than there are, by the limits of inFlight and maxLeaked. The link's mu is
// held.
func (w *mqttWire) free() uint16 {
	l := w.l
	id := uint16(l.lastID) //nolint:gosec // 16 bits are kept there
	for {
		id++
		_, sent := l.packets[uint32(id)]
		if id != 0 && !sent && w.asks[id] == nil {
			l.lastID = uint32(id)
			return id
		}
	}
}

// put puts a packet onto the wire, and blocks while too much waits. The token is
// done when the network has taken it, if that is wanted, otherwise at once.
func (w *mqttWire) put(marked bool, add func([]byte) []byte) token {
	w.mu.Lock()
	for len(w.out) > writeBuffer && !w.ended {
		w.room.Wait()
	}
	if w.ended {
		w.mu.Unlock()
		return outcome{mqttlink.ErrClosed}
	}
	first := len(w.out) == 0
	w.out = add(w.out)
	var of token = outcome{}
	if marked {
		if w.mark == nil {
			w.mark = &moment{make(chan struct{})}
		}
		of = w.mark
	}
	w.mu.Unlock()
	if first {
		w.conn.Wake()
	}
	return of
}

// Fill implements mqttlink.Owner.
func (w *mqttWire) Fill(dst []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.out) == 0 {
		return dst
	}
	if len(dst) == 0 { // the two buffers change places
		dst, w.out = w.out, dst
	} else {
		dst, w.out = append(dst, w.out...), w.out[:0]
	}
	w.going, w.mark = w.mark, nil
	w.room.Broadcast()
	return dst
}

// Wrote implements mqttlink.Owner.
func (w *mqttWire) Wrote() {
	if w.going != nil {
		close(w.going.done)
		w.going = nil
	}
}

// Received implements mqttlink.Owner.
func (w *mqttWire) Received(p *mqttlink.Packet) {
	switch p.Type {
	case mqttlink.Publish:
		if p.TooLarge {
			w.l.g.count(func(s *counters) { s.malformed++ })
			return
		}
		w.l.g.received(w.l, p.Topic, p.Payload)
	case mqttlink.Puback:
		w.l.acknowledge(uint32(p.ID), nil)
	case mqttlink.Suback:
		w.l.mu.Lock()
		s := w.asks[p.ID]
		delete(w.asks, p.ID)
		w.l.mu.Unlock()
		if s != nil {
			s.answered(p.Codes)
		}
	default:
	}
}

// control implements wire.
func (w *mqttWire) control(topic string, payload []byte) token {
	return w.put(false, func(dst []byte) []byte {
		return mqttlink.AppendPublish(dst, topic, payload, 0, 0, false, false)
	})
}

// mqttSubscription is a SUBSCRIBE, whose token is done when it is answered.
type mqttSubscription struct {
	filters []string
	denied  []string // written before done is closed
	done    chan struct{}
}

// Done implements carrier.Token.
func (s *mqttSubscription) Done() <-chan struct{} { return s.done }

// Error implements carrier.Token.
func (*mqttSubscription) Error() error { return nil }

func (s *mqttSubscription) answered(codes []byte) {
	for i, code := range codes {
		if code >= mqttlink.Refused && i < len(s.filters) {
			s.denied = append(s.denied, s.filters[i])
		}
	}
	close(s.done)
}

// subscribe implements wire: it sends as many SUBSCRIBEs as the filters need.
func (w *mqttWire) subscribe(filters []string) (tokens []token) {
	for len(filters) > 0 {
		n := min(len(filters), subscribeLimit)
		s := &mqttSubscription{filters: filters[:n], done: make(chan struct{})}
		id := w.ask(s)
		if t := w.put(false, func(dst []byte) []byte { return mqttlink.AppendSubscribe(dst, id, s.filters, 1) }); t.Error() != nil {
			return append(tokens, t)
		}
		tokens = append(tokens, s)
		filters = filters[n:]
	}
	return tokens
}

// ask gives a SUBSCRIBE, or an UNSUBSCRIBE, an identifier that nothing on its way
// has.
func (w *mqttWire) ask(s *mqttSubscription) uint16 {
	l := w.l
	l.mu.Lock()
	defer l.mu.Unlock()
	id := w.free()
	if s != nil {
		w.asks[id] = s
	}
	return id
}

// unsubscribe implements wire.
func (w *mqttWire) unsubscribe(filters []string) token {
	id := w.ask(nil)
	return w.put(false, func(dst []byte) []byte { return mqttlink.AppendUnsubscribe(dst, id, filters) })
}

// granted implements wire: it says which subscriptions the platform did not grant.
func (w *mqttWire) granted(of token) {
	s, ok := of.(*mqttSubscription)
	if !ok {
		return
	}
	for _, filter := range s.denied {
		w.l.g.count(func(s *counters) { s.denied++ })
		w.l.g.log.Warn("aliyun: subscription denied", zap.String("path", filter))
	}
}

// cancel implements wire: what was sent stays so. Its identifier is taken until the
// platform acknowledges it after all (MQTT 3.1.1, section 2.3.1); a connection that
// loses too many is begun anew.
func (w *mqttWire) cancel(uint32) {
	w.conn.Probe() // the platform may be gone without a word
	w.l.mu.Lock()
	many := w.l.lost > maxLeaked
	w.l.mu.Unlock()
	if many {
		w.l.fail(errLeaked)
	}
}

// isOpen implements wire.
func (w *mqttWire) isOpen() bool {
	select {
	case <-w.conn.Down():
		return false
	default:
		return true
	}
}

// leave implements wire: what was put onto it before is written, if the network
// takes it in time.
func (w *mqttWire) leave() {
	w.conn.Disconnect()
	select {
	case <-w.over:
	case <-time.After(w.l.g.cfg.WriteTimeout):
	case <-w.l.g.connector.hurry:
	}
}

// disconnect implements wire.
func (w *mqttWire) disconnect() {
	w.conn.Close(nil)
	<-w.over
}
