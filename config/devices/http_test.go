package devices

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// registry is a server of devices.
type registry struct {
	mu     sync.Mutex
	known  map[string]string // device names by identity; guarded by mu
	status int               // of every answer, if not 0; guarded by mu
	hold   chan struct{}     // closed to let requests pass; nil: they pass; guarded by mu
	asked  atomic.Int64
	seen   chan string // identities, as they are asked for
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.asked.Add(1)
	name := req.URL.Query().Get("identity")
	if path, ok := strings.CutPrefix(req.URL.Path, "/device/"); ok {
		name = path
	}
	r.mu.Lock()
	device, ok := r.known[name]
	status, hold := r.status, r.hold
	r.mu.Unlock()
	r.seen <- name
	if hold != nil {
		select {
		case <-hold:
		case <-req.Context().Done():
			return
		}
	}
	switch {
	case req.Header.Get("Authorization") != "Bearer t0ken":
		w.WriteHeader(http.StatusUnauthorized)
	case status != 0:
		w.WriteHeader(status)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	default:
		_ = json.NewEncoder(w).Encode(map[string]string{"productKey": "p", "deviceName": device, "deviceSecret": "s3cret"})
	}
}

func (r *registry) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// ticker is a clock that is moved by hand.
type ticker struct{ ms atomic.Int64 }

func (c *ticker) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *ticker) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

func asking(t *testing.T, change func(*HTTPConfig)) (*HTTP, *registry, *ticker) {
	t.Helper()
	r := &registry{known: map[string]string{"a": "truck-a", "b/c ?&": "truck-b"}, seen: make(chan string, 1000)}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	cfg := DefaultHTTPConfig()
	cfg.URL, cfg.Token, cfg.Timeout = s.URL+"/devices", "t0ken", 5*time.Second
	if change != nil {
		change(&cfg)
	}
	clock := &ticker{}
	clock.advance(time.Hour)
	h, err := NewHTTP(cfg, WithClock(clock.now))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h, r, clock
}

func TestHTTPAnswersAreRemembered(t *testing.T) {
	t.Parallel()
	h, r, clock := asking(t, nil)
	want := id("p", "truck-a", "s3cret")
	for range 3 {
		if got, err := h.Identity("a"); err != nil || got != want {
			t.Fatalf("a is %v, %v", got, err)
		}
		if _, err := h.Identity("x"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), `"x"`) {
			t.Fatalf("error %v, want ErrUnknown", err)
		}
	}
	if n := r.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
	if name, ok := h.Name(id("p", "truck-a", "")); !ok || name != "a" || h.Len() != 2 {
		t.Errorf("it is called %q, %v; %d answers", name, ok, h.Len())
	}
	clock.advance(31 * time.Second) // beyond unknownTtl
	r.set(func() { r.known["x"] = "truck-x" })
	if got, err := h.Identity("x"); err != nil || got.DeviceName != "truck-x" {
		t.Errorf("x is %v, %v", got, err)
	}
	_, _ = h.Identity("a")
	if n := r.asked.Load(); n != 3 {
		t.Errorf("asked %d times, want 3", n)
	}
	r.set(func() { r.known["a"] = "truck-a2" })
	if _, err := h.Reload(); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Identity("a"); err != nil || got.DeviceName != "truck-a2" {
		t.Errorf("after a reload a is %v, %v", got, err)
	}
	if name, ok := h.Name(want); ok {
		t.Errorf("the former identity is %q", name)
	}
}

func TestHTTPWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	h, r, clock := asking(t, func(c *HTTPConfig) { c.Stale = time.Hour })
	if _, err := h.Identity("a"); err != nil {
		t.Fatal(err)
	}
	_, _ = h.Identity("x")
	r.set(func() { r.status = http.StatusServiceUnavailable })
	clock.advance(11 * time.Minute)
	if got, err := h.Identity("a"); err != nil || got.DeviceName != "truck-a" {
		t.Errorf("a stale answer: %v, %v", got, err)
	}
	asked := r.asked.Load()
	if _, err := h.Identity("b/c ?&"); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnknown) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
	if _, err := h.Identity("x"); !errors.Is(err, ErrUnknown) {
		t.Errorf("error %v, want ErrUnknown", err)
	}
	if r.asked.Load() != asked {
		t.Error("it was asked although it had just failed")
	}
	clock.advance(2 * time.Second)
	r.set(func() { r.status = 0 })
	if got, err := h.Identity("b/c ?&"); err != nil || got.DeviceName != "truck-b" {
		t.Errorf("when it is back: %v, %v", got, err)
	}
	r.set(func() { r.status = http.StatusInternalServerError })
	clock.advance(2 * time.Hour)
	for range 2 { // an error of one device's does not keep others from asking
		if _, err := h.Identity("a"); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "500") {
			t.Errorf("error %v, want ErrUnavailable", err)
		}
	}
	if n := r.asked.Load(); n != asked+3 {
		t.Errorf("asked %d times, want 3", n-asked)
	}
}

