package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

var _ protocol.Uplink = bridge.Uplink{}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errCause = errors.New("cause")

// platform is a connector and its platform, which do one thing after another,
// and each only when the test says so. It keeps to the contract of upstream to
// the letter: calls for one device take effect in their order, and completions
// come in the order of one handle's calls, but at any time.
type platform struct {
	mu      sync.Mutex
	calls   []*handle           // logins that have not taken effect, in their order
	todo    []func()            // completions that wait to be released
	manual  bool                // completions wait for release, otherwise they come on another goroutine
	inline  bool                // logins complete within the call
	refuse  error               // of the next logins to take effect
	before  func(auth.Identity) // called within Login, before the call is noted
	after   func(auth.Identity) // called within Login, after
	current map[string]*handle  // by device name: who is logged in
	all     []*handle
	closed  int
	started upstream.Host
	async   sync.WaitGroup
	keep    bool // publishes are not acknowledged until ack
	acks    []func()
}

// handle is one login.
type handle struct {
	p         *platform
	login     upstream.Login
	done      func(upstream.Device, error)
	effective bool
	logouts   int
	said      []thing.Message
	late      []thing.Message // said after Logout
	log       []string
}

func newPlatform() *platform { return &platform{current: map[string]*handle{}} }

func (p *platform) Start(_ context.Context, h upstream.Host) error {
	p.started = h
	return nil
}

func (p *platform) Close(context.Context) error {
	p.async.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed++
	return nil
}

// complete calls f later.
func (p *platform) complete(f func()) {
	if p.manual {
		p.mu.Lock()
		p.todo = append(p.todo, f)
		p.mu.Unlock()
		return
	}
	p.async.Go(f)
}

func (p *platform) Login(l upstream.Login, done func(upstream.Device, error)) {
	if p.before != nil {
		p.before(l.Device)
	}
	h := &handle{p: p, login: l, done: done}
	p.mu.Lock()
	p.all = append(p.all, h)
	p.calls = append(p.calls, h)
	manual := p.manual
	p.mu.Unlock()
	switch {
	case p.inline:
		h.effect(p.refuse, func(f func()) { f() })
	case !manual:
		p.async.Go(func() { p.settle(l.Device.DeviceName) })
	}
	if p.after != nil {
		p.after(l.Device)
	}
}

// settle lets all logins of a device take effect.
func (p *platform) settle(device string) {
	for {
		p.mu.Lock()
		i := slices.IndexFunc(p.calls, func(h *handle) bool { return h.login.Device.DeviceName == device })
		var h *handle
		if i >= 0 {
			h = p.calls[i]
		}
		refuse := p.refuse
		p.mu.Unlock()
		if h == nil {
			return
		}
		h.effect(refuse, p.complete)
	}
}

// effect is the login's taking effect, or being refused.
func (h *handle) effect(refuse error, complete func(func())) {
	p, name := h.p, h.login.Device.DeviceName
	p.mu.Lock()
	i := slices.Index(p.calls, h)
	if i < 0 {
		p.mu.Unlock()
		return
	}
	p.calls = slices.Delete(p.calls, i, i+1)
	if refuse == nil {
		p.current[name] = h
	}
	h.effective = refuse == nil
	p.mu.Unlock()
	complete(func() {
		if refuse != nil {
			h.done(nil, refuse)
		} else {
			h.done(h, nil)
		}
	})
}

func (h *handle) Publish(m *thing.Message, done func(error)) {
	h.p.mu.Lock()
	var err error
	name := h.login.Device.DeviceName
	switch {
	case h.logouts > 0:
		err = upstream.ErrLoggedOut
		h.late = append(h.late, *m.Clone())
	case h.p.current[name] != h:
		err = upstream.ErrSuperseded
	default:
		h.said = append(h.said, *m.Clone())
	}
	if h.p.keep {
		h.p.acks = append(h.p.acks, func() { done(err) })
		h.p.mu.Unlock()
		return
	}
	h.p.mu.Unlock()
	done(err)
}

func (h *handle) Logout(done func(error)) {
	p, name := h.p, h.login.Device.DeviceName
	p.mu.Lock()
	pending := slices.ContainsFunc(p.calls, func(o *handle) bool { return o.login.Device.DeviceName == name })
	p.mu.Unlock()
	if pending && p.refuse == nil { // in their order: the logins called before take effect first
		p.settle(name)
	}
	p.mu.Lock()
	h.logouts++
	if p.current[name] == h {
		delete(p.current, name)
	}
	p.mu.Unlock()
	p.complete(func() { done(nil) })
}

