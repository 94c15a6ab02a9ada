package platform_test

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/platform"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childData); path != "" { // this is TestKilled's
		if err := childPlatform(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) // what TestMain is for
		}
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	pk     = "a1gateway01"
	gw     = "gateway-1"
	spk    = "a1truck0001"
	secret = "secret"
)

// start is a running platform with a gateway and three trucks in its topology,
// and two that are not.
func start(tb testing.TB, change func(*platform.Config), opts ...platform.Option) *platform.Platform {
	tb.Helper()
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Devices = []platform.Device{
		{ProductKey: pk, DeviceName: gw, DeviceSecret: secret},
		{ProductKey: pk, DeviceName: "gateway-2", DeviceSecret: secret},
		{ProductKey: spk, DeviceName: "truck-1", DeviceSecret: secret, Gateway: pk + "/" + gw},
		{ProductKey: spk, DeviceName: "truck-2", DeviceSecret: secret, Gateway: pk + "/" + gw},
		{ProductKey: spk, DeviceName: "truck-3", DeviceSecret: secret, Gateway: pk + "/" + gw},
		{ProductKey: spk, DeviceName: "stray-1", DeviceSecret: secret},
		{ProductKey: spk, DeviceName: "stray-2", DeviceSecret: secret},
	}
	if change != nil {
		change(&cfg)
	}
	p, err := platform.New(cfg, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return p
}

// sign is an independent signature: sorted content, HMAC, hexadecimal.
func sign(method, key, content string) string {
	h := map[string]func() hash.Hash{"hmacmd5": md5.New, "hmacsha1": sha1.New, "hmacsha256": sha256.New}[strings.ToLower(method)]
	mac := hmac.New(h, []byte(key))
	mac.Write([]byte(content))
	return hex.EncodeToString(mac.Sum(nil))
}

// message is what a client got.
type message struct {
	topic   string
	payload []byte
}

// client is a device or a gateway as a stranger would write it.
type client struct {
	mqtt.Client
	t    testing.TB
	got  chan message
	lost chan error
	pk   string
	dn   string
}

// options are those of a right CONNECT.
func options(p *platform.Platform, pk, dn string) *mqtt.ClientOptions {
	content := "clientId" + dn + "deviceName" + dn + "productKey" + pk + "timestamp789"
	return mqtt.NewClientOptions().
		AddBroker("tcp://" + p.MQTTAddr()).
		SetProtocolVersion(4).
		SetClientID(dn + "|securemode=3,signmethod=hmacsha256,timestamp=789|").
		SetUsername(dn + "&" + pk).
		SetPassword(sign("hmacsha256", secret, content)).
		SetKeepAlive(60 * time.Second).
		SetConnectTimeout(5 * time.Second).
		SetAutoReconnect(false).
		SetConnectRetry(false)
}

func newClient(tb testing.TB, o *mqtt.ClientOptions) *client {
	tb.Helper()
	c := &client{t: tb, got: make(chan message, 10_000), lost: make(chan error, 1)}
	c.dn, c.pk, _ = strings.Cut(o.Username, "&")
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) { c.lost <- err })
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		c.got <- message{m.Topic(), append([]byte{}, m.Payload()...)}
	})
	c.Client = mqtt.NewClient(o)
	return c
}

func (c *client) connect() error {
	tok := c.Connect()
	tok.WaitTimeout(10 * time.Second)
	return tok.Error()
}

// dial is a connected client of the device.
func dial(tb testing.TB, p *platform.Platform, pk, dn string) *client {
	tb.Helper()
	c := newClient(tb, options(p, pk, dn))
	if err := c.connect(); err != nil {
		tb.Fatalf("connect %s: %v", dn, err)
	}
	tb.Cleanup(func() { c.Disconnect(0) })
	return c
}

// dialGateway is a connected gateway that listens to everything of its own.
func dialGateway(tb testing.TB, p *platform.Platform) *client {
	tb.Helper()
	c := dial(tb, p, pk, gw)
	c.subscribe(c.session("#"), c.sys("#"), "/ext/error/"+pk+"/"+gw)
	return c
}

