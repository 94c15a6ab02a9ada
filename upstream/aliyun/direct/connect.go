package direct

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// readBuffer is for what a link reads ahead. What is longer is read at once into
// its own place.
const readBuffer = 1 << 10

// maxShort is how many connections of a device the platform may end in a row
// before they are reconnectMax old: then somebody else has the device's
// certificate, or it says what it may not, and would do so for ever.
const maxShort = 5

// codeElsewhere is the platform's code for that (developer guide, chapter 10.2).
const codeElsewhere = 427

// live makes a connection and serves it until it ends. It holds one of the
// connector's slots, and gives it back once the connection is made.
func (d *device) live() {
	c := d.c
	d.mu.Lock()
	d.queued = false
	if d.state != waiting || d.current == nil || c.ctx.Err() != nil {
		d.settle()
		<-c.slots
		return
	}
	d.state, d.again = connecting, false
	id := auth.Identity{ProductKey: d.names.ProductKey(), DeviceName: d.names.DeviceName(), DeviceSecret: d.secret}
	t, paced := d.token, d.paced
	d.paced = pace(d.paced, time.Now().UnixMilli(), c.cfg.ConnectsPerMinute)
	d.mu.Unlock()

	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.ConnectTimeout)
	connect := c.connect
	if id.DeviceSecret == "" && c.registrar != nil {
		connect = c.connectBare
	}
	l, t, err := connect(ctx, id, t)
	cancel()
	<-c.slots

	d.mu.Lock()
	d.token = t
	if !reached(l, err) {
		d.paced = paced
	}
	if d.state != connecting || err != nil { // or it is not wanted any more
		if l != nil {
			d.mu.Unlock()
			l.Close(nil)
			_ = l.Run(flow{d, l}) // which closes it
			d.mu.Lock()
		}
		d.notConnected(err)
		d.settle()
		return
	}
	d.link, d.state, d.since = l, subscribing, time.Now().UnixMilli()
	d.inFlight, d.controls = 0, nil
	d.ask = uint8((len(c.cfg.filters(&d.names)) + subscribeLimit - 1) / subscribeLimit) //nolint:gosec // few
	d.subs = 0
	c.counts.connects.Add(1)
	if d.ever {
		c.counts.reconnects.Add(1)
	}
	d.ever, d.no = true, nil
	if d.ask == 0 {
		d.goOnline()
	}
	d.settle()
	began := time.Now()
	cause := l.Run(flow{d, l})
	d.mu.Lock()
	d.lostLink(cause, time.Since(began))
	d.settle()
}

// reached says whether an attempt to connect has got as far as the platform, which
// counts it then.
func reached(l *mqttlink.Link, err error) bool {
	var refused *upstream.RefusedError
	return l != nil || errors.As(err, &refused)
}

// notConnected goes on when no connection was made. mu is held.
func (d *device) notConnected(err error) {
	if err != nil {
		d.c.counts.failures.Add(1)
	}
	h := d.current
	switch {
	case h == nil:
		d.state = offline
		d.failMessages(upstream.ErrLoggedOut)
		d.loggedOut()
	case d.state == ending: // meanwhile, to be begun again
		d.loggedOut()
		d.want(0)
	case errors.Is(err, auth.ErrDenied):
		d.c.counts.refused.Add(1)
		if no := (*upstream.RefusedError)(nil); errors.As(err, &no) {
			d.no, d.tried = no, d.secret
		}
		d.state = offline
		d.refuseLogin(h, err)
		d.failMessages(err)
		d.loggedOut()
	default:
		d.lastErr = err
		d.warn("aliyun-direct: cannot connect", err)
		d.want(d.backOff())
	}
}

// lostLink goes on when the connection has ended. mu is held.
func (d *device) lostLink(cause error, after time.Duration) {
	wished := d.state == ending
	d.link, d.controls = nil, nil
	d.holdMessages()
	if !wished {
		d.c.counts.links.Add(1)
		d.lastErr = cause
		d.warn("aliyun-direct: connection lost", cause)
	}
	if after > d.c.cfg.ReconnectMax {
		d.attempts, d.short = 0, 0
	} else if !wished && !errors.Is(cause, mqttlink.ErrSilent) {
		d.short++
	}
	switch h := d.current; {
	case h == nil:
		d.state = offline
		d.failMessages(upstream.ErrLoggedOut)
		d.loggedOut()
	case d.short >= maxShort:
		err := aliyun.Refused(codeElsewhere, "")
		d.state = offline
		d.refuseLogin(h, err)
		d.failMessages(err)
		d.loggedOut()
	case d.again && wished:
		d.loggedOut()
		d.want(0)
	case d.refusing && (wished || d.head == nil): // Close goes on with it
		d.state = offline
	default:
		d.loggedOut()
		d.want(d.backOff())
	}
}

