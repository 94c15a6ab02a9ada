package aliyun

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/carrier"
	"github.com/linkspan/linkspan/upstream/aliyun/pop"
)

// Config is how the platform is reached. The zero value of each key that has a
// default stands for that default, but for gatherWindow, cleanSession and
// loginsPerMinute.
type Config struct {
	ProductKey   string      `conf:"productKey" doc:"product of the gateway device, when there is one gateway; see gateways"`
	DeviceName   string      `conf:"deviceName" doc:"name of the gateway device"`
	DeviceSecret auth.Secret `conf:"deviceSecret" doc:"secret of the gateway device"`
	Gateways     []Gateway   `conf:"gateways" doc:"gateway devices, one MQTT connection each; devices are spread over them"`

	POP      pop.Profile    `conf:"pop" doc:"access to the account's API: gateway devices without a deviceSecret are looked up there, or created; one without a deviceName too is named after the machine's MAC address"`
	Register RegisterConfig `conf:"register" doc:"devices that come without a secret"`

	Region   string `conf:"region" doc:"region of the shared instance; names the endpoint when that is not given"`
	Endpoint string `conf:"endpoint" doc:"tcp://host:port or ssl://host:port; default: the productKey's own host in the region, port 1883"`
	CAFile   string `conf:"caFile" doc:"PEM file of the authorities that may sign the platform's certificate; default: the system's"`

	ClientIDPrefix string        `conf:"clientIdPrefix" doc:"put before productKey.deviceName to make a gateway's client identifier"`
	SignMethod     string        `conf:"signMethod" doc:"hmacmd5, hmacsha1 or hmacsha256"`
	KeepAlive      time.Duration `conf:"keepAlive" doc:"MQTT keep-alive, 30s to 1200s; a silent connection is lost after it and requestTimeout"`
	CleanSession   bool          `conf:"cleanSession" doc:"whether the platform forgets what gateways and devices missed while they were away"`
	QoS            int           `conf:"qos" doc:"MQTT quality of service of properties, events and raw data that name none: 0 or 1"`
	Confirm        string        `conf:"confirm" doc:"puback: a message is done when the platform's broker has it; reply: when the platform answered it with code 200"`
	Subscribe      string        `conf:"subscribe" doc:"device: subscribe each device's topics when it logs in; wildcard: once for each gateway; none: the platform needs no subscriptions"`
	CustomTopics   []string      `conf:"customTopics" doc:"topics of the device's own to subscribe, without /productKey/deviceName: user/get"`
	ManageTopology string        `conf:"manageTopology" doc:"onDemand: add a device to the gateway's topology when a login says it is missing; always: before the first login; never"`

	MaxDevicesPerGateway int           `conf:"maxDevicesPerGateway" doc:"devices that one gateway may hold"`
	LoginsPerMinute      int           `conf:"loginsPerMinute" doc:"logins that are asked for of one device in a minute; the platform refuses more; 0: no limit"`
	ReportFound          bool          `conf:"reportFound" doc:"whether the platform is told of devices that it does not know (thing/list/found), so that somebody may put them there"`
	LoginRate            float64       `conf:"loginRate" doc:"logins per second over all gateways, on the average"`
	BatchLogin           int           `conf:"batchLogin" doc:"devices in one batch login; 1: single logins only"`
	GatherWindow         time.Duration `conf:"gatherWindow" doc:"how long a login waits for others to share a batch with; 0: not at all"`
	RequestTimeout       time.Duration `conf:"requestTimeout" doc:"how long the platform may take to answer a login, a message or a ping"`
	RRPCTimeout          time.Duration `conf:"rrpcTimeout" doc:"how long a device may take to answer a synchronous call: the platform stops waiting after 8 s"`
	HoldTimeout          time.Duration `conf:"holdTimeout" doc:"how long a message waits for its device to be logged in again before it fails"`
	MessageRate          float64       `conf:"messageRate" doc:"messages in a second of one device at QoS 1, and three times as many at QoS 0; more wait. Default: 10, the platform's limit, at hosts of aliyuncs.com; none elsewhere. Below 0: no limit"`
	InFlight             int           `conf:"inFlight" doc:"messages of one gateway sent and not yet acknowledged"`
	Queue                int           `conf:"queue" doc:"messages of one gateway waiting or in flight; more are refused"`
	QueueBytes           int64         `conf:"queueBytes,bytes" doc:"payload of the messages of one gateway waiting or in flight; more are refused"`
	ConnectTimeout       time.Duration `conf:"connectTimeout" doc:"how long connecting may take"`
	ReconnectMin         time.Duration `conf:"reconnectMin" doc:"first pause before reconnecting; doubled each time, with jitter"`
	ReconnectMax         time.Duration `conf:"reconnectMax" doc:"longest pause before reconnecting"`
	WriteTimeout         time.Duration `conf:"writeTimeout" doc:"a connection that takes no bytes for so long is lost"`
}