// release lets the i-th waiting completion come; it says whether there was one.
func (p *platform) release(i int) bool {
	p.mu.Lock()
	if len(p.todo) == 0 {
		p.mu.Unlock()
		return false
	}
	i %= len(p.todo)
	f := p.todo[i]
	p.todo = slices.Delete(p.todo, i, i+1)
	p.mu.Unlock()
	f()
	return true
}

// finish lets everything happen that is under way.
func (p *platform) finish() {
	for {
		p.mu.Lock()
		var name string
		if len(p.calls) > 0 {
			name = p.calls[0].login.Device.DeviceName
		}
		p.mu.Unlock()
		if name != "" {
			p.settle(name)
		} else if !p.release(0) {
			return
		}
	}
}

func (p *platform) last() *handle {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[len(p.all)-1]
}

// replies are what was said about commands, as "ID state".
func (h *handle) replies() []string {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	var r []string
	for _, m := range h.said {
		if m.Kind == thing.Reply {
			r = append(r, m.ID+" "+m.State.String())
		}
	}
	return r
}

// names are devices whose identities are their names; those that begin with ?
// are unknown.
type names struct{}

func (names) Identity(name string) (auth.Identity, error) {
	if strings.HasPrefix(name, "?") {
		return auth.Identity{}, fmt.Errorf("%w: %q", bridge.ErrUnknownDevice, name)
	}
	return auth.Identity{ProductKey: "pk", DeviceName: name}, nil
}

// endpoint is a session's channel.
type endpoint struct {
	mu       sync.Mutex
	causes   []error
	commands []*thing.Command
	told     func(*thing.Command)
}

func (e *endpoint) Close(cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.causes = append(e.causes, cause)
}

func (e *endpoint) Command(cmd *thing.Command) {
	e.mu.Lock()
	e.commands = append(e.commands, cmd)
	told := e.told
	e.mu.Unlock()
	if told != nil {
		told(cmd)
	}
}

func (e *endpoint) cause() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.causes) == 0 {
		return nil
	}
	return e.causes[0]
}

// presence checks the order of events and counts how sessions are.
type presence struct {
	mu     sync.Mutex
	online map[*session.Session]int
	gone   map[*session.Session]int
	causes map[*session.Session]error
	errs   []string
	at     map[string]*session.Session // who is online
}

func newPresence() *presence {
	return &presence{
		online: map[*session.Session]int{}, gone: map[*session.Session]int{},
		causes: map[*session.Session]error{}, at: map[string]*session.Session{},
	}
}

func (p *presence) Presence(e session.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := e.Session.Identity()
	switch e.Kind {
	case session.WentOnline:
		p.online[e.Session]++
		if p.at[id] != nil {
			p.errs = append(p.errs, fmt.Sprintf("%s is online twice", id))
		}
		p.at[id] = e.Session
	case session.WentOffline:
		p.gone[e.Session]++
		p.causes[e.Session] = e.Cause
		if p.at[id] != e.Session {
			p.errs = append(p.errs, fmt.Sprintf("%s went offline without being online", id))
		}
		delete(p.at, id)
	case session.Created, session.Discarded, session.HeartbeatLost, session.TimedOut:
	}
}

func newBridge(t testing.TB, p *platform, cfg bridge.Config, opts ...bridge.Option) *bridge.Bridge {
	t.Helper()
	b, err := bridge.New(cfg, p, names{}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(context.Background()); err != nil { //nolint:usetesting // closed by Cleanup, when t.Context is done
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.mu.Lock()
		p.manual, p.keep = false, false
		p.mu.Unlock()
		p.finish()
		for _, ack := range p.acks {
			ack()
		}
		if err := b.Close(context.Background()); err != nil { //nolint:usetesting // likewise
			t.Error(err)
		}
	})
	return b
}

// result keeps what a done function was called with.
type result struct {
	mu   sync.Mutex
	errs []error
}

func (r *result) done(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

// once is the error that done was called with once.
func (r *result) once(t testing.TB) error {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errs) != 1 {
		t.Fatalf("done was called %d times: %v", len(r.errs), r.errs)
	}
	return r.errs[0]
}

func (r *result) times() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.errs)
}
