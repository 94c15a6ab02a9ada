package aliyun_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

func stray(i int) auth.Identity {
	return auth.Identity{ProductKey: product, DeviceName: fmt.Sprintf("stray-%d", i), DeviceSecret: secret}
}

// wantCode says whether err is a refusal with that code.
func wantCode(t *testing.T, err error, code int, temporary bool) {
	t.Helper()
	var refused *upstream.RefusedError
	if !errors.As(err, &refused) || refused.Code != code || refused.Temporary != temporary {
		t.Errorf("error %v, want a refusal with code %d, temporary %v", err, code, temporary)
	}
}

func faults(t *testing.T, p *platform.Platform, f api.Faults) {
	t.Helper()
	if err := p.SetFaults(f); err != nil {
		t.Fatal(err)
	}
}

func untilOnline(t *testing.T, p *platform.Platform, id auth.Identity) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.WaitOnline(ctx, id.ProductKey, id.DeviceName); err != nil {
		t.Fatal(err)
	}
}

func untilOffline(t *testing.T, p *platform.Platform, id auth.Identity) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.WaitOffline(ctx, id.ProductKey, id.DeviceName); err != nil {
		t.Fatal(err)
	}
}

func number(n int, qos thing.QoS) *thing.Message {
	return &thing.Message{Kind: thing.Property, QoS: qos, Fields: []thing.Field{{Name: "n", Value: thing.Int(int64(n))}}}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	wrong := truck(0)
	wrong.DeviceSecret = "other"
	for _, c := range []struct {
		name      string
		id        auth.Identity
		change    func(*aliyun.Config)
		faults    api.Faults
		code      int // 0: it succeeds
		temporary bool
	}{
		{name: "in the topology", id: truck(0)},
		{name: "not in the topology, added", id: stray(0)},
		{name: "not in the topology, always added", id: stray(0), change: func(c *aliyun.Config) { c.ManageTopology = aliyun.TopologyAlways }},
		{name: "not in the topology, never added", id: stray(0), change: func(c *aliyun.Config) { c.ManageTopology = aliyun.TopologyNever }, code: 6401},
		{name: "wrong secret", id: wrong, code: 6287},
		{name: "the gateway itself", id: auth.Identity{ProductKey: gatewayProduct, DeviceName: gatewayName(0), DeviceSecret: secret}, code: 6402},
		{name: "a name that is none", id: auth.Identity{ProductKey: product, DeviceName: "a/b", DeviceSecret: secret}, code: 460},
		{name: "too often", id: truck(0), faults: api.Faults{RefuseLogins: &api.Refusal{Count: 1, Code: 429}}, code: 429, temporary: true},
		{name: "disabled", id: truck(0), faults: api.Faults{RefuseLogins: &api.Refusal{Count: 1, Code: 522}}, code: 522},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := startPlatform(t, nil)
			cfg := config(p)
			if c.change != nil {
				c.change(&cfg)
			}
			up := start(t, cfg)
			faults(t, p, c.faults)
			d, err := login(t, up, upstream.Login{Device: c.id})
			if c.code != 0 {
				wantCode(t, err, c.code, c.temporary)
				if s := up.Stats(); s.Devices != 0 {
					t.Errorf("%d devices are left of a refused login", s.Devices)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			untilOnline(t, p, c.id)
			if err := publish(d, number(1, thing.AtLeastOnce)); err != nil {
				t.Errorf("Publish: %v", err)
			}
		})
	}
}

// A storm of logins goes in batches, and one device that is refused does not
// keep the others out.
func TestLoginStorm(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.GatherWindow = 50 * time.Millisecond
	up := start(t, cfg)
	var all sync.WaitGroup
	results := make([]error, 10)
	for i := range results {
		id := truck(i)
		if i == 7 {
			id.DeviceSecret = "other"
		}
		all.Add(1)
		up.Login(upstream.Login{Device: id}, func(_ upstream.Device, err error) { results[i] = err; all.Done() })
	}
	all.Wait()
	for i, err := range results {
		if i == 7 {
			wantCode(t, err, 6287, false)
		} else if err != nil {
			t.Errorf("truck %d: %v", i, err)
		}
	}
	if s := up.Stats(); s.Logins != 9 || s.Online != 9 {
		t.Errorf("%d logins, %d online, want 9", s.Logins, s.Online)
	}
}

