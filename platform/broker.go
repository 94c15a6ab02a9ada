package platform

import (
	"errors"
	"io"
	"net"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/zap"
)

// newBroker is the MQTT broker. It has no listener of its own: accept hands it
// the connections, so that the platform knows when one has ended.
func newBroker(p *Platform) (*mqtt.Server, error) {
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumPacketSize = uint32(p.cfg.MaxPayload) + 4096 //nolint:gosec // validated; the room is for the topic
	caps.MaximumSessionExpiryInterval = uint32((7 * 24 * time.Hour).Seconds())
	caps.MaximumMessageExpiryInterval = int64((7 * 24 * time.Hour).Seconds())
	caps.MaximumClientWritesPending = 1024
	caps.MaximumInflight = 1024
	caps.RetainAvailable = 0
	caps.SharedSubAvailable = 0
	caps.MaximumQos = 1
	s := mqtt.New(&mqtt.Options{
		Capabilities:             caps,
		ClientNetWriteBufferSize: 16 << 10,
		ClientNetReadBufferSize:  16 << 10,
		SysTopicResendInterval:   int64((24 * time.Hour).Seconds()), // nobody may read them
		InlineClient:             true,
		Logger:                   bridgeLog(p.log),
	})
	return s, s.AddHook(&hook{p: p}, nil)
}

// accept takes connections until the listener is closed. It and its
// connections are waited for by Close.
func (p *Platform) accept(d *door) {
	for {
		c, err := d.ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			p.log.Warn("accept failed", zap.NamedError("err", err))
			select { // out of file descriptors, most likely: they come back
			case <-time.After(50 * time.Millisecond):
				continue
			case <-p.closing:
				return
			}
		}
		if d.http2 {
			c = p.translate(c, d.secure)
		}
		l := newLink(p, c)
		l.secure = d.secure
		if !p.addLink(l) {
			_ = c.Close()
			continue
		}
		go p.serve(l)
	}
}

// serve is the life of one connection.
func (p *Platform) serve(l *link) {
	defer p.wg.Done()
	_ = l.SetDeadline(time.Now().Add(p.cfg.ConnectTimeout))
	err := p.broker.EstablishConnection("mqtt", l)
	_ = l.Close()
	p.linkEnded(l, endCause(l, err))
}

// endCause is why a connection ended, in words.
func endCause(l *link, err error) string {
	var timeout net.Error
	var refused *connectError
	switch cause := l.cause.Load(); {
	case cause != nil:
		return *cause
	case errors.As(err, &refused):
		return refused.Error()
	case err == nil:
		return "disconnected"
	case errors.Is(err, packets.ErrPacketTooLarge):
		l.p.refused("payload_too_large")
		return "packet too large"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "nothing heard within the keep-alive time"
	case errors.Is(err, io.EOF):
		return "connection closed by the peer"
	default:
		return err.Error()
	}
}

// hook is what the broker asks the platform. Its methods run on the goroutine
// of the connection they are about, but for those of the inline client.
type hook struct {
	mqtt.HookBase
	p *Platform
}

// ID names the hook in the broker's logs.
func (h *hook) ID() string { return "linkspan" }

// Provides names the methods the broker calls.
func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnSessionEstablished,
		mqtt.OnPacketRead, mqtt.OnPublish, mqtt.OnSubscribe, mqtt.OnSubscribed, mqtt.OnUnsubscribed, mqtt.OnPublishDropped:
		return true
	default:
		return false
	}
}

func linkOf(cl *mqtt.Client) *link {
	l, _ := cl.Net.Conn.(*link)
	return l
}

// OnConnect refuses a CONNECT with the right code, or waits until the older
// connection of the same certificate has gone.
func (h *hook) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	l := linkOf(cl)
	if registers(pk.Connect.ClientIdentifier) {
		return h.register(cl, l, &pk)
	}
	dev, id, err := h.p.authenticate(l, &pk)
	if err == nil {
		err = h.p.strikeConnect(l, "connect", dev.key)
	}
	if err == nil {
		err = h.p.claim(l, dev)
	}
	if err != nil {
		h.refuse(cl, l, dev, err)
		return err
	}
	if cl.Properties.Will.Flag != 0 {
		h.p.refused("will") // the vendor has no wills; it does not refuse them
		cl.Properties.Will = mqtt.Will{}
	}
	l.client, l.autoSub = cl, id.autoSub || h.p.cfg.AutoSubscribe
	cl.ID = dev.name // a session belongs to the certificate, whatever the clientId
	return nil
}

// refuse tells a client that its CONNECT was not taken.
func (h *hook) refuse(cl *mqtt.Client, l *link, dev *device, err error) {
	var no *connectError
	if errors.As(err, &no) {
		h.p.refused(no.cause)
		h.p.note(refusalMessage(l, dev, no))
		_ = h.p.broker.SendConnack(cl, packets.Code{Code: no.code}, false, nil)
	}
}

// register gives a client the secret that it asks for. The connection ends.
func (h *hook) register(cl *mqtt.Client, l *link, pk *packets.Packet) error {
	payload, err := h.p.registerConnect(l, pk)
	if err != nil {
		h.refuse(cl, l, nil, err)
		return err
	}
	if err = h.p.broker.SendConnack(cl, packets.CodeSuccess, false, nil); err != nil {
		return err
	}
	l.publish("/ext/register", "", payload)
	return errRegistered
}

