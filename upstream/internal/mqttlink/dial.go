package mqttlink

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/linkspan/linkspan/auth"
)

// Options say where a link leads, who connects, and how patient it is.
type Options struct {
	Endpoint *url.URL    // tcp://, ssl://, ws:// or wss://host:port; see [ParseEndpoint]
	TLS      *tls.Config // of ssl:// and wss://; nil: the system's authorities, TLS 1.2 and above

	ClientID, Username string
	Password           auth.Secret
	Clean              bool  // clean session
	Will               *Will // nil: none

	KeepAlive    time.Duration // between packets, 1 s to 65535 s
	PingTimeout  time.Duration // for the answer to a PINGREQ
	WriteTimeout time.Duration // for the network to take what is written
	MaxPayload   int           // bytes of a PUBLISH that is handed on
	ReadBuffer   int           // bytes; 0: 4 KiB
	WriteBuffer  int           // bytes that are kept while nothing is written; 0: 128 KiB
}

// Will is what the broker publishes when the connection ends without a
// DISCONNECT.
type Will struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
}

func (o *Options) keepAlive() uint16 {
	return uint16(min(max(o.KeepAlive/time.Second, 1), 65535)) //nolint:gosec // bounded
}

// ConnackError is a broker's refusal to connect.
type ConnackError struct {
	Code byte // of the CONNACK: MQTT 3.1.1, table 3.1
}

// The codes of a CONNACK.
const (
	CodeProtocol       = 1 // unacceptable protocol version
	CodeClientID       = 2 // identifier rejected
	CodeUnavailable    = 3 // server unavailable
	CodeBadCredentials = 4 // bad user name or password
	CodeNotAuthorized  = 5 // not authorized
)

func (e *ConnackError) Error() string {
	texts := [...]string{
		CodeProtocol: "unacceptable protocol version", CodeClientID: "client identifier rejected", CodeUnavailable: "server unavailable",
		CodeBadCredentials: "bad user name or password", CodeNotAuthorized: "not authorized",
	}
	text := "unknown code"
	if int(e.Code) < len(texts) && e.Code > 0 {
		text = texts[e.Code]
	}
	return fmt.Sprintf("mqttlink: the broker refuses the connection with code %d: %s", e.Code, text)
}

// ErrEndpoint says that an address is none that a link can be made to.
var ErrEndpoint = errors.New("mqttlink: want tcp://host:port, ssl://host:port, ws://host:port/path or wss://host:port/path")

// ParseEndpoint reads a broker's address. A port that is missing is 1883, 8883,
// 80 or 443. mqtt:// is tcp://; mqtts:// and tls:// are ssl://.
func ParseEndpoint(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		if cause := new(url.Error); errors.As(err, &cause) && !strings.Contains(text, "@") {
			return nil, fmt.Errorf("%q: %w: %w", text, ErrEndpoint, cause.Err)
		}
		return nil, fmt.Errorf("%w, without a user and a password", ErrEndpoint) // which it does not repeat
	}
	shown := u.Redacted()
	if u.User == nil && strings.Contains(text, "@") { // what is in front of it may be a password
		shown = u.Scheme + "://..."
	}
	switch u.Scheme {
	case "mqtt":
		u.Scheme = "tcp"
	case "mqtts", "tls":
		u.Scheme = "ssl"
	}
	port := map[string]string{"tcp": "1883", "ssl": "8883", "ws": "80", "wss": "443"}[u.Scheme]
	plain := u.Scheme == "tcp" || u.Scheme == "ssl"
	if port == "" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || plain && (u.Path != "" && u.Path != "/" || u.RawQuery != "") {
		return nil, fmt.Errorf("%q: %w", shown, ErrEndpoint)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return u, nil
}

// Secure says whether connections to u are TLS.
func Secure(u *url.URL) bool { return slices.Contains([]string{"ssl", "wss"}, u.Scheme) }

// Dial connects and waits for the CONNACK, within ctx. The error is a
// [ConnackError] when the broker says no. The link does nothing before
// [Link.Run], which has to follow.
func Dial(ctx context.Context, o Options) (*Link, error) {
	conn, err := dial(ctx, &o)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // ends what hangs
	l, err := handshake(ctx, conn, &o)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return l, nil
}

func dial(ctx context.Context, o *Options) (net.Conn, error) {
	config := o.TLS
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	switch o.Endpoint.Scheme {
	case "ws", "wss":
		return dialWebSocket(ctx, o.Endpoint.String(), config)
	case "ssl":
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", o.Endpoint.Host)
	default:
		return (&net.Dialer{}).DialContext(ctx, "tcp", o.Endpoint.Host)
	}
}

// dialWebSocket returns when ctx is done, which what it calls does not know.
func dialWebSocket(ctx context.Context, endpoint string, config *tls.Config) (net.Conn, error) {
	timeout := time.Minute
	if deadline, ok := ctx.Deadline(); ok {
		timeout = max(time.Until(deadline), time.Millisecond)
	}
	type outcome struct {
		conn net.Conn
		err  error
	}
	dialed := make(chan outcome)
	go func() { // ends within timeout
		conn, err := mqtt.NewWebsocket(endpoint, config, timeout, nil, nil)
		select {
		case dialed <- outcome{conn, err}:
		case <-ctx.Done():
			if err == nil {
				_ = conn.Close() // nobody wants it any more
			}
		}
	}()
	select {
	case got := <-dialed:
		return got.conn, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// handshake sends the CONNECT and reads the CONNACK.
func handshake(ctx context.Context, conn net.Conn, o *Options) (*Link, error) {
	size := o.ReadBuffer
	if size == 0 {
		size = 4 << 10
	}
	l := newLink(conn, o)
	l.in = reader{Reader: bufio.NewReaderSize(conn, size), maxPayload: o.MaxPayload}
	var p Packet
	_, err := conn.Write(appendConnect(nil, o))
	if err == nil {
		err = l.in.next(&p)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("mqttlink: connect: %w", err)
	case p.Type != Connack || p.Codes[0] > 1:
		return nil, fmt.Errorf("%w: %v where a CONNACK was due", ErrMalformed, p.Type)
	case p.Codes[1] != 0:
		return nil, &ConnackError{Code: p.Codes[1]}
	}
	l.resumed = p.Codes[0] == 1
	return l, nil
}
