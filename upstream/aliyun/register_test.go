package aliyun_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/certify"
	"github.com/linkspan/linkspan/upstream/aliyun/pop"
)

const productSecret = auth.Secret("product-secret")

func bare(id auth.Identity) auth.Identity {
	id.DeviceSecret = ""
	return id
}

// registering is a platform where devices of the product may register, and a
// connector's configuration that has them do so.
func registering(t *testing.T, by string, change func(*platform.Config)) (*platform.Platform, aliyun.Config) {
	t.Helper()
	p := startPlatform(t, func(c *platform.Config) {
		c.AuthAddress = "127.0.0.1:0"
		c.Products = []platform.Product{{ProductKey: product, ProductSecret: productSecret, DynamicRegister: true}}
		c.AccessKeys = []platform.AccessKey{{AccessKey: "ak", AccessSecret: "sk"}}
		if by == aliyun.RegisterMQTT {
			c.TLSAddress = "127.0.0.1:0"
		}
		if change != nil {
			change(c)
		}
	})
	cfg := config(p)
	cfg.Register.By, cfg.Register.Secrets = by, filepath.Join(t.TempDir(), "secrets.jsonl")
	switch by {
	case aliyun.RegisterHTTPS:
		cfg.Register.Endpoint = "http://" + p.AuthAddr()
	case aliyun.RegisterMQTT:
		cfg.Register.MQTTEndpoint = p.TLSAddr()
		cfg.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(cfg.CAFile, p.Authority(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if by != aliyun.RegisterGateway {
		cfg.Register.Products = []certify.Product{{Key: product, Secret: productSecret}}
	}
	return p, cfg
}

// A device without a secret gets one, which is kept: after a restart nothing is
// registered, for the platform would not give it out again.
func TestRegister(t *testing.T) {
	t.Parallel()
	for _, by := range []string{aliyun.RegisterGateway, aliyun.RegisterHTTPS, aliyun.RegisterMQTT} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			p, cfg := registering(t, by, nil)
			up := start(t, cfg)
			var all sync.WaitGroup
			errs := make([]error, 8)
			for i := range errs {
				all.Add(1)
				id := bare(truck(i))
				if i >= 4 {
					id = bare(stray(i))
				}
				up.Login(upstream.Login{Device: id}, func(d upstream.Device, err error) {
					errs[i] = err
					if err != nil {
						all.Done()
						return
					}
					d.Publish(number(i, thing.AtLeastOnce), func(err error) { errs[i] = err; all.Done() })
				})
			}
			all.Wait()
			for i, err := range errs {
				if err != nil {
					t.Errorf("device %d: %v", i, err)
				}
			}
			if s := up.Stats(); s.Registered != 8 || s.Online != 8 {
				t.Errorf("%d registered, %d online, want 8", s.Registered, s.Online)
			}
			info, err := os.Stat(cfg.Register.Secrets)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("file of secrets: %v, %v, want one for its owner alone", info, err)
			}
			closeConnector(t, up)
			for i := range 4 {
				untilOffline(t, p, truck(i))
			}
			again := start(t, cfg)
			if _, err := login(t, again, upstream.Login{Device: bare(truck(0))}); err != nil {
				t.Errorf("after a restart: %v", err)
			}
			if s := again.Stats(); s.Registered != 0 || s.Logins != 1 {
				t.Errorf("%d registered after a restart, %d logins", s.Registered, s.Logins)
			}
		})
	}
}

func TestRegisterRefused(t *testing.T) {
	t.Parallel()
	off := func(c *platform.Config) { c.Products[0].DynamicRegister = false }
	for _, c := range []struct {
		name, by  string
		platform  func(*platform.Config)
		change    func(*aliyun.Config)
		id        auth.Identity
		fault     int
		code      int
		temporary bool
		says      string
	}{
		{name: "registration is off, gateway", by: "gateway", platform: off, id: truck(0), code: 6288, says: "dynamic registration has to be switched on for product a1truck0001"},
		{name: "registration is off, https", by: "https", platform: off, id: truck(0), code: 6288, says: "dynamic registration has to be switched on"},
		{name: "registration is off, mqtt", by: "mqtt", platform: off, id: truck(0), code: 4, says: "dynamic registration has to be switched on"},
		{name: "unknown device, gateway", by: "gateway", id: truck(99), code: 6100},
		{name: "unknown device, https", by: "https", id: truck(99), code: 6100},
		{name: "wrong product secret", by: "https", change: func(c *aliyun.Config) { c.Register.Products[0].Secret = "other" }, id: truck(0), code: 401},
		{name: "wrong product secret, mqtt", by: "mqtt", change: func(c *aliyun.Config) { c.Register.Products[0].Secret = "other" }, id: truck(0), code: 4, says: "productSecret"},
		{name: "the platform fails, gateway", by: "gateway", id: truck(0), fault: 500, code: 500, temporary: true},
		{name: "the platform fails, https", by: "https", id: truck(0), fault: 500, code: 500, temporary: true},
		{name: "the platform fails, mqtt", by: "mqtt", id: truck(0), fault: 500, code: 3, temporary: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, cfg := registering(t, c.by, c.platform)
			if c.change != nil {
				c.change(&cfg)
			}
			up := start(t, cfg)
			if c.fault != 0 {
				faults(t, p, api.Faults{RefuseRequests: &api.Refusal{Count: -1, Code: c.fault}})
			}
			_, err := login(t, up, upstream.Login{Device: bare(c.id)})
			wantCode(t, err, c.code, c.temporary)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q", err, c.says)
			}
			if s := up.Stats(); s.Devices != 0 || s.Errors["register_refused"] != 1 {
				t.Errorf("%d devices are left, %d refusals counted", s.Devices, s.Errors["register_refused"])
			}
			if c.fault != 0 { // later is better
				p.ClearFaults()
				if _, err := login(t, up, upstream.Login{Device: bare(c.id)}); err != nil {
					t.Errorf("later: %v", err)
				}
			}
		})
	}
}

