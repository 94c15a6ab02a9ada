package direct

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream/aliyun/certify"
)

// token is what the platform's authentication service gives a device: it stands
// in for a signature in CONNECT.
type token struct {
	iotID    string
	iotToken auth.Secret
	endpoint *url.URL // nil: the platform named none
	expires  time.Time
}

// tokenLife is how long a token is used: the platform's last seven days.
const tokenLife = 6 * 24 * time.Hour

func (t *token) good(now time.Time) bool { return now.Before(t.expires) }

// resource is the service that devices connect to, as the platform names it.
const resource = "mqtt"

// authenticate gets a token. The error is an [upstream.RefusedError] when the
// service says no.
func (c *Connector) authenticate(ctx context.Context, id auth.Identity) (*token, error) {
	expires := time.Now().Add(tokenLife)
	got, err := c.tokens.Authenticate(ctx, id, c.cfg.clientID(id), resource)
	if err != nil {
		return nil, err
	}
	c.counts.tokens.Add(1)
	t := &token{iotID: got.IotID, iotToken: got.IotToken, expires: expires}
	if at, named := got.Resources[resource]; named {
		t.endpoint = &url.URL{Scheme: "ssl", Host: at.Address()}
	}
	return t, nil
}

// tokenService asks for tokens, at the configuration's authEndpoint.
func (s *settings) tokenService(asks *http.Client) (*certify.Client, error) {
	u, err := url.Parse(s.tokens)
	if err != nil {
		return nil, err
	}
	return certify.New(
		certify.Config{Endpoint: u.Scheme + "://" + u.Host, AuthURL: s.tokens, SignMethod: s.sign, Timeout: s.ConnectTimeout},
		certify.WithHTTPClient(asks),
	)
}
