package certify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
)

// registerTopic is where the platform says the secret, to whom it need not
// subscribe.
const registerTopic = "/ext/register"

// registerKeepAlive is in seconds: the platform ends such a connection after 15
// seconds whatever it says, and refuses less than 30.
const registerKeepAlive = 60

// The codes of a CONNACK (MQTT 3.1.1, section 3.2.2.3) as the platform uses them
// for registrations.
var connackCodes = map[int]string{
	2: "a parameter is wrong",
	3: "the platform failed",
	4: "the productSecret is wrong, or the device may not register",
	5: "the device may not register",
}

// MQTT is where and how to register over MQTT.
type MQTT struct {
	Address    string          // host:port
	TLS        *tls.Config     // nil: the system's authorities; the platform registers over TLS only
	SignMethod auth.SignMethod // default: hmacsha256
	Timeout    time.Duration   // of all of it; default: 10 s
}

// RegisterMQTT is [Client.Register] over MQTT: the platform takes a CONNECT with
// authType=register, signed with the product's secret, and says the device's own
// on /ext/register. A refusal has the code of the CONNACK.
func RegisterMQTT(ctx context.Context, m MQTT, p Product, deviceName string) (auth.Secret, error) {
	if m.SignMethod == "" {
		m.SignMethod = auth.HMACSHA256
	}
	if m.Timeout == 0 {
		m.Timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, m.Timeout)
	defer cancel()
	conf := m.TLS
	if conf == nil {
		conf = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c, err := (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", m.Address)
	if err != nil {
		return "", fmt.Errorf("certify: %w", err)
	}
	defer func() { _ = c.Close() }() // nothing is lost: the secret has come, or does not come
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	secret, err := register(c, m.SignMethod, p, deviceName)
	if ctx.Err() != nil && err != nil {
		return "", fmt.Errorf("certify: registration of %s/%s over MQTT: %w", p.Key, deviceName, ctx.Err())
	}
	return secret, err
}

func register(c net.Conn, method auth.SignMethod, p Product, deviceName string) (auth.Secret, error) {
	nonce := random()
	connect, ok := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	if !ok {
		return "", ErrAnswer
	}
	connect.ProtocolName, connect.ProtocolVersion = "MQTT", 4
	connect.CleanSession, connect.Keepalive = true, registerKeepAlive
	connect.ClientIdentifier = clientID(p.Key, deviceName) + "|securemode=2,authType=register,random=" + nonce + ",signmethod=" + string(method) + "|"
	connect.UsernameFlag, connect.Username = true, deviceName+"&"+p.Key
	connect.PasswordFlag, connect.Password = true, []byte(auth.Sign(method, p.Secret, registration(p.Key, deviceName, nonce)...))
	if err := connect.Write(c); err != nil {
		return "", fmt.Errorf("certify: %w", err)
	}
	for {
		packet, err := packets.ReadPacket(c)
		if err != nil {
			return "", fmt.Errorf("certify: registration of %s/%s: the connection ended without a secret: %w", p.Key, deviceName, err)
		}
		switch packet := packet.(type) {
		case *packets.ConnackPacket:
			if packet.ReturnCode != packets.Accepted {
				return "", connackError(p.Key, deviceName, int(packet.ReturnCode))
			}
		case *packets.PublishPacket:
			if packet.TopicName == registerTopic {
				return registered(packet.Payload, p.Key, deviceName)
			}
		}
	}
}

// clientID is the client's own part of the identifier, cut to what the platform
// takes; it is not signed.
func clientID(productKey, deviceName string) string {
	id := productKey + "." + deviceName
	return id[:min(len(id), maxClientID)]
}

func connackError(productKey, deviceName string, code int) error {
	err := Refused(productKey, deviceName, code, connackCodes[code])
	var r *upstream.RefusedError
	if errors.As(err, &r) {
		r.Temporary = code == packets.ErrRefusedServerUnavailable
	}
	return err
}

func registered(payload []byte, productKey, deviceName string) (auth.Secret, error) {
	var got struct {
		ProductKey   string `json:"productKey"`
		DeviceName   string `json:"deviceName"`
		DeviceSecret string `json:"deviceSecret"`
	}
	switch {
	case json.Unmarshal(payload, &got) != nil || got.DeviceSecret == "":
		return "", fmt.Errorf("%w: no deviceSecret on %s", ErrAnswer, registerTopic)
	case got.ProductKey != productKey || got.DeviceName != deviceName:
		return "", fmt.Errorf("%w: the secret of another device, %s/%s", ErrAnswer, got.ProductKey, got.DeviceName)
	}
	return auth.Secret(got.DeviceSecret), nil
}
