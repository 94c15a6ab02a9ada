package platform

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// methodOf is the name that faults have for what goes under a topic; that of an
// answer of the platform's is its request's.
func methodOf(t *topic) string {
	switch t.family {
	case sysFamily:
		if verb, after, ok := strings.Cut(t.rest, "/"); ok && verb == "rrpc" {
			verb, _, _ = strings.Cut(after, "/")
			return "rrpc." + verb
		}
		return strings.ReplaceAll(t.rest, "/", ".")
	case sessionFamily:
		return strings.ReplaceAll(t.rest, "/", ".")
	case errorFamily:
		return "ext.error"
	case otaFamily:
		return "ota." + t.rest
	case shadowFamily:
		return "shadow." + t.rest
	case extFamily:
		return "ext." + t.rest
	case broadFamily:
		return "broadcast"
	case customFamily, unknownFamily:
	}
	return "custom"
}

// strikeUplink looks for faults that strike what a client has published. taken
// says that it is theirs, and err what the broker is told then.
func (p *Platform) strikeUplink(l *link, pk *packets.Packet) (v verdict, taken bool, err error) {
	if l.half.Load() != nil {
		return v, true, packets.ErrRejectPacket
	}
	if p.faults.armed.Load() == 0 {
		return v, false, nil
	}
	t := parseTopic(pk.TopicName)
	if t.family != broadFamily && p.carried(l, t.owner) == nil {
		return v, false, nil // that is refused in any case
	}
	pt := point{stage: atUplink, method: methodOf(&t), topic: pk.TopicName, about: append(namedDevices(&t, pk.Payload), t.owner), gateway: l.dev.key}
	v = p.strike(&pt)
	switch {
	case v.disconnect:
		l.stop(onPurpose)
		return v, true, packets.ErrRejectPacket
	case v.halfOpen != nil:
		p.halve(l, v.halfOpen)
		return v, true, packets.ErrRejectPacket
	case v.refuse:
		p.refuseUplink(l, &t, pk, &v)
	case !v.lose:
		return v, false, nil
	}
	if v.noAck {
		return v, true, packets.ErrRejectPacket
	}
	return v, true, errIgnore
}

