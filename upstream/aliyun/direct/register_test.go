package direct_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/certify"
	"github.com/linkspan/linkspan/upstream/aliyun/direct"
)

const productSecret = auth.Secret("product-secret")

// bare is a truck that comes without a secret.
func bare(i int) auth.Identity {
	id := platformtest.Truck(i)
	id.DeviceSecret = ""
	return id
}

// registering is a platform where trucks may register, and a configuration that
// has them do so.
func registering(t *testing.T, by string, dynamic bool) (*platform.Platform, direct.Config) {
	t.Helper()
	cfg := platformtest.Config()
	cfg.AuthAddress, cfg.TLSAddress = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Products = []platform.Product{{ProductKey: platformtest.Truck(0).ProductKey, ProductSecret: productSecret, DynamicRegister: dynamic}}
	p := platformtest.Start(t, cfg)
	c := config(p)
	c.Register = direct.RegisterConfig{
		By: by, Secrets: filepath.Join(t.TempDir(), "secrets.jsonl"),
		Products: []certify.Product{{Key: platformtest.Truck(0).ProductKey, Secret: productSecret}},
	}
	if by == direct.RegisterHTTPS {
		c.Register.Endpoint = "http://" + p.AuthAddr()
	} else {
		c.CAFile, c.Endpoint = trust(t, p), "ssl://"+p.TLSAddr()
	}
	return p, c
}

// A device without a secret gets one, which is kept: after a restart nothing is
// registered, for the platform would not give it out again.
func TestRegister(t *testing.T) {
	t.Parallel()
	for _, by := range []string{direct.RegisterHTTPS, direct.RegisterMQTT} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			p, cfg := registering(t, by, true)
			for run, registered := range []uint64{1, 0} {
				c := newConnector(t, cfg)
				if err := c.Start(t.Context(), upstream.Host{}); err != nil {
					t.Fatal(err)
				}
				d, err := login(t, c, upstream.Login{Device: bare(1)})
				if err != nil {
					t.Fatalf("run %d: %v", run, err)
				}
				if err := publish(t, d, number(run, thing.AtLeastOnce)); err != nil {
					t.Error(err)
				}
				if s := c.Stats(); s.Registered != registered || s.Online != 1 {
					t.Errorf("run %d: stats %+v", run, s)
				}
				if err := p.Disconnect("all"); err != nil { // it comes back with what is kept
					t.Fatal(err)
				}
				waitFor(t, "a reconnect", func() bool { s := c.Stats(); return s.Reconnects == 1 && s.Online == 1 && s.Registered == registered })
				if err := c.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
			info, err := os.Stat(cfg.Register.Secrets)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("secrets: %v, %v", info, err)
			}
		})
	}
}

// The platform says no in different words; the error says what has to be done.
func TestRegisterRefused(t *testing.T) {
	t.Parallel()
	for _, by := range []string{direct.RegisterHTTPS, direct.RegisterMQTT} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			_, cfg := registering(t, by, false)
			c := start(t, cfg)
			_, err := login(t, c, upstream.Login{Device: bare(1)})
			if !errors.Is(err, auth.ErrDenied) || !strings.Contains(err.Error(), "dynamic registration has to be switched on for product a1truck0001") {
				t.Errorf("dynamic registration is off: %v", err)
			}
			other := auth.Identity{ProductKey: "another", DeviceName: "truck-1"}
			if _, err = login(t, c, upstream.Login{Device: other}); !errors.Is(err, certify.ErrNoProductSecret) {
				t.Errorf("product unknown: %v", err)
			}
			if _, err = login(t, c, upstream.Login{Device: platformtest.Truck(2)}); err != nil {
				t.Errorf("with a secret of its own: %v", err)
			}
			if s := c.Stats(); s.Errors["register_refused"] != 2 || s.Errors["login_refused"] != 2 || s.Registered != 0 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// A secret that the platform does not take any more, since the device was deleted
// and made again, is replaced.
func TestRegisterAnew(t *testing.T) {
	t.Parallel()
	_, cfg := registering(t, direct.RegisterHTTPS, true)
	store, err := certify.OpenStore(cfg.Register.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	stale := platformtest.Truck(3)
	stale.DeviceSecret = "of the one before"
	if err = errors.Join(store.Put(stale), store.Close()); err != nil {
		t.Fatal(err)
	}
	c := start(t, cfg)
	if _, err = login(t, c, upstream.Login{Device: bare(3)}); err != nil {
		t.Fatal(err)
	}
	if s := c.Stats(); s.Registered != 1 {
		t.Errorf("stats %+v", s)
	}
}

// A device that was online, and that the platform does not take any more, is not
// registered by asking again and again.
func TestRegisterOfDisabled(t *testing.T) {
	t.Parallel()
	p, cfg := registering(t, direct.RegisterHTTPS, true)
	c := start(t, cfg)
	lost := make(chan error, 2)
	if _, err := login(t, c, upstream.Login{Device: bare(4), Lost: func(err error) { lost <- err }}); err != nil {
		t.Fatal(err)
	}
	if err := p.Disable(bare(4).ProductKey, bare(4).DeviceName); err != nil {
		t.Fatal(err)
	}
	if err := await(t, "Lost", lost); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("lost: %v", err)
	}
	waitFor(t, "the end of the connection", func() bool { return c.Stats().Devices == 0 })
	if _, err := login(t, c, upstream.Login{Device: bare(4)}); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("login: %v", err)
	}
	if s := c.Stats(); s.Registered != 1 || s.Errors["register_refused"] != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestRegisterMistakes(t *testing.T) {
	t.Parallel()
	_, err := direct.New(direct.Config{MessageRate: 1e7, Register: direct.RegisterConfig{
		By: "magic", Endpoint: "http://elsewhere", MQTTEndpoint: "host", Products: []certify.Product{{Key: "pk"}},
	}})
	for _, want := range []string{`register.by is "magic"`, "register.endpoint", `register.mqttEndpoint is "host"`, "register.products: certify: product 1", "messageRate"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	for want, r := range map[string]direct.RegisterConfig{
		"register.products is empty":      {By: direct.RegisterMQTT},
		"register.products has no effect": {Products: []certify.Product{{Key: "pk", Secret: "s"}}},
	} {
		if _, err := direct.New(direct.Config{Register: r}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	cfg := direct.Config{Endpoint: "tcp://127.0.0.1:1", Register: direct.RegisterConfig{
		By: direct.RegisterMQTT, Secrets: t.TempDir(), Products: []certify.Product{{Key: "pk", Secret: "s"}},
	}}
	if err := newConnector(t, cfg).Start(t.Context(), upstream.Host{}); !errors.Is(err, certify.ErrStore) {
		t.Errorf("a directory in the place of the file: %v", err)
	}
}
