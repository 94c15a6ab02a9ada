// Package pop asks the Alibaba Cloud IoT Platform's API for devices, as the
// platform's own SDKs do: RPC requests, signed with the access key of an account
// (version 2018-01-20 of the API, signature version 1.0, HMAC-SHA1).
//
// A bridge needs two calls of it, to be a device at the platform that nobody has
// created by hand: [Client.RegisterDevice] and [Client.QueryDeviceDetail].
// [Client.Ensure] is both.
//
//	c, err := pop.New(pop.Profile{AccessKey: ak, AccessSecret: sk, Region: "cn-shanghai"})
//	d, err := c.Ensure(ctx, productKey, pop.MACAddress())
package pop

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the API signs so
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream/aliyun/certify"
)

const (
	apiVersion     = "2018-01-20"
	maxAnswer      = 64 << 10 // bytes
	defaultTimeout = 10 * time.Second
)

// ErrAnswer says that what answered is not the API, or gives no sense.
var ErrAnswer = errors.New("pop: answer not understood")

// Error is what the API answers when it does not do what was asked.
type Error struct {
	Action  string // the call
	Code    string // the API's own, such as InvalidAccessKeyId.NotFound
	Message string
	Status  int // of HTTP
}

func (e *Error) Error() string {
	return fmt.Sprintf("pop: %s: %s: %s", e.Action, e.Code, e.Message)
}

// Temporary says whether the same may succeed later: the API has failed, or is
// asked too often.
func (e *Error) Temporary() bool {
	return e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests || strings.HasPrefix(e.Code, "Throttling")
}

// Is makes an error that is not temporary an auth.ErrDenied.
func (e *Error) Is(target error) bool { return target == auth.ErrDenied && !e.Temporary() }

// Profile is whose API is asked, and where: the section popClientProfile of the
// Java SDK.
type Profile struct {
	AccessKey    string      `conf:"accessKey" doc:"access key of an account that may create devices; its user needs RegisterDevice and QueryDeviceDetail and nothing else"`
	AccessSecret auth.Secret `conf:"accessSecret" doc:"secret of the access key"`
	Region       string      `conf:"region" doc:"region of the API; default: the region of the platform"`
	Endpoint     string      `conf:"endpoint" doc:"host of the API, or https://host[:port]; default: iot.REGION.aliyuncs.com"`
	InstanceID   string      `conf:"instanceId" doc:"of an instance of one's own; empty: the shared one"`

	Timeout time.Duration `conf:"timeout" doc:"of one request; default: 10s"`
}

// Given says whether anybody wrote a profile.
func (p Profile) Given() bool { return p.AccessKey != "" || p.AccessSecret != "" }

// Client asks the API. Its methods may be called from any goroutine; they wait
// for the answer.
type Client struct {
	profile Profile
	base    *url.URL
	http    *http.Client
	now     func() time.Time
	nonce   func() string
}

// Option gives a [Client] what it works with.
type Option func(*Client)

// WithHTTPClient has requests made by c, for certificates or a proxy of one's own.
func WithHTTPClient(c *http.Client) Option { return func(t *Client) { t.http = c } }

// WithClock has f tell the time of requests; the API takes those of the last 15
// minutes.
func WithClock(f func() time.Time) Option { return func(t *Client) { t.now = f } }

// New makes a client, and asks nobody yet. The error names every mistake in p.
func New(p Profile, opts ...Option) (*Client, error) {
	c := &Client{profile: p, now: time.Now, nonce: rand.Text}
	for _, o := range opts {
		o(c)
	}
	if c.profile.Timeout == 0 {
		c.profile.Timeout = defaultTimeout
	}
	var errs []error
	for _, m := range []struct{ key, value string }{{"accessKey", p.AccessKey}, {"accessSecret", p.AccessSecret.Reveal()}, {"region", p.Region}} {
		if m.value == "" {
			errs = append(errs, fmt.Errorf("pop: %s is missing", m.key))
		}
	}
	if c.profile.Timeout < 0 {
		errs = append(errs, fmt.Errorf("pop: timeout is %s, want more than 0", p.Timeout))
	}
	where := p.Endpoint
	if where == "" {
		where = "iot." + p.Region + ".aliyuncs.com"
	}
	if !strings.Contains(where, "://") {
		where = "https://" + where
	}
	var err error
	if c.base, err = certify.ParseEndpoint(where); err != nil {
		errs = append(errs, fmt.Errorf("pop: %w", err))
	}
	if err = errors.Join(errs...); err != nil {
		return nil, err
	}
	if c.http == nil {
		c.http = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the signature is for this server alone
		}}
	}
	return c, nil
}

// Device is what the API says of a device.
type Device struct {
	auth.Identity

	IotID  string // the platform's identifier of it
	Status string // ONLINE, OFFLINE, UNACTIVE or DISABLE; empty where the API does not say
}

// device is data of an answer. The API begins its names with capitals, which
// encoding/json takes for the same.
type device struct {
	ProductKey   string `json:"productKey"`
	DeviceName   string `json:"deviceName"`
	DeviceSecret string `json:"deviceSecret"`
	IotID        string `json:"iotId"`
	Status       string `json:"status"`
}