// Gateway is the certificate of one gateway device.
type Gateway struct {
	ProductKey   string      `conf:"productKey" doc:"product of the gateway device"`
	DeviceName   string      `conf:"deviceName" doc:"name of the gateway device"`
	DeviceSecret auth.Secret `conf:"deviceSecret" doc:"secret of the gateway device"`
}

func (g Gateway) identity() auth.Identity {
	return auth.Identity{ProductKey: g.ProductKey, DeviceName: g.DeviceName, DeviceSecret: g.DeviceSecret}
}

// The values of confirm, subscribe and manageTopology.
const (
	ConfirmPuback = "puback"
	ConfirmReply  = "reply"

	SubscribeDevice   = "device"
	SubscribeWildcard = "wildcard"
	SubscribeNone     = "none"

	TopologyOnDemand = "onDemand"
	TopologyAlways   = "always"
	TopologyNever    = "never"
)

// The platform's limits.
const (
	minKeepAlive   = 30 * time.Second   // less and CONNECT is refused
	maxKeepAlive   = 1200 * time.Second // likewise
	maxClientID    = 64                 // bytes
	maxBatch       = 50                 // devices in a batch login
	maxInFlight    = 30000              // so that packet identifiers never run out
	subscribeLimit = 8                  // filters in one SUBSCRIBE
)

// DefaultConfig is the configuration of someone who wrote nothing but who the
// gateway is.
func DefaultConfig() Config {
	return Config{
		Region:               "cn-shanghai",
		SignMethod:           string(auth.HMACSHA256),
		KeepAlive:            60 * time.Second,
		QoS:                  1,
		Confirm:              ConfirmPuback,
		Subscribe:            SubscribeDevice,
		ManageTopology:       TopologyOnDemand,
		MaxDevicesPerGateway: 1500,
		LoginsPerMinute:      5,
		Register:             RegisterConfig{By: RegisterNever, Secrets: "device-secrets.jsonl"},
		LoginRate:            200,
		BatchLogin:           maxBatch,
		GatherWindow:         3 * time.Millisecond,
		RequestTimeout:       10 * time.Second,
		RRPCTimeout:          7500 * time.Millisecond,
		HoldTimeout:          60 * time.Second,
		InFlight:             512,
		Queue:                65536,
		QueueBytes:           256 << 20,
		ConnectTimeout:       10 * time.Second,
		ReconnectMin:         time.Second,
		ReconnectMax:         30 * time.Second,
		WriteTimeout:         5 * time.Second,
	}
}

