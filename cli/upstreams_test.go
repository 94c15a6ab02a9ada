package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

const twoUpstreams = `
upstreams {
  main { type = aliyun, aliyun { productKey = a1gateway01, deviceName = gateway-0, deviceSecret = secret, endpoint = "tcp://%s" } }
  other { type = aliyun, aliyun { productKey = a1gateway01, deviceName = gateway-0, deviceSecret = secret, endpoint = "tcp://%s" } }
}
routes = [{ listener = west, to = other }, { to = main, copies = [other] }]
devices.file = devices.conf
admin.address = "127.0.0.1:0"
listeners = [
  { name = east, protocol = jt808, address = "127.0.0.1:0", jt808.authentication.policy = accept }
  { name = west, protocol = jt808, address = "127.0.0.1:0", jt808.authentication.policy = accept }
]
`

func TestUpstreamMistakes(t *testing.T) {
	t.Parallel()
	good := fmt.Sprintf(twoUpstreams, "127.0.0.1:1", "127.0.0.1:1")
	for name, test := range map[string]struct {
		old, changed string
		want         []string
	}{
		"good":                     {},
		"routes without upstreams": {"upstreams {", "platforms {", []string{"application.conf:6", "routes", "no section upstreams"}},
		"no route":                 {"routes =", "roots =", []string{"routes: has none", "{ to = NAME }"}},
		"a route to nowhere":       {"to = other", "to = nowhere", []string{"application.conf:6", "routes.0.to", `"nowhere"`, "main, other"}},
		"no such connector":        {"other { type = aliyun", "other { type = azure", []string{"application.conf:4", "upstreams.other.type", `"azure"`}},
		"no type":                  {"other { type = aliyun,", "other {", []string{"upstreams.other.type", "required"}},
		"a connector's settings":   {"main { type = aliyun, aliyun { productKey = a1gateway01,", "main { type = aliyun, aliyun {", []string{"upstreams.main.aliyun", "productKey missing"}},
		"a key of a connector":     {"endpoint = ", "endpont = ", []string{"upstreams.main.aliyun.endpont", "did you mean endpoint?"}},
		"a name":                   {"other {", `"oth er" {`, []string{"upstreams", `"oth er"`}},
		"both":                     {"admin.address", "upstream.aliyun.region = cn-beijing, admin.address", []string{"warning", "application.conf:8", "upstream.aliyun"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(good, test.old, test.changed, 1)
			if test.old != "" && text == good {
				t.Fatalf("nothing to change: %q", test.old)
			}
			out, err := run(t, "", "config", "check", "-c", write(t, text, goodDevices))
			if err != nil {
				out += err.Error()
			}
			if test.want == nil && out != "ok\n" {
				t.Errorf("got %q", out)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("lacks %q:\n%s", want, out)
				}
			}
		})
	}
}

// What is printed of a configuration with several upstreams loads again.
func TestUpstreamsPrinted(t *testing.T) {
	t.Parallel()
	out, err := run(t, "", "config", "print", "--resolved", "-c", write(t, fmt.Sprintf(twoUpstreams, "127.0.0.1:1", "127.0.0.1:1"), goodDevices))
	if err != nil {
		t.Fatal(err)
	}
	if text, failed := run(t, "", "config", "check", "--strict", "-c", write(t, out, goodDevices)); failed != nil || text != "ok\n" {
		t.Errorf("%v: %s\n%s", failed, text, out)
	}
}

// A terminal goes where its listener says, and its reports to copies as well.
func TestSeveralUpstreams(t *testing.T) {
	t.Parallel()
	main, other := platformtest.Start(t, platformtest.Config()), platformtest.Start(t, platformtest.Config())
	watches := map[string]*platform.Watch{}
	for name, p := range map[string]*platform.Platform{"main": main, "other": other} {
		w, err := p.Subscribe(platform.Filter{Kinds: []string{api.KindProperty}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Close)
		watches[name] = w
	}
	path := write(t, fmt.Sprintf(twoUpstreams, main.MQTTAddr(), other.MQTTAddr()),
		`13800138000 { productKey = a1truck0001, deviceName = truck-0, deviceSecret = secret }
		 13800138001 { productKey = a1truck0001, deviceName = truck-1, deviceSecret = secret }`)
	tree, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNode(tree, strings.TrimSuffix(path, "/application.conf"), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err = n.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	want := func(at, device string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		m, err := watches[at].Next(ctx)
		if err != nil || m.DeviceName != device {
			t.Errorf("%s got %v, %v, want a report of %s", at, m, err, device)
		}
	}
	report := func(listener, phone string) {
		t.Helper()
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", n.addr(listener).String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		d := &device{Conn: conn, y: &yard{t: t}}
		if d.phone, err = jt808.ParsePhone(phone, jt808.V2013); err != nil {
			t.Fatal(err)
		}
		for _, m := range []jt808.Body{&jt808.Authenticate{Code: "any"}, &jt808.Location{Time: jt808.BCDTime{0x26, 0x11, 0x21, 0x10, 0x00, 0x00}}} {
			if err = d.say(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	report("west", "13800138001")
	want("other", "truck-1")
	report("east", "13800138000")
	want("main", "truck-0")
	want("other", "truck-0")
	metrics := scrape(t, n)
	for _, want := range []string{
		`linkspan_aliyun_devices_online{upstream="main"} 1`, `linkspan_aliyun_devices_online{upstream="other"} 2`,
		`linkspan_route_devices{upstream="other"} 1`, `linkspan_route_copy_devices{upstream="other"} 1`,
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

// scrape is what Prometheus would read.
func scrape(t *testing.T, n *node) string {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.admin.Addr().String()+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %s, %v\n%s", res.Status, err, body)
	}
	return string(body)
}
