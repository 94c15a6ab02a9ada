package devices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// HTTPConfig is the devices.http section.
type HTTPConfig struct {
	URL         string        `conf:"url" doc:"asked with GET for each unknown device; empty: nobody is asked. ${identity} stands for the device's own name (needs double quotes around all); without it, ?identity= is added"`
	Token       auth.Secret   `conf:"token" doc:"sent as Authorization: Bearer, if not empty"`
	Timeout     time.Duration `conf:"timeout" doc:"how long an answer may take"`
	MaxRequests int           `conf:"maxRequests" doc:"requests at the same time; further ones wait"`
	TTL         time.Duration `conf:"ttl" doc:"how long a device that was found is remembered without asking again"`
	UnknownTTL  time.Duration `conf:"unknownTtl" doc:"how long it is remembered that a device is unknown"`
	Stale       time.Duration `conf:"stale" doc:"how long after its ttl an answer still counts while the server cannot be asked; 0: not at all"`
	MaxEntries  int           `conf:"maxEntries" doc:"answers that are remembered; the one that was needed least recently is forgotten first, one of an unknown device where these are an eighth or more"`
}

// DefaultHTTPConfig asks nobody.
func DefaultHTTPConfig() HTTPConfig {
	return HTTPConfig{
		Timeout: 3 * time.Second, MaxRequests: 64, TTL: 10 * time.Minute, UnknownTTL: 30 * time.Second,
		Stale: 24 * time.Hour, MaxEntries: 100_000,
	}
}

func (c HTTPConfig) validate() (errs []error) {
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("devices: http."+format, args...))
	}
	u, err := url.Parse(strings.ReplaceAll(c.URL, placeholder, "x"))
	other, _ := url.Parse(strings.ReplaceAll(c.URL, placeholder, "y"))
	switch {
	case err != nil:
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err // without the address, which may hold a secret
		}
		bad("url is no URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		bad("url must begin with http:// or https:// and a host")
	case strings.Count(c.URL, placeholder) > 1:
		bad("url must hold %s once at most", placeholder)
	case other == nil || u.Host != other.Host || u.User.String() != other.User.String():
		bad("url must not have %s in its host", placeholder)
	case u.Fragment != "":
		bad("url must have no fragment")
	}
	for _, d := range []struct {
		key        string
		value, min time.Duration
	}{{"timeout", c.Timeout, time.Millisecond}, {"ttl", c.TTL, time.Millisecond}, {"unknownTtl", c.UnknownTTL, 0}, {"stale", c.Stale, 0}} {
		if d.value < d.min {
			bad("%s is %s, want at least %s", d.key, d.value, d.min)
		}
	}
	for _, n := range []struct {
		key        string
		value, max int
	}{{"maxRequests", c.MaxRequests, 1 << 16}, {"maxEntries", c.MaxEntries, 1 << 24}} {
		if n.value < 1 || n.value > n.max {
			bad("%s is %d, want 1 to %d", n.key, n.value, n.max)
		}
	}
	return errs
}

// ErrUnavailable says that the server that knows the devices cannot be asked
// now, or gives no sense. Try again later.
var ErrUnavailable = errors.New("devices: the server of devices is not available")

// HTTP is a [Source]: a server that is asked for each device, with a memory for
// its answers. All methods may be called from several goroutines. Identity waits
// for the server, at most HTTPConfig.Timeout; so it must not be called on an
// event loop, see [Catalog.Waits].
type HTTP struct {
	cfg    HTTPConfig
	client *http.Client
	slots  chan struct{} // one for each request that may be under way
	now    func() time.Time
	cache  cache

	ctx  context.Context // of all requests; ends with Close
	stop context.CancelFunc
}

// HTTPOption gives an [HTTP] what it works with.
type HTTPOption func(*HTTP)

// WithClient has requests made by c, for a proxy or certificates of one's own.
// Its timeout counts besides HTTPConfig.Timeout.
func WithClient(c *http.Client) HTTPOption { return func(h *HTTP) { h.client = c } }

