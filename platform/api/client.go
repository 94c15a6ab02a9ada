package api //nolint:revive,nolintlint // it is what the HTTP API says, and nothing else; reported for either file

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client asks a local platform over its HTTP API. Its methods may be called
// from any goroutine. Errors of the platform's are *Error; others are of the
// way there.
type Client struct {
	base string
	http *http.Client
}

// NewClient is a client of the platform at base, like
// "http://127.0.0.1:1884" or "127.0.0.1:1884".
func NewClient(base string) *Client {
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	return &Client{base: strings.TrimRight(base, "/") + "/api/v1", http: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second},
	}}
}

// Close closes connections that are kept for later calls.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// NoWait as a wait means that a command is only sent.
const NoWait time.Duration = -1

func (c *Client) open(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if raw, isRaw := in.([]byte); isRaw {
		body = bytes.NewReader(raw)
	} else if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("platform api: %s %s: %w", method, path, err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("platform api: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("platform api: is the platform running there? %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, readError(resp)
}

func readError(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("platform api: %s: %w", resp.Status, err)
	}
	var a struct {
		Error *Error `json:"error"`
	}
	if json.Unmarshal(text, &a) != nil || a.Error == nil {
		return fmt.Errorf("platform api: %s is no answer of a platform's: %.100s", resp.Status, text)
	}
	a.Error.Status = resp.StatusCode
	return a.Error
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.open(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("platform api: %s %s: %w", method, path, err)
	}
	return nil
}

func devicePath(productKey, deviceName, rest string) string {
	return "/devices/" + url.PathEscape(productKey) + "/" + url.PathEscape(deviceName) + rest
}

func waitQuery(wait time.Duration) string {
	switch {
	case wait < 0:
		return "?wait=0"
	case wait == 0:
		return ""
	default:
		return "?wait=" + wait.String()
	}
}

// Devices is a page of the devices by name; online nil: all of them, otherwise
// those that are or are not. limit 0 is the platform's default.
func (c *Client) Devices(ctx context.Context, online *bool, offset, limit int) (Page, error) {
	q := url.Values{}
	if online != nil {
		q.Set("online", strconv.FormatBool(*online))
	}
	if offset > 0 {
		q.Set("offset", strconv.Itoa(offset))
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	var page Page
	err := c.call(ctx, http.MethodGet, "/devices?"+q.Encode(), nil, &page)
	return page, err
}

// Device is all that the platform knows of one device.
func (c *Client) Device(ctx context.Context, productKey, deviceName string) (Device, error) {
	var d Device
	err := c.call(ctx, http.MethodGet, devicePath(productKey, deviceName, ""), nil, &d)
	return d, err
}

// AddDevice creates a device, in the topology of gateway
// (productKey/deviceName) when that is not empty.
func (c *Client) AddDevice(ctx context.Context, productKey, deviceName, deviceSecret, gateway string) (Device, error) {
	var d Device
	err := c.call(ctx, http.MethodPost, "/devices", map[string]string{
		"productKey": productKey, "deviceName": deviceName, "deviceSecret": deviceSecret, "gateway": gateway,
	}, &d)
	return d, err
}

// Set changes properties of a device; properties is anything that is a JSON
// object. It waits for the reply as long as wait says; 0 is the platform's
// default, [NoWait] does not.
func (c *Client) Set(ctx context.Context, productKey, deviceName string, properties any, wait time.Duration) (Result, error) {
	return c.command(ctx, devicePath(productKey, deviceName, "/properties"), properties, wait)
}

// Get asks a device for properties, by name or all.
func (c *Client) Get(ctx context.Context, productKey, deviceName string, names []string, wait time.Duration) (Result, error) {
	if names == nil {
		names = []string{}
	}
	return c.command(ctx, devicePath(productKey, deviceName, "/properties/get"), names, wait)
}

// Invoke calls a service of a device; params is anything that is a JSON object,
// or nil.
func (c *Client) Invoke(ctx context.Context, productKey, deviceName, service string, params any, wait time.Duration) (Result, error) {
	return c.command(ctx, devicePath(productKey, deviceName, "/services/"+url.PathEscape(service)), params, wait)
}

// SendRaw sends bytes to a device.
func (c *Client) SendRaw(ctx context.Context, productKey, deviceName string, raw []byte, wait time.Duration) (Result, error) {
	return c.command(ctx, devicePath(productKey, deviceName, "/raw"), map[string]string{"hex": hex.EncodeToString(raw)}, wait)
}

// InvokeSync calls a service of a device by RRPC, within 8 seconds.
func (c *Client) InvokeSync(ctx context.Context, productKey, deviceName, service string, params any, wait time.Duration) (Result, error) {
	return c.command(ctx, devicePath(productKey, deviceName, "/services/"+url.PathEscape(service)+"/sync"), params, wait)
}

// RRPC sends a device bytes and waits for its answer, within 8 seconds.
func (c *Client) RRPC(ctx context.Context, productKey, deviceName string, payload []byte, wait time.Duration) (Result, error) {
	var r Result
	err := c.call(ctx, http.MethodPost, devicePath(productKey, deviceName, "/rrpc")+waitQuery(wait), payload, &r)
	return r, err
}

// Publish sends a device a payload under a topic of its own.
func (c *Client) Publish(ctx context.Context, productKey, deviceName, topic string, payload []byte) (Result, error) {
	return c.command(ctx, devicePath(productKey, deviceName, "/publish"), map[string]string{"topic": topic, "text": string(payload)}, 0)
}

// NotifyTopology asks a gateway to add devices, each productKey/deviceName, to its
// topology.
func (c *Client) NotifyTopology(ctx context.Context, productKey, deviceName string, devices []string) (Result, error) {
	return c.command(ctx, devicePath(productKey, deviceName, "/topology/notify"), devices, 0)
}

// Shadow is a device's shadow: state, metadata, version and timestamp.
func (c *Client) Shadow(ctx context.Context, productKey, deviceName string) (json.RawMessage, error) {
	var text json.RawMessage
	err := c.call(ctx, http.MethodGet, devicePath(productKey, deviceName, "/shadow"), nil, &text)
	return text, err
}

// Desire asks a device, by its shadow, to be as desired says: anything that is a
// JSON object. It returns the shadow.
func (c *Client) Desire(ctx context.Context, productKey, deviceName string, desired any) (json.RawMessage, error) {
	var text json.RawMessage
	err := c.call(ctx, http.MethodPost, devicePath(productKey, deviceName, "/shadow"), desired, &text)
	return text, err
}

func (c *Client) command(ctx context.Context, path string, in any, wait time.Duration) (Result, error) {
	var r Result
	err := c.call(ctx, http.MethodPost, path+waitQuery(wait), in, &r)
	return r, err
}

// Action is what [Client.Manage] does with a device.
type Action string

// The actions.
const (
	Disable Action = "disable" // end its session and refuse its logins
	Enable  Action = "enable"  // let it log in again
	Kick    Action = "kick"    // end its session
	Delete  Action = "delete"  // end its session and forget it
)

// Manage does something with a device and returns what became of it.
func (c *Client) Manage(ctx context.Context, productKey, deviceName string, a Action) (Device, error) {
	method, rest := http.MethodPost, "/"+string(a)
	if a == Delete {
		method, rest = http.MethodDelete, ""
	}
	var d Device
	err := c.call(ctx, method, devicePath(productKey, deviceName, rest), nil, &d)
	return d, err
}

// Stats are the platform's counters.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	err := c.call(ctx, http.MethodGet, "/stats", nil, &s)
	return s, err
}

// Log is the last notable things that happened, oldest first.
func (c *Client) Log(ctx context.Context) ([]Message, error) {
	var list []Message
	err := c.call(ctx, http.MethodGet, "/log", nil, &list)
	return list, err
}

// Faults is what the platform does wrong on purpose.
func (c *Client) Faults(ctx context.Context) (Faults, error) {
	var f Faults
	err := c.call(ctx, http.MethodGet, "/faults", nil, &f)
	return f, err
}

// SetFaults changes what the platform does wrong on purpose and returns all of
// it.
func (c *Client) SetFaults(ctx context.Context, f Faults) (Faults, error) {
	var now Faults
	err := c.call(ctx, http.MethodPost, "/faults", f, &now)
	return now, err
}

// ClearFaults makes the platform behave again.
func (c *Client) ClearFaults(ctx context.Context) error {
	var now Faults
	return c.call(ctx, http.MethodDelete, "/faults", nil, &now)
}

// Selection is which messages [Client.Watch] gets: those that fit every field
// that is not empty.
type Selection struct {
	ProductKey string
	DeviceName string
	Kinds      []string
}

// ErrWatchEnded says that the platform ended a watch: it closed, or the watcher
// did not read for long.
var ErrWatchEnded = errors.New("platform api: the watch ended")

// Watch calls each with every message that fits s, until ctx is done (which is
// no error), each returns an error, or the platform ends it (ErrWatchEnded).
// ready, if not nil, is called once the watch is on: what happens after that is
// not missed.
func (c *Client) Watch(ctx context.Context, s Selection, ready func(), each func(Message) error) error {
	q := url.Values{}
	if s.ProductKey != "" {
		q.Set("productKey", s.ProductKey)
	}
	if s.DeviceName != "" {
		q.Set("deviceName", s.DeviceName)
	}
	if len(s.Kinds) > 0 {
		q.Set("kind", strings.Join(s.Kinds, ","))
	}
	resp, err := c.open(ctx, http.MethodGet, "/watch?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if ready != nil {
		ready()
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 64<<10), 4<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue // a sign of life
		}
		var m Message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return fmt.Errorf("platform api: watch: %w", err)
		}
		if err := each(m); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrWatchEnded, err)
	}
	return ErrWatchEnded
}
