package certify

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// Way is how and where devices are registered by the secret of their product. Its
// zero values stand for the defaults of [Config] and [MQTT].
type Way struct {
	Region       string          // names the hosts that are not given
	Endpoint     string          // of HTTPS; default: the region's iot-auth host
	MQTTEndpoint string          // host:port; default: the product's own host in the region, port 1883
	TLS          *tls.Config     // nil: the system's authorities
	SignMethod   auth.SignMethod // of requests
	Timeout      time.Duration   // of one registration
}

// HTTPS registers devices over HTTPS.
func (w Way) HTTPS() (Service, error) {
	c, err := New(w.HTTPSConfig(), WithHTTPClient(HTTPClient(w.TLS)))
	if err != nil {
		return nil, err
	}
	return c.Register, nil
}

// HTTPSConfig is how the HTTPS service is reached.
func (w Way) HTTPSConfig() Config {
	endpoint := w.Endpoint
	if endpoint == "" {
		endpoint = "https://iot-auth." + w.Region + ".aliyuncs.com"
	}
	return Config{Endpoint: endpoint, SignMethod: w.SignMethod, Timeout: w.Timeout}
}

// MQTT registers devices over MQTT and TLS.
func (w Way) MQTT() Service {
	return func(ctx context.Context, p Product, deviceName string) (auth.Secret, error) {
		where := w.MQTTEndpoint
		if where == "" {
			where = p.Key + ".iot-as-mqtt." + w.Region + ".aliyuncs.com:1883"
		}
		return RegisterMQTT(ctx, MQTT{Address: where, TLS: w.TLS, SignMethod: w.SignMethod, Timeout: w.Timeout}, p, deviceName)
	}
}

// HTTPClient trusts whom trust says, or the system's authorities when that is nil,
// and goes where it is sent only. Close its idle connections when it is of no more
// use.
func HTTPClient(trust *tls.Config) *http.Client {
	if trust == nil {
		trust = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true,
			MaxConnsPerHost: 16, MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second,
		},
		CheckRedirect: stay,
	}
}

// stay follows no redirect: signatures are for this server alone.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