// withDefaults fills in what zero stands for.
func (c Config) withDefaults() Config {
	d := DefaultConfig()
	or(&c.Region, d.Region)
	or(&c.SignMethod, d.SignMethod)
	or(&c.KeepAlive, d.KeepAlive)
	or(&c.Confirm, d.Confirm)
	or(&c.Subscribe, d.Subscribe)
	or(&c.ManageTopology, d.ManageTopology)
	or(&c.MaxDevicesPerGateway, d.MaxDevicesPerGateway)
	or(&c.Register.By, d.Register.By)
	or(&c.Register.Secrets, d.Register.Secrets)
	or(&c.LoginRate, d.LoginRate)
	or(&c.BatchLogin, d.BatchLogin)
	or(&c.RequestTimeout, d.RequestTimeout)
	or(&c.RRPCTimeout, d.RRPCTimeout)
	or(&c.HoldTimeout, d.HoldTimeout)
	or(&c.InFlight, d.InFlight)
	or(&c.Queue, d.Queue)
	or(&c.QueueBytes, d.QueueBytes)
	or(&c.ConnectTimeout, d.ConnectTimeout)
	or(&c.ReconnectMin, d.ReconnectMin)
	or(&c.ReconnectMax, d.ReconnectMax)
	or(&c.WriteTimeout, d.WriteTimeout)
	if c.ProductKey != "" || c.DeviceName != "" || c.DeviceSecret != "" {
		own := Gateway{c.ProductKey, c.DeviceName, c.DeviceSecret}
		if own.DeviceName == "" && own.DeviceSecret == "" && c.POP.Given() {
			own.DeviceName = pop.MACAddress()
		}
		c.Gateways = append([]Gateway{own}, c.Gateways...)
	}
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
	sign      auth.SignMethod
	tls       *tls.Config
	endpoints []*url.URL     // one for each gateway
	interval  time.Duration  // between messages of a device at QoS 1; 0: no limit
	dialer    carrier.Dialer // nil: MQTT
}

// check finds all that is wrong with c, which has its defaults. dialer makes its
// connections; nil: MQTT.
func (c Config) check(dialer carrier.Dialer) (*settings, error) {
	s := &settings{Config: c, dialer: dialer}
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("aliyun: "+format, args...)) }

	var err error
	if s.sign, err = auth.ParseSignMethod(c.SignMethod); err != nil {
		wrong("signMethod: %w", err)
	}
	oneOf := func(key, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			wrong("%s is %q, want one of %s", key, value, strings.Join(allowed, ", "))
		}
	}
	oneOf("confirm", c.Confirm, ConfirmPuback, ConfirmReply)
	oneOf("subscribe", c.Subscribe, SubscribeDevice, SubscribeWildcard, SubscribeNone)
	oneOf("manageTopology", c.ManageTopology, TopologyOnDemand, TopologyAlways, TopologyNever)
	if c.KeepAlive < minKeepAlive || c.KeepAlive > maxKeepAlive {
		wrong("keepAlive is %v, want 30s to 1200s: the platform refuses others", c.KeepAlive)
	}
	if c.QoS != 0 && c.QoS != 1 {
		wrong("qos is %d, want 0 or 1: the platform has no other", c.QoS)
	}
	within := func(key string, value, high int) {
		if value < 1 || value > high {
			wrong("%s is %d, want 1 to %d", key, value, high)
		}
	}
	oneOf("register.by", c.Register.By, RegisterNever, RegisterGateway, RegisterHTTPS, RegisterMQTT)
	errs = append(errs, s.checkRegister()...)
	if c.LoginsPerMinute < 0 || c.LoginsPerMinute > 600 {
		wrong("loginsPerMinute is %d, want 0 to 600", c.LoginsPerMinute)
	}
	within("maxDevicesPerGateway", c.MaxDevicesPerGateway, 1_000_000)
	within("batchLogin", c.BatchLogin, maxBatch)
	within("inFlight", c.InFlight, maxInFlight)
	within("queue", c.Queue, 1<<30)
	if c.QueueBytes < 0 {
		wrong("queueBytes is %d, want 1 or more, such as 256MiB", c.QueueBytes)
	}
	if c.LoginRate <= 0 {
		wrong("loginRate is %v, want more than 0 logins per second", c.LoginRate)
	}
	if c.GatherWindow < 0 || c.GatherWindow > time.Second {
		wrong("gatherWindow is %v, want 0 to 1s", c.GatherWindow)
	}
	positive := func(key string, value time.Duration) {
		if value <= 0 {
			wrong("%s is %v, want more than 0", key, value)
		}
	}
	positive("requestTimeout", c.RequestTimeout)
	positive("rrpcTimeout", c.RRPCTimeout)
	positive("holdTimeout", c.HoldTimeout)
	positive("connectTimeout", c.ConnectTimeout)
	positive("reconnectMin", c.ReconnectMin)
	positive("writeTimeout", c.WriteTimeout)
	if c.ReconnectMax < c.ReconnectMin {
		wrong("reconnectMax is %v, less than reconnectMin, %v", c.ReconnectMax, c.ReconnectMin)
	}
	for _, t := range c.CustomTopics {
		if t == "" || strings.HasPrefix(t, "/") {
			wrong("customTopics: %q: want the part behind /productKey/deviceName/, such as user/get", t)
		}
	}
	errs = append(errs, s.checkGateways()...)
	errs = append(errs, s.checkEndpoint()...)
	if c.MessageRate > 1e6 {
		wrong("messageRate is %v, want 1e6 at most, or less than 0 for no limit", c.MessageRate)
	}
	s.interval = s.messageInterval()
	return s, errors.Join(errs...)
}