func TestLoginStormIsBatched(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.GatherWindow = 50 * time.Millisecond
	up := start(t, cfg)
	devices := make(chan upstream.Device, 10)
	for i := range 10 {
		up.Login(upstream.Login{Device: truck(i)}, func(d upstream.Device, err error) {
			if err != nil {
				t.Errorf("truck %d: %v", i, err)
			}
			devices <- d
		})
	}
	left := make(chan error, 10)
	list := make([]upstream.Device, 0, 10)
	for range 10 {
		list = append(list, <-devices)
	}
	if s := up.Stats(); s.Requests > 3 {
		t.Errorf("10 logins took %d requests, want a batch", s.Requests)
	}
	for _, d := range list {
		d.Logout(func(err error) { left <- err })
	}
	for range 10 {
		if err := <-left; err != nil {
			t.Errorf("Logout: %v", err)
		}
	}
	if s := up.Stats(); s.Devices != 0 || s.Logouts != 10 {
		t.Errorf("%d devices left, %d logouts", s.Devices, s.Logouts)
	}
	for i := range 10 {
		untilOffline(t, p, truck(i))
	}
}

// Devices that are logged in again after a reconnect are tried until the
// platform takes them.
func TestReloginIsRetried(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, func(c *platform.Config) { c.LoginsPerMinute = 0 })
	up := start(t, config(p))
	d, err := login(t, up, upstream.Login{Device: truck(0), Lost: func(cause error) { t.Errorf("Lost: %v", cause) }})
	if err != nil {
		t.Fatal(err)
	}
	faults(t, p, api.Faults{RefuseLogins: &api.Refusal{Count: 1, Code: 429}, Disconnect: "all"})
	untilOffline(t, p, truck(0))
	if err := publish(d, number(1, thing.AtLeastOnce)); err != nil { // waits for the login
		t.Errorf("Publish while the login is retried: %v", err)
	}
	if s := up.Stats(); s.Relogins == 0 || s.Reconnects == 0 {
		t.Errorf("stats %+v, want a reconnect and a relogin", s)
	}
}

// Every code of a login (table 10-1), of the first one and of one after a
// reconnect: who may come back later does, by itself; who may not is lost once, with
// that cause, and is not asked for any more.
func TestCodesOfLogins(t *testing.T) {
	t.Parallel()
	for code, temporary := range map[int]bool{460: false, 429: true, 428: true, 6100: false, 521: false, 522: false, 6287: false, 500: true, 9999: false} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			p := startPlatform(t, func(c *platform.Config) { c.LoginsPerMinute = 0 })
			up := start(t, config(p))
			lost := make(chan error, 2)
			if _, err := login(t, up, upstream.Login{Device: truck(0), Lost: func(cause error) { lost <- cause }}); err != nil {
				t.Fatal(err)
			}
			faults(t, p, api.Faults{RefuseLogins: &api.Refusal{Count: 1, Code: code}})
			_, err := login(t, up, upstream.Login{Device: truck(1)})
			wantCode(t, err, code, temporary)
			if code == 429 {
				return // its pause is long: TestReloginIsRetried
			}
			faults(t, p, api.Faults{RefuseLogins: &api.Refusal{Count: 1, Code: code}, Disconnect: "all"})
			if temporary {
				until(t, "it is back", func() bool { return up.Stats().Relogins == 1 })
				if len(lost) > 0 {
					t.Errorf("lost: %v", <-lost)
				}
				return
			}
			wantCode(t, <-lost, code, false)
			until(t, "it is gone", func() bool { s := up.Stats(); return s.Devices == 0 && s.Connected > 0 })
			refusals := 0
			for name, n := range p.Stats().Refused {
				if strings.HasPrefix(name, "combine/") {
					refusals += int(n)
				}
			}
			if refusals != 2 || len(lost) > 0 {
				t.Errorf("the platform refused %d logins, want 2; lost %d times more", refusals, len(lost))
			}
		})
	}
}

// A device that the platform no longer takes after a reconnect is lost.
func TestReloginIsRefused(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	up := start(t, config(p))
	lost := make(chan error, 2)
	d, err := login(t, up, upstream.Login{Device: truck(0), Lost: func(cause error) { lost <- cause }})
	if err != nil {
		t.Fatal(err)
	}
	faults(t, p, api.Faults{RefuseLogins: &api.Refusal{Count: 1, Code: 522}, Disconnect: "all"})
	wantCode(t, <-lost, 522, false)
	wantCode(t, publish(d, number(1, thing.AtLeastOnce)), 522, false)
}

