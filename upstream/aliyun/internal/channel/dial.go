package channel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
)

// ErrProtocol says that the server at the endpoint does not speak HTTP/2 over
// TLS.
var ErrProtocol = errors.New("channel: the server does not agree to h2")

// ParseEndpoint reads https://host[:port], or http://host:port for HTTP/2 over
// TCP with prior knowledge.
func ParseEndpoint(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Hostname() == "", u.Scheme != "https" && u.Scheme != "http", u.Path != "" && u.Path != "/", u.User != nil:
		return nil, fmt.Errorf("endpoint is %q, want https://host[:port], or http://host:port without TLS", text)
	case u.Port() == "" && u.Scheme == "https":
		u.Host = net.JoinHostPort(u.Hostname(), "443")
	case u.Port() == "":
		u.Host = net.JoinHostPort(u.Hostname(), "80")
	}
	return u, nil
}

// dial connects to an endpoint.
func dial(ctx context.Context, endpoint *url.URL, own *tls.Config) (net.Conn, error) {
	dialer := &net.Dialer{}
	if endpoint.Scheme == "http" {
		return dialer.DialContext(ctx, "tcp", endpoint.Host)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if own != nil {
		cfg = own.Clone()
	}
	cfg.NextProtos = []string{"h2"}
	nc, err := (&tls.Dialer{NetDialer: dialer, Config: cfg}).DialContext(ctx, "tcp", endpoint.Host)
	if err != nil {
		return nil, err
	}
	if c, ok := nc.(*tls.Conn); ok && c.ConnectionState().NegotiatedProtocol != "h2" {
		_ = nc.Close()
		return nil, ErrProtocol
	}
	return nc, nil
}