// warn logs what went wrong with a connection, now and then. mu is held.
func (d *device) warn(line string, err error) {
	if count, due := d.c.quiet.Due(time.Now()); due {
		d.c.log.Warn(line, zap.String("device", d.names.String()), zap.NamedError("err", err), zap.Uint64("count", count))
	}
}

// connect makes a connection of a device; t is its last token, and the one
// returned the one to be used next.
func (c *Connector) connect(ctx context.Context, id auth.Identity, t *token) (*mqttlink.Link, *token, error) {
	if c.cfg.Auth != AuthHTTPS {
		l, err := c.dial(ctx, id, c.cfg.endpointOf(id.ProductKey), nil)
		return l, nil, err
	}
	for fresh := false; ; fresh = true {
		if t == nil || fresh || !t.good(time.Now()) {
			var err error
			if t, err = c.authenticate(ctx, id); err != nil {
				return nil, nil, err
			}
			fresh = true
		}
		endpoint := c.cfg.endpoint
		if endpoint == nil {
			endpoint = t.endpoint
		}
		if endpoint == nil {
			endpoint = c.cfg.endpointOf(id.ProductKey)
		}
		l, err := c.dial(ctx, id, endpoint, t)
		var refused *upstream.RefusedError
		if err == nil || !errors.As(err, &refused) {
			return l, t, err
		}
		if fresh {
			return nil, nil, err
		}
	}
}

// dial connects a device with its signature or its token.
func (c *Connector) dial(ctx context.Context, id auth.Identity, endpoint *url.URL, t *token) (*mqttlink.Link, error) {
	cfg := c.cfg
	o := mqttlink.Options{
		Endpoint: endpoint, TLS: cfg.tls, Clean: cfg.CleanSession,
		KeepAlive: cfg.KeepAlive, PingTimeout: cfg.RequestTimeout, WriteTimeout: cfg.WriteTimeout,
		MaxPayload: alink.MaxPayload, ReadBuffer: readBuffer,
	}
	o.ClientID, o.Username, o.Password = cfg.credentials(id, mqttlink.Secure(endpoint), time.Now())
	if t != nil {
		o.ClientID, o.Username, o.Password = cfg.clientID(id), t.iotID, t.iotToken
	}
	l, err := mqttlink.Dial(ctx, o)
	var no *mqttlink.ConnackError
	if err == nil || !errors.As(err, &no) {
		return l, err
	}
	reason := "the platform refused the connection of " + id.String() + ": " + no.Error()
	switch {
	case no.Code == mqttlink.CodeUnavailable && t != nil:
		return nil, &upstream.RefusedError{Code: int(no.Code), Reason: reason + ", or its token", Temporary: true}
	case no.Code == mqttlink.CodeUnavailable:
		return nil, &upstream.RefusedError{Code: int(no.Code), Reason: reason, Temporary: true}
	default:
		return nil, &upstream.RefusedError{Code: int(no.Code), Reason: reason + "; check the device's productKey, deviceName and deviceSecret, and whether it is enabled"}
	}
}

// clientID is a device's client identifier, without parameters.
func (s *settings) clientID(id auth.Identity) string {
	return s.ClientIDPrefix + id.ProductKey + "." + id.DeviceName
}

// credentials are what a CONNECT carries (developer guide, chapter 6.1).
func (s *settings) credentials(id auth.Identity, secure bool, now time.Time) (clientID, user string, password auth.Secret) {
	cid, stamp, mode, extra := s.clientID(id), strconv.FormatInt(now.UnixMilli(), 10), "3", ""
	if secure {
		mode = "2"
	}
	if s.Subscribe == SubscribeNone {
		extra = ",_ss=1" // have the platform deliver without subscriptions
	}
	clientID = cid + "|securemode=" + mode + ",signmethod=" + string(s.sign) + ",timestamp=" + stamp + extra + "|"
	return clientID, id.DeviceName + "&" + id.ProductKey, auth.Secret(alink.Sign(s.sign, id, cid, stamp))
}
