package platform

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// The values of Config.Reply.
const (
	ReplyAll    = "all"    // every post is answered, as the vendor does
	ReplyErrors = "errors" // only posts the platform could not take are answered
	ReplyNone   = "none"   // no post is answered
)

// Config is how the platform behaves. Its defaults are the vendor's limits
// where the vendor has published one.
type Config struct {
	MQTTAddress     string        `conf:"mqttAddress" doc:"host:port of the MQTT broker; port 0 takes a free one"`
	TLSAddress      string        `conf:"tlsAddress" doc:"host:port of the MQTT broker over TLS; empty: none"`
	WSAddress       string        `conf:"wsAddress" doc:"host:port of the MQTT broker over WebSocket, on every path; empty: none"`
	HTTP2Address    string        `conf:"http2Address" doc:"host:port of the HTTP/2 gateway without TLS (prior knowledge); empty: none"`
	HTTP2TLSAddress string        `conf:"http2TlsAddress" doc:"host:port of the HTTP/2 gateway; empty: none"`
	HTTP2Push       string        `conf:"http2Push" doc:"how the HTTP/2 gateway begins what it says: promise, or stream for streams without a promise"`
	HTTP2Silence    time.Duration `conf:"http2Silence" doc:"an HTTP/2 connection that nothing comes over for so long is closed"`
	HTTP2Redelivery time.Duration `conf:"http2Redelivery" doc:"a message over HTTP/2 that is not acknowledged for so long is sent again"`
	HTTP2Requests   int           `conf:"http2Requests" doc:"requests of one HTTP/2 connection, after which it is told to go away; 0: any number"`

	WSSAddress  string `conf:"wssAddress" doc:"host:port of the MQTT broker over WebSocket and TLS; empty: none"`
	AuthAddress string `conf:"authAddress" doc:"host:port of the vendor's HTTP services: /auth/devicename, /auth/register/device, and the account's API at /; empty: none"`
	AuthTLS     bool   `conf:"authTls" doc:"whether those are HTTPS"`
	APIAddress  string `conf:"apiAddress" doc:"host:port of the HTTP API; empty turns it off. It knows no passwords: keep it on the loopback"`

	Certificate   string `conf:"certificate" doc:"PEM file of the certificate for TLS, with its chain; empty: the platform makes one for localhost and this machine"`
	Key           string `conf:"key" doc:"PEM file of the certificate's private key"`
	AuthorityFile string `conf:"authorityFile" doc:"where to write the PEM of the authority of a certificate that the platform has made; empty: nowhere"`

	Devices      []Device      `conf:"devices" doc:"devices that exist from the start"`
	Products     []Product     `conf:"products" doc:"products whose devices may register by a certificate of the product"`
	AccessKeys   []AccessKey   `conf:"accessKeys" doc:"who may call the account's API"`
	Data         string        `conf:"data" doc:"file that keeps devices, their secrets, topology, last values and counters from one start to the next, with a PATH.journal beside it; empty: all of it ends with the platform"`
	SaveInterval time.Duration `conf:"saveInterval" doc:"how often values and counters are written to it; devices, secrets and topology are at once"`

	Received string `conf:"received" doc:"file that gets a line for each message of a device, as the watch shows it, before the message is acknowledged; it grows without end; empty: none"`

	AutoRegister bool        `conf:"autoRegister" doc:"create devices that nobody knows when they first appear, and their topology"`
	AutoSecret   auth.Secret `conf:"autoSecret" doc:"secret of devices created on the fly; empty: their signatures are not checked"`
	Lenient      bool        `conf:"lenient" doc:"accept what the vendor's documentation once printed and the vendor refuses: cleanSession in the signature, signmethod and signMethod for each other"`

	Reply         string `conf:"reply" doc:"which posts of properties, events and raw data are answered: all, errors or none"`
	AutoSubscribe bool   `conf:"autoSubscribe" doc:"deliver system topics to clients that did not subscribe to them; without it only clients that ask for it with _ss=1 get that"`

	MinKeepAlive     time.Duration `conf:"minKeepAlive" doc:"shortest keep-alive a CONNECT may ask for; 0 does not look"`
	MaxKeepAlive     time.Duration `conf:"maxKeepAlive" doc:"longest keep-alive a CONNECT may ask for; 0 does not look"`
	ConnectTimeout   time.Duration `conf:"connectTimeout" doc:"time a connection has for its CONNECT"`
	MaxConnections   int           `conf:"maxConnections" doc:"open MQTT connections"`
	MaxPayload       int           `conf:"maxPayload,bytes" doc:"largest payload in bytes; the connection that sends more is closed"`
	MaxDevices       int           `conf:"maxDevices" doc:"devices the platform holds"`
	SubDevices       int           `conf:"subDevices" doc:"sub-devices of one gateway that may be online at a time"`
	Batch            int           `conf:"batch" doc:"devices in one batch login or logout"`
	LoginsPerMinute  int           `conf:"loginsPerMinute" doc:"logins of one sub-device in a minute; 0 does not count"`
	SubscribeFilters int           `conf:"subscribeFilters" doc:"filters in one SUBSCRIBE; 0 does not count"`
	Subscriptions    int           `conf:"subscriptions" doc:"subscriptions a client may hold for one device; 0 does not count"`
	PostProperties   int           `conf:"postProperties" doc:"properties in one post"`

	Properties int `conf:"properties" doc:"properties kept of one device"`
	Events     int `conf:"events" doc:"last events kept of one device"`
	Log        int `conf:"log" doc:"last notable happenings kept of the whole platform"`
	Pending    int `conf:"pending" doc:"commands that may wait for their reply at a time"`
	Watchers   int `conf:"watchers" doc:"watches of the HTTP API and observers in the process at a time"`
	WatchQueue int `conf:"watchQueue" doc:"messages that wait for one slow watcher"`

	CommandTimeout time.Duration `conf:"commandTimeout" doc:"time a device has to answer a command when the caller names none"`
}

