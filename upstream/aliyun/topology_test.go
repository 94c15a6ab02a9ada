package aliyun_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

// both are the platform's two gateways.
func both(cfg aliyun.Config) aliyun.Config {
	cfg.Gateways = []aliyun.Gateway{{ProductKey: gatewayProduct, DeviceName: gatewayName(1), DeviceSecret: secret}}
	return cfg
}

func requests(p *platform.Platform) uint64 { return p.Stats().Refused["combine/login 429"] }

// After 429 a device is not asked for until its pause is over: the platform hears
// nothing of its further logins, and other devices are not concerned.
func TestTooFast(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	up := start(t, cfg)
	faults(t, p, api.Faults{RefuseLogins: &api.Refusal{Count: 1, Code: 429}})
	for range 3 {
		_, err := login(t, up, upstream.Login{Device: truck(0)})
		wantCode(t, err, 429, true)
	}
	if n := requests(p); n != 1 {
		t.Errorf("the platform refused %d logins, want 1", n)
	}
	if _, err := login(t, up, upstream.Login{Device: truck(1)}); err != nil {
		t.Errorf("another device: %v", err)
	}
	if s := up.Stats(); s.Paced != 2 || s.Devices != 1 {
		t.Errorf("%d logins paced, want 2; %d devices", s.Paced, s.Devices)
	}
}

// A device that comes and goes is not asked for more often than the platform
// takes: not one of its logins is refused there.
func TestLoginsPerMinute(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.LoginsPerMinute = 5
	up := start(t, cfg)
	for i := range 5 {
		d, err := login(t, up, upstream.Login{Device: truck(0)})
		if err != nil {
			t.Fatalf("login %d: %v", i+1, err)
		}
		left := make(chan error, 1)
		d.Logout(func(err error) { left <- err })
		if err := <-left; err != nil {
			t.Fatal(err)
		}
	}
	_, err := login(t, up, upstream.Login{Device: truck(0)})
	wantCode(t, err, 429, true)
	if err == nil || !strings.Contains(err.Error(), "next login is asked for in") {
		t.Errorf("error %v", err)
	}
	if n := requests(p); n != 0 {
		t.Errorf("the platform refused %d logins", n)
	}
}

// A device that the platform does not let in is refused for that also while it may not be asked
// about: nobody is to take the pause for a platform that is away. One that got the right secret, or
// was enabled, is not told what is over.
func TestLoginsPerMinuteOfRefusedDevice(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.LoginsPerMinute = 2
	up := start(t, cfg)
	wrong := truck(0)
	wrong.DeviceSecret = "wrong"
	for i := range 4 {
		_, err := login(t, up, upstream.Login{Device: wrong})
		wantCode(t, err, 6287, false)
		var refused *upstream.RefusedError
		if errors.As(err, &refused) && refused.Repeated != (i >= 2) || i >= 2 && !strings.Contains(err.Error(), "next login is asked for in") {
			t.Errorf("login %d: %+v", i+1, err)
		}
	}
	if s := up.Stats(); s.Paced != 2 {
		t.Errorf("%d logins paced, want 2", s.Paced)
	}
	_, err := login(t, up, upstream.Login{Device: truck(0)})
	wantCode(t, err, 429, true)
}

// An online device that is disabled stays out when it comes again at once, though it has used up
// its logins: the platform's last word counts.
func TestLoginsPerMinuteOfDisabledDevice(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.LoginsPerMinute = 1
	up := start(t, cfg)
	lost := make(chan error, 1)
	if _, err := login(t, up, upstream.Login{Device: truck(0), Lost: func(err error) { lost <- err }}); err != nil {
		t.Fatal(err)
	}
	if err := p.Disable(truck(0).ProductKey, truck(0).DeviceName); err != nil {
		t.Fatal(err)
	}
	wantCode(t, <-lost, 522, false)
	_, err := login(t, up, upstream.Login{Device: truck(0)})
	wantCode(t, err, 522, false)
}

// A device that is already online and has to be logged in again waits its turn.
func TestLoginsPerMinuteAfterLoss(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.LoginsPerMinute = 1
	up := start(t, cfg)
	if _, err := login(t, up, upstream.Login{Device: truck(0), Lost: func(err error) { t.Errorf("lost: %v", err) }}); err != nil {
		t.Fatal(err)
	}
	if err := p.Disconnect("all"); err != nil {
		t.Fatal(err)
	}
	until(t, "the login is put off", func() bool { return up.Stats().Paced == 1 })
	if s := up.Stats(); s.Devices != 1 || s.Relogins != 0 {
		t.Errorf("%d devices, %d logins again", s.Devices, s.Relogins)
	}
}

