package platform

import (
	"fmt"
	"strings"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// The CONNACK return codes of MQTT 3.1.1 (section 3.2.2.3), and what the
// platform means by them.
const (
	connackProtocol    byte = 1 // not MQTT 3.1 or 3.1.1
	connackIdentifier  byte = 2 // the clientId or the keep-alive is wrong
	connackServer      byte = 3 // the platform cannot serve it now
	connackCredentials byte = 4 // the username, the device or the signature is wrong
	connackAuthorized  byte = 5 // the device is disabled or deleted
)

// maxClientID is the vendor's bound on the part of the clientId before the bar.
const maxClientID = 64

// clientID is the clientId of a CONNECT taken apart:
// "{id}|securemode=3,signmethod=hmacsha1,timestamp=1524448722000|".
type clientID struct {
	id        string
	method    string
	timestamp string
	autoSub   bool
	random    string // of a registration
	secure    bool   // securemode=2: TLS
}

// parseClientID is strict: what the vendor's gateway might forgive today is a
// mistake all the same.
func parseClientID(s string) (clientID, error) {
	id, rest, ok := strings.Cut(s, "|")
	if !ok {
		return clientID{}, fmt.Errorf("clientId %q has no |parameters|", s)
	}
	list, ok := strings.CutSuffix(rest, "|")
	if !ok || strings.Contains(list, "|") {
		return clientID{}, fmt.Errorf("clientId %q does not end with its second |", s)
	}
	if id == "" || len(id) > maxClientID {
		return clientID{}, fmt.Errorf("clientId %q has %d characters before the |, want 1 to %d", s, len(id), maxClientID)
	}
	c := clientID{id: id, method: "hmacmd5"}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(list, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=") // the first SDK for Node.js breaks lines there
		if !ok || name == "" {
			return clientID{}, fmt.Errorf("clientId %q: %q is no name=value", s, pair)
		}
		if seen[name] {
			return clientID{}, fmt.Errorf("clientId %q: %s occurs twice", s, name)
		}
		seen[name] = true
		switch name {
		case "securemode":
			if value != "2" && value != "3" {
				return clientID{}, fmt.Errorf("clientId %q: securemode is %q, want 3, or 2 over TLS", s, value)
			}
			c.secure = value == "2"
		case "signmethod":
			if newHash(value) == nil {
				return clientID{}, fmt.Errorf("clientId %q: signmethod %q is none of hmacmd5, hmacsha1, hmacsha256", s, value)
			}
			c.method = value
		case "timestamp":
			if value == "" || strings.Trim(value, "0123456789") != "" {
				return clientID{}, fmt.Errorf("clientId %q: timestamp %q is no number", s, value)
			}
			c.timestamp = value
		case "random":
			c.random = value
		case "_ss":
			c.autoSub = value == "1"
		}
	}
	if !seen["securemode"] {
		return clientID{}, fmt.Errorf("clientId %q has no securemode", s)
	}
	return c, nil
}

// connectError is a CONNECT that the platform does not take.
type connectError struct {
	code   byte   // of the CONNACK
	cause  string // its counter
	detail string
}

func (e *connectError) Error() string {
	return fmt.Sprintf("platform: connection refused with CONNACK %d, %s: %s", e.code, e.cause, e.detail)
}

func refuse(code byte, cause, format string, args ...any) error {
	return &connectError{code, cause, fmt.Sprintf(format, args...)}
}

// authenticate checks a CONNECT and names the device and the clientId it is of.
func (p *Platform) authenticate(l *link, pk *packets.Packet) (*device, clientID, error) {
	c := &pk.Connect
	none := clientID{}
	if pk.ProtocolVersion != 3 && pk.ProtocolVersion != 4 {
		return nil, none, refuse(connackProtocol, "connect_protocol", "MQTT version %d, want 3.1 or 3.1.1", pk.ProtocolVersion)
	}
	if code, fault := p.faults.connect(); fault {
		return nil, none, refuse(code, "connect_fault", "on purpose")
	}
	if err := p.checkKeepAlive(c.Keepalive); err != nil {
		return nil, none, err
	}
	if c.ClientIdentifier != "" && len(c.ClientIdentifier) <= maxClientID && !strings.Contains(string(c.Username), "&") && !strings.Contains(c.ClientIdentifier, "|") {
		dev, err := p.tokenConnect(l, string(c.Username), string(c.Password))
		return dev, clientID{id: c.ClientIdentifier, secure: l.secure}, err
	}
	id, err := parseClientID(c.ClientIdentifier)
	if err != nil {
		return nil, none, refuse(connackIdentifier, "connect_client_id", "%v", err)
	}
	if id.secure != l.secure {
		return nil, none, refuse(connackIdentifier, "connect_client_id", "securemode is for TLS: %t, the connection is: %t; want 2 over TLS, 3 without", id.secure, l.secure)
	}
	dn, pkey, ok := strings.Cut(string(c.Username), "&")
	if !ok || !validName(dn) || !validName(pkey) {
		return nil, none, refuse(connackCredentials, "connect_username", "%q is no deviceName&productKey", c.Username)
	}
	dev, err := p.deviceFor(key{pkey, dn})
	if err != nil {
		return nil, none, refuse(connackCredentials, "connect_device", "%v", err)
	}
	cred := credentials{
		clientID: id.id, deviceName: dn, productKey: pkey,
		timestamp: id.timestamp, method: id.method, sign: string(c.Password),
	}
	switch p.checkIdentity(dev, &cred) {
	case CodeDeleted:
		return nil, none, refuse(connackAuthorized, "connect_deleted", "device %s is deleted", dev.name)
	case CodeForbidden:
		return nil, none, refuse(connackAuthorized, "connect_disabled", "device %s is disabled", dev.name)
	case CodeSign:
		return nil, none, refuse(connackCredentials, "connect_signature",
			"the password of %s is not the %s of %q", dev.name, id.method, cred.content(false))
	default:
		return dev, id, nil
	}
}

func (p *Platform) checkKeepAlive(seconds uint16) error {
	d := time.Duration(seconds) * time.Second
	if d < p.cfg.MinKeepAlive || p.cfg.MaxKeepAlive > 0 && d > p.cfg.MaxKeepAlive {
		return refuse(connackIdentifier, "connect_keep_alive", "keep-alive is %s, want %s to %s", d, p.cfg.MinKeepAlive, p.cfg.MaxKeepAlive)
	}
	return nil
}