// OnConnectAuthenticate: OnConnect has.
func (h *hook) OnConnectAuthenticate(cl *mqtt.Client, _ packets.Packet) bool {
	return linkOf(cl).dev != nil
}

// OnSessionEstablished brings the device online. Its CONNACK leaves after that.
func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	l := linkOf(cl)
	for filter := range cl.State.Subscriptions.GetAll() { // of a session that went on
		l.addFilter(filter)
	}
	h.p.linkOnline(l)
}

// OnPacketRead ends connections that use what the vendor has not.
func (h *hook) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type == packets.Publish && pk.FixedHeader.Qos > 1 {
		h.p.violation(linkOf(cl), "qos2", pk.TopicName)
	}
	return pk, nil
}

// OnACLCheck decides about subscriptions and deliveries; OnPublish decides
// about what is published.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	if write || cl.Net.Inline {
		return true
	}
	return h.p.maySubscribe(linkOf(cl), topic)
}

var errIgnore error = packets.CodeSuccessIgnore // the platform took it; the broker acknowledges it and forwards nothing

// OnPublish takes what devices say.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	l := linkOf(cl)
	v, taken, err := h.p.strikeUplink(l, &pk)
	if taken {
		return pk, err
	}
	forward := h.p.uplink(l, &pk)
	switch {
	case v.noAck && forward:
		_ = h.p.broker.Publish(pk.TopicName, pk.Payload, false, pk.FixedHeader.Qos) // to those who listen
		return pk, packets.ErrRejectPacket
	case v.noAck:
		return pk, packets.ErrRejectPacket
	case forward:
		return pk, nil
	default:
		return pk, errIgnore
	}
}

// OnSubscribe marks filters that are too many, so that they are refused.
func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	l := linkOf(cl)
	if limit := h.p.cfg.SubscribeFilters; limit > 0 && len(pk.Filters) > limit {
		h.p.refused("subscribe_filters")
		h.p.noteRefusal(l, "subscribe_filters", pk.Filters[0].Filter)
		for i := range pk.Filters {
			pk.Filters[i].Filter = "" // no valid filter: the broker refuses it
		}
	}
	for i := range pk.Filters {
		if h.p.strikeSubscribe(l, pk.Filters[i].Filter) {
			pk.Filters[i].Filter = ""
		}
	}
	return pk
}

// OnSubscribed notes the filters that were granted.
func (h *hook) OnSubscribed(cl *mqtt.Client, pk packets.Packet, codes []byte) {
	l := linkOf(cl)
	for i, f := range pk.Filters {
		if i < len(codes) && codes[i] < packets.ErrUnspecifiedError.Code {
			l.addFilter(f.Filter)
		}
	}
}

// OnUnsubscribed forgets filters.
func (h *hook) OnUnsubscribed(cl *mqtt.Client, pk packets.Packet) {
	l := linkOf(cl)
	if l == nil {
		return
	}
	for _, f := range pk.Filters {
		l.removeFilter(f.Filter)
	}
}

// OnPublishDropped counts what a slow client did not get.
func (h *hook) OnPublishDropped(*mqtt.Client, packets.Packet) { h.p.stats.dropped.Add(1) }

// claim makes l the only connection that is being set up for dev, and ends the
// established one. It is given back by linkOnline or linkEnded.
func (p *Platform) claim(l *link, dev *device) error {
	timeout := time.NewTimer(p.cfg.ConnectTimeout)
	defer timeout.Stop()
	select {
	case dev.claim <- struct{}{}:
		l.dev, l.claimed = dev, true
	case <-p.closing:
		return refuse(connackServer, "connect_closing", "the platform closes")
	case <-timeout.C:
		return refuse(connackServer, "connect_busy", "another connection of %s is being set up", dev.name)
	}
	p.mu.RLock()
	old := dev.link
	p.mu.RUnlock()
	if old != nil {
		old.stop(CodeElsewhere.String())
		<-old.done // it has no socket any more, so it ends
	}
	return nil
}

// release gives the claim back.
func (l *link) release() {
	if l.claimed {
		l.claimed = false
		<-l.dev.claim
	}
}

// push sends a command or a notice about dev to the client that carries it:
// with QoS 1 when it has subscribed, with QoS 0 when it asked not to have to.
// It says whether the client gets it.
func (p *Platform) push(l *link, owner key, topic string, payload []byte) bool {
	if (l.autoSub || l.wants(owner, topic, "")) && p.struckDown(l, owner, topic, "", func() { p.pushNow(l, owner, topic, payload) }) {
		return true // as far as the platform knows
	}
	return p.pushNow(l, owner, topic, payload)
}

func (p *Platform) pushNow(l *link, owner key, topic string, payload []byte) bool {
	if l.wants(owner, topic, "") {
		return p.broker.Publish(topic, payload, false, 1) == nil
	}
	if l.autoSub && l.publish(topic, "", payload) {
		return true
	}
	p.unsubscribed(l, topic)
	return false
}
