package direct_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/direct"
)

const patience = 10 * time.Second

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// start starts a connector, which ends with the test.
func start(t *testing.T, cfg direct.Config) *direct.Connector {
	t.Helper()
	c := newConnector(t, cfg)
	if err := c.Start(t.Context(), upstream.Host{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := c.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

func login(t *testing.T, c upstream.Connector, l upstream.Login) (upstream.Device, error) {
	t.Helper()
	type result struct {
		d   upstream.Device
		err error
	}
	done := make(chan result, 2)
	c.Login(l, func(d upstream.Device, err error) { done <- result{d, err} })
	r := await(t, "done of Login", done)
	return r.d, r.err
}

func publish(t *testing.T, d upstream.Device, m *thing.Message) error {
	t.Helper()
	done := make(chan error, 2)
	d.Publish(m, func(err error) { done <- err })
	return await(t, "done of Publish", done)
}

func logout(t *testing.T, d upstream.Device) {
	t.Helper()
	done := make(chan error, 2)
	d.Logout(func(err error) { done <- err })
	if err := await(t, "done of Logout", done); err != nil {
		t.Errorf("Logout: %v", err)
	}
}

func await[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatalf("%s was never called", what)
	}
	return v
}

func number(n int, qos thing.QoS) *thing.Message {
	return &thing.Message{Kind: thing.Property, QoS: qos, Fields: []thing.Field{{Name: "n", Value: thing.Int(int64(n))}}}
}

// wantCode says whether err is a refusal with that code.
func wantCode(t *testing.T, err error, code int, temporary bool) {
	t.Helper()
	var refused *upstream.RefusedError
	if !errors.As(err, &refused) || refused.Code != code || refused.Temporary != temporary || refused.Reason == "" {
		t.Errorf("error %v, want a refusal with code %d, temporary %v", err, code, temporary)
	}
}

func TestMistakesAreReportedTogether(t *testing.T) {
	t.Parallel()
	_, err := direct.New(direct.Config{
		Endpoint: "mqtt5://x", CAFile: "gone.pem", AuthEndpoint: "https://x", ClientIDPrefix: "a|b", SignMethod: "rot13", KeepAlive: time.Second, QoS: 2,
		Confirm: "maybe", Subscribe: "never", CustomTopics: []string{"/user/get"}, MaxDevices: -1, ConnectRate: -1, Connecting: -1, ConnectsPerMinute: -1,
		RequestTimeout: -1, HoldTimeout: -1, InFlight: -1, Queue: -1, QueueBytes: -1, ConnectTimeout: -1, ReconnectMin: time.Hour, WriteTimeout: -1,
	})
	for _, want := range []string{
		"endpoint", "caFile", "authEndpoint is given, but auth is not https", "clientIdPrefix", "signMethod", "keepAlive is 1s, want 30s to 1200s", "qos", "confirm", "subscribe",
		"customTopics", "maxDevices", "connectRate", "connecting", "connectsPerMinute", "requestTimeout", "holdTimeout", "inFlight", "queue ", "queueBytes",
		"connectTimeout", "reconnectMax", "writeTimeout",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	for want, cfg := range map[string]direct.Config{
		"want ssl:// or wss://":            {Auth: direct.AuthHTTPS, Endpoint: "tcp://x:1883"},
		"want https://":                    {Auth: direct.AuthHTTPS, AuthEndpoint: "http://x/auth/devicename"},
		"is neither ssl:// nor wss://":     {Endpoint: "tcp://x:1883", ServerName: "x"},
		`auth is "both", want one of sign`: {Auth: "both"},
	} {
		if _, err := direct.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	if _, err := direct.New(direct.Config{}); err != nil {
		t.Errorf("nothing at all: %v", err)
	}
}

// gateConfig leads to a platform that wants tokens.
func gateConfig(g *gate) direct.Config {
	c := direct.DefaultConfig()
	c.Auth, c.AuthEndpoint, c.CAFile = direct.AuthHTTPS, g.tokens.URL+"/auth/devicename", g.caFile
	c.Endpoint = "ssl://" + net.JoinHostPort(g.host, g.port)
	c.ReconnectMin, c.ReconnectMax = 10*time.Millisecond, 50*time.Millisecond
	c.ConnectRate, c.ConnectsPerMinute = 10_000, 0
	return c
}

// A token is got first, with a signature of all but version, sign, resources and
// signmethod; then it is used until the platform does not know it any more.
func TestTokens(t *testing.T) {
	t.Parallel()
	g := startGate(t)
	cfg := gateConfig(g)
	cfg.Endpoint, cfg.SignMethod = "", "hmacmd5" // the answer says where to connect
	g.answer = func(url.Values) (int, string) {
		return 200, strings.Replace(goodToken, `"iotToken"`, `"Resources":{"mqtt":{"host":"`+g.host+`","port":`+g.port+`}},"iotToken"`, 1)
	}
	c := start(t, cfg)
	id := platformtest.Truck(1)
	d, err := login(t, c, upstream.Login{Device: id})
	if err != nil {
		t.Fatal(err)
	}
	if err := publish(t, d, number(1, thing.AtLeastOnce)); err != nil {
		t.Error(err)
	}
	logout(t, d)
	g.mu.Lock()
	form, connect := g.forms[0], g.connects[0]
	g.mu.Unlock()
	for key, want := range map[string]string{
		"productKey": id.ProductKey, "deviceName": id.DeviceName, "clientId": "a1truck0001.truck-1", "signmethod": "hmacmd5", "resources": "mqtt",
		"sign": auth.Sign(auth.HMACMD5, id.DeviceSecret, auth.Param{Name: "productKey", Value: id.ProductKey}, auth.Param{Name: "deviceName", Value: id.DeviceName},
			auth.Param{Name: "clientId", Value: "a1truck0001.truck-1"}, auth.Param{Name: "timestamp", Value: form.Get("timestamp")}),
	} {
		if form.Get(key) != want {
			t.Errorf("%s is %q, want %q", key, form.Get(key), want)
		}
	}
	if string(connect.Username) != "42Ze0mk3556498a1A1TP" || string(connect.Password) != g.valid || connect.ClientIdentifier != "a1truck0001.truck-1" {
		t.Errorf("CONNECT of %q as %q", connect.Username, connect.ClientIdentifier)
	}
}

// A token that the platform does not know any more is replaced, within the same
// attempt.
func TestTokenIsRenewed(t *testing.T) {
	t.Parallel()
	g := startGate(t)
	c := start(t, gateConfig(g))
	if _, err := login(t, c, upstream.Login{Device: platformtest.Truck(1)}); err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	g.valid = "another"
	g.answer = func(url.Values) (int, string) {
		return 200, strings.Replace(goodToken, "0d7fdeb9dc1f4344a2cc0d45edcb0bcb", "another", 1)
	}
	g.mu.Unlock()
	for _, cl := range g.server.Clients.GetAll() {
		cl.Stop(errors.New("on purpose"))
	}
	waitFor(t, "a reconnect", func() bool { return c.Stats().Reconnects == 1 && c.Stats().Online == 1 })
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.forms) != 2 || len(g.connects) != 3 {
		t.Errorf("%d tokens and %d CONNECTs, want 2 and 3: the old token is tried once", len(g.forms), len(g.connects))
	}
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("never: %s", what)
		}
	}
}

// Every code of the authentication service is an error that says what to do.
func TestAuthenticationRefused(t *testing.T) {
	t.Parallel()
	for _, code := range []int{401, 460, 5001, 6200, 777} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			g := startGate(t)
			g.answer = func(url.Values) (int, string) { return 200, fmt.Sprintf(`{"code":%d,"message":"why"}`, code) }
			_, err := login(t, start(t, gateConfig(g)), upstream.Login{Device: platformtest.Truck(1)})
			wantCode(t, err, code, false)
			if !strings.Contains(err.Error(), "why") || !errors.Is(err, auth.ErrDenied) {
				t.Errorf("error %v", err)
			}
			if len(g.connects) > 0 {
				t.Error("connected without a token")
			}
		})
	}
	for name, answer := range map[string]string{
		"500": `{"code":"500"}`, "no JSON": `<html>`, "no token": `{"code":200,"data":{"iotId":"x"}}`, "no code": `{}`,
		"a host that is none": strings.Replace(goodToken, `"iotToken"`, `"resources":{"mqtt":{"host":"a/b","port":1}},"iotToken"`, 1),
	} {
		t.Run(name, func(t *testing.T) { // the service fails for now: the login waits, and tries again
			t.Parallel()
			g := startGate(t)
			calls := 0
			g.answer = func(url.Values) (int, string) {
				if calls++; calls < 3 {
					return 200, answer
				}
				return 200, goodToken
			}
			c := start(t, gateConfig(g))
			if _, err := login(t, c, upstream.Login{Device: platformtest.Truck(1)}); err != nil {
				t.Error(err)
			}
			if got := c.Stats().Failures; got != 2 {
				t.Errorf("%d failures, want 2", got)
			}
		})
	}
}

