package platform

import (
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/linkspan/linkspan/auth"
)

// Product is a product whose devices may register by its certificate.
type Product struct {
	ProductKey      string      `conf:"productKey" doc:"the product"`
	ProductSecret   auth.Secret `conf:"productSecret" doc:"signs registrations of its devices"`
	DynamicRegister bool        `conf:"dynamicRegister" doc:"whether its devices may register, by its secret or through a gateway"`
}

func (d *Product) validate() error {
	switch {
	case !validName(d.ProductKey):
		return fmt.Errorf("%q is no productKey", d.ProductKey)
	case d.ProductSecret == "":
		return fmt.Errorf("%s has no productSecret", d.ProductKey)
	default:
		return nil
	}
}

// registration is a request for a device's secret, signed with its product's.
type registration struct {
	key    key
	random string
	method string
	sign   string
}

// verify says whether r is signed with secret: deviceName, productKey and random.
func (r *registration) verify(secret auth.Secret) bool {
	h := newHash(r.method)
	given, err := hex.DecodeString(r.sign)
	if h == nil || err != nil {
		return false
	}
	return hmac.Equal(given, sum(h, secret, "deviceName"+r.key.device+"productKey"+r.key.product+"random"+r.random))
}

// mayRegister says whether devices of the product may register: CodeOK for a
// product that nobody has said anything about.
func (p *Platform) mayRegister(productKey string) Code {
	if product, said := p.products[productKey]; said && !product.DynamicRegister {
		return CodeNoRegister
	}
	return CodeOK
}

// register gives a device a new secret, as often as it asks before it was first
// online. It counts when it is on the disk.
func (p *Platform) register(r *registration) (auth.Secret, Code) {
	secret, code := p.newSecret(r)
	if code == CodeOK {
		code = p.committed(reply{code: CodeOK}).code
	}
	return secret, code
}

func (p *Platform) newSecret(r *registration) (auth.Secret, Code) {
	if !validName(r.key.product) || !validName(r.key.device) || r.random == "" || r.sign == "" || newHash(r.method) == nil {
		return "", CodeParameter
	}
	product, known := p.products[r.key.product]
	if !known || !r.verify(product.ProductSecret) {
		return "", CodeAuth
	}
	if code := p.mayRegister(r.key.product); code != CodeOK {
		return "", code
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	dev := p.devices[r.key]
	if dev == nil && p.cfg.AutoRegister {
		dev, _ = p.create(r.key, "")
	}
	switch {
	case dev == nil, dev.deleted:
		return "", CodeNotFound
	case dev.disabled:
		return "", CodeForbidden
	case !dev.since.IsZero():
		return "", CodeActivated
	}
	dev.secret, dev.unverified = randomSecret(), false
	p.alter(dev)
	return dev.secret, CodeOK
}

// errOnPurpose ends a CONNECT that a fault leaves without an answer.
var errOnPurpose = errors.New("platform: " + onPurpose)

// errRegistered ends the connection of a client that has got its secret.
var errRegistered = errors.New("platform: registered")

// registers says whether a CONNECT asks for a secret.
func registers(clientIdentifier string) bool {
	_, list, _ := strings.Cut(clientIdentifier, "|")
	for pair := range strings.SplitSeq(strings.TrimSuffix(list, "|"), ",") {
		if pair == "authType=register" {
			return true
		}
	}
	return false
}

// registerConnect answers a CONNECT with authType=register: the secret comes under
// /ext/register, to which nobody has to subscribe. Unlike the vendor's platform,
// which waits for 15 seconds, this one ends the connection then.
func (p *Platform) registerConnect(l *link, pk *packets.Packet) (payload []byte, err error) {
	c := &pk.Connect
	id, err := parseClientID(c.ClientIdentifier)
	if err != nil {
		return nil, refuse(connackIdentifier, "register_client_id", "%v", err)
	}
	if !id.secure || !l.secure {
		return nil, refuse(connackIdentifier, "register_client_id", "devices register over TLS only, with securemode=2")
	}
	dn, pkey, _ := strings.Cut(string(c.Username), "&")
	r := registration{key: key{pkey, dn}, random: id.random, method: id.method, sign: string(c.Password)}
	if err := p.strikeConnect(l, "register", r.key); err != nil {
		return nil, err
	}
	if code, fault := p.faults.request(); fault {
		return nil, refuse(connackServer, "register_fault", "on purpose, code %d", code)
	}
	secret, code := p.register(&r)
	switch code {
	case CodeOK:
	case CodeParameter:
		return nil, refuse(connackIdentifier, "register_parameter", "want names, random, signmethod and a password")
	default:
		return nil, refuse(connackCredentials, "register_refused", "%s: code %d, %s", r.key, code, code)
	}
	return json.Marshal(map[string]string{"productKey": pkey, "deviceName": dn, "deviceSecret": revealed(secret)})
}

// token is what a device connects to MQTT with after HTTPS authentication.
type token struct {
	key     key
	secret  auth.Secret
	expires time.Time
}

// tokenLife is the vendor's.
const tokenLife = 7 * 24 * time.Hour

// newToken gives a device a token in the place of its older one.
func (p *Platform) newToken(dev *device) (iotID string, secret auth.Secret) {
	iotID, secret = dev.iotID(), randomSecret()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.touch(dev)
	p.tokens[iotID] = token{dev.key, secret, p.now().Add(tokenLife)}
	return iotID, secret
}

// tokenConnect checks a CONNECT with a token: CONNACK 3 is what the vendor says to
// one that is not valid.
func (p *Platform) tokenConnect(l *link, iotID, secret string) (*device, error) {
	p.mu.RLock()
	t, known := p.tokens[iotID]
	dev := p.devices[t.key]
	p.mu.RUnlock()
	switch {
	case !known, dev == nil, p.now().After(t.expires), !hmac.Equal([]byte(t.secret.Reveal()), []byte(secret)):
		return nil, refuse(connackServer, "connect_token", "%.40q is no iotId, or its iotToken is wrong or expired", iotID)
	case !l.secure && p.cfg.encrypts():
		return nil, refuse(connackIdentifier, "connect_token", "devices connect with a token over TLS")
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if !p.mayStay(dev) {
		return nil, refuse(connackAuthorized, "connect_disabled", "device %s is disabled or deleted", dev.name)
	}
	return dev, nil
}
