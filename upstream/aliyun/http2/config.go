package http2

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/channel"
	"github.com/linkspan/linkspan/upstream/aliyun/pop"
)

// Names are the paths, methods and headers of the message channel. Only a part of
// them is public; see the page about HTTP/2 in docs.
type Names = channel.Names

// DefaultNames are what is public, and this project's convention for what is not.
func DefaultNames() Names { return channel.DefaultNames() }

// Config is how the platform is reached. The zero value of each key that has a
// default stands for that default, but for gatherWindow and cleanSession.
type Config struct {
	ProductKey   string           `conf:"productKey" doc:"product of the gateway device, when there is one gateway; see gateways"`
	DeviceName   string           `conf:"deviceName" doc:"name of the gateway device"`
	DeviceSecret auth.Secret      `conf:"deviceSecret" doc:"secret of the gateway device"`
	Gateways     []aliyun.Gateway `conf:"gateways" doc:"gateway devices, one HTTP/2 connection each; devices are spread over them"`

	POP      pop.Profile           `conf:"pop" doc:"access to the account's API: gateway devices without a deviceSecret are looked up there, or created; one without a deviceName too is named after the machine's MAC address"`
	Register aliyun.RegisterConfig `conf:"register" doc:"devices that come without a secret"`

	Region   string `conf:"region" doc:"region of the shared instance; names the endpoint when that is not given"`
	Endpoint string `conf:"endpoint" doc:"https://host[:port], or http://host:port without TLS; default: the productKey's own host in the region, port 443"`
	CAFile   string `conf:"caFile" doc:"PEM file of the authorities that may sign the platform's certificate; default: the system's"`

	ClientIDPrefix string   `conf:"clientIdPrefix" doc:"put before productKey.deviceName to make a gateway's client identifier"`
	SignMethod     string   `conf:"signMethod" doc:"hmacmd5, hmacsha1 or hmacsha256"`
	CleanSession   bool     `conf:"cleanSession" doc:"whether the platform forgets what gateways and devices missed while they were away"`
	QoS            int      `conf:"qos" doc:"quality of service of properties, events and raw data that name none: 0 or 1"`
	Confirm        string   `conf:"confirm" doc:"puback: a message is done when its request was answered; reply: when the platform answered it with code 200"`
	Subscribe      string   `conf:"subscribe" doc:"device: subscribe each device's topics when it logs in; wildcard: once for each gateway; none: the platform needs no subscriptions"`
	CustomTopics   []string `conf:"customTopics" doc:"topics of the device's own to subscribe, without /productKey/deviceName: user/get"`
	ManageTopology string   `conf:"manageTopology" doc:"onDemand: add a device to the gateway's topology when a login says it is missing; always: before the first login; never"`

	MaxDevicesPerGateway int           `conf:"maxDevicesPerGateway" doc:"devices that one gateway may hold"`
	LoginsPerMinute      int           `conf:"loginsPerMinute" doc:"logins that are asked for of one device in a minute; the platform refuses more; 0: no limit"`
	ReportFound          bool          `conf:"reportFound" doc:"whether the platform is told of devices that it does not know (thing/list/found), so that somebody may put them there"`
	MessageRate          float64       `conf:"messageRate" doc:"messages in a second of one device at QoS 1, and three times as many at QoS 0; more wait. Default: 10, the platform's limit, at hosts of aliyuncs.com; none elsewhere. Below 0: no limit"`
	LoginRate            float64       `conf:"loginRate" doc:"logins per second over all gateways, on the average"`
	BatchLogin           int           `conf:"batchLogin" doc:"devices in one batch login; 1: single logins only"`
	GatherWindow         time.Duration `conf:"gatherWindow" doc:"how long a login waits for others to share a batch with; 0: not at all"`
	RequestTimeout       time.Duration `conf:"requestTimeout" doc:"how long the platform may take to answer a login or a message"`
	RRPCTimeout          time.Duration `conf:"rrpcTimeout" doc:"how long a device may take to answer a synchronous call: the platform stops waiting after 8 s"`
	HoldTimeout          time.Duration `conf:"holdTimeout" doc:"how long a message waits for its device to be logged in again before it fails"`
	InFlight             int           `conf:"inFlight" doc:"messages of one gateway sent and not yet answered"`
	Streams              int           `conf:"streams" doc:"requests of one connection open at a time, when the platform allows so many"`
	Queue                int           `conf:"queue" doc:"messages of one gateway waiting or in flight; more are refused"`
	QueueBytes           int64         `conf:"queueBytes,bytes" doc:"payload of the messages of one gateway waiting or in flight; more are refused"`
	Heartbeat            time.Duration `conf:"heartbeat" doc:"pause between PINGs, up to 60s"`
	HeartbeatTimeout     time.Duration `conf:"heartbeatTimeout" doc:"a connection over which nothing comes for so long after a PING is lost"`
	Window               int           `conf:"window,bytes" doc:"bytes that the platform may send ahead of what was read"`
	ConnectTimeout       time.Duration `conf:"connectTimeout" doc:"how long connecting and authenticating may take"`
	ReconnectMin         time.Duration `conf:"reconnectMin" doc:"first pause before reconnecting; doubled each time, with jitter"`
	ReconnectMax         time.Duration `conf:"reconnectMax" doc:"longest pause before reconnecting"`
	WriteTimeout         time.Duration `conf:"writeTimeout" doc:"a connection that takes no bytes for so long is lost"`

	Names Names `conf:"names" doc:"paths, methods and headers, for gateways that name them otherwise"`
}

const maxHeartbeat = time.Minute // the platform closes connections that are silent longer

