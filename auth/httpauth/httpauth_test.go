package httpauth_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/auth/httpauth"
	"github.com/linkspan/linkspan/auth/recent"
	"github.com/linkspan/linkspan/internal/testclock"
)

const credential = "hunter2-of-the-device"

// serve starts a server and returns a configuration that asks it.
func serve(t *testing.T, handler http.HandlerFunc) httpauth.Config {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cfg := httpauth.DefaultConfig()
	cfg.URL = server.URL + "/check"
	return cfg
}

func open(t *testing.T, cfg httpauth.Config, opts ...httpauth.Option) *httpauth.Provider {
	t.Helper()
	p, err := httpauth.New(cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// status answers with the status that is in it.
func status(code *atomic.Int32, asked *atomic.Int32) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(int(code.Load()))
	}
}

func TestWhatIsAsked(t *testing.T) {
	t.Parallel()
	type asked struct {
		method, path, kind, authorization, body string
	}
	requests := make(chan asked, 1)
	cfg := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		requests <- asked{r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(body)}
	})
	cfg.Token = "bearer-of-linkspan"
	p := open(t, cfg)
	for body, credentials := range map[string][]string{
		`{"identity":"设备 \"7\"","credentials":["` + credential + `",""]}`: {credential, ""},
		`{"identity":"设备 \"7\"","credentials":[]}`:                        nil,
	} {
		if err := p.Authenticate(t.Context(), `设备 "7"`, credentials); err != nil {
			t.Fatal(err)
		}
		if got, want := <-requests, (asked{"POST", "/check", "application/json", "Bearer bearer-of-linkspan", body}); got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	if err := p.Authenticate(t.Context(), "a\xff", nil); !errors.Is(err, auth.ErrBadCredentials) {
		t.Errorf("what JSON cannot say: %v", err)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]error{
		200: nil, 204: nil, 299: nil,
		401: auth.ErrBadCredentials, 403: auth.ErrBadCredentials,
		300: auth.ErrUnavailable, 304: auth.ErrUnavailable, 400: auth.ErrUnavailable, 404: auth.ErrUnavailable,
		429: auth.ErrUnavailable, 500: auth.ErrUnavailable, 503: auth.ErrUnavailable,
	} {
		p := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		err := p.Authenticate(t.Context(), "a", []string{credential})
		if !errors.Is(err, want) || errors.Is(err, auth.ErrDenied) != errors.Is(want, auth.ErrDenied) {
			t.Errorf("%d: %v, want %v", code, err, want)
		}
		var other *httpauth.StatusError
		if errors.As(err, &other) != errors.Is(want, auth.ErrUnavailable) || other != nil && other.Status != code {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestRedirectionsAreNotFollowed(t *testing.T) {
	t.Parallel()
	cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/check" {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}
	})
	if err := open(t, cfg).Authenticate(t.Context(), "a", []string{credential}); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-held:
		}
	})
	slow.Timeout = 50 * time.Millisecond
	gone := httptest.NewServer(http.NotFoundHandler())
	away := httpauth.DefaultConfig()
	away.URL = gone.URL + "/check?key=hunter2"
	gone.Close()
	for name, cfg := range map[string]httpauth.Config{"slow": slow, "away": away} {
		err := open(t, cfg).Authenticate(t.Context(), "a", []string{credential})
		if !errors.Is(err, auth.ErrUnavailable) || errors.Is(err, auth.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: tells a secret: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := open(t, slow).Authenticate(ctx, "a", nil); !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	close(held)
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = zap.NewStdLog(zap.NewNop()) // of the client that does not trust it
	t.Cleanup(server.Close)
	cfg := httpauth.DefaultConfig()
	cfg.URL = server.URL
	if err := open(t, cfg).Authenticate(t.Context(), "a", nil); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("a server of an unknown authority: %v", err)
	}
	dir := t.TempDir()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, content := range map[string][]byte{"ca.pem": text, "empty.pem": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg.CAFile = "ca.pem"
	p, err := httpauth.Plugin.New(cfg, auth.Host{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Authenticate(t.Context(), "a", nil); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"empty.pem", "gone.pem"} {
		cfg.CAFile = name
		if _, err := httpauth.Plugin.New(cfg, auth.Host{Dir: dir}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := httpauth.New(httpauth.Config{
		URL: "ftp://admin:hunter2@host/", Token: "a b", CAFile: "gone.pem", Breaker: httpauth.BreakerConfig{Failures: -1, Pause: -1},
		Cache: recent.Config{Entries: -1},
	})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"url: want", "token is ******", "gone.pem", "timeout", "maxConcurrent", "breaker.failures", "breaker.pause", "cache: entries"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
	cfg := httpauth.DefaultConfig()
	for _, url := range []string{"", "host", "http://", "https://admin:hunter2@host/", "http://host:port/", "\x00"} {
		cfg.URL = url
		if _, e := httpauth.New(cfg); e == nil || !strings.Contains(e.Error(), "url") {
			t.Errorf("%q: %v", url, e)
		} else {
			err = errors.Join(err, e)
		}
	}
	if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "a b") {
		t.Errorf("shows a secret: %v", err)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	began, end := make(chan struct{}, 10), make(chan struct{})
	cfg := serve(t, func(http.ResponseWriter, *http.Request) {
		began <- struct{}{}
		<-end
	})
	cfg.MaxConcurrent = 2
	p := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 4)
	for i := range 4 {
		use := t.Context()
		if i >= 2 {
			use = ctx
			if i == 2 {
				<-began
				<-began
			}
		}
		go func() { results <- p.Authenticate(use, "a", nil) }()
	}
	cancel()
	for range 2 {
		if err := <-results; !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("a device that waited: %v", err)
		}
	}
	if n := p.Stats().Running; n != 2 || len(began) != 0 {
		t.Errorf("%d requests are under way, and %d more have begun", n, len(began))
	}
	close(end)
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestAServerThatFailsIsLeftAlone(t *testing.T) {
	t.Parallel()
	var code, asked atomic.Int32
	c := testclock.New()
	core, lines := observer.New(zap.DebugLevel)
	cfg := serve(t, status(&code, &asked))
	cfg.Breaker = httpauth.BreakerConfig{Failures: 3, Pause: time.Minute}
	p := open(t, cfg, httpauth.WithClock(c.Now), httpauth.WithLogger(zap.New(core)))
	for i, step := range []struct {
		code  int32
		asked bool
		want  error
		after time.Duration
	}{
		{code: 500, asked: true, want: auth.ErrUnavailable},
		{code: 500, asked: true, want: auth.ErrUnavailable},
		{code: 403, asked: true, want: auth.ErrBadCredentials}, // an answer: the count begins anew
		{code: 500, asked: true, want: auth.ErrUnavailable},
		{code: 500, asked: true, want: auth.ErrUnavailable},
		{code: 500, asked: true, want: auth.ErrUnavailable}, // the third in a row
		{code: 200, want: httpauth.ErrPaused},
		{code: 200, want: httpauth.ErrPaused, after: time.Minute - 1},
		{code: 500, asked: true, want: auth.ErrUnavailable, after: 1}, // one tries
		{code: 200, want: httpauth.ErrPaused, after: time.Minute - 1},
		{code: 200, asked: true, after: 1}, // and is back
		{code: 500, asked: true, want: auth.ErrUnavailable},
		{code: 200, asked: true},
	} {
		c.Advance(step.after)
		code.Store(step.code)
		before := asked.Load()
		err := p.Authenticate(t.Context(), "a", []string{credential})
		if !errors.Is(err, step.want) || (asked.Load() != before) != step.asked {
			t.Errorf("step %d: %v; asked: %t", i, err, asked.Load() != before)
		}
		if errors.Is(err, httpauth.ErrPaused) && !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("step %d: %v", i, err)
		}
	}
	st := p.Stats()
	if want := (auth.Stats{Checks: 13, Denied: 1, Failures: 10}); st.Auth != want || st.Pauses != 1 || st.Paused != 3 {
		t.Errorf("counted %+v", st)
	}
	said := lines.FilterMessageSnippet("credential server")
	if said.Len() != 2 || said.All()[0].Level != zap.ErrorLevel {
		t.Errorf("logged %+v", said.All())
	}
	all, err := json.Marshal(lines.All())
	if err != nil || strings.Contains(string(all), credential) {
		t.Errorf("the log has a credential, or is none: %v", err)
	}
}

func TestOneRequestTriesAtATime(t *testing.T) {
	t.Parallel()
	var code atomic.Int32
	code.Store(500)
	hold, began := make(chan struct{}), make(chan struct{}, 10)
	c := testclock.New()
	cfg := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		began <- struct{}{}
		if code.Load() == 200 {
			<-hold
		}
		w.WriteHeader(int(code.Load()))
	})
	cfg.Breaker = httpauth.BreakerConfig{Failures: 1, Pause: time.Minute}
	p := open(t, cfg, httpauth.WithClock(c.Now))
	if err := p.Authenticate(t.Context(), "a", nil); !errors.Is(err, auth.ErrUnavailable) {
		t.Fatal(err)
	}
	<-began
	c.Advance(time.Minute)
	code.Store(200)
	probe := make(chan error, 1)
	go func() { probe <- p.Authenticate(t.Context(), "a", nil) }()
	<-began
	if err := p.Authenticate(t.Context(), "b", nil); !errors.Is(err, httpauth.ErrPaused) {
		t.Errorf("a second one: %v", err)
	}
	close(hold)
	if err := <-probe; err != nil {
		t.Error(err)
	}
	if err := p.Authenticate(t.Context(), "b", nil); err != nil {
		t.Error(err)
	}
}