// messageInterval is what messageRate means.
func (s *settings) messageInterval() time.Duration {
	rate := s.MessageRate
	for _, e := range s.endpoints {
		if rate == 0 && strings.HasSuffix(e.Hostname(), ".aliyuncs.com") {
			rate = vendorRate
		}
	}
	if rate <= 0 {
		return 0
	}
	return time.Duration(float64(time.Second) / rate)
}

func (s *settings) checkGateways() (errs []error) {
	if len(s.Gateways) == 0 {
		errs = append(errs, errors.New("aliyun: no gateway: give productKey, deviceName and deviceSecret of a gateway device, or gateways, a list of them"))
	}
	seen := map[string]bool{}
	for i, g := range s.Gateways {
		var missing []string
		for _, p := range []struct{ key, value string }{{"productKey", g.ProductKey}, {"deviceName", g.DeviceName}, {"deviceSecret", g.DeviceSecret.Reveal()}} {
			if p.value == "" && (p.key != "deviceSecret" || !s.POP.Given() && !s.obtains(g.ProductKey)) {
				missing = append(missing, p.key)
			}
		}
		name := g.ProductKey + "/" + g.DeviceName
		switch {
		case missing != nil:
			errs = append(errs, fmt.Errorf("aliyun: gateway %d: %s missing", i+1, strings.Join(missing, ", ")))
			continue
		case !alink.PlainName(g.ProductKey) || !alink.PlainName(g.DeviceName):
			errs = append(errs, fmt.Errorf("aliyun: gateway %d: %q: a name holds one of / + # & |, a space or a control character, or is no UTF-8", i+1, name))
		case seen[name]:
			errs = append(errs, fmt.Errorf("aliyun: gateway %d: %s is there twice: its connections would evict each other", i+1, name))
		case len(s.ClientIDPrefix)+len(name) > maxClientID:
			errs = append(errs, fmt.Errorf("aliyun: gateway %d: client identifier %s%s is longer than %d bytes: shorten clientIdPrefix", i+1, s.ClientIDPrefix, name, maxClientID))
		}
		seen[name] = true
	}
	if strings.ContainsAny(s.ClientIDPrefix, "|,") {
		errs = append(errs, fmt.Errorf("aliyun: clientIdPrefix is %q, want it without | and ,", s.ClientIDPrefix))
	}
	return errs
}

func (s *settings) checkEndpoint() (errs []error) {
	secure := s.dialer != nil
	for _, g := range s.Gateways {
		if s.dialer != nil {
			s.endpoints = append(s.endpoints, &url.URL{Host: s.dialer.Endpoint(g.identity())})
			continue
		}
		text := s.Endpoint
		if text == "" {
			text = "tcp://" + g.ProductKey + ".iot-as-mqtt." + s.Region + ".aliyuncs.com:1883"
		}
		u, err := url.Parse(text)
		if err == nil {
			_, _, err = net.SplitHostPort(u.Host)
		}
		if err != nil || u.Scheme != "tcp" && u.Scheme != "ssl" {
			return append(errs, fmt.Errorf("aliyun: endpoint is %q, want tcp://host:port or ssl://host:port", text))
		}
		secure = u.Scheme == "ssl"
		s.endpoints = append(s.endpoints, u)
	}
	if s.CAFile == "" {
		return errs
	}
	if !secure && !s.registers() && !s.POP.Given() {
		errs = append(errs, errors.New("aliyun: caFile is given, but the endpoint is not ssl://"))
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return append(errs, fmt.Errorf("aliyun: caFile: %w", err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		errs = append(errs, fmt.Errorf("aliyun: caFile: no certificate in %s", s.CAFile))
	}
	s.tls = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return errs
}
