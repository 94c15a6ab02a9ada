package cli

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// startPlatform starts a platform with one device and returns its API's address.
func startPlatform(t *testing.T) string {
	t.Helper()
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress = "127.0.0.1:0", "127.0.0.1:0"
	p, err := platform.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := p.AddDevice(auth.Identity{ProductKey: "demo", DeviceName: "truck-1", DeviceSecret: "s"}, ""); err != nil {
		t.Fatal(err)
	}
	return "http://" + p.APIAddr()
}

func TestPlatformClient(t *testing.T) {
	t.Parallel()
	server := startPlatform(t)
	for name, test := range map[string]struct {
		args []string
		want string // in the output or the error
		fail bool
	}{
		"devices":                 {args: []string{"devices"}, want: "demo/truck-1"},
		"device":                  {args: []string{"device", "demo/truck-1"}, want: `"state": "unactive"`},
		"a device that is not":    {args: []string{"device", "demo/truck-2"}, want: "truck-2", fail: true},
		"a name without product":  {args: []string{"device", "truck-1"}, want: "PRODUCT/DEVICE", fail: true},
		"set offline":             {args: []string{"set", "demo/truck-1", "heartbeatInterval=30"}, want: "offline", fail: true},
		"invoke offline":          {args: []string{"invoke", "demo/truck-1", "text", `{"text":"hello"}`}, want: "offline", fail: true},
		"not a parameter":         {args: []string{"set", "demo/truck-1", "heartbeatInterval"}, want: "NAME=VALUE", fail: true},
		"not JSON":                {args: []string{"set", "demo/truck-1", "{"}, want: "JSON", fail: true},
		"invoke by RRPC, offline": {args: []string{"invoke", "demo/truck-1", "text", "--sync"}, want: "offline", fail: true},
		"raw offline":             {args: []string{"raw", "demo/truck-1", "01 a2"}, want: "offline", fail: true},
		"raw, no bytes":           {args: []string{"raw", "demo/truck-1", "xyz"}, want: "hexadecimal", fail: true},
		"rrpc offline":            {args: []string{"rrpc", "demo/truck-1", "hello"}, want: "offline", fail: true},
		"publish offline":         {args: []string{"publish", "demo/truck-1", "/demo/truck-1/user/get", "hello"}, want: "offline", fail: true},
		"publish elsewhere":       {args: []string{"publish", "demo/truck-1", "/demo/truck-2/user/get", "hello"}, want: "none of demo/truck-1", fail: true},
		"notify offline":          {args: []string{"notify", "demo/truck-1", "demo/truck-5"}, want: "offline", fail: true},
		"shadow":                  {args: []string{"shadow", "demo/truck-1"}, want: `"version"`},
		"log":                     {args: []string{"log"}},
		"disconnect nobody":       {args: []string{"disconnect", "demo/truck-1"}, want: "connection of its own", fail: true},
		"disconnect all":          {args: []string{"disconnect", "all"}},
		"no such action":          {args: []string{"fault", "explode"}, want: "halfOpen", fail: true},
		"no such fault":           {args: []string{"faults", "--remove", "99"}, want: "no fault", fail: true},
		"stats":                   {args: []string{"stats"}, want: `"devices": 1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, "", append(append([]string{"platform"}, test.args...), "--api", server)...)
			if test.fail != (err != nil) {
				t.Errorf("error %v", err)
			}
			if err != nil {
				out += err.Error()
			}
			if !strings.Contains(out, test.want) {
				t.Errorf("lacks %q:\n%s", test.want, out)
			}
		})
	}
}

func TestPlatformNotThere(t *testing.T) {
	t.Parallel()
	_, err := run(t, "", "platform", "devices", "--api", "http://127.0.0.1:1")
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("error %v", err)
	}
}

// TestPlatformLab changes things at a platform, one after the other.
func TestPlatformLab(t *testing.T) {
	t.Parallel()
	server := startPlatform(t)
	for _, step := range []struct{ args, want string }{
		{"add demo/truck-7 secret", "demo/truck-7 is unactive"},
		{"add demo/truck-8 secret --gateway demo/truck-7", "demo/truck-8 is unactive"},
		{"device demo/truck-7", `"demo/truck-8"`},
		{"shadow demo/truck-7 color=red", `"desired"`},
		{"shadow demo/truck-7", `"color": "red"`},
		{"fault refuse --method combine.login --device demo/truck-8 --code 429 --count 3 --for 1m --probability 0.5", `"id": "1"`},
		{"fault throttle --topic /sys/# --rate 2 --product demo --gateway demo/truck-7", `"code": 429`},
		{"fault delay --delay 2s", `"delay": "2s"`},
		{"faults", `"combine.login"`},
		{"faults --remove 1", `"probability": 0.5`},
		{"faults --clear", ""},
		{"faults", `"rules": []`},
	} {
		out, err := run(t, "", append(append([]string{"platform"}, strings.Fields(step.args)...), "--api", server)...)
		if err != nil || !strings.Contains(out, step.want) {
			t.Errorf("%s: lacks %q: %v\n%s", step.args, step.want, err, out)
		}
	}
}

// TestPlatformSendsOnly says --wait 0 to everything that has it.
func TestPlatformSendsOnly(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Query().Get("wait")
		_, _ = w.Write([]byte(`{"state":"sent"}`))
	}))
	defer s.Close()
	for _, args := range []string{"set demo/a x=1", "get demo/a x", "invoke demo/a text", "raw demo/a 01"} {
		out, err := run(t, "", append(strings.Fields("platform "+args), "--wait", "0", "--api", s.URL)...)
		if err != nil || !strings.Contains(out, "sent") {
			t.Errorf("%s: %q, %v", args, out, err)
		}
		if got := <-asked; got != "0" && got != "0s" {
			t.Errorf("%s asks to wait %q", args, got)
		}
	}
}

func TestRefusalShowsTopic(t *testing.T) {
	t.Parallel()
	line := messageLine(api.Message{Kind: api.KindRefused, ProductKey: "p", DeviceName: "d", Cause: "not sent", Topic: "/sys/p/d/thing/x_reply"})
	if !strings.HasSuffix(line, "p/d  not sent  /sys/p/d/thing/x_reply") {
		t.Errorf("%q", line)
	}
}
