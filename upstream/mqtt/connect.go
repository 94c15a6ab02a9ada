package mqtt

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// connect tries each endpoint once, the one that the last connection was made to
// first.
func (ln *lane) connect(ctx context.Context) (link *mqttlink.Link, err error) {
	if ln.only != nil {
		if err = ln.c.limiter.Wait(ctx); err != nil {
			return nil, err
		}
		ln.haveTurn()
	}
	var refusal error
	for range ln.cfg.endpoints {
		ln.mu.Lock()
		o, own, err2 := ln.options()
		ln.mu.Unlock()
		if err2 == nil && own != (keyPair{}) && mqttlink.Secure(o.Endpoint) {
			o.TLS, err2 = own.load(o.TLS, ln.only != nil)
		}
		if err2 != nil {
			return nil, err2
		}
		dialing, cancel := context.WithTimeout(ctx, ln.cfg.ConnectTimeout)
		link, err = mqttlink.Dial(dialing, o)
		cancel()
		if err == nil {
			ln.log.Log(ln.level(zap.InfoLevel), "mqtt: connected", zap.String("remote", o.Endpoint.Host), zap.String("upstream", o.ClientID))
			return link, nil
		}
		if err = refusedConnect(err); refusal == nil && permanent(err) {
			refusal = err
		}
		ln.mu.Lock()
		ln.endpoint = (ln.endpoint + 1) % len(ln.cfg.endpoints)
		ln.mu.Unlock()
	}
	if refusal != nil {
		err = refusal
	}
	return nil, err
}

// haveTurn begins the time of a login that has waited for its turn to connect.
func (ln *lane) haveTurn() {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.turned = true
	if h := ln.only.current; h != nil && h.by == never {
		h.by = ln.c.now.Load() + ln.cfg.RequestTimeout.Milliseconds()
	}
}

// options are who connects, and where to. mu is held.
func (ln *lane) options() (o mqttlink.Options, own keyPair, err error) {
	cfg := ln.cfg
	v := ln.c.values(ln)
	ln.clientID = cfg.client.with(&v)
	o = mqttlink.Options{
		Endpoint: cfg.endpoints[ln.endpoint], TLS: cfg.tls,
		ClientID: ln.clientID, Username: cfg.user.with(&v), Clean: cfg.CleanSession,
		KeepAlive: cfg.KeepAlive, PingTimeout: cfg.RequestTimeout, WriteTimeout: cfg.WriteTimeout, MaxPayload: cfg.MaxPayload,
	}
	o.Password = passwordOf(cfg.password, &v)
	if !clientText(o.ClientID) || !clientText(o.Username) || len(o.Password) > maxTopic {
		return o, own, refused(CodeIdentity, "clientId or username has control characters, or one of them or the password is longer than MQTT allows")
	}
	if cfg.own != nil {
		if own, err = cfg.own.of(&v); err != nil {
			return o, own, err
		}
	}
	v[clientID] = ln.clientID
	switch {
	case ln.only != nil:
		o.ReadBuffer, o.WriteBuffer = 512, 1024
		if cfg.topics.presence != nil {
			o.Will = &mqttlink.Will{Topic: cfg.topics.presence.with(&v), Payload: presence(ln.only, cfg.host, false, true), QoS: 1, Retain: true}
		}
	case cfg.topics.bridge != nil:
		o.Will = &mqttlink.Will{Topic: cfg.topics.bridge.with(&v), Payload: presence(nil, ln.clientID, false, true), QoS: 1, Retain: true}
	}
	return o, own, nil
}

// refusedConnect is an error of Dial as callers know it.
func refusedConnect(err error) error {
	var no *mqttlink.ConnackError
	if !errors.As(err, &no) || no.Code == mqttlink.CodeUnavailable {
		return err
	}
	return refused(int(no.Code), "the broker refused the connection: "+no.Error()+"; check clientId, username, password and certificate")
}

// permanent says whether err is a no for good.
func permanent(err error) bool { return errors.Is(err, auth.ErrDenied) }