// Device is a device that exists from the start.
type Device struct {
	ProductKey   string      `conf:"productKey" doc:"of its product"`
	DeviceName   string      `conf:"deviceName" doc:"unique in the product"`
	DeviceSecret auth.Secret `conf:"deviceSecret" doc:"signs its logins"`
	Gateway      string      `conf:"gateway" doc:"productKey/deviceName of the gateway whose topology it is in; empty: none"`
}

// DefaultConfig is a strict platform on the loopback that knows no device.
func DefaultConfig() Config {
	return Config{
		MQTTAddress:      "127.0.0.1:1883",
		APIAddress:       "127.0.0.1:1884",
		Reply:            ReplyAll,
		MinKeepAlive:     30 * time.Second,
		MaxKeepAlive:     1200 * time.Second,
		ConnectTimeout:   15 * time.Second,
		MaxConnections:   10_000,
		MaxPayload:       256 << 10,
		MaxDevices:       1_000_000,
		SubDevices:       2_000,
		Batch:            50,
		LoginsPerMinute:  5,
		SubscribeFilters: 8,
		Subscriptions:    100,
		PostProperties:   200,
		Properties:       1_000,
		Events:           100,
		Log:              1_000,
		Pending:          10_000,
		Watchers:         64,
		WatchQueue:       1_024,
		HTTP2Push:        PushPromise,
		HTTP2Silence:     time.Minute,
		HTTP2Redelivery:  10 * time.Second,
		CommandTimeout:   5 * time.Second,
		SaveInterval:     5 * time.Second,
	}
}