// DefaultConfig is the configuration of someone who wrote nothing but who the
// gateway is.
func DefaultConfig() Config {
	d := aliyun.DefaultConfig()
	return Config{
		POP: d.POP, Register: d.Register, LoginsPerMinute: d.LoginsPerMinute, ReportFound: d.ReportFound, RRPCTimeout: d.RRPCTimeout,
		Region: d.Region, SignMethod: d.SignMethod, QoS: d.QoS, Confirm: d.Confirm, Subscribe: d.Subscribe,
		ManageTopology: d.ManageTopology, MaxDevicesPerGateway: d.MaxDevicesPerGateway, LoginRate: d.LoginRate,
		BatchLogin: d.BatchLogin, GatherWindow: d.GatherWindow, RequestTimeout: d.RequestTimeout, HoldTimeout: d.HoldTimeout,
		InFlight: d.InFlight, Streams: 1000, Queue: d.Queue, QueueBytes: d.QueueBytes,
		Heartbeat: 30 * time.Second, HeartbeatTimeout: 60 * time.Second, Window: 4 << 20,
		ConnectTimeout: d.ConnectTimeout, ReconnectMin: d.ReconnectMin, ReconnectMax: d.ReconnectMax, WriteTimeout: d.WriteTimeout,
		Names: DefaultNames(),
	}
}

// KeepIn implements upstream.Keeper.
func (c Config) KeepIn(dir string) any {
	c.Register.Secrets = filepath.Join(dir, filepath.Base(DefaultConfig().Register.Secrets))
	return c
}

// Keeps implements upstream.Keeper.
func (c Config) Keeps() (path string, used bool) {
	return c.Register.Secrets, c.Register.By != "" && c.Register.By != aliyun.RegisterNever
}

// gateways is the part of c that the connector of package aliyun looks after. Its
// zero values stand for defaults there.
func (c *Config) gateways() aliyun.Config {
	return aliyun.Config{
		ProductKey: c.ProductKey, DeviceName: c.DeviceName, DeviceSecret: c.DeviceSecret, Gateways: c.Gateways,
		POP: c.POP, Register: c.Register, LoginsPerMinute: c.LoginsPerMinute, ReportFound: c.ReportFound, MessageRate: c.MessageRate, RRPCTimeout: c.RRPCTimeout, CAFile: c.CAFile,
		Region: c.Region, ClientIDPrefix: c.ClientIDPrefix, SignMethod: c.SignMethod, CleanSession: c.CleanSession, QoS: c.QoS,
		Confirm: c.Confirm, Subscribe: c.Subscribe, CustomTopics: c.CustomTopics, ManageTopology: c.ManageTopology,
		MaxDevicesPerGateway: c.MaxDevicesPerGateway, LoginRate: c.LoginRate, BatchLogin: c.BatchLogin, GatherWindow: c.GatherWindow,
		RequestTimeout: c.RequestTimeout, HoldTimeout: c.HoldTimeout, InFlight: c.InFlight, Queue: c.Queue, QueueBytes: c.QueueBytes,
		ConnectTimeout: c.ConnectTimeout, ReconnectMin: c.ReconnectMin, ReconnectMax: c.ReconnectMax, WriteTimeout: c.WriteTimeout,
	}
}

func or[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// check finds what is wrong with the keys of HTTP/2 alone, and fills in their
// defaults.
func (c *Config) check() (endpoint func(auth.Identity) (*url.URL, error), tlsConfig *tls.Config, err error) {
	d := DefaultConfig()
	or(&c.Region, d.Region)
	or(&c.SignMethod, d.SignMethod)
	or(&c.RequestTimeout, d.RequestTimeout)
	or(&c.InFlight, d.InFlight)
	or(&c.Streams, d.Streams)
	or(&c.Heartbeat, d.Heartbeat)
	or(&c.HeartbeatTimeout, d.HeartbeatTimeout)
	or(&c.Window, d.Window)
	or(&c.ConnectTimeout, d.ConnectTimeout)
	or(&c.WriteTimeout, d.WriteTimeout)
	c.Names = c.Names.WithDefaults()
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("http2: "+format, args...)) }
	if c.Streams < 1 || c.Streams > 100_000 {
		wrong("streams is %d, want 1 to 100000", c.Streams)
	}
	if c.Heartbeat < 0 || c.Heartbeat > maxHeartbeat {
		wrong("heartbeat is %v, want up to 60s: the platform closes silent connections", c.Heartbeat)
	}
	if c.HeartbeatTimeout < 0 {
		wrong("heartbeatTimeout is %v, want more than 0", c.HeartbeatTimeout)
	}
	if c.Window < 1<<16 || c.Window > 1<<30 {
		wrong("window is %d, want 64KiB to 1GiB", c.Window)
	}
	if err := c.Names.Check(); err != nil {
		wrong("%w", err)
	}
	if c.Endpoint != "" {
		if _, err := channel.ParseEndpoint(c.Endpoint); err != nil {
			wrong("%w", err)
		}
	}
	if c.CAFile != "" {
		tlsConfig = trust(c.CAFile)
	}
	text, region := c.Endpoint, c.Region
	return func(id auth.Identity) (*url.URL, error) {
		if text == "" {
			return channel.ParseEndpoint("https://" + id.ProductKey + ".iot-as-http2." + region + ".aliyuncs.com:443")
		}
		return channel.ParseEndpoint(text)
	}, tlsConfig, errors.Join(errs...)
}

// trust is the authorities in a file. What is wrong with the file is reported by
// package aliyun, which reads it, too.
func trust(file string) *tls.Config {
	pool := x509.NewCertPool()
	if pem, err := os.ReadFile(file); err == nil { //nolint:gosec // the operator names it
		pool.AppendCertsFromPEM(pem)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}