// until waits until what is to come has come.
func until(t *testing.T, what string, come func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	limit := time.After(10 * time.Second)
	for !come() {
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// A login that a gateway is too full for goes on at the next one; when all are
// full it is refused for now, and no loop is made of it.
func TestNextGateway(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, func(c *platform.Config) { c.SubDevices, c.LoginsPerMinute = 2, 0 })
	up := start(t, both(config(p)))
	var commands []chan string
	for i := range 4 {
		came := make(chan string, 1)
		commands = append(commands, came)
		d, err := login(t, up, upstream.Login{Device: truck(i), Command: func(c *thing.Command) { came <- c.Name }})
		if err != nil {
			t.Fatalf("device %d: %v", i, err)
		}
		if err := publish(d, number(i, thing.AtLeastOnce)); err != nil {
			t.Errorf("device %d: %v", i, err)
		}
	}
	var through []string
	for i := range 4 {
		d, err := p.Device(product, truck(i).DeviceName)
		if err != nil {
			t.Fatal(err)
		}
		through = append(through, d.Gateway)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { // nobody answers: cancel ends it
			defer close(ended)
			_, _ = p.Invoke(ctx, product, truck(i).DeviceName, "ping", map[string]any{})
		}()
		if name := <-commands[i]; name != "ping" {
			t.Errorf("device %d got %s", i, name)
		}
		cancel()
		<-ended
	}
	slices.Sort(through)
	if want := []string{gatewayProduct + "/gateway-0", gatewayProduct + "/gateway-0", gatewayProduct + "/gateway-1", gatewayProduct + "/gateway-1"}; !slices.Equal(through, want) {
		t.Errorf("devices go through %v", through)
	}
	for range 2 {
		_, err := login(t, up, upstream.Login{Device: truck(4)})
		wantCode(t, err, 428, true)
	}
	if s := up.Stats(); s.Devices != 4 || s.Online != 4 {
		t.Errorf("%d devices, %d online, want 4", s.Devices, s.Online)
	}
}

// A gateway that is away takes no new devices while another is there.
func TestGatewayAway(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, func(c *platform.Config) { c.LoginsPerMinute = 0 })
	if err := p.Disable(gatewayProduct, gatewayName(1)); err != nil {
		t.Fatal(err)
	}
	cfg := both(config(p))
	up, err := aliyun.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = up.Start(t.Context(), upstream.Host{})
	wantCode(t, err, 5, false) // that is a mistake at the start

	if err = p.Enable(gatewayProduct, gatewayName(1)); err != nil {
		t.Fatal(err)
	}
	again := start(t, cfg)
	faults(t, p, api.Faults{RefuseConnects: &api.Refusal{Count: -1, Code: 3}})
	if err = p.Disconnect(gatewayProduct + "/" + gatewayName(1)); err != nil {
		t.Fatal(err)
	}
	until(t, "one gateway is away", func() bool { return again.Stats().Connected == 1 })
	for i := range 6 {
		if _, err := login(t, again, upstream.Login{Device: truck(i)}); err != nil {
			t.Errorf("device %d: %v", i, err)
		}
	}
}

func TestTopology(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	up := start(t, both(config(p)))
	list, err := up.Topology(t.Context())
	if err != nil || len(list) != 10 {
		t.Fatalf("%d devices, %v", len(list), err)
	}
	want := aliyun.SubDevice{
		Gateway: auth.Identity{ProductKey: gatewayProduct, DeviceName: gatewayName(0)},
		Device:  bare(truck(3)),
	}
	if !slices.Contains(list, want) {
		t.Errorf("%v is missing in %v", want, list)
	}
	if err = up.RemoveTopology(t.Context(), truck(3), truck(4)); err != nil {
		t.Error(err)
	}
	if list, err = up.Topology(t.Context()); err != nil || len(list) != 8 || slices.Contains(list, want) {
		t.Errorf("after removing two: %d devices, %v", len(list), err)
	}
	wantCode(t, up.RemoveTopology(t.Context(), truck(3)), 6100, false)
	if err = up.Unregister(t.Context(), truck(5)); err != nil {
		t.Error(err)
	}
	if _, err = p.Device(product, truck(5).DeviceName); !errors.Is(err, platform.ErrUnknownDevice) {
		t.Errorf("unregistered: %v", err)
	}

	closeConnector(t, up)
	cfg := config(p)
	cfg.RequestTimeout = 200 * time.Millisecond
	silent := start(t, cfg)
	yes := true
	faults(t, p, api.Faults{Silent: &yes})
	if _, err = silent.Topology(t.Context()); !errors.Is(err, upstream.ErrTimeout) {
		t.Errorf("a platform that does not answer: %v", err)
	}
	closeConnector(t, silent)
	if _, err = silent.Topology(t.Context()); !errors.Is(err, upstream.ErrNotConnected) {
		t.Errorf("after the end: %v", err)
	}
}

