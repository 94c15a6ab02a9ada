package aliyun

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

// pahoWire is MQTT. There is a new paho client for each link, which neither
// reconnects nor keeps messages: what paho does by itself after a reconnect
// completes tokens that were never acknowledged, and sends for devices that are
// not logged in again. The gateway does both better.
//
// It is paho's store of messages, so that it learns of each acknowledgement by
// its packet identifier, in any order, without a goroutine or a channel for each
// message.
type pahoWire struct {
	l       *link
	client  mqtt.Client
	lost    chan struct{} // closed when paho has ended because the connection was
	sending *outgoing     // what send is publishing; send's goroutine only

	mu  sync.Mutex
	net *conn // nil before paho has dialed; guarded by mu
}

// dialMQTT makes an MQTT connection.
func (l *link) dialMQTT(ctx context.Context, secret auth.Secret) error {
	w := &pahoWire{l: l, lost: make(chan struct{})}
	l.wire = w
	w.client = mqtt.NewClient(w.options(ctx, secret))
	token := w.client.Connect()
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-token.Done():
		default: // the handshake hangs
			w.abort()
		}
	})
	<-token.Done() // dialing ends with ctx, the handshake with the connection
	stop()
	if err := token.Error(); err != nil {
		return connectError(token, err)
	}
	return nil
}

func (w *pahoWire) options(ctx context.Context, secret auth.Secret) *mqtt.ClientOptions {
	l, g := w.l, w.l.g
	id, user, password := g.credentials(secret, time.Now())
	o := mqtt.NewClientOptions()
	o.AddBroker("tcp://" + g.endpoint.Host)
	o.SetClientID(id).SetUsername(user).SetPassword(password.Reveal())
	o.SetProtocolVersion(4) // fixed, or paho tries 3.1 after each refusal
	o.SetCleanSession(g.cfg.CleanSession)
	o.SetKeepAlive(g.cfg.KeepAlive).SetPingTimeout(g.cfg.RequestTimeout)
	o.SetConnectTimeout(g.cfg.ConnectTimeout).SetWriteTimeout(g.cfg.WriteTimeout)
	o.SetAutoReconnect(false).SetConnectRetry(false).SetResumeSubs(false)
	o.SetOrderMatters(true) // received never blocks for long and never publishes
	o.SetStore(w)
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { g.received(l, m.Topic(), m.Payload()) })
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) {
		l.fail(err)
		close(w.lost)
	})
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		c, err := dial(ctx, g.endpoint, g.cfg.tls, g.cfg.WriteTimeout)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		w.net = c
		w.mu.Unlock()
		if ctx.Err() != nil { // too late: nobody aborts the handshake any more
			c.abort()
			return nil, ctx.Err()
		}
		return c, nil
	})
	return o
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
func connectError(token mqtt.Token, err error) error {
	t, ok := token.(*mqtt.ConnectToken)
	if !ok {
		return err
	}
	switch code := t.ReturnCode(); code {
	case packets.ErrRefusedBadProtocolVersion, packets.ErrRefusedIDRejected,
		packets.ErrRefusedBadUsernameOrPassword, packets.ErrRefusedNotAuthorised:
		return &upstream.RefusedError{Code: int(code), Reason: "the platform refused the gateway: " + err.Error() + "; check productKey, deviceName and deviceSecret"}
	case packets.ErrRefusedServerUnavailable:
		return &upstream.RefusedError{Code: int(code), Reason: err.Error(), Temporary: true}
	default:
		return err
	}
}

// publish implements wire.
func (w *pahoWire) publish(m *outgoing) token {
	w.sending = m
	t := w.client.Publish(m.topic, m.qos, false, m.payload)
	w.sending = nil
	return t
}

// control implements wire.
func (w *pahoWire) control(topic string, payload []byte) token {
	return w.client.Publish(topic, 0, false, payload)
}

// unsubscribe implements wire.
func (w *pahoWire) unsubscribe(filters []string) token { return w.client.Unsubscribe(filters...) }

// cancel implements wire: what was sent stays so.
func (*pahoWire) cancel(uint32) {}

// isOpen implements wire.
func (w *pahoWire) isOpen() bool { return w.client.IsConnectionOpen() }

// leave implements wire.
func (w *pahoWire) leave() {
	w.client.Disconnect(uint(w.l.g.cfg.WriteTimeout.Milliseconds())) //nolint:gosec // positive
}

// subscribe implements wire: it sends as many SUBSCRIBEs as the filters need.
func (w *pahoWire) subscribe(filters []string) (tokens []token) {
	for len(filters) > 0 {
		n := min(len(filters), subscribeLimit)
		set := make(map[string]byte, n)
		for _, f := range filters[:n] {
			set[f] = 1
		}
		tokens = append(tokens, w.client.SubscribeMultiple(set, nil))
		filters = filters[n:]
	}
	return tokens
}

// granted implements wire: it says which subscriptions the platform did not grant.
func (w *pahoWire) granted(of token) {
	t, ok := of.(*mqtt.SubscribeToken)
	if !ok {
		return
	}
	for filter, qos := range t.Result() {
		if qos > 2 {
			w.l.g.count(func(s *counters) { s.denied++ })
			w.l.g.log.Warn("aliyun: subscription denied", zap.String("path", filter))
		}
	}
}

// disconnect implements wire.
func (w *pahoWire) disconnect() {
	w.abort()
	if errors.Is(w.l.cause(), errClosed) {
		return
	}
	select { // paho ends when its reader does
	case <-w.lost:
	case <-time.After(w.l.g.cfg.WriteTimeout):
		w.client.Disconnect(0)
	}
}

// abort ends the network connection.
func (w *pahoWire) abort() {
	w.mu.Lock()
	c := w.net
	w.mu.Unlock()
	if c != nil {
		c.abort()
	}
}

// Put implements mqtt.Store: paho has given the message that send is publishing
// its packet identifier.
func (w *pahoWire) Put(key string, cp packets.ControlPacket) {
	p, ok := cp.(*packets.PublishPacket)
	if !ok || !strings.HasPrefix(key, "o.") || w.sending == nil {
		return
	}
	l, m, id := w.l, w.sending, uint32(p.MessageID)
	l.mu.Lock()
	if m.packet != 0 && l.packets[m.packet] == m {
		delete(l.packets, m.packet) // it is sent again: one identifier at a time
	}
	m.packet = id
	l.packets[id] = m
	l.mu.Unlock()
}

// Del implements mqtt.Store: the packet with that identifier was acknowledged.
func (w *pahoWire) Del(key string) {
	number, outbound := strings.CutPrefix(key, "o.")
	if !outbound {
		return
	}
	id, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return
	}
	w.l.acknowledge(uint32(id), nil)
}

// Open, Get, All, Close and Reset implement mqtt.Store, which holds nothing.
func (*pahoWire) Open()                            {}
func (*pahoWire) Get(string) packets.ControlPacket { return nil }
func (*pahoWire) All() []string                    { return nil }
func (*pahoWire) Close()                           {}
func (*pahoWire) Reset()                           {}