func TestHTTPOneQuestionForMany(t *testing.T) {
	t.Parallel()
	h, r, _ := asking(t, nil)
	hold := make(chan struct{})
	r.set(func() { r.hold = hold })
	const callers = 20
	results := make(chan error, callers)
	ask := func() {
		got, err := h.Identity("a")
		if err == nil && got.DeviceName != "truck-a" {
			err = errors.New(got.DeviceName)
		}
		results <- err
	}
	go ask()
	<-r.seen // the question is with the server
	for range callers - 1 {
		go ask()
	}
	close(hold)
	for range callers {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := r.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestHTTPIsBounded(t *testing.T) {
	t.Parallel()
	h, r, _ := asking(t, func(c *HTTPConfig) { c.MaxEntries, c.MaxRequests = 3, 1 })
	r.set(func() {
		for i := range 10 {
			r.known[strconv.Itoa(i)] = fmt.Sprintf("truck-%d", i)
		}
	})
	for i := range 10 {
		if _, err := h.Identity(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
		_, _ = h.Identity("0") // needed all the time
	}
	if h.Len() != 3 || len(h.cache.ids) != 3 {
		t.Errorf("%d answers, %d identities are remembered", h.Len(), len(h.cache.ids))
	}
	if name, ok := h.Name(id("p", "truck-0", "")); !ok || name != "0" {
		t.Error("what is needed all the time was forgotten")
	}
	asked := r.asked.Load()
	for _, name := range []string{"", "\xff", strings.Repeat("x", maxText+1)} {
		if _, err := h.Identity(name); !errors.Is(err, ErrUnknown) {
			t.Errorf("%.10q: error %v, want ErrUnknown", name, err)
		}
	}
	if r.asked.Load() != asked || len(h.cache.names) != 3 || h.cache.names["0"] == nil {
		t.Errorf("names that no device has: asked %d times, and remembered: %v", r.asked.Load()-asked, h.cache.names)
	}
	r.set(func() { r.hold = make(chan struct{}) })
	h.cfg.Timeout = 50 * time.Millisecond
	if _, err := h.Identity("11"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
}

// Strangers do not push out what is remembered of devices.
func TestHTTPRemembersDevicesAmongStrangers(t *testing.T) {
	t.Parallel()
	h, r, _ := asking(t, func(c *HTTPConfig) { c.MaxEntries = 16 })
	r.set(func() {
		for i := range 20 {
			r.known[strconv.Itoa(i)] = fmt.Sprintf("truck-%d", i)
		}
	})
	ask := func(names ...string) {
		for _, name := range names {
			if _, err := h.Identity(name); err != nil && !errors.Is(err, ErrUnknown) {
				t.Fatal(err)
			}
		}
	}
	for i := range 50 {
		ask("stranger" + strconv.Itoa(i))
	}
	if h.Len() != 16 {
		t.Errorf("%d answers about strangers alone, want 16", h.Len())
	}
	for i := range 20 {
		ask(strconv.Itoa(i))
	}
	for i := range 50 {
		ask("other" + strconv.Itoa(i))
	}
	if h.Len() != 16 || len(h.cache.ids) != 14 { // an eighth is left to strangers
		t.Errorf("%d answers, %d of them devices, want 16 and 14", h.Len(), len(h.cache.ids))
	}
	for i := 6; i < 20; i++ {
		if _, ok := h.Name(id("p", fmt.Sprintf("truck-%d", i), "")); !ok {
			t.Errorf("truck-%d was pushed out", i)
		}
	}
	asked := r.asked.Load()
	ask("other49", "other48", "19")
	if got := r.asked.Load() - asked; got != 0 {
		t.Errorf("the last strangers are asked for again: %d", got)
	}
}

func TestHTTPAddresses(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"http://h/d":                             "http://h/d?identity=b%2Fc+%3F%26",
		"http://h/d?x=1":                         "http://h/d?x=1&identity=b%2Fc+%3F%26",
		"http://h/d/" + placeholder + "/cert":    "http://h/d/b%2Fc%20%3F&/cert",
		"http://h/d?id=" + placeholder + "&x=1#": "",
		"https://h/d?id=" + placeholder + "&x=1": "https://h/d?id=b%2Fc+%3F%26&x=1",
	} {
		cfg := DefaultHTTPConfig()
		cfg.URL = url
		h, err := NewHTTP(cfg)
		if want == "" && err == nil || err != nil {
			continue
		}
		if got, ok := h.url("b/c ?&"); got != want || !ok {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
	h, r, _ := asking(t, func(c *HTTPConfig) { c.URL = strings.TrimSuffix(c.URL, "devices") + "device/" + placeholder })
	if got, err := h.Identity("b/c ?&"); err != nil || got.DeviceName != "truck-b" {
		t.Errorf("in a path: %v, %v", got, err)
	}
	for _, name := range []string{".", ".."} {
		if _, err := h.Identity(name); !errors.Is(err, ErrUnknown) || r.asked.Load() != 1 {
			t.Errorf("%q: %v; asked %d times", name, err, r.asked.Load())
		}
	}
}

func TestHTTPAnswersThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"productKey":"p","deviceName":""}`:                            "deviceName is missing",
		`{"productKey":"p","deviceName":"a/b","deviceSecret":"hidden"}`: "holds a blank",
		`{"productKey":"p","deviceName":7,"deviceSecret":"hidden"}`:     "no JSON object",
		`hidden`: "no JSON object",
		`{"deviceSecret":"` + strings.Repeat("hidden", 20_000) + `"}`: "no JSON object",
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		cfg := DefaultHTTPConfig()
		cfg.URL = s.URL
		h, err := NewHTTP(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = h.Identity("a"); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%.40s: error %v, want ...%s", body, err, want)
		}
		_ = h.Close()
		s.Close()
	}
}

// The token is for the server that was named, and for no other.
func TestHTTPFollowsNobody(t *testing.T) {
	t.Parallel()
	var strayed atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Store(true) }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer s.Close()
	cfg := DefaultHTTPConfig()
	cfg.URL, cfg.Token = s.URL, "t0ken"
	h, err := NewHTTP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	if _, err = h.Identity("a"); !errors.Is(err, ErrUnavailable) || strayed.Load() {
		t.Errorf("error %v, another server was asked: %v", err, strayed.Load())
	}
}

func TestHTTPClosed(t *testing.T) {
	t.Parallel()
	h, r, _ := asking(t, nil)
	r.set(func() { r.hold = make(chan struct{}) })
	failed := make(chan error)
	go func() {
		_, err := h.Identity("a")
		failed <- err
	}()
	<-r.seen
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
}

func TestHTTPReportsAllWrongSettings(t *testing.T) {
	t.Parallel()
	cfg := HTTPConfig{URL: "ftp://h", TTL: -1, UnknownTTL: -1, Stale: -1}
	_, err := NewHTTP(cfg)
	for _, want := range []string{"http.url must begin", "http.timeout", "http.ttl", "http.unknownTtl", "http.stale", "http.maxRequests", "http.maxEntries"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %s: %v", want, err)
		}
	}
	for url, want := range map[string]string{
		"http://" + placeholder + "/": "in its host", "http://h/" + placeholder + "?" + placeholder: "once at most",
		"http://h/#x": "fragment", "http:///d": "and a host", "http://[": "is no URL",
		"http://u:s3cret@[h?key=s3cret": "is no URL",
	} {
		cfg := DefaultHTTPConfig()
		cfg.URL = url
		if _, err := NewHTTP(cfg); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: error %v, want ...%s", url, err, want)
		}
	}
}

// The file comes first, then the server, then the template.
func TestCatalogOfSeveralSources(t *testing.T) {
	t.Parallel()
	h, r, _ := asking(t, nil)
	f, path := open(t, "devices.conf", "f { productKey = p, deviceName = f }\n")
	c, err := Open(Config{File: path, HTTP: h.cfg, Unknown: PolicyTemplate, Template: Template{ProductKey: "p", DeviceName: "t-" + placeholder}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if !c.Waits() || f.Waits() {
		t.Error("a catalog with a server waits, one without does not")
	}
	for name, want := range map[string]auth.Identity{"f": id("p", "f", ""), "a": id("p", "truck-a", "s3cret"), "z": id("p", "t-z", "")} {
		if _, ok := c.Peek(name); ok != (name == "f") {
			t.Errorf("a look at %s without waiting: %v", name, ok)
		}
		if got, failed := c.Identity(name); failed != nil || got != want {
			t.Errorf("%s is %v, %v, want %v", name, got, failed, want)
		}
		if got, ok := c.Peek(name); !ok || got != want {
			t.Errorf("a look at %s: %v, %v", name, got, ok)
		}
		if back, ok := c.Name(want); !ok || back != name {
			t.Errorf("%v is %q, %v", want, back, ok)
		}
	}
	r.set(func() { r.known["g"], r.status = "f", 0 })
	if got, failed := c.Identity("g"); !errors.Is(failed, ErrUnknown) || !strings.Contains(failed.Error(), "which is f in "+path) {
		t.Errorf("a certificate of the file for another device: %v, %v", got, failed)
	}
	r.set(func() { r.status = http.StatusBadGateway })
	if got, failed := c.Identity("y"); !errors.Is(failed, ErrUnavailable) {
		t.Errorf("the template does not stand in for a server that is away: %v, %v", got, failed)
	}
	// The file takes over what the server and the template said. What x was
	// nobody knows without asking.
	write(t, path, "f { productKey = p, deviceName = f }\na { productKey = p, deviceName = a }\nx { productKey = p, deviceName = t-z }\n")
	changes, err := c.Reload()
	if err != nil || fmt.Sprint(changes.Added, changes.Changed, changes.Removed) != "[] [a x] [z]" {
		t.Errorf("changes %+v, %v", changes, err)
	}
	if s := c.Stats(); s.Answers["found"] != 2 || s.Answers["unknown"] != 1 || s.Entries != 3 || s.Revoked != 3 || s.Reloads != 1 {
		t.Errorf("%+v", s)
	}
}
