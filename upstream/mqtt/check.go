package mqtt

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// settings are a configuration that was found right, with what was made of it.
type settings struct {
	Config
	endpoints []*url.URL
	tls       *tls.Config  // nil: plain connections only
	own       *certificate // nil: connections have none
	single    bool         // a connection for each device
	wildcard  bool         // one subscription for all devices
	lanes     int          // connections, if not single
	host      string
	client    template // identifiers
	user      template
	password  template
	topics    topics
	payloads  payloads
}

// check finds all that is wrong with c.
func (c Config) check() (*settings, error) {
	s := &settings{Config: c}
	s.single = c.Connections == ConnectionsDevice
	s.wildcard = c.Subscribe == SubscribeWildcard && !s.single
	var k checker
	k.oneOf("connections", c.Connections, ConnectionsShared, ConnectionsPool, ConnectionsDevice)
	k.oneOf("payload", c.Payload, PayloadThing, PayloadRaw, PayloadTemplate)
	k.oneOf("subscribe", c.Subscribe, SubscribeDevice, SubscribeWildcard)
	k.within("qos", c.QoS, 0, 1)
	k.within("poolSize", c.PoolSize, 1, 256)
	k.within("maxDevices", c.MaxDevices, 0, 10_000_000)
	k.within("inFlight", c.InFlight, 1, maxInFlight)
	k.within("queue", c.Queue, 1, 1<<30)
	k.within("maxPayload", c.MaxPayload, 1, 128<<20)
	if c.QueueBytes < 1 {
		k.wrong("queueBytes is %d, want 1 or more, such as 256MiB", c.QueueBytes)
	}
	if !(c.LoginRate > 0) {
		k.wrong("loginRate is %v, want more than 0 logins per second", c.LoginRate)
	}
	if c.KeepAlive < time.Second || c.KeepAlive > 65535*time.Second {
		k.wrong("keepAlive is %v, want 1s to 65535s", c.KeepAlive)
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
			k.wrong("%s is %v, want more than 0", d.key, d.value)
		}
	}
	if c.ReconnectMax < c.ReconnectMin {
		k.wrong("reconnectMax is %v, less than reconnectMin, %v", c.ReconnectMax, c.ReconnectMin)
	}
	s.lanes = 1
	if c.Connections == ConnectionsPool {
		s.lanes = c.PoolSize
	}
	if c.MaxDevices == 0 {
		s.MaxDevices = 1_000_000
		if s.single {
			s.MaxDevices = 5000
		}
	}
	s.checkIdentity(&k)
	s.checkEndpoints(&k)
	s.topics = c.checkTopics(&k, s.single)
	s.payloads = c.checkPayloads(&k)
	return s, errors.Join(k.errs...)
}

// checker gathers what is wrong.
type checker struct{ errs []error }

func (k *checker) wrong(format string, args ...any) {
	k.errs = append(k.errs, fmt.Errorf("mqtt: "+format, args...))
}

func (k *checker) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		k.wrong("%s is %q, want one of %s", key, value, strings.Join(allowed, ", "))
	}
}

func (k *checker) within(key string, value, low, high int) {
	if value < low || value > high {
		k.wrong("%s is %d, want %d to %d", key, value, low, high)
	}
}

// template reads a text with placeholders; what is wrong with it is told of key.
func (k *checker) template(key, text string, allowed ...field) template {
	t, err := parseTemplate(text, allowed...)
	if err != nil {
		k.wrong("%s: %w", key, err)
	}
	return t
}

func (s *settings) checkEndpoints(k *checker) {
	if len(s.Endpoint) == 0 {
		k.wrong(`endpoint is missing: give the broker's address, such as "tcp://127.0.0.1:1883"`)
	}
	secure := false
	for _, text := range s.Endpoint {
		u, err := mqttlink.ParseEndpoint(text)
		if err != nil {
			k.wrong("endpoint: %w", err)
			continue
		}
		secure = secure || mqttlink.Secure(u)
		s.endpoints = append(s.endpoints, u)
	}
	switch {
	case secure:
		s.tls, s.own = s.TLS.config(k, s.naming())
	case s.TLS != TLS{} && s.endpoints != nil:
		k.wrong("tls is given, but no endpoint is ssl:// or wss://")
	}
}

// naming are the placeholders of what tells connections apart.
func (s *settings) naming() []field {
	switch s.Connections {
	case ConnectionsPool:
		return []field{hostName, number}
	case ConnectionsDevice:
		return []field{hostName, productKey, deviceName}
	default:
		return []field{hostName}
	}
}

// checkIdentity reads who linkspan is at the broker.
func (s *settings) checkIdentity(k *checker) {
	s.host, _ = os.Hostname() // a machine without a name is ""
	if !topicText(s.host) || strings.ContainsAny(s.host, "/+#") {
		s.host = ""
	}
	allowed, needed, text := s.naming(), []field{}, "linkspan-${host}"
	switch s.Connections {
	case ConnectionsPool:
		needed, text = []field{number}, "linkspan-${host}-${n}"
	case ConnectionsDevice:
		needed, text = []field{deviceName}, "${productKey}.${deviceName}"
	}
	if s.ClientID == "" {
		s.ClientID = text
	}
	s.client = k.template("clientId", s.ClientID, allowed...)
	for _, f := range needed {
		if !s.client.has(f) && s.client != nil {
			k.wrong("clientId is %q, want ${%s} in it: connections with the same identifier end each other", s.ClientID, fieldNames[f])
		}
	}
	if !topicText(s.ClientID) {
		k.wrong("clientId has control characters, or is no UTF-8")
	}
	s.user = k.template("username", s.Username, allowed...)
	if s.Password != "" && s.Username == "" {
		k.wrong("password is given, but no username: MQTT takes none without the other")
	}
	if s.single {
		allowed = append(allowed, deviceSecret)
	}
	if t, err := parseTemplate(s.Password.Reveal(), allowed...); err != nil {
		k.wrong("password has a placeholder that does not exist here, want %s; ${ itself is written $${", listed(allowed))
	} else {
		s.password = t
	}
}
