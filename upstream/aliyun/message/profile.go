package message

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/channel"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/h2"
)

// Names are the paths, methods and headers of the message channel. Only a part of
// them is public; see the page about HTTP/2 in docs.
type Names = channel.Names

// DefaultNames are what is public, and this project's convention for what is not.
func DefaultNames() Names { return channel.DefaultNames() }

// Header is one that authenticates. Name is in lower case.
type Header struct{ Name, Value string }

// Profile is who connects, where, and how. It is made by [DeviceProfile] or
// [AppKeyProfile], or by [HeaderProfile] for credentials of another kind, and may
// be changed before [New].
type Profile struct {
	Endpoint     string      // https://host[:port], or http://host:port without TLS
	TLS          *tls.Config // nil: the system's authorities
	CleanSession bool        // have the platform forget what was missed
	SignMethod   auth.SignMethod
	NoTimestamp  bool // of a device: leave the time out of the signature

	HeartbeatInterval time.Duration // pause between PINGs, up to 60 s
	HeartbeatTimeout  time.Duration // silence after a PING that ends the connection
	ConnectTimeout    time.Duration // of connecting and authenticating
	RequestTimeout    time.Duration // of one answer
	HoldTimeout       time.Duration // how long a message of QoS 1 waits for a connection
	ReconnectMin      time.Duration // first pause before reconnecting; doubled each time, with jitter
	ReconnectMax      time.Duration
	WriteTimeout      time.Duration // a connection that takes no bytes for so long is lost

	Streams       int // requests open at a time, when the platform allows so many
	Queue         int // messages published and not yet done; more are refused
	Window        int // bytes that the platform may send ahead
	CallbackQueue int // messages that wait for a listener; more are not taken, and come again when they are of QoS 1
	Callbacks     int // listeners that run at a time; with more than 1, messages may overtake one another

	Names Names

	credentials func(*Profile) channel.Credentials
}

// DeviceProfile is a device's.
func DeviceProfile(endpoint, productKey, deviceName string, deviceSecret auth.Secret, clientID string) Profile {
	p := defaults(endpoint)
	id := auth.Identity{ProductKey: productKey, DeviceName: deviceName, DeviceSecret: deviceSecret}
	p.credentials = func(p *Profile) channel.Credentials {
		return channel.Device(p.SignMethod, id, clientID, !p.NoTimestamp)
	}
	return p
}

// AppKeyProfile is an application's. Its headers are known from one client of a
// third party only.
func AppKeyProfile(endpoint, appKey string, appSecret auth.Secret) Profile {
	p := defaults(endpoint)
	p.credentials = func(*Profile) channel.Credentials { return channel.AppKey(appKey, appSecret, rand.Text) }
	return p
}

// HeaderProfile authenticates by headers that headers makes for each connection:
// for credentials whose form is not public, such as an account's access key.
func HeaderProfile(endpoint string, headers func(now time.Time) []Header) Profile {
	p := defaults(endpoint)
	p.credentials = func(*Profile) channel.Credentials {
		return func(now time.Time) (list []hpack.HeaderField) {
			for _, h := range headers(now) {
				list = append(list, hpack.HeaderField{Name: h.Name, Value: h.Value, Sensitive: true})
			}
			return list
		}
	}
	return p
}

func defaults(endpoint string) Profile {
	return Profile{
		Endpoint: endpoint, SignMethod: auth.HMACSHA256,
		HeartbeatInterval: 30 * time.Second, HeartbeatTimeout: 60 * time.Second,
		ConnectTimeout: 10 * time.Second, RequestTimeout: 10 * time.Second, HoldTimeout: 60 * time.Second,
		ReconnectMin: time.Second, ReconnectMax: 30 * time.Second, WriteTimeout: 5 * time.Second,
		Streams: 1000, Queue: 10_000, Window: 4 << 20, CallbackQueue: 1000, Callbacks: 1,
		Names: DefaultNames(),
	}
}

const (
	maxHeader = 16 << 10
	maxBody   = 256<<10 + 4096 // the platform's limit of a message
	pushes    = 256
	controls  = 10_000 // requests besides messages that may wait
)

// check finds all that is wrong with p.
func (p *Profile) check() (*url.URL, error) {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("message: "+format, args...)) }
	endpoint, err := channel.ParseEndpoint(p.Endpoint)
	if err != nil {
		wrong("%w", err)
	}
	if p.credentials == nil {
		wrong("a profile without credentials: make it by DeviceProfile, AppKeyProfile or HeaderProfile")
	}
	if _, err := auth.ParseSignMethod(string(p.SignMethod)); err != nil {
		wrong("SignMethod: %w", err)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"HeartbeatInterval", p.HeartbeatInterval},
		{"HeartbeatTimeout", p.HeartbeatTimeout},
		{"ConnectTimeout", p.ConnectTimeout},
		{"RequestTimeout", p.RequestTimeout},
		{"HoldTimeout", p.HoldTimeout},
		{"ReconnectMin", p.ReconnectMin},
		{"WriteTimeout", p.WriteTimeout},
	} {
		if d.value <= 0 {
			wrong("%s is %v, want more than 0", d.name, d.value)
		}
	}
	if p.HeartbeatInterval > time.Minute {
		wrong("HeartbeatInterval is %v, want up to 60s: the platform closes silent connections", p.HeartbeatInterval)
	}
	if p.ReconnectMax < p.ReconnectMin {
		wrong("ReconnectMax is %v, less than ReconnectMin, %v", p.ReconnectMax, p.ReconnectMin)
	}
	for _, n := range []struct {
		name             string
		value, low, high int
	}{
		{"Streams", p.Streams, 1, 100_000},
		{"Queue", p.Queue, 1, 1 << 24},
		{"Window", p.Window, 1 << 16, 1 << 30},
		{"CallbackQueue", p.CallbackQueue, 1, 1 << 24},
		{"Callbacks", p.Callbacks, 1, 10_000},
	} {
		if n.value < n.low || n.value > n.high {
			wrong("%s is %d, want %d to %d", n.name, n.value, n.low, n.high)
		}
	}
	if err := p.Names.Check(); err != nil {
		wrong("%w", err)
	}
	return endpoint, errors.Join(errs...)
}

func (p *Profile) channel(endpoint *url.URL) channel.Config {
	return channel.Config{
		Endpoint: endpoint, TLS: p.TLS, ClearSession: p.CleanSession, Names: p.Names, Timeout: p.ConnectTimeout,
		Credentials: p.credentials(p),
		Limits: h2.Config{
			Window: p.Window, MaxHeader: maxHeader, MaxBody: maxBody, Streams: p.Streams, Pushes: pushes, Pending: p.Queue + controls,
			RequestTimeout: p.RequestTimeout,
			PingInterval:   p.HeartbeatInterval, PingTimeout: p.HeartbeatTimeout, WriteTimeout: p.WriteTimeout,
		},
	}
}
