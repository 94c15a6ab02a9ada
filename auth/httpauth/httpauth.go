// Package httpauth is a credential provider that asks a server: for each check
// it posts
//
//	{"identity":"13800138001","credentials":["secret","more"]}
//
// as application/json, and takes the status of the answer, whose body is not
// looked at:
//
//	2xx       the device may go online
//	401, 403  its credentials are wrong
//	others    it could not be found out, and so when there is no answer
//
// Redirections are not followed. A server that fails time after time is left
// alone for a while; devices are then told at once to come back later.
package httpauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/auth/recent"
)

// Config is the section auth.http.
type Config struct {
	URL           string        `conf:"url" doc:"where checks are posted: http:// or https://; credentials cross http:// as they are"`
	Token         auth.Secret   `conf:"token" doc:"sent as Authorization: Bearer; empty: no such header"`
	CAFile        string        `conf:"caFile" doc:"PEM file of the authorities that may sign the server's certificate, beside the system's; a relative path starts at the configuration's folder"`
	Timeout       time.Duration `conf:"timeout" doc:"how long one request may take, connecting included"`
	MaxConcurrent int           `conf:"maxConcurrent" doc:"requests at the same time; further devices wait; bridge.authWorkers limits them as well"`
	Breaker       BreakerConfig `conf:"breaker" doc:"when a server that fails is left alone"`
	Cache         recent.Config `conf:"cache" doc:"successes that are remembered; none by default, so that each login is asked about"`
}

// BreakerConfig says when a server that fails is left alone.
type BreakerConfig struct {
	Failures int           `conf:"failures" doc:"failures in a row after which the server is not asked for a while; 0: it is always asked"`
	Pause    time.Duration `conf:"pause" doc:"for how long; then one request tries again"`
}

// DefaultConfig has no URL: it has to be written.
func DefaultConfig() Config {
	return Config{
		Timeout: 5 * time.Second, MaxConcurrent: 64,
		Breaker: BreakerConfig{Failures: 5, Pause: 5 * time.Second},
		Cache:   recent.Config{Entries: 100_000},
	}
}

func (c Config) validate() []error {
	var errs []error
	check := func(ok bool, key string, value any, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s is %v, want %s", key, value, want))
		}
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		errs = append(errs, errors.New("url: want http://HOST[:PORT]/PATH, or the same with https")) // not shown: it may hold a password
	} else if u.User != nil {
		errs = append(errs, errors.New("url holds a name or password; use token"))
	}
	check(!strings.ContainsFunc(c.Token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }), "token", c.Token, "visible ASCII characters")
	check(c.Timeout > 0 && c.Timeout <= time.Hour, "timeout", c.Timeout, "above 0, to 1 h")
	check(c.MaxConcurrent >= 1 && c.MaxConcurrent <= 1<<16, "maxConcurrent", c.MaxConcurrent, "1 to 65536")
	check(c.Breaker.Failures >= 0, "breaker.failures", c.Breaker.Failures, "0 or more")
	check(c.Breaker.Pause >= 0 && c.Breaker.Pause <= time.Hour, "breaker.pause", c.Breaker.Pause, "0 to 1 h")
	if err := c.Cache.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("cache: %w", err))
	}
	return errs
}

// Plugin is the provider "http".
var Plugin = auth.Define("http", DefaultConfig(), func(c Config, h auth.Host) (auth.Provider, error) {
	c.CAFile = h.Path(c.CAFile)
	return New(c, WithLogger(h.Log()))
})

func init() { auth.Register(Plugin) }

// StatusError is an answer that says neither yes nor no. It is
// auth.ErrUnavailable.
type StatusError struct {
	Status int // of HTTP
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("httpauth: the server answers %d %s, want 2xx, 401 or 403", e.Status, http.StatusText(e.Status))
}

// Is makes e auth.ErrUnavailable.
func (e *StatusError) Is(target error) bool { return target == auth.ErrUnavailable }

// ErrPaused says that the server has failed time after time and is not asked
// now. It comes with auth.ErrUnavailable.
var ErrPaused = errors.New("httpauth: the server has failed several times and is not asked for a while")

// Provider asks the server. Its methods may be called from any goroutine.
type Provider struct {
	cfg     Config
	logger  *zap.Logger
	now     func() time.Time
	client  *http.Client
	recent  *recent.Successes
	running chan struct{} // holds a token for each request under way
	breaker breaker
	count   auth.Counter
}

// Option gives a [Provider] what it works with.
type Option func(*Provider)

// WithLogger makes the provider log when the server begins to fail and when it
// is back. Credentials are never logged.
func WithLogger(l *zap.Logger) Option { return func(p *Provider) { p.logger = l } }

// WithClock makes now the time. It is time.Now otherwise.
func WithClock(now func() time.Time) Option { return func(p *Provider) { p.now = now } }

// WithTransport makes t carry the requests, in place of connections to the URL
// with CAFile. Close does not close it.
func WithTransport(t http.RoundTripper) Option { return func(p *Provider) { p.client.Transport = t } }