// A device that is refused for good is lost, and connects no more.
func TestDisabledWhileAway(t *testing.T) {
	t.Parallel()
	g := startGate(t)
	c := start(t, gateConfig(g))
	lost := make(chan error, 2)
	d, err := login(t, c, upstream.Login{Device: platformtest.Truck(1), Lost: func(err error) { lost <- err }})
	if err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	g.valid = "none any more"
	g.answer = func(url.Values) (int, string) { return 200, `{"code":6200,"message":"auth type mismatch"}` }
	g.mu.Unlock()
	for _, cl := range g.server.Clients.GetAll() {
		cl.Stop(errors.New("on purpose"))
	}
	wantCode(t, await(t, "Lost", lost), 6200, false)
	wantCode(t, publish(t, d, number(1, thing.AtLeastOnce)), 6200, false)
	if s := c.Stats(); s.Devices != 0 {
		t.Errorf("stats %+v", s)
	}
}

// What the platform asks that cannot be understood is answered, and what it says
// about the device itself is obeyed.
func TestRequestsOfThePlatform(t *testing.T) {
	t.Parallel()
	g := startGate(t)
	cfg := gateConfig(g)
	cfg.Broadcasts, cfg.CustomTopics = true, []string{"user/get"}
	c := start(t, cfg)
	commands, lost := make(chan *thing.Command, 10), make(chan error, 2)
	d, err := login(t, c, upstream.Login{
		Device: platformtest.Truck(1), Command: func(c *thing.Command) { commands <- c }, Lost: func(err error) { lost <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	const sys = "/sys/a1truck0001/truck-1/"
	tell := func(topic, payload string) {
		t.Helper()
		if err := g.server.Publish(topic, []byte(payload), false, 1); err != nil {
			t.Fatal(err)
		}
	}
	heard := func(topic string, with ...string) {
		t.Helper()
		pk := await(t, "a PUBLISH to "+topic, g.heard)
		for _, w := range with {
			if pk.TopicName != topic || !strings.Contains(string(pk.Payload), w) {
				t.Errorf("%s: %s, want %s with %s", pk.TopicName, pk.Payload, topic, w)
			}
		}
	}
	tell(sys+"thing/service/property/set", `{"id":"7","params":"wrong"}`)
	heard(sys+"thing/service/property/set_reply", `"id":"7"`, `"code":460`)
	tell(sys+"thing/service/property/set", `no JSON`)
	tell(sys+"rrpc/request/99", `{"id":"8","method":"thing.service.unlock","params":{"door":1}}`)
	cmd := await(t, "Command", commands)
	if cmd.Kind != thing.Service || cmd.Name != "unlock" {
		t.Errorf("command %+v", cmd)
	}
	reply := cmd.Reply(thing.Done)
	if err := publish(t, d, &reply); err != nil {
		t.Error(err)
	}
	heard(sys+"rrpc/response/99", `"id":"8"`, `"code":200`)
	tell("/broadcast/a1truck0001/news", "hear")
	if cmd = await(t, "Command", commands); cmd.Kind != thing.Notice || cmd.Topic != "/broadcast/a1truck0001/news" || string(cmd.Raw) != "hear" {
		t.Errorf("broadcast %+v", cmd)
	}
	tell("/a1truck0001/truck-1/user/get", "own")
	if cmd = await(t, "Command", commands); cmd.Kind != thing.Notice || string(cmd.Raw) != "own" {
		t.Errorf("custom topic %+v", cmd)
	}
	tell(sys+"thing/enable", `{"id":"9"}`)
	heard(sys+"thing/enable_reply", `"id":"9"`)
	tell(sys+"thing/disable", `{"id":"10"}`)
	heard(sys+"thing/disable_reply", `"id":"10"`, `"code":200`)
	wantCode(t, await(t, "Lost", lost), 522, false)
	waitFor(t, "the end of the connection", func() bool { return c.Stats().Devices == 0 })
	if s := c.Stats(); s.Errors["malformed"] != 2 || s.Errors["device_lost"] != 1 || s.Commands != 3 {
		t.Errorf("stats %+v", s)
	}
}

// A platform whose certificate nobody vouches for is none.
func TestStrangersCertificate(t *testing.T) {
	t.Parallel()
	p, stranger := startPlatform(t), startPlatform(t)
	cfg := config(p)
	cfg.Endpoint, cfg.CAFile, cfg.RequestTimeout = "ssl://"+p.TLSAddr(), trust(t, stranger), 300*time.Millisecond
	_, err := login(t, start(t, cfg), upstream.Login{Device: platformtest.Truck(0)})
	var unknown x509.UnknownAuthorityError
	if !errors.Is(err, upstream.ErrNotConnected) || !errors.As(err, &unknown) {
		t.Errorf("login: %v, want ErrNotConnected for an unknown authority", err)
	}
}

// Logins that come too often are refused before the platform does it.
func TestConnectsPerMinute(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	cfg := config(p)
	cfg.ConnectsPerMinute = 5
	c := start(t, cfg)
	for range 3 {
		d, err := login(t, c, upstream.Login{Device: platformtest.Truck(0)})
		if err != nil {
			t.Fatal(err)
		}
		logout(t, d)
	}
	_, err := login(t, c, upstream.Login{Device: platformtest.Truck(0)})
	wantCode(t, err, 429, true)
	if _, err = login(t, c, upstream.Login{Device: platformtest.Truck(1)}); err != nil {
		t.Errorf("another device: %v", err)
	}
}

// A device that the platform does not let in is refused for that also while it may not be asked
// about: nobody is to take the pause for a platform that is away.
func TestConnectsPerMinuteOfRefusedDevice(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	cfg := config(p)
	cfg.ConnectsPerMinute = 2
	c := start(t, cfg)
	wrong := platformtest.Truck(0)
	wrong.DeviceSecret = "wrong"
	for i := range 3 {
		_, err := login(t, c, upstream.Login{Device: wrong})
		wantCode(t, err, 4, false)
		var refused *upstream.RefusedError
		if errors.As(err, &refused) && refused.Repeated != (i >= 1) || i >= 1 && !strings.Contains(err.Error(), "connectsPerMinute") {
			t.Errorf("login %d: %v", i+1, err)
		}
	}
	if n := c.Stats().Errors["too_many_connects"]; n != 2 {
		t.Errorf("%d logins limited, want 2", n)
	}
	_, err := login(t, c, upstream.Login{Device: platformtest.Truck(0)})
	wantCode(t, err, 429, true)
}

// Two that have one certificate would end each other's connections for ever.
func TestConnectedElsewhere(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	cfg := config(p)
	cfg.ReconnectMax = time.Minute
	c := start(t, cfg)
	lost := make(chan error, 2)
	if _, err := login(t, c, upstream.Login{Device: platformtest.Truck(0), Lost: func(err error) { lost <- err }}); err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		waitFor(t, "the device", func() bool { return c.Stats().Online == 1 && c.Stats().Connects == uint64(n+1) })
		if err := p.Kick(platformtest.Truck(0).ProductKey, platformtest.Truck(0).DeviceName); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, await(t, "Lost", lost), 427, false)
	if s := c.Stats(); s.Connects != 5 || s.Errors["connection_lost"] != 5 {
		t.Errorf("stats %+v", s)
	}
}

func TestMaxDevices(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	cfg := config(p)
	cfg.MaxDevices = 1
	c := start(t, cfg)
	d, err := login(t, c, upstream.Login{Device: platformtest.Truck(0)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = login(t, c, upstream.Login{Device: platformtest.Truck(1)}); !errors.Is(err, upstream.ErrOverloaded) {
		t.Errorf("one too many: %v", err)
	}
	logout(t, d)
	waitFor(t, "room", func() bool { return c.Stats().Devices == 0 })
	if _, err = login(t, c, upstream.Login{Device: platformtest.Truck(1)}); err != nil {
		t.Errorf("after a logout: %v", err)
	}
}

// A login with another secret connects again, with that.
func TestSecretChanges(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	c := start(t, config(p))
	id := platformtest.Truck(0)
	if _, err := login(t, c, upstream.Login{Device: id}); err != nil {
		t.Fatal(err)
	}
	id.DeviceSecret = "wrong"
	_, err := login(t, c, upstream.Login{Device: id})
	wantCode(t, err, 4, false)
	if _, err = login(t, c, upstream.Login{Device: platformtest.Truck(0)}); err != nil {
		t.Error(err)
	}
}

// A message of QoS 0 never waits; one of QoS 1 waits for holdTimeout.
func TestMessagesWhileAway(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	cfg := config(p)
	cfg.HoldTimeout = 200 * time.Millisecond
	c := start(t, cfg)
	d, err := login(t, c, upstream.Login{Device: platformtest.Truck(0)})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SetFaults(api.Faults{RefuseConnects: &api.Refusal{Count: -1, Code: 3}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Disconnect("all"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the loss", func() bool { return c.Stats().Online == 0 })
	if err := publish(t, d, number(1, thing.AtMostOnce)); !errors.Is(err, upstream.ErrNotConnected) {
		t.Errorf("QoS 0: %v, want ErrNotConnected", err)
	}
	if err := publish(t, d, number(2, thing.AtLeastOnce)); !errors.Is(err, upstream.ErrNotConnected) {
		t.Errorf("QoS 1: %v, want ErrNotConnected", err)
	}
	if s := c.Stats(); s.Pending != 0 || s.PendingBytes != 0 {
		t.Errorf("stats %+v", s)
	}
}

// A device that is faster than the platform takes waits, and loses nothing.
func TestFasterThanMessageRate(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	cfg := config(p)
	cfg.MessageRate = 100
	c := start(t, cfg)
	d, err := login(t, c, upstream.Login{Device: platformtest.Truck(0)})
	if err != nil {
		t.Fatal(err)
	}
	const n = 140
	done := make(chan int, n)
	began := time.Now()
	for i := range n {
		d.Publish(number(i, thing.AtLeastOnce), func(err error) {
			if err != nil {
				t.Errorf("message %d: %v", i, err)
			}
			done <- i
		})
	}
	for i := range n {
		if got := await(t, "done of Publish", done); got != i {
			t.Fatalf("done of %d, want %d", got, i)
		}
	}
	if took := time.Since(began); took < 300*time.Millisecond { // 100 at once, 40 at 100 a second
		t.Errorf("all is said after %v", took)
	}
	if s := c.Stats(); s.Slowed == 0 || s.Acknowledged != n {
		t.Errorf("stats %+v", s)
	}
}

// However many devices want to be connected, no more than connecting are at a
// time: a platform that hangs is not stormed.
func TestNoMoreThanConnecting(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open atomic.Int32
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			open.Add(1)
			serving.Go(func() { // a CONNECT comes, and no CONNACK goes
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); serving.Wait() })
	cfg := direct.DefaultConfig()
	cfg.Endpoint, cfg.Connecting, cfg.ConnectRate, cfg.ConnectTimeout = "tcp://"+ln.Addr().String(), 3, 10_000, patience
	c := start(t, cfg)
	for i := range 10 {
		c.Login(upstream.Login{Device: platformtest.Truck(i)}, func(upstream.Device, error) {})
	}
	waitFor(t, "connections", func() bool { return open.Load() == 3 })
	if got := c.Stats().Waiting; got != 7 {
		t.Errorf("%d devices wait for their turn, want 7", got)
	}
}

func ExampleNew() {
	up, err := direct.New(direct.Config{Endpoint: "tcp://127.0.0.1:1883"})
	if err != nil {
		fmt.Println(err)
		return
	}
	up.Login(upstream.Login{Device: auth.Identity{ProductKey: "pk", DeviceName: "meter-1", DeviceSecret: "secret"}}, func(_ upstream.Device, err error) {
		fmt.Println(err)
	})
	// Output: upstream: not connected to the platform
}