// WithClock has f tell the time by which answers age.
func WithClock(f func() time.Time) HTTPOption { return func(h *HTTP) { h.now = f } }

// NewHTTP returns a source that asks as cfg says. It reports all mistakes in
// cfg at once, and asks nobody yet.
func NewHTTP(cfg HTTPConfig, opts ...HTTPOption) (*HTTP, error) {
	if err := errors.Join(cfg.validate()...); err != nil {
		return nil, err
	}
	h := &HTTP{cfg: cfg, slots: make(chan struct{}, cfg.MaxRequests), now: time.Now}
	for _, o := range opts {
		o(h)
	}
	if h.client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = min(cfg.MaxRequests, 64)
		h.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the token is for this server alone
		}}
	}
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.cache.init(cfg.MaxEntries)
	return h, nil
}

// Close ends requests that are under way; further ones fail.
func (h *HTTP) Close() error {
	h.stop()
	h.client.CloseIdleConnections()
	return nil
}

// url is where to ask for name; ok is false for a name that no path can hold.
func (h *HTTP) url(name string) (where string, ok bool) {
	before, after, has := strings.Cut(h.cfg.URL, placeholder)
	switch {
	case !has && strings.Contains(before, "?"):
		return before + "&identity=" + url.QueryEscape(name), true
	case !has:
		return before + "?identity=" + url.QueryEscape(name), true
	case strings.Contains(before, "?"):
		return before + url.QueryEscape(name) + after, true
	default: // . and .. mean something else there
		return before + url.PathEscape(name) + after, name != "." && name != ".."
	}
}

// answer is what the server sends.
type answer struct {
	ProductKey   string      `json:"productKey"`
	DeviceName   string      `json:"deviceName"`
	DeviceSecret auth.Secret `json:"deviceSecret"`
}

// maxAnswer is what an answer may have in bytes.
const maxAnswer = 64 << 10

// outage says that no device could have been asked for just now.
type outage struct{ error }

func (o outage) Unwrap() error { return o.error }

// ask asks the server. The error is ErrUnknown or ErrUnavailable, wrapped.
func (h *HTTP) ask(name string) (auth.Identity, error) {
	where, ok := h.url(name)
	if !ok {
		return auth.Identity{}, fmt.Errorf("devices: %.64q cannot be asked for: %w", name, ErrUnknown)
	}
	ctx, cancel := context.WithTimeout(h.ctx, h.cfg.Timeout)
	defer cancel()
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return auth.Identity{}, outage{fmt.Errorf("%w: %d requests are under way", ErrUnavailable, h.cfg.MaxRequests)}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return auth.Identity{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	req.Header.Set("Accept", "application/json")
	if h.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+h.cfg.Token.Reveal())
	}
	resp, err := h.client.Do(req)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err // the address may hold a secret
		}
		return auth.Identity{}, outage{fmt.Errorf("%w: %w", ErrUnavailable, err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return auth.Identity{}, outage{fmt.Errorf("%w: %w", ErrUnavailable, err)}
	}
	return h.understand(name, resp.StatusCode, body)
}

func (h *HTTP) understand(name string, status int, body []byte) (auth.Identity, error) {
	switch status {
	case http.StatusOK:
	case http.StatusNotFound:
		return auth.Identity{}, fmt.Errorf("devices: %.64q is not known to the server: %w", name, ErrUnknown)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return auth.Identity{}, outage{fmt.Errorf("%w: it answers with status %d", ErrUnavailable, status)}
	default:
		return auth.Identity{}, fmt.Errorf("%w: it answers with status %d, want 200, or 404 for an unknown device", ErrUnavailable, status)
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil { // its text is not shown: it may hold a secret
		return auth.Identity{}, fmt.Errorf("%w: its answer is no JSON object of texts productKey, deviceName, deviceSecret", ErrUnavailable)
	}
	id := auth.Identity(a)
	for _, problem := range checkEntry("x", id) {
		if problem != "" {
			return auth.Identity{}, fmt.Errorf("%w: in its answer, %s", ErrUnavailable, problem)
		}
	}
	return id, nil
}
