//go:build interop

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVendorSDKForNode connects devices of the vendor's own SDK for Node.js to the
// platform: a device of its own with properties, events, tags, services both ways
// and its shadow, a gateway with a sub-device, and a device that registers.
func TestVendorSDKForNode(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is missing: apt-get install nodejs npm")
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "device.js"} {
		text, err := os.ReadFile(filepath.Join("testdata", "node", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ok(t, "", "npm", "ci", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")

	mqtt, _ := free(t)
	api, _ := free(t)
	auth, _ := free(t)
	conf := filepath.Join(dir, "platform.conf")
	text := fmt.Sprintf(`platform {
  mqttAddress = %q, apiAddress = %q, authAddress = %q, autoRegister = false
  products = [{ productKey = truckPk, productSecret = product-s3cret, dynamicRegister = true }]
  devices = [
    { productKey = gatewayPk, deviceName = node-gw, deviceSecret = s3cret }
    { productKey = truckPk, deviceName = direct-1, deviceSecret = s3cret }
    { productKey = truckPk, deviceName = truck-n, deviceSecret = sub-s3cret }
    { productKey = truckPk, deviceName = found-1, deviceSecret = x }
    { productKey = truckPk, deviceName = fresh-1, deviceSecret = x }
  ]
}
`, mqtt, api, auth)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &cloud{t: t, base: "http://" + api + "/api/v1", process: start(t, linkspan, "platform", "-c", conf)}
	c.says("local platform")

	sdk := newSDK(t, filepath.Join(dir, "device.js"), "mqtt://"+mqtt, "http://"+auth)
	for step, want := range map[string]any{
		"register": 200.0, "fresh-property": 200.0,
		"direct-property": 200.0, "direct-event": 200.0, "direct-tags": 200.0, "direct-untag": 200.0, "direct-config": 6710.0,
		"gateway-add": 200.0, "gateway-topo": 200.0, "gateway-register": 200.0, "gateway-login": 200.0,
		"sub-property": 200.0, "gateway-logout": 200.0, "gateway-remove": 200.0,
	} {
		if r := sdk.step(step); r["code"] != want {
			t.Errorf("%s: %v", step, r)
		}
	}
	if r := sdk.step("direct-shadow"); dig(r, "payload", "status") != "success" {
		t.Errorf("the shadow says %v", r)
	}
	sdk.step("direct-ready")

	device := c.base + "/devices/truckPk/direct-1"
	for _, command := range []struct{ path, body, step string }{
		{"/properties", `{"fan":1}`, "direct-set"},
		{"/services/text", `{"text":"turn left","how":"async"}`, "direct-service"},
		{"/services/text/sync", `{"text":"turn right","how":"sync"}`, "direct-service"},
	} {
		r := object(t, ok(t, command.body, "curl", "-sS", "--fail-with-body", "--data-binary", "@-", device+command.path+"?wait=7s"))
		if r["state"] != "done" || r["code"] != 200.0 {
			t.Errorf("%s: %v", command.path, r)
		}
		sdk.step(command.step)
	}
	d := c.get("/devices/truckPk/direct-1")
	if dig(d, "properties", "speed", "value") != 60.5 || dig(d, "tags", "color") != "red" || dig(d, "counters", "events") != 1.0 || dig(d, "counters", "custom") == 0.0 {
		t.Errorf("the platform has %v", d)
	}
	if s := c.get("/devices/truckPk/direct-1/shadow"); dig(s, "state", "reported", "color") != "red" {
		t.Errorf("the shadow is %v", s)
	}
	for _, step := range []string{"direct-error", "direct-closed", "gateway-error", "gateway-closed", "fresh-error"} {
		if line := sdk.log.with(step); line != "" {
			t.Errorf("the SDK says %s", line)
		}
	}
}

// sdk is the program with the SDK.
type sdk struct{ *process }

func newSDK(t *testing.T, args ...string) *sdk {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() }) // the program ends with its standard input
	p := &process{t: t, name: "node", cmd: exec.Command("node", args...), log: &lines{}, exit: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = in, p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close() // the program has its own
	go func() {    // ends with the process
		_ = p.cmd.Wait()
		close(p.exit)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.exit
		if t.Failed() {
			t.Logf("node said:\n%s", p.log.text())
		}
	})
	return &sdk{p}
}

// step is what the SDK was answered in that step.
func (s *sdk) step(name string) map[string]any {
	s.t.Helper()
	return object(s.t, strings.TrimPrefix(s.says(name+" "), name+" "))
}