// New returns a provider. It reports every mistake in cfg at once, and asks
// nothing yet.
func New(cfg Config, opts ...Option) (*Provider, error) {
	p := &Provider{cfg: cfg, logger: zap.NewNop(), now: time.Now, client: &http.Client{
		Timeout:       cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, o := range opts {
		o(p)
	}
	errs := cfg.validate()
	transport, err := newTransport(cfg)
	if err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("httpauth: configuration: %w", errors.Join(errs...))
	}
	if p.client.Transport == nil {
		p.client.Transport = transport
	}
	p.running = make(chan struct{}, cfg.MaxConcurrent)
	p.recent = recent.New(cfg.Cache, p.now)
	p.breaker = breaker{cfg: cfg.Breaker}
	if strings.HasPrefix(cfg.URL, "http://") {
		p.logger.Warn("credentials are sent without encryption; use https:// unless the server is on this machine")
	}
	return p, nil
}

func newTransport(cfg Config) (*http.Transport, error) {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: cfg.Timeout,
		MaxIdleConns:        cfg.MaxConcurrent,
		MaxIdleConnsPerHost: cfg.MaxConcurrent,
		IdleConnTimeout:     time.Minute,
		ForceAttemptHTTP2:   true,
	}
	if cfg.CAFile == "" {
		return t, nil
	}
	text, err := os.ReadFile(cfg.CAFile)
	if err != nil {
		return nil, fmt.Errorf("caFile: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("caFile %s holds no certificate in PEM", cfg.CAFile)
	}
	t.TLSClientConfig.RootCAs = pool
	return t, nil
}

// Close closes connections that nobody uses.
func (p *Provider) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// Authenticate implements [auth.Provider].
func (p *Provider) Authenticate(ctx context.Context, identity string, credentials []string) error {
	key := p.recent.Key(identity, credentials...)
	if p.recent.Has(key) {
		p.count.Cached()
		return nil
	}
	err := p.check(ctx, identity, credentials)
	if err == nil {
		p.recent.Add(key)
	}
	return p.count.Count(err)
}

// question is what the server is asked.
type question struct {
	Identity    string   `json:"identity"`
	Credentials []string `json:"credentials"`
}

func (p *Provider) check(ctx context.Context, identity string, credentials []string) error {
	for _, s := range append([]string{identity}, credentials...) {
		if !utf8.ValidString(s) { // JSON would make one text of several
			return fmt.Errorf("%w: identity or credentials are not UTF-8", auth.ErrBadCredentials)
		}
	}
	if credentials == nil {
		credentials = []string{} // [] rather than null
	}
	body, err := json.Marshal(question{identity, credentials})
	if err != nil {
		return fmt.Errorf("httpauth: %w: %w", auth.ErrUnavailable, err)
	}
	select {
	case p.running <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("httpauth: all %d requests are under way: %w: %w", cap(p.running), auth.ErrUnavailable, context.Cause(ctx))
	}
	defer func() { <-p.running }()
	ok, probe := p.breaker.allow(p.now())
	if !ok {
		return fmt.Errorf("%w: %w", ErrPaused, auth.ErrUnavailable)
	}
	err = p.ask(ctx, body)
	switch p.breaker.done(p.now(), probe, err == nil || errors.Is(err, auth.ErrDenied), errors.Is(ctx.Err(), context.Canceled)) {
	case opened:
		p.logger.Error("credential server fails; it is not asked for a while", zap.Duration("duration", p.cfg.Breaker.Pause), zap.NamedError("err", err))
	case closed:
		p.logger.Info("credential server is back")
	case unchanged:
	}
	return err
}

// maxAnswer is how much of an answer is read, so that its connection can be used
// again.
const maxAnswer = 64 << 10

func (p *Provider) ask(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("httpauth: %w: %w", auth.ErrUnavailable, err)
	}
	req.Header.Set("Content-Type", "application/json")
	if p.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+p.cfg.Token.Reveal())
	}
	resp, err := p.client.Do(req)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err // without the URL, whose query may hold a secret
		}
		return fmt.Errorf("httpauth: %w: %w", auth.ErrUnavailable, err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // the status says it all
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode <= 299:
		return nil
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: the server answers %d", auth.ErrBadCredentials, resp.StatusCode)
	default:
		return &StatusError{Status: resp.StatusCode}
	}
}

// Stats is what a [Provider] has counted.
type Stats struct {
	Auth       auth.Stats
	Remembered int    `metric:"linkspan_auth_remembered_successes" doc:"successful checks that are remembered"`
	Running    int    `metric:"linkspan_auth_http_requests" doc:"requests to the credential server under way"`
	Pauses     uint64 `metric:"linkspan_auth_http_pauses_total" doc:"times that the credential server was left alone because it failed"`
	Paused     uint64 `metric:"linkspan_auth_http_paused_checks_total" doc:"checks that failed at once meanwhile"`
}

// Stats is what happened so far.
func (p *Provider) Stats() Stats {
	s := Stats{Auth: p.count.Stats(), Remembered: p.recent.Len(), Running: len(p.running)}
	s.Pauses, s.Paused = p.breaker.stats()
	return s
}