func TestDisableAndDelete(t *testing.T) {
	t.Parallel()
	for code, end := range map[int]func(*platform.Platform) error{
		522: func(p *platform.Platform) error { return p.Disable(product, truck(0).DeviceName) },
		521: func(p *platform.Platform) error { return p.Delete(product, truck(0).DeviceName) },
		427: func(p *platform.Platform) error { return p.Kick(product, truck(0).DeviceName) },
	} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			p := startPlatform(t, nil)
			up := start(t, config(p))
			lost := make(chan error, 2)
			if _, err := login(t, up, upstream.Login{Device: truck(0), Lost: func(cause error) { lost <- cause }}); err != nil {
				t.Fatal(err)
			}
			if err := end(p); err != nil {
				t.Fatal(err)
			}
			wantCode(t, <-lost, code, false)
			_, err := login(t, up, upstream.Login{Device: truck(0)})
			if code == 427 {
				if err != nil {
					t.Errorf("login after a kick: %v", err)
				}
				return
			}
			wantCode(t, err, code, false)
		})
	}
}

// The gateways fill up one after the other; then there is no room.
func TestGatewaysOverflow(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.Gateways = []aliyun.Gateway{{ProductKey: gatewayProduct, DeviceName: gatewayName(1), DeviceSecret: secret}}
	cfg.MaxDevicesPerGateway = 2
	up := start(t, cfg)
	devices := make([]upstream.Device, 0, 4)
	for i := range 4 {
		d, err := login(t, up, upstream.Login{Device: stray(i)})
		if err != nil {
			t.Fatalf("device %d: %v", i, err)
		}
		devices = append(devices, d)
	}
	if _, err := login(t, up, upstream.Login{Device: stray(4)}); !errors.Is(err, upstream.ErrOverloaded) {
		t.Errorf("fifth device: %v, want ErrOverloaded", err)
	}
	if s := up.Stats(); s.Connected != 2 || s.Online != 4 {
		t.Errorf("%d gateways connected with %d devices online, want 2 and 4", s.Connected, s.Online)
	}
	if _, err := login(t, up, upstream.Login{Device: stray(0)}); err != nil {
		t.Errorf("a device that is there already: %v", err)
	}
	left := make(chan error)
	devices[1].Logout(func(err error) { left <- err })
	if err := <-left; err != nil {
		t.Fatal(err)
	}
	if err := publish(devices[2], number(1, thing.AtLeastOnce)); err != nil {
		t.Errorf("Publish: %v", err)
	}
}

func TestGatewayRefused(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.DeviceSecret = "other"
	up, err := aliyun.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = up.Start(t.Context(), upstream.Host{})
	var refused *upstream.RefusedError
	if !errors.As(err, &refused) || refused.Temporary {
		t.Errorf("Start with a wrong secret: %v, want a refusal", err)
	}
	if _, err := login(t, up, upstream.Login{Device: truck(0)}); !errors.Is(err, upstream.ErrClosed) {
		t.Errorf("Login after a failed Start: %v, want ErrClosed", err)
	}
}

func TestPlatformAway(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.RequestTimeout = 100 * time.Millisecond
	faults(t, p, api.Faults{RefuseConnects: &api.Refusal{Count: -1, Code: 3}})
	up := start(t, cfg) // no error: the platform is away
	if err := up.Start(t.Context(), upstream.Host{}); !errors.Is(err, aliyun.ErrStarted) {
		t.Errorf("second Start: %v, want ErrStarted", err)
	}
	if _, err := login(t, up, upstream.Login{Device: truck(0)}); !errors.Is(err, upstream.ErrNotConnected) {
		t.Errorf("Login: %v, want ErrNotConnected", err)
	}
	faults(t, p, api.Faults{RefuseConnects: &api.Refusal{}})
	for { // an attempt may be refused still
		_, err := login(t, up, upstream.Login{Device: truck(0)})
		if err == nil {
			break
		}
		if !errors.Is(err, upstream.ErrNotConnected) {
			t.Fatal(err)
		}
	}
	if s := up.Stats(); s.Failures == 0 || s.Connects != 1 {
		t.Errorf("stats %+v, want failures and one connection", s)
	}
}

