package certify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

const (
	authPath     = "/auth/devicename"
	registerPath = "/auth/register/device"

	maxAnswer   = 64 << 10 // bytes
	maxClientID = 64       // bytes

	defaultTimeout = 10 * time.Second
)

// ErrEndpoint says that an endpoint is none: want https://host[:port], or http://
// for a host on this machine, since secrets come back in the answers.
var ErrEndpoint = errors.New("certify: not an endpoint; want https://host, or http:// on this machine only")

// ErrAnswer says that what answered is not the platform, or gives no sense.
var ErrAnswer = errors.New("certify: answer not understood")

// Config is how the platform's HTTPS service is reached.
type Config struct {
	Endpoint   string          // https://iot-auth.REGION.aliyuncs.com; http:// is for this machine only
	AuthURL    string          // where devices authenticate, with path and all; default: /auth/devicename at Endpoint
	SignMethod auth.SignMethod // default: hmacsha256
	Timeout    time.Duration   // of one request; default: 10 s
}

// Option gives a [Client] what it works with.
type Option func(*Client)

// WithHTTPClient has requests made by c, for certificates or a proxy of one's own.
func WithHTTPClient(c *http.Client) Option { return func(t *Client) { t.http = c } }

// WithClock has f tell the time that requests are stamped with.
func WithClock(f func() time.Time) Option { return func(t *Client) { t.now = f } }

// Client asks the platform's HTTPS service. Its methods may be called from any
// goroutine; they wait for the answer.
type Client struct {
	cfg  Config
	base *url.URL
	auth *url.URL // of authentication
	http *http.Client
	now  func() time.Time
}

// New makes a client, and asks nobody yet. The error names every mistake in cfg.
func New(cfg Config, opts ...Option) (*Client, error) {
	if cfg.SignMethod == "" {
		cfg.SignMethod = auth.HMACSHA256
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	c := &Client{cfg: cfg, now: time.Now}
	for _, o := range opts {
		o(c)
	}
	var errs []error
	var err error
	if c.base, err = ParseEndpoint(cfg.Endpoint); err != nil {
		errs = append(errs, err)
	} else if c.auth = c.base.JoinPath(authPath); cfg.AuthURL != "" {
		if c.auth, err = parseURL(cfg.AuthURL); err != nil {
			errs = append(errs, err)
		}
	}
	if _, err = auth.ParseSignMethod(string(cfg.SignMethod)); err != nil {
		errs = append(errs, fmt.Errorf("certify: %w", err))
	}
	if cfg.Timeout < 0 {
		errs = append(errs, fmt.Errorf("certify: timeout is %s, want more than 0", cfg.Timeout))
	}
	if err = errors.Join(errs...); err != nil {
		return nil, err
	}
	if c.http == nil {
		c.http = &http.Client{CheckRedirect: stay}
	}
	return c, nil
}

// ParseEndpoint reads the address of an HTTPS service; its path is dropped. The
// error is an [ErrEndpoint].
func ParseEndpoint(text string) (*url.URL, error) {
	u, err := parseURL(text)
	if err != nil {
		return nil, err
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// parseURL is ParseEndpoint, but keeps the path.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Hostname() == "", u.User != nil, u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%w: %q", ErrEndpoint, text)
	case u.Scheme == "http" && !thisMachine(u.Hostname()):
		return nil, fmt.Errorf("%w: %q would send secrets in the clear", ErrEndpoint, text)
	}
	return u, nil
}

func thisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() || strings.EqualFold(host, "localhost")
}

// Token is what a device that has proved itself connects to MQTT with.
type Token struct {
	IotID    string      // user name of the CONNECT
	IotToken auth.Secret // its password; valid for seven days
	// Resources are the services that were asked for, such as mqtt, with host and
	// port of each; nil when the platform names none.
	Resources map[string]Resource
}

// Resource is where a service of the platform is.
type Resource struct {
	Host string // without port
	Port int    // 1 to 65535
}