// A device that was deleted and created again has another secret than the one
// that is kept: the login fails once, and the next one registers it anew.
func TestRegisterAgain(t *testing.T) {
	t.Parallel()
	for _, by := range []string{aliyun.RegisterGateway, aliyun.RegisterHTTPS} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			p, cfg := registering(t, by, nil)
			line, err := json.Marshal(map[string]string{"productKey": product, "deviceName": truck(0).DeviceName, "deviceSecret": "of its former life"})
			if err != nil {
				t.Fatal(err)
			}
			if err = os.WriteFile(cfg.Register.Secrets, append(line, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
			up := start(t, cfg)
			_, err = login(t, up, upstream.Login{Device: bare(truck(0))})
			wantCode(t, err, 6287, false)
			if _, err = login(t, up, upstream.Login{Device: bare(truck(0))}); err != nil {
				t.Fatalf("the next login: %v", err)
			}
			untilOnline(t, p, truck(0))
			info, err := os.Stat(cfg.Register.Secrets)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("file of secrets: %v, %v", info, err)
			}
			closeConnector(t, up)
			again := start(t, cfg)
			if _, err = login(t, again, upstream.Login{Device: bare(truck(0))}); err != nil {
				t.Errorf("after a restart: %v", err)
			}
		})
	}
}

// A gateway device that nobody has created is registered by the account's API,
// under the machine's MAC address, and found there again.
func TestGatewayByAPI(t *testing.T) {
	t.Parallel()
	p, cfg := registering(t, aliyun.RegisterNever, func(c *platform.Config) { c.LoginsPerMinute = 0 })
	cfg.Register = aliyun.RegisterConfig{}
	cfg.DeviceName, cfg.DeviceSecret = "", ""
	cfg.POP = pop.Profile{AccessKey: "ak", AccessSecret: "sk", Endpoint: "http://" + p.AuthAddr()}
	own := auth.Identity{ProductKey: gatewayProduct, DeviceName: pop.MACAddress()}
	if own.DeviceName == "" {
		t.Skip("this machine has no MAC address")
	}
	for range 2 {
		up := start(t, cfg)
		untilOnline(t, p, own)
		if _, err := login(t, up, upstream.Login{Device: truck(0)}); err != nil {
			t.Error(err)
		}
		closeConnector(t, up)
		untilOffline(t, p, own)
	}

	cfg.POP.AccessSecret = "other"
	up, err := aliyun.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = up.Start(t.Context(), upstream.Host{})
	wantCode(t, err, 460, false)
	if err == nil || !strings.Contains(err.Error(), "SignatureDoesNotMatch") || strings.Contains(err.Error(), "other") {
		t.Errorf("error %v", err)
	}
}

// A gateway device may also be registered by the secret of its product; should
// the platform not take what is kept, it is registered anew.
func TestGatewayByProduct(t *testing.T) {
	t.Parallel()
	p, cfg := registering(t, aliyun.RegisterHTTPS, func(c *platform.Config) {
		c.Products = append(c.Products, platform.Product{ProductKey: gatewayProduct, ProductSecret: productSecret, DynamicRegister: true})
	})
	cfg.Register.Products = append(cfg.Register.Products, certify.Product{Key: gatewayProduct, Secret: productSecret})
	cfg.DeviceSecret = ""
	own := auth.Identity{ProductKey: gatewayProduct, DeviceName: cfg.DeviceName}
	line := `{"productKey":"` + own.ProductKey + `","deviceName":"` + own.DeviceName + `","deviceSecret":"stale"}` + "\n"
	if err := os.WriteFile(cfg.Register.Secrets, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	up := start(t, cfg)
	untilOnline(t, p, own)
	if _, err := login(t, up, upstream.Login{Device: bare(truck(0))}); err != nil {
		t.Error(err)
	}
}

func TestRegisterMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*aliyun.Config)
		want   []string
	}{
		{"by", func(c *aliyun.Config) { c.Register.By = "mail" }, []string{"register.by", "gateway"}},
		{"no products", func(c *aliyun.Config) { c.Register.By = "https" }, []string{"register.products is empty"}},
		{"half a product", func(c *aliyun.Config) {
			c.Register.By, c.Register.Products = "mqtt", []certify.Product{{Key: "a"}, {Key: "b", Secret: "s"}, {Key: "b", Secret: "s"}}
		}, []string{"1: want productKey and productSecret", "b is there twice"}},
		{"products of no use", func(c *aliyun.Config) { c.Register.Products = []certify.Product{{Key: "a", Secret: "s"}} }, []string{"no effect"}},
		{"endpoints", func(c *aliyun.Config) {
			c.Register.Endpoint, c.Register.MQTTEndpoint = "http://example.com", "example.com"
		}, []string{"in the clear", "want host:port"}},
		{"half an account", func(c *aliyun.Config) { c.POP.AccessKey = "ak" }, []string{"accessSecret is missing"}},
		{"logins", func(c *aliyun.Config) { c.LoginsPerMinute = -1 }, []string{"loginsPerMinute"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := gatewayConfig()
			c.change(&cfg)
			_, err := aliyun.New(cfg)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			}
		})
	}
	cfg := gatewayConfig()
	cfg.Register = aliyun.RegisterConfig{By: aliyun.RegisterGateway, Secrets: filepath.Join(t.TempDir(), "missing", "secrets")}
	up, err := aliyun.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err = up.Start(t.Context(), upstream.Host{}); err == nil || !strings.Contains(err.Error(), "register.secrets") {
		t.Errorf("a directory that is not there: %v", err)
	}
}