func TestNotStarted(t *testing.T) {
	t.Parallel()
	up, err := aliyun.New(gatewayConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := login(t, up, upstream.Login{Device: truck(0)}); !errors.Is(err, upstream.ErrNotConnected) {
		t.Errorf("Login: %v, want ErrNotConnected", err)
	}
	if err := up.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// A platform that answers nothing: logins and messages that want an answer end
// in time, and a login that the platform took all the same is undone.
func TestSilentPlatform(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, func(c *platform.Config) { c.LoginsPerMinute = 0 })
	cfg := config(p)
	cfg.RequestTimeout = 200 * time.Millisecond
	cfg.Confirm = aliyun.ConfirmReply
	up := start(t, cfg)
	d, err := login(t, up, upstream.Login{Device: truck(0)})
	if err != nil {
		t.Fatal(err)
	}
	silent, speaking := true, false
	faults(t, p, api.Faults{Silent: &silent})
	for _, qos := range []thing.QoS{thing.AtMostOnce, thing.AtLeastOnce} {
		if err := publish(d, number(1, qos)); !errors.Is(err, upstream.ErrTimeout) {
			t.Errorf("Publish: %v, want ErrTimeout", err)
		}
	}
	if _, err := login(t, up, upstream.Login{Device: truck(1)}); !errors.Is(err, upstream.ErrTimeout) {
		t.Errorf("Login: %v, want ErrTimeout", err)
	}
	untilOffline(t, p, truck(1))
	left := make(chan error)
	d.Logout(func(err error) { left <- err })
	if err := <-left; !errors.Is(err, upstream.ErrTimeout) {
		t.Errorf("Logout: %v, want ErrTimeout", err)
	}
	faults(t, p, api.Faults{Silent: &speaking})
	if _, err := login(t, up, upstream.Login{Device: truck(0)}); err != nil {
		t.Errorf("Login when the platform speaks again: %v", err)
	}
}

// What cannot wait fails at once, and what waits fails in time.
func TestPublishWhileAway(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.HoldTimeout = 300 * time.Millisecond
	cfg.Queue = 2
	up := start(t, cfg)
	d, err := login(t, up, upstream.Login{Device: truck(0)})
	if err != nil {
		t.Fatal(err)
	}
	faults(t, p, api.Faults{RefuseConnects: &api.Refusal{Count: -1, Code: 3}, Disconnect: "all"})
	untilOffline(t, p, truck(0))
	for up.Stats().Connected > 0 { // until the connector has noticed too
		_ = publish(d, number(0, thing.AtMostOnce))
	}
	if err := publish(d, number(1, thing.AtMostOnce)); !errors.Is(err, upstream.ErrNotConnected) {
		t.Errorf("Publish at QoS 0: %v, want ErrNotConnected", err)
	}
	type result struct {
		n   int
		err error
	}
	results := make(chan result, 4)
	for n, qos := range []thing.QoS{thing.AtLeastOnce, thing.AtMostOnce, thing.AtLeastOnce, thing.AtLeastOnce} {
		d.Publish(number(n, qos), func(err error) { results <- result{n, err} })
	}
	for n, want := range []error{upstream.ErrNotConnected, upstream.ErrNotConnected, upstream.ErrNotConnected, upstream.ErrOverloaded} {
		if r := <-results; r.n != n || !errors.Is(r.err, want) {
			t.Errorf("message %d: %v, want message %d: %v", r.n, r.err, n, want)
		}
	}
	faults(t, p, api.Faults{RefuseConnects: &api.Refusal{}})
	untilOnline(t, p, truck(0))
	if err := publish(d, number(5, thing.AtLeastOnce)); err != nil {
		t.Errorf("Publish when the platform is back: %v", err)
	}
}

// A login that was logged out while the connector was logging it in again, and
// whose device came back before that had ended, has left: its logout is done.
func TestLogoutWhileLoggingInAgain(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.ReconnectMin = 10 * time.Millisecond
	up := start(t, cfg)
	first, err := login(t, up, upstream.Login{Device: truck(0)})
	if err != nil {
		t.Fatal(err)
	}
	asked := up.Stats().Requests
	delay := api.Duration(500 * time.Millisecond)
	faults(t, p, api.Faults{Delay: &delay, Disconnect: "all"})
	look, late := time.NewTicker(time.Millisecond), time.After(20*time.Second)
	defer look.Stop()
	for up.Stats().Requests == asked {
		select {
		case <-look.C:
		case <-late:
			t.Fatal("the device is not logged in again")
		}
	}
	left, back := make(chan error, 1), make(chan upstream.Device, 1)
	first.Logout(func(err error) { left <- err })
	up.Login(upstream.Login{Device: truck(0)}, func(d upstream.Device, err error) {
		if err != nil {
			t.Errorf("login: %v", err)
		}
		back <- d
	})
	second := wait(t, back, "the login to end")
	if err := wait(t, left, "the logout to end"); err != nil {
		t.Errorf("logout: %v", err)
	}
	second.Logout(func(err error) { left <- err })
	if err := wait(t, left, "the second logout to end"); err != nil {
		t.Errorf("logout: %v", err)
	}
}

func wait[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("waited in vain for ", what)
	}
	return v
}