// UnmarshalJSON implements json.Unmarshaler. The port may be a number or a text.
func (r *Resource) UnmarshalJSON(b []byte) error {
	var raw struct {
		Host string     `json:"host"`
		Port alink.Text `json:"port"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	port, ok := raw.Port.Number()
	if raw.Host == "" || strings.ContainsAny(raw.Host, "/@: ") || !ok || port < 1 || port > 65535 {
		return fmt.Errorf("%q and %q are no host and port", raw.Host, raw.Port)
	}
	*r = Resource{raw.Host, port}
	return nil
}

// Address is host:port.
func (r Resource) Address() string { return net.JoinHostPort(r.Host, strconv.Itoa(r.Port)) }

// Authenticate proves a device by its own secret (chapter 6.7, HTTPS
// authentication). clientID has 1 to 64 bytes and is also the client identifier of
// the CONNECT; resources are the services whose addresses are wanted, such as
// "mqtt". Codes of refusals: 401 wrong signature, 460 wrong parameters, 500 the
// platform failed, 5001 no such device, 6200 the product has another way to prove
// its devices.
func (c *Client) Authenticate(ctx context.Context, id auth.Identity, clientID string, resources ...string) (Token, error) {
	if clientID == "" || len(clientID) > maxClientID {
		return Token{}, fmt.Errorf("certify: client identifier %.70q has %d bytes, want 1 to %d", clientID, len(clientID), maxClientID)
	}
	stamp := strconv.FormatInt(c.now().UnixMilli(), 10)
	params := []auth.Param{
		{Name: "productKey", Value: id.ProductKey},
		{Name: "deviceName", Value: id.DeviceName},
		{Name: "clientId", Value: clientID},
		{Name: "timestamp", Value: stamp},
	}
	form := c.signed(id.DeviceSecret, "signmethod", params)
	form.Set("version", "default")
	if len(resources) > 0 {
		form.Set("resources", strings.Join(resources, ","))
	}
	var data struct {
		IotID     string              `json:"iotId"`
		IotToken  string              `json:"iotToken"`
		Resources map[string]Resource `json:"resources"` // encoding/json takes "Resources" too, which the guide's sample has
	}
	if err := c.post(ctx, c.auth, form, &data, func(code int, message string) error {
		return refusal("authentication of "+id.String(), authCodes, code, message)
	}); err != nil {
		return Token{}, err
	}
	if data.IotID == "" || data.IotToken == "" {
		return Token{}, fmt.Errorf("%w: no iotId and iotToken", ErrAnswer)
	}
	return Token{IotID: data.IotID, IotToken: auth.Secret(data.IotToken), Resources: data.Resources}, nil
}

// Product is the certificate of a product.
type Product struct {
	Key    string      `conf:"productKey" doc:"the product"`
	Secret auth.Secret `conf:"productSecret" doc:"its secret, for dynamic registration of its devices"`
}

// Register gets the secret of a device of the product (chapter 9, dynamic
// registration of directly connected devices). The device has to exist at the
// platform, and dynamic registration to be on for the product. The platform may
// answer so only before the device was first online, so keep what it says.
func (c *Client) Register(ctx context.Context, p Product, deviceName string) (auth.Secret, error) {
	params := registration(p.Key, deviceName, random())
	var data struct {
		DeviceSecret string `json:"deviceSecret"`
	}
	if err := c.post(ctx, c.base.JoinPath(registerPath), c.signed(p.Secret, "signMethod", params), &data, func(code int, message string) error {
		return Refused(p.Key, deviceName, code, message)
	}); err != nil {
		return "", err
	}
	if data.DeviceSecret == "" {
		return "", fmt.Errorf("%w: no deviceSecret", ErrAnswer)
	}
	return auth.Secret(data.DeviceSecret), nil
}

// registration is what a request to register a device says, and signs.
func registration(productKey, deviceName, random string) []auth.Param {
	return []auth.Param{
		{Name: "productKey", Value: productKey},
		{Name: "deviceName", Value: deviceName},
		{Name: "random", Value: random},
	}
}

func random() string { return rand.Text()[:16] }

// signed is params as a form, signed with key. The guide writes methodKey in
// another way for each service; it is not signed.
func (c *Client) signed(key auth.Secret, methodKey string, params []auth.Param) url.Values {
	form := url.Values{}
	for _, p := range params {
		form.Set(p.Name, p.Value)
	}
	form.Set("sign", auth.Sign(c.cfg.SignMethod, key, params...))
	form.Set(methodKey, string(c.cfg.SignMethod))
	return form
}

// post asks the service, and reads data of its answer. refused makes an error of
// another code than 200.
func (c *Client) post(ctx context.Context, where *url.URL, form url.Values, data any, refused func(code int, message string) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, where.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("certify: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("certify: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("certify: %w", err)
	}
	var answer struct {
		Code    alink.Text      `json:"code"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	wrong := len(text) > maxAnswer || json.Unmarshal(text, &answer) != nil
	code, ok := answer.Code.Number()
	if wrong || !ok || code == 0 {
		return fmt.Errorf("%w: %s answered with status %d", ErrAnswer, where.Redacted(), resp.StatusCode)
	}
	if code != codeSuccess {
		return refused(code, answer.Message)
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		return fmt.Errorf("%w: data: %w", ErrAnswer, err)
	}
	return nil
}

const (
	codeSuccess = 200
	codeServer  = 500
)

// authCodes are the codes of refused authentications (chapter 6.7).
var authCodes = map[int]string{
	401:        "the signature is wrong: check the device's secret",
	460:        "a parameter is wrong",
	codeServer: "the platform failed",
	5001:       "the platform knows no such device",
	6200:       "the product's devices do not prove themselves by a secret of their own",
}

// refusal is the error for a code.
func refusal(what string, texts map[int]string, code int, message string) error {
	reason := what
	if text := texts[code]; text != "" {
		reason += ": " + text
	}
	if message != "" {
		reason += fmt.Sprintf(" (the platform says %q)", message)
	}
	return &upstream.RefusedError{Code: code, Reason: reason, Temporary: code == codeServer}
}

// registerCodes are the codes of refused registrations that are the same whoever
// asks (chapter 9).
var registerCodes = map[int]string{
	codeServer: "the platform failed",
	6402:       "a gateway cannot be its own sub-device",
}

// Refused is the error for a code that the platform answers a registration of a
// device with, over whichever service. It says what has to be so for the platform
// to register a device, for its code for a product whose dynamic registration is
// off is in no public document.
func Refused(productKey, deviceName string, code int, message string) error {
	err := refusal("registration of "+productKey+"/"+deviceName, registerCodes, code, message)
	var r *upstream.RefusedError
	if errors.As(err, &r) && registerCodes[code] == "" {
		r.Reason += "; dynamic registration has to be switched on for product " + productKey +
			" in the console, the device created there by its name and not activated before, and the productSecret right where one is used"
	}
	return err
}
