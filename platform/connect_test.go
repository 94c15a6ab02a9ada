package platform_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
)

// The first three are the vendor's published sample and its two other methods;
// the fourth is its sample without a timestamp and with the default method.
func TestConnectKnownAnswers(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) {
		c.Devices = []platform.Device{
			{ProductKey: "pk", DeviceName: "device", DeviceSecret: "secret"},
			{ProductKey: "a1mxL3s6Z7m", DeviceName: "866714043075174", DeviceSecret: "iWACqPLq90zRsiEhMSdPWHV8gaRAJ78O"},
		}
	})
	for name, c := range map[string]struct{ id, user, password string }{
		"hmacsha1":    {"12345|securemode=3,signmethod=hmacsha1,timestamp=789|", "device&pk", "FAFD82A3D602B37FB0FA8B7892F24A477F851A14"},
		"hmacmd5":     {"12345|securemode=3,signmethod=hmacmd5,timestamp=789|", "device&pk", "14b198324fe55e1d3c88f2e705e201ee"},
		"line breaks": {"12345|securemode=3,\n        signmethod=hmacsha1,\n        timestamp=789|", "device&pk", "FAFD82A3D602B37FB0FA8B7892F24A477F851A14"},
		"hmacsha256":  {"12345|timestamp=789,signmethod=HmacSha256,securemode=3,_v=x,lan=C,gw=1|", "device&pk", "6074A46A91B1EBB2CC4EA42790AD0E80202C9843859FC292E57C4EB19FAD9E57"},
		"noTimestamp": {"866714043075174|securemode=3|", "866714043075174&a1mxL3s6Z7m", "161d9143f5a4ea3f9ab60614583fd1d7"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(p, "pk", "device").SetClientID(c.id).SetUsername(c.user).SetPassword(c.password)
			cl := newClient(t, o)
			if err := cl.connect(); err != nil {
				t.Fatal(err)
			}
			cl.Disconnect(0)
		})
	}
}

func TestConnectRefused(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	if err := p.Disable(pk, "gateway-2"); err != nil {
		t.Fatal(err)
	}
	if err := p.Delete(spk, "stray-2"); err != nil {
		t.Fatal(err)
	}
	id := func(s string) func(*mqtt.ClientOptions) {
		return func(o *mqtt.ClientOptions) { o.SetClientID(s) }
	}
	for name, c := range map[string]struct {
		change func(*mqtt.ClientOptions)
		code   byte
		cause  string
	}{
		"signature":       {func(o *mqtt.ClientOptions) { o.SetPassword(sign("hmacsha256", "other", "x")) }, 4, "connect_signature"},
		"not hexadecimal": {func(o *mqtt.ClientOptions) { o.SetPassword("zz") }, 4, "connect_signature"},
		"unknown device":  {func(o *mqtt.ClientOptions) { o.SetUsername("nobody&" + pk) }, 4, "connect_device"},
		"username":        {func(o *mqtt.ClientOptions) { o.SetUsername(pk) }, 4, "connect_username"},
		"disabled":        {func(o *mqtt.ClientOptions) { *o = *options(p, pk, "gateway-2") }, 5, "connect_disabled"},
		"deleted":         {func(o *mqtt.ClientOptions) { *o = *options(p, spk, "stray-2") }, 5, "connect_deleted"},
		"no bars":         {id("gateway-1"), 2, "connect_client_id"},
		"one bar":         {id("gateway-1|securemode=3"), 2, "connect_client_id"},
		"no securemode":   {id("gateway-1|signmethod=hmacsha1|"), 2, "connect_client_id"},
		"securemode TLS":  {id("gateway-1|securemode=2,signmethod=hmacsha1|"), 2, "connect_client_id"},
		"method":          {id("gateway-1|securemode=3,signmethod=sha1|"), 2, "connect_client_id"},
		"timestamp":       {id("gateway-1|securemode=3,timestamp=now|"), 2, "connect_client_id"},
		"twice":           {id("gateway-1|securemode=3,securemode=3|"), 2, "connect_client_id"},
		"no value":        {id("gateway-1|securemode|"), 2, "connect_client_id"},
		"long":            {id(strings.Repeat("x", 65) + "|securemode=3|"), 2, "connect_client_id"},
		"empty":           {id("|securemode=3|"), 2, "connect_client_id"},
		"keep-alive low":  {func(o *mqtt.ClientOptions) { o.SetKeepAlive(29 * time.Second) }, 2, "connect_keep_alive"},
		"keep-alive high": {func(o *mqtt.ClientOptions) { o.SetKeepAlive(1201 * time.Second) }, 2, "connect_keep_alive"},
		"keep-alive none": {func(o *mqtt.ClientOptions) { o.SetKeepAlive(0) }, 2, "connect_keep_alive"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(p, pk, gw)
			c.change(o)
			before := p.Stats().Refused[c.cause]
			cl := newClient(t, o)
			tok := cl.Connect()
			tok.WaitTimeout(10 * time.Second)
			if tok.Error() == nil {
				cl.Disconnect(0)
				t.Fatal("connected")
			}
			if got := tok.(*mqtt.ConnectToken).ReturnCode(); got != c.code {
				t.Errorf("CONNACK %d (%v), want %d", got, tok.Error(), c.code)
			}
			if got := p.Stats().Refused[c.cause]; got != before+1 {
				t.Errorf("refused[%s] is %d, want %d; all: %v", c.cause, got, before+1, p.Stats().Refused)
			}
		})
	}
}

