package direct

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// Config is how the platform is reached. The zero value of each key that has a
// default stands for that default, but for cleanSession and connectsPerMinute. MessageRate
// is the exception that its doc names.
type Config struct {
	Region       string `conf:"region" doc:"region of the shared instance; names the endpoints that are not given"`
	Endpoint     string `conf:"endpoint" doc:"tcp://, ssl://, ws:// or wss://host:port; default: the product's own host in the region, ssl port 1883, or with auth = https what the platform says"`
	CAFile       string `conf:"caFile" doc:"PEM file of the authorities that may sign the platform's certificates; default: the system's"`
	ServerName   string `conf:"serverName" doc:"name that the platform's certificate has to have; default: the endpoint's host"`
	Auth         string `conf:"auth" doc:"sign: sign CONNECT with the device's secret; https: get a token from authEndpoint first"`
	AuthEndpoint string `conf:"authEndpoint" doc:"where tokens are got; default: the region's"`

	Register RegisterConfig `conf:"register" doc:"devices that come without a secret"`

	ClientIDPrefix string        `conf:"clientIdPrefix" doc:"put before productKey.deviceName to make a device's client identifier"`
	SignMethod     string        `conf:"signMethod" doc:"hmacmd5, hmacsha1 or hmacsha256"`
	KeepAlive      time.Duration `conf:"keepAlive" doc:"MQTT keep-alive, 30s to 1200s; a silent connection is lost after it and requestTimeout"`
	CleanSession   bool          `conf:"cleanSession" doc:"whether the platform forgets what devices missed while they were away"`
	QoS            int           `conf:"qos" doc:"MQTT quality of service of properties, events and raw data that name none: 0 or 1"`
	Confirm        string        `conf:"confirm" doc:"puback: a message is done when the platform's broker has it; reply: when the platform answered it with code 200"`
	Subscribe      string        `conf:"subscribe" doc:"device: subscribe each device's topics when it is connected; none: the platform needs no subscriptions"`
	CustomTopics   []string      `conf:"customTopics" doc:"topics of the device's own to subscribe, without /productKey/deviceName: user/get"`
	Broadcasts     bool          `conf:"broadcasts" doc:"subscribe /broadcast/productKey/# for each device; what comes is a notice to each"`

	MaxDevices        int           `conf:"maxDevices" doc:"devices that may be logged in at a time; each has a connection"`
	ConnectRate       float64       `conf:"connectRate" doc:"connections begun per second over all devices, on the average"`
	Connecting        int           `conf:"connecting" doc:"connections being made at a time"`
	ConnectsPerMinute int           `conf:"connectsPerMinute" doc:"connections of one device in a minute; a login beyond is refused for now; 0: any number"`
	RequestTimeout    time.Duration `conf:"requestTimeout" doc:"how long a login waits for its connection, and the platform may take to answer a message, a subscription or a ping"`
	HoldTimeout       time.Duration `conf:"holdTimeout" doc:"how long a message waits for its device to be connected again before it fails"`
	MessageRate       float64       `conf:"messageRate" doc:"messages in a second of one device at QoS 1, and three times as many at QoS 0; more wait. Default: 10, the platform's limit, at hosts of aliyuncs.com; none elsewhere. Below 0: no limit"`
	InFlight          int           `conf:"inFlight" doc:"messages of one device sent and not yet acknowledged"`
	Queue             int           `conf:"queue" doc:"messages of one device waiting or in flight; more are refused"`
	QueueBytes        int64         `conf:"queueBytes,bytes" doc:"payload of the messages of all devices waiting or in flight; more are refused"`
	ConnectTimeout    time.Duration `conf:"connectTimeout" doc:"how long getting a token and connecting may take"`
	ReconnectMin      time.Duration `conf:"reconnectMin" doc:"first pause before reconnecting; doubled each time, with jitter"`
	ReconnectMax      time.Duration `conf:"reconnectMax" doc:"longest pause before reconnecting"`
	WriteTimeout      time.Duration `conf:"writeTimeout" doc:"a connection that takes no bytes for so long is lost"`
}

// The values of auth, confirm and subscribe.
const (
	AuthSign  = "sign"
	AuthHTTPS = "https"

	ConfirmPuback = "puback"
	ConfirmReply  = "reply"

	SubscribeDevice = "device"
	SubscribeNone   = "none"
)

