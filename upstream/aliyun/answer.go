package aliyun

import (
	"encoding/json"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

// reply is what the platform answers, and what it says when nobody asked. Its
// members are read as the platform writes them: numbers as numbers or as texts.
type reply struct {
	ID      alink.Text      `json:"id"`
	Code    alink.Text      `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
	Params  json.RawMessage `json:"params"`
	names
}

// names is how the platform names a device inside a message.
type names struct {
	ProductKey string `json:"productKey"`
	DeviceName string `json:"deviceName"`
}

func parseReply(payload []byte) (r reply, code int, ok bool) {
	if json.Unmarshal(payload, &r) != nil {
		return r, 0, false
	}
	code, ok = r.Code.Number()
	return r, code, ok
}

// devices lists the devices that a message names, as productKey/deviceName: at
// its top, in data or params, in a list there, or in a text that is JSON.
func (r *reply) devices() (list []string) {
	add := func(n names) {
		if n.ProductKey != "" && n.DeviceName != "" {
			list = append(list, n.ProductKey+"/"+n.DeviceName)
		}
	}
	add(r.names)
	for _, raw := range []json.RawMessage{r.Data, r.Params} {
		var inner string
		if json.Unmarshal(raw, &inner) == nil {
			raw = json.RawMessage(inner)
		}
		var one names
		var many []names
		if json.Unmarshal(raw, &one) == nil {
			add(one)
		} else if json.Unmarshal(raw, &many) == nil {
			for _, n := range many {
				add(n)
			}
		}
	}
	return list
}

// sessionReply goes on with the reply to a login or a logout, or with a notice
// about a session, which comes on a logout's reply topic.
func (g *gateway) sessionReply(payload []byte, about string) {
	r, code, ok := parseReply(payload)
	if !ok {
		g.malformed(about, payload)
		return
	}
	g.mu.Lock()
	defer g.settle()
	if id, isID := r.ID.ID(); isID {
		if asked := g.answer(id); asked != nil {
			g.requestAnswered(asked, &r, code)
			return
		}
	}
	if strings.Contains(about, "logout") && endsSession(code) {
		g.sessionNotice(&r, code)
	}
}

// endsSession says whether the platform has no session of a device any more: tables
// 10-2 to 10-4 of the developer guide. The other codes there are about one request.
func endsSession(code int) bool {
	return code == codeElsewhere || code == codeNoSession || code == codeDeleted || code == codeDisabled
}

// requestAnswered goes on with the devices of a request. mu is held.
func (g *gateway) requestAnswered(asked *request, r *reply, code int) {
	switch asked.kind {
	case loginRequest:
		g.loginAnswered(asked.devices, code, r.Message)
	case topologyRequest:
		g.topologyAnswered(asked.devices, code, r.Message)
	case logoutRequest:
		g.logoutAnswered(asked.devices, code, r.Message)
	case registerRequest:
		g.registerAnswered(asked.devices, r, code)
	case callRequest:
		callAnswered(asked, r, code)
	}
}

// logoutAnswered: likewise a batch is taken or refused as a whole. mu is held.
func (g *gateway) logoutAnswered(devices []*device, code int, message string) {
	var err error
	if code != codeSuccess && code != codeNoSession {
		err = refused(code, message)
	}
	for _, d := range devices {
		switch {
		case d.state != leaving:
		case code != codeSuccess && len(devices) > 1:
			g.pushLogout(d, true)
		default:
			g.leftNow(d, err)
		}
	}
}

// loginAnswered: a batch is taken or refused as a whole; the devices of a refused
// one log in one by one, to find out whose fault it was. mu is held.
func (g *gateway) loginAnswered(devices []*device, code int, message string) {
	for _, d := range devices {
		switch {
		case d.state != loggingIn:
		case code == codeSuccess:
			g.loggedIn(d)
		case len(devices) > 1:
			d.alone = true
			g.wantLogin(d)
		default:
			g.notLoggedIn(d, refused(code, message), lookUp(code).reaction)
		}
	}
}

// topologyAnswered: likewise. mu is held.
func (g *gateway) topologyAnswered(devices []*device, code int, message string) {
	for _, d := range devices {
		switch {
		case d.state != adding:
		case code == codeSuccess || d.current == nil:
			g.wantLogin(d)
		case len(devices) > 1:
			d.topology, d.alone = false, true
			g.wantLogin(d)
		default:
			reaction := lookUp(code).reaction
			if reaction != retryLater {
				reaction = giveUp
			}
			g.notLoggedIn(d, refused(code, message), reaction)
		}
	}
}

// requestTimedOut goes on with the devices of a request that was not answered.
// mu is held.
func (g *gateway) requestTimedOut(asked *request) {
	g.stats.timeouts++
	if asked.kind == callRequest {
		asked.done(nil, upstream.ErrTimeout)
	}
	for _, d := range asked.devices {
		switch {
		case asked.kind == logoutRequest:
			if d.state == leaving {
				g.leftNow(d, upstream.ErrTimeout)
			}
		case d.state == registering && asked.kind == registerRequest:
			g.notLoggedIn(d, upstream.ErrTimeout, retryLater)
		case d.state == loggingIn || d.state == adding:
			undo := d.current == nil || d.current.done != nil
			g.notLoggedIn(d, upstream.ErrTimeout, retryLater)
			if undo && d.state == offline && g.link != nil { // the platform may have taken it
				g.control(g.topics.logout, d.appendLogout(g.nextID()))
			}
		}
	}
}

// sessionNotice goes on with what the platform says about the sessions of
// devices by itself: table 10-2 and 10-3 of the developer guide. mu is held.
func (g *gateway) sessionNotice(r *reply, code int) {
	found := g.noticed(r)
	if len(found) == 0 {
		g.stats.unknown++
		g.log.Debug("aliyun: notice about a session of a device that is not logged in",
			zap.Int("cause", code), zap.String("message", r.Message))
	}
	for _, d := range found {
		g.sessionEnded(d, code, r.Message)
	}
}

// noticed finds the devices that a notice is about: those that it names, else the
// one that said what the notice's id names, or whose login had that id, or whose
// name it is. mu is held.
func (g *gateway) noticed(r *reply) (found []*device) {
	named := r.devices()
	for _, name := range named {
		if d := g.devices[name]; d != nil {
			found = append(found, d)
		}
	}
	if len(named) > 0 || r.ID == "" {
		return found
	}
	if d := g.devices[string(r.ID)]; d != nil {
		return append(found, d)
	}
	id, isID := r.ID.ID()
	if isID {
		if d := g.sent.find(id); d != nil {
			return append(found, d)
		}
	}
	for _, d := range g.devices {
		if isID && d.loginID == id || d.deviceName() == string(r.ID) {
			found = append(found, d)
		}
	}
	if len(found) > 1 { // of a batch: nobody knows which
		return nil
	}
	return found
}

// errorNotice goes on with a message on /ext/error: one that a device has said
// was not taken (table 10-4).
func (g *gateway) errorNotice(payload []byte) {
	r, code, ok := parseReply(payload)
	if !ok {
		g.malformed("ext/error", payload)
		return
	}
	g.mu.Lock()
	defer g.settle()
	switch {
	case code == codeSuccess:
	case endsSession(code):
		g.sessionNotice(&r, code)
	default: // about the message alone
		if id, isID := r.ID.ID(); isID && g.answers[id] != nil {
			g.finish(g.answers[id], refused(code, r.Message))
			return
		}
		g.log.Debug("aliyun: a message was not taken", zap.Int("cause", code), zap.String("message", r.Message))
	}
}

// postAnswered goes on with the platform's answer to a property or an event.
func (g *gateway) postAnswered(payload []byte) {
	if g.cfg.Confirm != ConfirmReply {
		return // the platform answers without being asked
	}
	r, code, ok := parseReply(payload)
	id, isID := r.ID.ID()
	if !ok || !isID {
		g.malformed("post_reply", payload)
		return
	}
	g.mu.Lock()
	defer g.settle()
	m := g.answers[id]
	if m == nil {
		return // its time was over
	}
	var err error
	if code != codeSuccess {
		err = refused(code, r.Message)
	}
	g.finish(m, err)
}

func (g *gateway) malformed(about string, payload []byte) {
	g.count(func(s *counters) { s.malformed++ })
	g.log.Debug("aliyun: message of the platform not understood", zap.String("path", about), zap.Int("bytes", len(payload)))
}

// appendLogout is a logout of one device.
func (d *device) appendLogout(id uint32) []byte {
	payload := append([]byte(`{"id":"`), strconv.FormatUint(uint64(id), 10)...)
	payload = append(payload, `","params":`...)
	return append(d.appendNames(payload), '}', '}')
}

// recent remembers whose request an id was, for the last ones.
type recent struct{ entries []recentEntry }

type recentEntry struct {
	id  uint32
	dev *device
}

const maxRecent = 1 << 12

func (r *recent) add(id uint32, d *device) {
	if r.entries == nil {
		r.entries = make([]recentEntry, maxRecent)
	}
	r.entries[id%maxRecent] = recentEntry{id, d}
}

func (r *recent) find(id uint32) *device {
	if r.entries == nil {
		return nil
	}
	if e := r.entries[id%maxRecent]; e.id == id {
		return e.dev
	}
	return nil
}