// The end of a request from before the pause lets no second one try.
func TestAnOldRequestEndsWhileOneTries(t *testing.T) {
	t.Parallel()
	began, end := make(chan struct{}), make(chan struct{})
	c := testclock.New()
	cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if text, err := io.ReadAll(r.Body); err != nil || strings.Contains(string(text), "fails") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		began <- struct{}{}
		<-end
	})
	cfg.Breaker = httpauth.BreakerConfig{Failures: 1, Pause: time.Minute}
	p := open(t, cfg, httpauth.WithClock(c.Now))
	ctx, giveUp := context.WithCancel(t.Context())
	old, probe := make(chan error, 1), make(chan error, 1)
	go func() { old <- p.Authenticate(ctx, "old", nil) }()
	<-began
	if err := p.Authenticate(t.Context(), "fails", nil); !errors.Is(err, auth.ErrUnavailable) {
		t.Fatal(err)
	}
	c.Advance(time.Minute)
	go func() { probe <- p.Authenticate(t.Context(), "probe", nil) }()
	<-began
	giveUp()
	<-old
	if err := p.Authenticate(t.Context(), "fails", nil); !errors.Is(err, httpauth.ErrPaused) {
		t.Errorf("a second one: %v", err)
	}
	close(end)
	if err := <-probe; err != nil {
		t.Error(err)
	}
}