// The platform's limits.
const (
	minKeepAlive   = 30 * time.Second   // less and CONNECT is refused
	maxKeepAlive   = 1200 * time.Second // likewise
	maxClientID    = 64                 // bytes
	subscribeLimit = 8                  // filters in one SUBSCRIBE
)

// DefaultConfig is the configuration of someone who wrote nothing.
func DefaultConfig() Config {
	return Config{
		Region:            "cn-shanghai",
		Auth:              AuthSign,
		SignMethod:        string(auth.HMACSHA256),
		KeepAlive:         300 * time.Second,
		Register:          RegisterConfig{By: RegisterNever, Secrets: "aliyun-direct-secrets.jsonl"},
		QoS:               1,
		Confirm:           ConfirmPuback,
		Subscribe:         SubscribeDevice,
		MaxDevices:        10_000,
		ConnectRate:       100,
		Connecting:        64,
		ConnectsPerMinute: 5,
		RequestTimeout:    10 * time.Second,
		HoldTimeout:       60 * time.Second,
		InFlight:          16,
		Queue:             1024,
		QueueBytes:        256 << 20,
		ConnectTimeout:    10 * time.Second,
		ReconnectMin:      time.Second,
		ReconnectMax:      time.Minute,
		WriteTimeout:      5 * time.Second,
	}
}

// withDefaults fills in what zero stands for.
func (c Config) withDefaults() Config {
	d := DefaultConfig()
	or(&c.Region, d.Region)
	or(&c.Auth, d.Auth)
	or(&c.SignMethod, d.SignMethod)
	or(&c.KeepAlive, d.KeepAlive)
	or(&c.Confirm, d.Confirm)
	or(&c.Subscribe, d.Subscribe)
	or(&c.Register.By, d.Register.By)
	or(&c.Register.Secrets, d.Register.Secrets)
	or(&c.MaxDevices, d.MaxDevices)
	or(&c.ConnectRate, d.ConnectRate)
	or(&c.Connecting, d.Connecting)
	or(&c.RequestTimeout, d.RequestTimeout)
	or(&c.HoldTimeout, d.HoldTimeout)
	or(&c.InFlight, d.InFlight)
	or(&c.Queue, d.Queue)
	or(&c.QueueBytes, d.QueueBytes)
	or(&c.ConnectTimeout, d.ConnectTimeout)
	or(&c.ReconnectMin, d.ReconnectMin)
	or(&c.ReconnectMax, d.ReconnectMax)
	or(&c.WriteTimeout, d.WriteTimeout)
	return c
}

func or[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// settings are a configuration that was found right, with what was made of it.
type settings struct {
	Config
	sign     auth.SignMethod
	tls      *tls.Config
	endpoint *url.URL // nil: the product's own, or what the platform says
	tokens   string   // URL of authEndpoint
	interval int64    // between messages of a device at QoS 1, microseconds; 0: no limit
}

// check finds all that is wrong with c, which has its defaults.
func (c Config) check() (*settings, error) {
	s := &settings{Config: c}
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("aliyun-direct: "+format, args...))
	}
	var err error
	if s.sign, err = auth.ParseSignMethod(c.SignMethod); err != nil {
		wrong("signMethod: %w", err)
	}
	oneOf := func(key, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			wrong("%s is %q, want one of %s", key, value, strings.Join(allowed, ", "))
		}
	}
	oneOf("auth", c.Auth, AuthSign, AuthHTTPS)
	oneOf("confirm", c.Confirm, ConfirmPuback, ConfirmReply)
	oneOf("subscribe", c.Subscribe, SubscribeDevice, SubscribeNone)
	if c.KeepAlive < minKeepAlive || c.KeepAlive > maxKeepAlive {
		wrong("keepAlive is %v, want 30s to 1200s: the platform refuses others", c.KeepAlive)
	}
	if c.QoS != 0 && c.QoS != 1 {
		wrong("qos is %d, want 0 or 1: the platform has no other", c.QoS)
	}
	for _, n := range []struct {
		key              string
		value, low, high int
	}{
		{"maxDevices", c.MaxDevices, 1, 1_000_000},
		{"connecting", c.Connecting, 1, 10_000},
		{"connectsPerMinute", c.ConnectsPerMinute, 0, 1_000_000},
		{"inFlight", c.InFlight, 1, 1000},
		{"queue", c.Queue, 1, 30_000},
	} {
		if n.value < n.low || n.value > n.high {
			wrong("%s is %d, want %d to %d", n.key, n.value, n.low, n.high)
		}
	}
	if c.QueueBytes < 1 {
		wrong("queueBytes is %d, want 1 or more, such as 256MiB", c.QueueBytes)
	}
	if c.ConnectRate <= 0 {
		wrong("connectRate is %v, want more than 0 connections per second", c.ConnectRate)
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"requestTimeout", c.RequestTimeout},
		{"holdTimeout", c.HoldTimeout},
		{"connectTimeout", c.ConnectTimeout},
		{"reconnectMin", c.ReconnectMin},
		{"writeTimeout", c.WriteTimeout},
	} {
		if d.value <= 0 {
			wrong("%s is %v, want more than 0", d.key, d.value)
		}
	}
	if c.ReconnectMax < c.ReconnectMin {
		wrong("reconnectMax is %v, less than reconnectMin, %v", c.ReconnectMax, c.ReconnectMin)
	}
	for _, t := range c.CustomTopics {
		if t == "" || strings.HasPrefix(t, "/") {
			wrong("customTopics: %q: want the part behind /productKey/deviceName/, such as user/get", t)
		}
	}
	if strings.ContainsAny(c.ClientIDPrefix, "|,") || len(c.ClientIDPrefix) > maxClientID/2 {
		wrong("clientIdPrefix is %q, want no more than 32 bytes without | and ,", c.ClientIDPrefix)
	}
	errs = append(errs, c.Register.check()...)
	errs = append(errs, s.checkEndpoints()...)
	if c.MessageRate > 1e6 {
		wrong("messageRate is %v, want 1e6 at most, or less than 0 for no limit", c.MessageRate)
	}
	s.interval = s.messageInterval()
	return s, errors.Join(errs...)
}