func (c *Config) validate() error {
	var errs []error
	wrong := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("platform: %s: %s", key, fmt.Sprintf(format, args...)))
	}
	if _, _, err := net.SplitHostPort(c.MQTTAddress); err != nil {
		wrong("mqttAddress", "%q is no host:port: %v", c.MQTTAddress, err)
	}
	for _, a := range []struct{ key, value string }{
		{"apiAddress", c.APIAddress},
		{"tlsAddress", c.TLSAddress},
		{"wsAddress", c.WSAddress},
		{"wssAddress", c.WSSAddress},
		{"http2Address", c.HTTP2Address},
		{"http2TlsAddress", c.HTTP2TLSAddress},
		{"authAddress", c.AuthAddress},
	} {
		if _, _, err := net.SplitHostPort(a.value); a.value != "" && err != nil {
			wrong(a.key, "%q is no host:port: %v", a.value, err)
		}
	}
	if (c.Certificate == "") != (c.Key == "") {
		wrong("certificate", "certificate and key: want both or neither")
	}
	switch c.Reply {
	case ReplyAll, ReplyErrors, ReplyNone:
	default:
		wrong("reply", "%q is none of all, errors, none", c.Reply)
	}
	if c.MinKeepAlive < 0 || c.MaxKeepAlive < 0 || (c.MaxKeepAlive > 0 && c.MinKeepAlive > c.MaxKeepAlive) {
		wrong("minKeepAlive", "%s and maxKeepAlive %s are no range", c.MinKeepAlive, c.MaxKeepAlive)
	}
	switch c.HTTP2Push {
	case PushPromise, PushStream:
	default:
		wrong("http2Push", "%q is none of promise, stream", c.HTTP2Push)
	}
	if c.HTTP2Silence <= 0 || c.HTTP2Redelivery <= 0 {
		wrong("http2Silence", "%s and http2Redelivery %s: want more than 0", c.HTTP2Silence, c.HTTP2Redelivery)
	}
	for _, n := range []struct {
		key   string
		value int
		least int
	}{
		{"maxConnections", c.MaxConnections, 1},
		{"maxPayload", c.MaxPayload, 1},
		{"maxDevices", c.MaxDevices, 1},
		{"subDevices", c.SubDevices, 0},
		{"batch", c.Batch, 1},
		{"loginsPerMinute", c.LoginsPerMinute, 0},
		{"subscribeFilters", c.SubscribeFilters, 0},
		{"subscriptions", c.Subscriptions, 0},
		{"postProperties", c.PostProperties, 1},
		{"properties", c.Properties, 1},
		{"events", c.Events, 0},
		{"log", c.Log, 0},
		{"pending", c.Pending, 1},
		{"watchers", c.Watchers, 1},
		{"watchQueue", c.WatchQueue, 1},
		{"http2Requests", c.HTTP2Requests, 0},
	} {
		if n.value < n.least {
			wrong(n.key, "%d: want %d or more", n.value, n.least)
		}
	}
	if c.MaxPayload > maxPacket {
		wrong("maxPayload", "%d: MQTT carries at most %d", c.MaxPayload, maxPacket)
	}
	if c.ConnectTimeout <= 0 {
		wrong("connectTimeout", "%s: want more than 0", c.ConnectTimeout)
	}
	if c.SaveInterval <= 0 {
		wrong("saveInterval", "%s: want more than 0", c.SaveInterval)
	}
	if c.CommandTimeout <= 0 {
		wrong("commandTimeout", "%s: want more than 0", c.CommandTimeout)
	}
	c.validateNames(wrong)
	return errors.Join(errs...)
}

// validateNames is validate of who and what exists from the start.
func (c *Config) validateNames(wrong func(key, format string, args ...any)) {
	for i, d := range c.Products {
		if err := d.validate(); err != nil {
			wrong(fmt.Sprintf("products[%d]", i), "%v", err)
		}
	}
	for i, k := range c.AccessKeys {
		if k.AccessKey == "" || k.AccessSecret == "" {
			wrong(fmt.Sprintf("accessKeys[%d]", i), "want accessKey and accessSecret")
		}
	}
	for i, d := range c.Devices {
		if err := d.validate(); err != nil {
			wrong(fmt.Sprintf("devices[%d]", i), "%v", err)
		}
	}
}

// maxPacket is what the remaining length of an MQTT packet can say, less the
// room for its topic (MQTT 3.1.1, section 2.2.3).
const maxPacket = 268_435_455 - 70_000

func (d *Device) validate() error {
	if !validName(d.ProductKey) || !validName(d.DeviceName) {
		return fmt.Errorf("%q/%q is no productKey and deviceName: want 1 to 64 letters, digits and any of -_@.: in each", d.ProductKey, d.DeviceName)
	}
	if d.DeviceSecret == "" {
		return fmt.Errorf("%s/%s has no deviceSecret", d.ProductKey, d.DeviceName)
	}
	if d.Gateway != "" {
		if _, ok := parseKey(d.Gateway); !ok {
			return fmt.Errorf("gateway %q of %s/%s is no productKey/deviceName", d.Gateway, d.ProductKey, d.DeviceName)
		}
	}
	return nil
}

// validName says whether s may be a product key or a device name. The vendor
// wants 4 to 32 characters for names made in its console; shorter and longer
// ones occur in its own samples.
func validName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_@.:", c) >= 0:
		default:
			return false
		}
	}
	return true
}