// namedDevices are the sub-devices that a login, or a request about topology, is
// about.
func namedDevices(t *topic, payload []byte) (keys []key) {
	if t.family != sessionFamily && !strings.HasPrefix(t.rest, "thing/topo/") && !strings.HasPrefix(t.rest, "thing/sub/") {
		return nil
	}
	r, _ := parseRequest(payload)
	list, _ := parseObjects(r.params)
	if o, single := parseObject(r.params); single {
		list = []object{o}
		if batch, ok := parseObjects(o["deviceList"]); ok {
			list = batch
		}
	}
	for _, o := range list {
		if k, ok := o.key(); ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// refuseUplink answers a message with a code, if there is an answer to such
// messages.
func (p *Platform) refuseUplink(l *link, t *topic, pk *packets.Packet, v *verdict) {
	r, _ := parseRequest(pk.Payload)
	a := reply{id: r.id, code: Code(v.code), detail: v.message}
	p.refusedCode(l, "fault", a.code, strings.TrimSpace(pk.TopicName+" "+v.message))
	switch {
	case t.family == sessionFamily:
		a.data, a.textCode = emptyText, strings.HasPrefix(t.rest, "combine/batch_")
	case t.family != sysFamily || !strings.HasPrefix(t.rest, "thing/") || strings.HasSuffix(t.rest, "_reply") || strings.HasPrefix(t.rest, "thing/model/"):
		return
	case strings.HasPrefix(t.rest, "thing/event/") && validName(strings.ReplaceAll(t.rest, "/", ".")):
		a.method = strings.ReplaceAll(t.rest, "/", ".")
	}
	p.answer(l, t.owner, pk.TopicName, &a)
}

// struckDown does what faults do to something that is sent to a device, and says
// that it has: again sends it without them.
func (p *Platform) struckDown(l *link, owner key, topic, suffix string, again func()) bool {
	if p.faults.armed.Load() == 0 {
		return false
	}
	t := parseTopic(topic)
	v := p.strike(&point{stage: atDownlink, method: methodOf(&t), topic: topic + suffix, about: []key{owner}, gateway: l.dev.key})
	if v.silent {
		return true
	}
	if v.duplicate {
		once := again
		again = func() { once(); once() }
	}
	switch {
	case v.delay > 0:
		p.faults.later(delayed{due: p.now().Add(v.delay), send: again, lost: p.stats.drop})
	case v.duplicate:
		again()
	default:
		return false
	}
	return true
}

// strikeConnect does what faults do to a CONNECT that is right otherwise.
func (p *Platform) strikeConnect(l *link, method string, k key) error {
	if p.faults.armed.Load() == 0 {
		return nil
	}
	v := p.strike(&point{stage: atConnect, method: method, about: []key{k}, gateway: k})
	p.pause(context.Background(), l, v.delay)
	switch {
	case v.disconnect:
		l.stop(onPurpose)
		return errOnPurpose
	case v.halfOpen != nil:
		p.halve(l, v.halfOpen)
		return errOnPurpose
	case !v.refuse:
		return nil
	}
	code := connackServer
	if v.code >= 1 && v.code <= 5 {
		code = byte(v.code)
	}
	return refuse(code, method+"_fault", "on purpose, code %d %s", v.code, v.message)
}

// pause waits, but not for what has gone.
func (p *Platform) pause(ctx context.Context, l *link, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	var closed <-chan struct{}
	if l != nil {
		closed = l.closed
	}
	select {
	case <-timer.C:
	case <-closed:
	case <-ctx.Done():
	case <-p.closing:
	}
}

// strikeSubscribe says whether faults refuse a subscription.
func (p *Platform) strikeSubscribe(l *link, filter string) bool {
	if p.faults.armed.Load() == 0 {
		return false
	}
	v := p.strike(&point{stage: atSubscribe, method: "subscribe", topic: filter, about: []key{parseTopic(filter).owner}, gateway: l.dev.key})
	switch {
	case v.disconnect:
		l.stop(onPurpose)
	case v.halfOpen != nil:
		p.halve(l, v.halfOpen)
	case v.refuse:
		p.refused("subscribe_fault")
	}
	return v.refuse
}

// strikeHTTP does what faults do to a call of the vendor's HTTP services. With
// fault it is refused.
func (p *Platform) strikeHTTP(r *http.Request, method string, k key) (v verdict, fault bool) {
	if p.faults.armed.Load() > 0 {
		v = p.strike(&point{stage: atHTTP, method: method, about: []key{k}})
		p.pause(r.Context(), nil, v.delay)
		if v.disconnect {
			panic(http.ErrAbortHandler) // the server's way of closing a connection
		}
	}
	if !v.refuse {
		var code Code
		code, v.refuse = p.faults.request()
		v.code = int(code)
	}
	return v, v.refuse
}

// halve makes a connection half-open: as if the network between had gone, until r
// ends. Its keep-alive runs out, and then its device is offline, but its client is
// not told.
func (p *Platform) halve(l *link, r *rule) {
	f := &p.faults
	f.mu.Lock()
	if r.ended {
		f.mu.Unlock()
		return
	}
	var oldest *link
	if len(r.half) >= maxHalf {
		oldest = r.half[0]
		r.half = r.half[1:]
	}
	r.half = append(r.half, l)
	f.mu.Unlock()
	l.half.Store(r)
	if oldest != nil {
		oldest.drop()
	}
}

// drop closes a half-open connection.
func (l *link) drop() {
	l.stop("half-open on purpose")
	_ = l.Conn.Close() // stop has left it open
}

// deaf is Read of a half-open connection: it returns when its time is over, or
// when the platform has closed it. err is what the connection said last.
func (l *link) deaf(b []byte, err error) (int, error) {
	for err == nil {
		_, err = l.Conn.Read(b)
	}
	select {
	case <-l.closed:
		return 0, err
	default:
	}
	until := time.Now().Add(l.p.cfg.ConnectTimeout)
	if at := l.deadline.Load(); at != nil && !at.IsZero() {
		until = *at
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select { // the peer has gone, but that is not heard
	case <-timer.C:
	case <-l.closed:
	case <-l.p.closing:
	}
	return 0, os.ErrDeadlineExceeded
}

// SetDeadline implements net.Conn.
func (l *link) SetDeadline(t time.Time) error {
	l.deadline.Store(&t)
	return l.Conn.SetDeadline(t)
}

// fault counts a fault that has struck.
func (c *counters) fault(action string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[action]++
}

// drop counts something that was not sent.
func (c *counters) drop() { c.dropped.Add(1) }

// popFault is a refusal by the account's API.
func popFault(v *verdict) *popError {
	switch {
	case v.code == int(CodeServer):
		return &popError{http.StatusServiceUnavailable, "ServiceUnavailable", "on purpose"}
	case v.message != "":
		return &popError{http.StatusOK, v.message, "on purpose"}
	default:
		return &popError{http.StatusOK, "iot.fault." + strconv.Itoa(v.code), "on purpose"}
	}
}

// requestFault is a refusal by RefuseRequests of what gateways ask.
func (p *Platform) requestFault() (reply, bool) {
	code, fault := p.faults.request()
	return reply{code: code, detail: "on purpose", data: json.RawMessage("{}")}, fault
}