func (s *settings) checkEndpoints() (errs []error) {
	if s.Endpoint != "" {
		u, err := mqttlink.ParseEndpoint(s.Endpoint)
		if err != nil {
			errs = append(errs, fmt.Errorf("aliyun-direct: endpoint: %w", err))
		} else {
			s.endpoint = u
		}
	}
	if s.Auth == AuthHTTPS {
		s.tokens = s.AuthEndpoint
		if s.tokens == "" {
			s.tokens = "https://iot-auth." + s.Region + ".aliyuncs.com/auth/devicename"
		}
		u, err := url.Parse(s.tokens)
		switch {
		case err != nil || u.Scheme != "https" || u.Hostname() == "":
			errs = append(errs, fmt.Errorf("aliyun-direct: authEndpoint is %q, want https://host/auth/devicename: tokens are secrets", s.tokens))
		case s.endpoint != nil && !mqttlink.Secure(s.endpoint):
			errs = append(errs, fmt.Errorf("aliyun-direct: endpoint is %q, want ssl:// or wss:// with auth = https: the token is the password", s.Endpoint))
		}
	} else if s.AuthEndpoint != "" {
		errs = append(errs, errors.New("aliyun-direct: authEndpoint is given, but auth is not https"))
	}
	encrypted := s.endpoint == nil || mqttlink.Secure(s.endpoint)
	s.tls = &tls.Config{
		ServerName: s.ServerName, MinVersion: tls.VersionTLS12,
		ClientSessionCache: tls.NewLRUClientSessionCache(256), // half the work of a reconnect
	}
	if !encrypted && (s.ServerName != "" || s.CAFile != "" && !s.registers()) {
		errs = append(errs, errors.New("aliyun-direct: caFile or serverName is given, but the endpoint is neither ssl:// nor wss://"))
	}
	if s.CAFile == "" {
		return errs
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return append(errs, fmt.Errorf("aliyun-direct: caFile: %w", err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		errs = append(errs, fmt.Errorf("aliyun-direct: caFile: no certificate in %s", s.CAFile))
	}
	s.tls.RootCAs = pool
	return errs
}

// endpointOf is where the devices of a product connect that nobody has told
// another endpoint of.
func (s *settings) endpointOf(productKey string) *url.URL {
	if s.endpoint != nil {
		return s.endpoint
	}
	return &url.URL{Scheme: "ssl", Host: productKey + ".iot-as-mqtt." + s.Region + ".aliyuncs.com:1883"}
}

// filters are what is subscribed for a device.
func (s *settings) filters(names *alink.Name) []string {
	if s.Subscribe == SubscribeNone {
		return nil
	}
	filters := alink.Filters(names.String(), s.Confirm == ConfirmReply, s.CustomTopics)
	if s.Broadcasts {
		filters = append(filters, "/broadcast/"+names.ProductKey()+"/#")
	}
	return filters
}