func TestConnectTaken(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for name, change := range map[string]func(*mqtt.ClientOptions){
		"shortest keep-alive": func(o *mqtt.ClientOptions) { o.SetKeepAlive(30 * time.Second) },
		"longest keep-alive":  func(o *mqtt.ClientOptions) { o.SetKeepAlive(1200 * time.Second) },
		"MQTT 3.1":            func(o *mqtt.ClientOptions) { o.SetProtocolVersion(3) },
		"a will":              func(o *mqtt.ClientOptions) { o.SetWill("/sys/"+pk+"/"+gw+"/thing/x", "gone", 0, false) },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(p, pk, gw)
			change(o)
			cl := newClient(t, o)
			if err := cl.connect(); err != nil {
				t.Fatal(err)
			}
			cl.Disconnect(0)
		})
	}
	if got := p.Stats().Refused["will"]; got != 1 {
		t.Errorf("counted %d wills", got)
	}
}

// MQTT 5 is refused with its own reason code 0x84.
func TestConnectMQTT5(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c, err := net.Dial("tcp", p.MQTTAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = c.Write([]byte{0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 0, 0, 1, 'x'})
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	got, _ := io.ReadAll(c)
	if len(got) < 4 || got[0] != 0x20 || got[3] == 0 {
		t.Errorf("answer is % x", got)
	}
	if p.Stats().Refused["connect_protocol"] != 1 {
		t.Errorf("refused: %v", p.Stats().Refused)
	}
}

func TestSilentConnectionEnds(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) { c.ConnectTimeout = 50 * time.Millisecond })
	c, err := net.Dial("tcp", p.MQTTAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v, want EOF", err)
	}
}

func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) { c.MaxConnections = 1 })
	dial(t, p, pk, gw)
	if err := newClient(t, options(p, pk, "gateway-2")).connect(); err == nil {
		t.Error("connected beyond the limit")
	}
	if p.Stats().Refused["connect_limit"] == 0 {
		t.Error("not counted")
	}
}

// A newer connection of a certificate ends the older, whatever its clientId.
func TestEviction(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	old := dialGateway(t, p)
	old.login("truck-1")
	o := options(p, pk, gw)
	content := "clientIdotherdeviceName" + gw + "productKey" + pk
	o.SetClientID("other|securemode=3,signmethod=hmacmd5|").SetPassword(sign("hmacmd5", secret, content))
	c := newClient(t, o)
	if err := c.connect(); err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect(0)
	select {
	case <-old.lost:
	case <-time.After(5 * time.Second):
		t.Fatal("the older connection stayed")
	}
	d, _ := p.Device(pk, gw)
	if !d.Online {
		t.Error("the gateway is offline")
	}
	d, _ = p.Device(spk, "truck-1")
	if d.Online {
		t.Error("a sub-device outlived the connection that carried it")
	}
	c.subscribe(c.session("#"))
	c.login("truck-1")
}

// Many connections of one certificate at once leave one of them, in order.
func TestEvictionRace(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	const n = 16
	clients := make([]*client, n)
	done := make(chan error, n)
	for i := range clients {
		clients[i] = newClient(t, options(p, pk, gw))
		go func() { done <- clients[i].connect() }()
	}
	for range n {
		<-done // evicted while connecting is no failure
	}
	c := dialGateway(t, p)
	c.login("truck-1")
	if s := p.Stats(); s.Online != 2 {
		t.Errorf("online: %d", s.Online)
	}
	for _, c := range clients {
		c.Disconnect(0)
	}
}

// With cleanSession=false subscriptions go on; those of sub-devices count again
// once these are logged in.
func TestPersistentSession(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	o := options(p, pk, gw).SetCleanSession(false)
	c := newClient(t, o)
	if err := c.connect(); err != nil {
		t.Fatal(err)
	}
	c.subscribe(c.session("#"))
	c.login("truck-1")
	topic := "/sys/" + spk + "/truck-1/thing/event/property/post"
	c.subscribe(topic + "_reply")
	if err := p.Disconnect(pk + "/" + gw); err != nil {
		t.Fatal(err)
	}
	<-c.lost
	if err := p.WaitOffline(t.Context(), pk, gw); err != nil {
		t.Fatal(err)
	}
	c = newClient(t, options(p, pk, gw).SetCleanSession(false))
	if err := c.connect(); err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect(0)
	c.login("truck-1")
	c.publish(topic, 0, `{"id":"1","params":{"a":1}}`)
	c.next(topic + "_reply")
}

func TestAutoRegister(t *testing.T) {
	t.Parallel()
	t.Run("any signature", func(t *testing.T) {
		t.Parallel()
		p := start(t, func(c *platform.Config) { c.Devices, c.AutoRegister = nil, true })
		c := dialGateway(t, p)
		c.login("truck-9")
		d, err := p.Device(spk, "truck-9")
		if err != nil || !d.Online || !d.Unverified {
			t.Errorf("device is %+v, %v", d, err)
		}
	})
	t.Run("one secret", func(t *testing.T) {
		t.Parallel()
		p := start(t, func(c *platform.Config) {
			c.Devices, c.AutoRegister, c.AutoSecret = nil, true, auth.Secret("other")
		})
		if err := newClient(t, options(p, pk, gw)).connect(); err == nil {
			t.Error("connected with a wrong secret")
		}
	})
	t.Run("limit", func(t *testing.T) {
		t.Parallel()
		p := start(t, func(c *platform.Config) { c.Devices, c.AutoRegister, c.MaxDevices = nil, true, 1 })
		dial(t, p, pk, gw)
		if err := newClient(t, options(p, pk, "gateway-2")).connect(); err == nil {
			t.Error("connected beyond the limit")
		}
	})
}