// RegisterDevice creates a device. An error of the API is an [*Error].
func (c *Client) RegisterDevice(ctx context.Context, productKey, deviceName string) (Device, error) {
	return c.device(ctx, "RegisterDevice", productKey, deviceName)
}

// QueryDeviceDetail asks for a device that there is, its secret included.
func (c *Client) QueryDeviceDetail(ctx context.Context, productKey, deviceName string) (Device, error) {
	return c.device(ctx, "QueryDeviceDetail", productKey, deviceName)
}

// Ensure is the device of that name, which is created when there is none.
func (c *Client) Ensure(ctx context.Context, productKey, deviceName string) (Device, error) {
	d, queryErr := c.QueryDeviceDetail(ctx, productKey, deviceName)
	var no *Error
	if queryErr == nil || !errors.As(queryErr, &no) || no.Temporary() {
		return d, queryErr
	}
	d, err := c.RegisterDevice(ctx, productKey, deviceName)
	if err == nil {
		return d, nil
	}
	// Another process of this machine may have been faster.
	if again, againErr := c.QueryDeviceDetail(ctx, productKey, deviceName); againErr == nil {
		return again, nil
	}
	if errors.As(err, &no) {
		return Device{}, fmt.Errorf("%w (and QueryDeviceDetail: %w)", err, queryErr)
	}
	return Device{}, err
}

func (c *Client) device(ctx context.Context, action, productKey, deviceName string) (Device, error) {
	var d device
	params := map[string]string{"ProductKey": productKey, "DeviceName": deviceName}
	if id := c.profile.InstanceID; id != "" {
		params["IotInstanceId"] = id
	}
	if err := c.call(ctx, action, params, &d); err != nil {
		return Device{}, err
	}
	if d.ProductKey != productKey || d.DeviceName != deviceName || d.DeviceSecret == "" {
		return Device{}, fmt.Errorf("%w: %s of %s/%s has no secret of that device", ErrAnswer, action, productKey, deviceName)
	}
	return Device{
		Identity: auth.Identity{ProductKey: d.ProductKey, DeviceName: d.DeviceName, DeviceSecret: auth.Secret(d.DeviceSecret)},
		IotID:    d.IotID, Status: d.Status,
	}, nil
}

// call makes one call of the API and reads Data of its answer.
func (c *Client) call(ctx context.Context, action string, params map[string]string, data any) error {
	ctx, cancel := context.WithTimeout(ctx, c.profile.Timeout)
	defer cancel()
	form := url.Values{}
	for name, value := range c.sign(http.MethodPost, action, params) {
		form.Set(name, value)
	}
	where := *c.base
	where.Path = "/"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, where.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("pop: %s: %w", action, err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("pop: %s: %w", action, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("pop: %s: %w", action, err)
	}
	var answer struct {
		Success      bool            `json:"success"`
		Code         string          `json:"code"`
		Message      string          `json:"message"`
		ErrorMessage string          `json:"errorMessage"`
		Data         json.RawMessage `json:"data"`
	}
	if len(text) > maxAnswer || json.Unmarshal(text, &answer) != nil {
		return fmt.Errorf("%w: %s: %s answered with status %d", ErrAnswer, action, c.base.Host, resp.StatusCode)
	}
	if !answer.Success {
		if answer.Message == "" {
			answer.Message = answer.ErrorMessage
		}
		return &Error{Action: action, Code: answer.Code, Message: answer.Message, Status: resp.StatusCode}
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrAnswer, action, err)
	}
	return nil
}

// sign adds to params what every call has, and the signature of all.
func (c *Client) sign(method, action string, params map[string]string) map[string]string {
	all := map[string]string{
		"Action":           action,
		"Format":           "JSON",
		"Version":          apiVersion,
		"AccessKeyId":      c.profile.AccessKey,
		"SignatureMethod":  "HMAC-SHA1",
		"SignatureVersion": "1.0",
		"SignatureNonce":   c.nonce(),
		"Timestamp":        c.now().UTC().Format("2006-01-02T15:04:05Z"),
		"RegionId":         c.profile.Region,
	}
	maps.Copy(all, params)
	all["Signature"] = Sign(method, c.profile.AccessSecret, all)
	return all
}

// Sign is the signature of a call with the secret of an access key: base64 of
// the HMAC-SHA1 of the method and the parameters, sorted by name, each encoded as
// RFC 3986, section 2.1 has it.
func Sign(method string, secret auth.Secret, params map[string]string) string {
	var canonical strings.Builder
	for i, name := range slices.Sorted(maps.Keys(params)) {
		if i > 0 {
			canonical.WriteByte('&')
		}
		canonical.WriteString(encode(name) + "=" + encode(params[name]))
	}
	mac := hmac.New(sha1.New, []byte(secret.Reveal()+"&"))
	mac.Write([]byte(method + "&%2F&" + encode(canonical.String())))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// encode leaves letters, digits, hyphens, underscores, periods and tildes bare.
func encode(s string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A").Replace(url.QueryEscape(s))
}

// MACAddress is the hardware address of the machine's first interface that is up
// and has one, such as 00:16:3e:0a:1b:2c, which is a device name that the platform
// takes. It is empty when there is none.
func MACAddress() string {
	interfaces, err := net.Interfaces()
	if err != nil {
		return ""
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 && len(i.HardwareAddr) == 6 {
			return i.HardwareAddr.String()
		}
	}
	return ""
}