func (c *client) session(rest string) string { return "/ext/session/" + c.pk + "/" + c.dn + "/" + rest }
func (c *client) sys(rest string) string     { return "/sys/" + c.pk + "/" + c.dn + "/" + rest }

func (c *client) subscribe(filters ...string) {
	c.t.Helper()
	for f, granted := range c.subscribeAll(filters...) {
		if granted > 1 {
			c.t.Fatalf("subscription to %s refused: %#x", f, granted)
		}
	}
}

func (c *client) subscribeAll(filters ...string) map[string]byte {
	c.t.Helper()
	m := map[string]byte{}
	for _, f := range filters {
		m[f] = 1
	}
	tok := c.SubscribeMultiple(m, nil)
	if !tok.WaitTimeout(5 * time.Second) {
		c.t.Fatal("no SUBACK")
	}
	return tok.(*mqtt.SubscribeToken).Result()
}

func (c *client) publish(topic string, qos byte, payload string) {
	c.t.Helper()
	tok := c.Publish(topic, qos, false, payload)
	if !tok.WaitTimeout(5 * time.Second) {
		c.t.Fatalf("publish to %s: not done", topic)
	}
}

// next is the next message, which must be under that topic.
func (c *client) next(topic string) map[string]any {
	c.t.Helper()
	select {
	case m := <-c.got:
		if m.topic != topic {
			c.t.Fatalf("got %s %s, want something under %s", m.topic, m.payload, topic)
		}
		var v map[string]any
		if err := json.Unmarshal(m.payload, &v); err != nil {
			c.t.Fatalf("%s: %v in %s", topic, err, m.payload)
		}
		return v
	case err := <-c.lost:
		c.t.Fatalf("connection lost while waiting for %s: %v", topic, err)
	case <-time.After(5 * time.Second):
		c.t.Fatalf("nothing under %s", topic)
	}
	return nil
}

// loginParams are those of a right login.
func loginParams(pk, dn string) string {
	s := sign("hmacsha1", secret, "clientId"+dn+"deviceName"+dn+"productKey"+pk+"timestamp123")
	return fmt.Sprintf(`{"productKey":%q,"deviceName":%q,"clientId":%q,"timestamp":"123","signMethod":"hmacSha1","sign":%q,"cleanSession":"true"}`, pk, dn, dn, s)
}

// login logs sub-devices of the trucks' product in.
func (c *client) login(names ...string) {
	c.t.Helper()
	for _, dn := range names {
		c.publish(c.session("combine/login"), 0, `{"id":"1","params":`+loginParams(spk, dn)+`}`)
		if r := c.next(c.session("combine/login_reply")); r["code"] != 200.0 {
			c.t.Fatalf("login of %s: %v", dn, r)
		}
	}
}

func TestPropertyPost(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := dialGateway(t, p)
	c.login("truck-1")
	topic := "/sys/" + spk + "/truck-1/thing/event/property/post"
	c.subscribe(topic + "_reply")
	c.publish(topic, 1, `{"id":7,"version":"1.0","params":{"Power":{"value":"on","time":1524448722000},"WF":23.6},"method":"thing.event.property.post"}`)
	r := c.next(topic + "_reply")
	if r["id"] != "7" || r["code"] != 200.0 {
		t.Errorf("reply is %v", r)
	}
	d, err := p.Device(spk, "truck-1")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(d.Properties["Power"].Value); got != `"on"` {
		t.Errorf("Power is %s", got)
	}
	if at := d.Properties["Power"].Time; at.UnixMilli() != 1524448722000 {
		t.Errorf("Power is of %s", at)
	}
	if got := string(d.Properties["WF"].Value); got != "23.6" {
		t.Errorf("WF is %s", got)
	}
	if !d.Online || d.Gateway != pk+"/"+gw || d.Counters.Properties != 1 {
		t.Errorf("device is %+v", d)
	}
}
