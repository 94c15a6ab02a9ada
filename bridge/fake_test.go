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

// platform is a connector and its platform. It keeps to the contract of
// upstream to the letter: calls for one device take effect in their order, a
// login makes an older one useless, and completions come at any time.
type platform struct {
	mu      sync.Mutex
	todo    []completion        // wait to be released
	manual  bool                // completions wait for release, otherwise they come on another goroutine
	inline  func(n int) bool    // the n-th login completes within its call
	refuse  error               // of logins
	refuses func(n int) bool    // the n-th login is refused
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

// completion is a done function on its way.
type completion struct {
	of *handle // whose login completes; nil for others
	f  func()
}

// handle is one login.
type handle struct {
	p         *platform
	login     upstream.Login
	effective bool
	completed bool
	overtaken bool // by a newer login before its own completed: it never could say anything
	lost      bool // the platform ended it
	logouts   int
	said      []thing.Message
	late      []thing.Message // replies after Logout
}

func newPlatform() *platform { return &platform{current: map[string]*handle{}} }

// lose ends h at the platform, and tells the bridge. It does nothing when h is
// not who is logged in.
func (p *platform) lose(h *handle) {
	name := h.login.Device.DeviceName
	p.mu.Lock()
	ok := p.current[name] == h
	if ok {
		delete(p.current, name)
		h.lost = true
	}
	p.mu.Unlock()
	if ok {
		h.login.Lost(errCause)
	}
}

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
func (p *platform) complete(of *handle, f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.manual {
		p.todo = append(p.todo, completion{of, f})
		return
	}
	p.async.Go(f)
}

func (p *platform) Login(l upstream.Login, done func(upstream.Device, error)) {
	if p.before != nil {
		p.before(l.Device)
	}
	h := &handle{p: p, login: l}
	p.mu.Lock()
	n := len(p.all)
	p.all = append(p.all, h)
	err := p.refuse
	if p.refuses != nil && p.refuses(n) {
		err = upstream.ErrNotConnected
	}
	if err == nil {
		if old := p.current[l.Device.DeviceName]; old != nil && !old.completed {
			old.overtaken = true
		}
		p.current[l.Device.DeviceName] = h
		h.effective = true
	}
	p.mu.Unlock()
	finish := func() {
		p.mu.Lock()
		h.completed = true
		p.mu.Unlock()
		if err != nil {
			done(nil, err)
		} else {
			done(h, nil)
		}
	}
	if p.inline != nil && p.inline(n) {
		finish()
	} else {
		p.complete(h, finish)
	}
	if p.after != nil {
		p.after(l.Device)
	}
}

func (h *handle) Publish(m *thing.Message, done func(error)) {
	h.p.mu.Lock()
	var err error
	name := h.login.Device.DeviceName
	switch {
	case h.logouts > 0:
		err = upstream.ErrLoggedOut
		if m.Kind == thing.Reply { // others may be on their way while a session ends
			h.late = append(h.late, *m.Clone())
		}
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
	h.logouts++
	if p.current[name] == h {
		delete(p.current, name)
	}
	p.mu.Unlock()
	p.complete(nil, func() { done(nil) })
}

// release lets a waiting completion come that which says yes to; it says
// whether there was one.
func (p *platform) release(which func(completion) bool) bool {
	p.mu.Lock()
	i := slices.IndexFunc(p.todo, which)
	if i < 0 {
		p.mu.Unlock()
		return false
	}
	f := p.todo[i].f
	p.todo = slices.Delete(p.todo, i, i+1)
	p.mu.Unlock()
	f()
	return true
}

// finish lets everything complete that is under way.
func (p *platform) finish() {
	for p.release(func(completion) bool { return true }) {
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
			p.errs = append(p.errs, id+" is online twice")
		}
		p.at[id] = e.Session
	case session.WentOffline:
		p.gone[e.Session]++
		p.causes[e.Session] = e.Cause
		if p.at[id] != e.Session {
			p.errs = append(p.errs, id+" went offline without being online")
		}
		delete(p.at, id)
	case session.Created, session.Discarded, session.HeartbeatLost, session.TimedOut:
	}
}

func newBridge(t *testing.T, p *platform, cfg bridge.Config, opts ...bridge.Option) *bridge.Bridge {
	t.Helper()
	b, err := bridge.New(cfg, p, names{}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(context.Background()); err != nil {
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
		if err := b.Close(context.Background()); err != nil {
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
func (r *result) once(t *testing.T) error {
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