func TestReportFound(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.ReportFound = true
	up := start(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := up.ReportFound(ctx, truck(0)); err != nil {
		t.Error(err)
	}
	if err := up.ReportFound(ctx); err != nil {
		t.Error(err)
	}
	wantCode(t, up.ReportFound(ctx, auth.Identity{ProductKey: "other", DeviceName: "truck-1"}), 6250, false)
	wantCode(t, up.ReportFound(ctx, auth.Identity{ProductKey: product, DeviceName: "x"}), 6280, false)

	w, err := p.Subscribe(platform.Filter{Kinds: []string{api.KindControl}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for range 2 { // reported once
		_, err = login(t, up, upstream.Login{Device: auth.Identity{ProductKey: product, DeviceName: "newcomer", DeviceSecret: secret}})
		wantCode(t, err, 6100, false)
	}
	m, err := w.Next(ctx)
	if err != nil || m.Name != "thing/list/found" {
		t.Fatalf("the platform saw %+v, %v", m, err)
	}
	if !json.Valid(m.Data) || !strings.Contains(string(m.Data), "newcomer") {
		t.Errorf("reported %s", m.Data)
	}
	if s := up.Stats(); s.Found != 1 {
		t.Errorf("reported %d times", s.Found)
	}
}

// Whom the platform wants in the topology is added to it, though nobody else is.
func TestTopologyNotice(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.ManageTopology = aliyun.TopologyNever
	up := start(t, cfg)
	_, err := login(t, up, upstream.Login{Device: stray(1)})
	wantCode(t, err, 6401, false)
	r, err := p.NotifyTopology(t.Context(), gatewayProduct, gatewayName(0), stray(1).String(), "other/device")
	if err != nil || r.State != "done" {
		t.Fatalf("the gateway's answer: %+v, %v", r, err)
	}
	if _, err = login(t, up, upstream.Login{Device: stray(1)}); err != nil {
		t.Errorf("after the notice: %v", err)
	}
	_, err = login(t, up, upstream.Login{Device: stray(2)})
	wantCode(t, err, 6401, false)
}

// A synchronous call reaches the device, with the time that is left for it, and
// its answer is there within the platform's window.
func TestRRPC(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	up := start(t, config(p))
	var dev upstream.Device
	ready := make(chan struct{})
	d, err := login(t, up, upstream.Login{Device: truck(0), Command: func(c *thing.Command) {
		<-ready
		left := time.Until(c.Deadline)
		switch {
		case c.Kind == thing.Notice:
			dev.Publish(&thing.Message{Kind: thing.Publication, Topic: strings.Replace(c.Topic, "/request/", "/response/", 1), Raw: append(c.Raw, '!')}, upstream.Ignore)
			return
		case strings.HasPrefix(c.ID, "rrpc:") && (left <= 0 || left > 8*time.Second):
			t.Errorf("%s left for the device to answer", left)
		}
		r := c.Reply(thing.Done)
		r.Fields = c.Fields
		if c.Name == "refuse" {
			r = c.Reply(thing.Refused)
			r.Code = 7
		}
		dev.Publish(&r, upstream.Ignore)
	}})
	if err != nil {
		t.Fatal(err)
	}
	dev = d
	close(ready)
	name := truck(0).DeviceName
	r, err := p.InvokeSync(t.Context(), product, name, "echo", map[string]any{"n": 3})
	if err != nil || r.State != "done" || r.Code != 200 || string(r.Data) != `{"n":3}` {
		t.Errorf("echo: %+v, %s, %v", r, r.Data, err)
	}
	r, err = p.InvokeSync(t.Context(), product, name, "refuse", nil)
	if err != nil || r.State != "refused" || r.Code != 100007 {
		t.Errorf("refuse: %+v, %v", r, err)
	}
	r, err = p.RRPC(t.Context(), product, name, []byte("hello"))
	if err != nil || r.State != "done" || string(r.Raw) != "hello!" {
		t.Errorf("bytes: %+v, %v", r, err)
	}
	r, err = p.Invoke(t.Context(), product, name, "echo", map[string]any{"n": 4})
	if err != nil || r.State != "done" || string(r.Data) != `{"n":4}` {
		t.Errorf("not synchronous: %+v, %v", r, err)
	}
}

// A gateway that was full takes a device when another has left.
func TestFullGatewayHasRoomAgain(t *testing.T) {
	t.Parallel()
	for name, gateways := range map[string]func(aliyun.Config) aliyun.Config{
		"one": func(c aliyun.Config) aliyun.Config { return c }, "two": both,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPlatform(t, func(c *platform.Config) { c.SubDevices, c.LoginsPerMinute = 1, 0 })
			cfg := gateways(config(p))
			up := start(t, cfg)
			var first upstream.Device
			for i := range len(cfg.Gateways) + 1 {
				d, err := login(t, up, upstream.Login{Device: truck(i)})
				if err != nil {
					t.Fatal(err)
				}
				first = d
			}
			_, err := login(t, up, upstream.Login{Device: truck(5)})
			wantCode(t, err, 428, true)
			left := make(chan error, 1)
			first.Logout(func(err error) { left <- err })
			if err = <-left; err != nil {
				t.Fatal(err)
			}
			if _, err = login(t, up, upstream.Login{Device: truck(5)}); err != nil {
				t.Errorf("after another has left: %v", err)
			}
		})
	}
}