// A caller that gives up says nothing of the server.
func TestCallersThatGiveUp(t *testing.T) {
	t.Parallel()
	began, end := make(chan struct{}), make(chan struct{})
	var giveUp atomic.Bool
	giveUp.Store(true)
	cfg := serve(t, func(http.ResponseWriter, *http.Request) {
		if giveUp.Load() {
			began <- struct{}{}
			<-end
		}
	})
	cfg.Breaker = httpauth.BreakerConfig{Failures: 1, Pause: time.Hour}
	p := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- p.Authenticate(ctx, "a", nil) }()
	<-began
	cancel()
	if err := <-result; !errors.Is(err, auth.ErrUnavailable) {
		t.Error(err)
	}
	giveUp.Store(false)
	close(end)
	if err := p.Authenticate(t.Context(), "a", nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestSuccessesAreRemembered(t *testing.T) {
	t.Parallel()
	var code, asked atomic.Int32
	c := testclock.New()
	for name, lifetime := range map[string]time.Duration{"by default": 0, "for a minute": time.Minute} {
		asked.Store(0)
		cfg := serve(t, status(&code, &asked))
		if lifetime != 0 {
			cfg.Cache.Lifetime = lifetime
		}
		p := open(t, cfg, httpauth.WithClock(c.Now))
		total := int32(0)
		for i, step := range []struct {
			credentials []string
			code        int32
			cached      bool
		}{
			{[]string{credential, "x"}, 200, false},
			{[]string{credential, "x"}, 403, true}, // it was right a moment ago
			{[]string{credential}, 403, false},
			{[]string{credential}, 200, false}, // refusals are not remembered
		} {
			code.Store(step.code)
			cached := step.cached && lifetime != 0
			if !cached {
				total++
			}
			err := p.Authenticate(t.Context(), "a", step.credentials)
			if good := step.code == 200 || cached; good != (err == nil) {
				t.Errorf("%s, step %d: %v", name, i, err)
			}
			if asked.Load() != total {
				t.Errorf("%s, step %d: asked %d times, want %d", name, i, asked.Load(), total)
			}
		}
		if st := p.Stats(); lifetime != 0 && (st.Auth.Cached != 1 || st.Remembered != 2) {
			t.Errorf("%s: counted %+v", name, st)
		}
	}
}

// transport carries requests without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnotherTransport(t *testing.T) {
	t.Parallel()
	cfg := httpauth.DefaultConfig()
	cfg.URL = "https://auth.example.com/check"
	p := open(t, cfg, httpauth.WithTransport(transport(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
	})))
	if err := p.Authenticate(t.Context(), "a", nil); err != nil {
		t.Error(err)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	cfg := httpauth.DefaultConfig()
	cfg.URL = "https://auth.example.com/check"
	p, err := httpauth.New(cfg, httpauth.WithTransport(transport(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
	})))
	if err != nil {
		b.Fatal(err)
	}
	ctx, credentials := b.Context(), []string{credential}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Authenticate(ctx, "a", credentials); err != nil {
			b.Fatal(err)
		}
	}
}
