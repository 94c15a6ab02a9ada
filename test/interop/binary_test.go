//go:build interop

package interop

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Frames of JT/T 808-2013, bytes and check bytes worked out by hand.
const (
	heartbeat   = "7e000200001234567890120001897e"
	badChecksum = "7e000200001234567890120001887e"
)

// TestDecode shows frames on the command line, and tells scripts by the status
// whether all of them were right.
func TestDecode(t *testing.T) {
	t.Parallel()
	o := run(t, "", linkspan, "decode", "jt808", "--json", heartbeat)
	if f := object(t, o.out); o.status != 0 || f["ok"] != true || f["id"] != "0x0002" || f["phone"] != "123456789012" || f["serial"] != 1.0 {
		t.Errorf("status %d: %s", o.status, o.out)
	}
	o = run(t, "", linkspan, "decode", "jt808", heartbeat)
	if o.status != 0 || !strings.Contains(o.out, "0x0002") || o.err != "" {
		t.Errorf("status %d: %s%s", o.status, o.out, o.err)
	}
	o = run(t, badChecksum+"\n"+heartbeat+"\n", linkspan, "decode", "jt808", "--json")
	if o.status != 1 || strings.Count(o.out, "\n") != 2 {
		t.Errorf("a bad frame and a good one: status %d: %s%s", o.status, o.out, o.err)
	}
	if bad := object(t, strings.SplitN(o.out, "\n", 2)[0]); bad["ok"] != false || bad["error"] == "" {
		t.Errorf("the bad frame is %v", bad)
	}
}

// TestStatus ends commands that cannot be run: 2 for wrong words, 1 for what
// went wrong, with a reason on standard error in both cases.
func TestStatus(t *testing.T) {
	t.Parallel()
	wrong := filepath.Join(t.TempDir(), "wrong.conf")
	if err := os.WriteFile(wrong, []byte("listeners = [{ protocol = jt809, address = \":0\" }]\nproductKey = a, deviceName = b, deviceSecret = c\ndevices.unknown = template, devices.template { productKey = d }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		args   []string
		status int
		says   string // on standard error, or when that is nothing on standard output
	}{
		{"version", []string{"version"}, 0, "linkspan"},
		{"help", []string{"--help"}, 0, "linkspan demo"},
		{"no such flag", []string{"serve", "--port", "1"}, 2, "--port"},
		{"no configuration", []string{"serve", "-c", filepath.Join(t.TempDir(), "nowhere.conf")}, 1, "nowhere.conf"},
		{"a protocol that there is not", []string{"serve", "-c", wrong}, 1, "jt809"},
		{"no platform", []string{"platform", "devices", "--api", "http://127.0.0.1:1"}, 1, "127.0.0.1:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := run(t, "", linkspan, c.args...)
			said := o.err
			if c.status == 0 {
				said = o.out
			}
			if o.status != c.status || !strings.Contains(said, c.says) {
				t.Errorf("status %d, want %d: %s%s", o.status, c.status, o.out, o.err)
			}
		})
	}
}

// node is a bridge in a process of its own.
type node struct {
	*process
	listen, admin string
}

func newNode(t *testing.T, c *cloud) *node {
	t.Helper()
	listen, _ := free(t)
	admin, _ := free(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "application.conf")
	for name, text := range map[string]string{
		conf: fmt.Sprintf(`
productKey   = %s
deviceName   = %s
deviceSecret = %q
upstream { type = aliyun, aliyun { endpoint = "tcp://127.0.0.1:%s", qos = 1 } }
devices.file = devices.conf
listeners = [{ name = terminals, protocol = jt808, address = %q, jt808 { ack = delivered } }]
admin.address = %q
`, gatewayProduct, gateway, gatewaySecret, c.mqttPort, listen, admin),
		filepath.Join(dir, "devices.conf"): fmt.Sprintf(`"13800138001" { productKey = %s, deviceName = %s, deviceSecret = %q }`, truckProduct, truck, truckSecret),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := &node{process: start(t, linkspan, "serve", "-c", conf), listen: listen, admin: "http://" + admin}
	n.says("linkspan is ready")
	return n
}

// TestOperator goes the way of an operator with three processes: a platform, a
// bridge with a devices file, a simulated terminal; curl looks at the platform
// and at the bridge's side door, and SIGTERM ends both in order.
func TestOperator(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	n := newNode(t, c)
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ok"} {
		if got := ok(t, "", "curl", "-sS", "--fail-with-body", n.admin+path); strings.TrimSpace(got) != want {
			t.Errorf("%s says %q", path, got)
		}
	}

	report := object(t, ok(t, "", linkspan, "simulate", "jt808", "--target", n.listen, "--devices", "1", "--rate", "20", "--duration", "2s",
		"--first-phone", "13800138001", "--versions", "2013", "--every", "0", "--json"))
	device := c.get("/devices/" + truckProduct + "/" + truck)
	if posts, _ := dig(device, "counters", "properties").(float64); posts < 10 {
		t.Errorf("the platform has %v posts of the terminal; the simulator says %v", posts, report)
	}
	for _, name := range []string{"latitude", "longitude", "speed", "direction", "mileage"} {
		if dig(device, "properties", name, "value") == nil {
			t.Errorf("the platform has no %s: %v", name, device["properties"])
		}
	}
	if refused := dig(device, "counters", "refused"); refused != 0.0 {
		t.Errorf("the platform refused %v messages", refused)
	}

	metrics := ok(t, "", "curl", "-sS", "--fail-with-body", n.admin+"/metrics")
	values := parseMetrics(t, metrics)
	for _, name := range []string{
		"linkspan_server_connections", "linkspan_server_received_messages_total", "linkspan_session_sessions",
		"linkspan_bridge_delivered_messages_total", "linkspan_aliyun_messages_total", "linkspan_jt808_locations_total", "go_goroutines", "process_open_fds",
	} {
		if _, there := values[name]; !there {
			t.Errorf("there is no metric %s", name)
		}
	}
	if values["linkspan_jt808_locations_total"] < 10 {
		t.Errorf("%v locations are counted", values["linkspan_jt808_locations_total"])
	}

	if status := n.stop(); status != 0 {
		t.Errorf("SIGTERM ends the bridge with status %d", status)
	}
	if d := c.get("/devices/" + gatewayProduct + "/" + gateway); d["online"] != false {
		t.Errorf("the bridge has ended, the platform has %v", d)
	}
	if status := c.stop(); status != 0 {
		t.Errorf("SIGTERM ends the platform with status %d", status)
	}
}

var (
	metricLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*="(\\.|[^"\\])*",?)*\})? (NaN|[+-]?Inf|[-+0-9.e]+)$`)
	helpLine   = regexp.MustCompile(`^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$`)
)

// parseMetrics checks the text format of Prometheus (exposition formats, text
// format 0.0.4) and returns each metric's sum over its labels. Every metric has
// a type and a help text in front, counters end in _total, no series is there
// twice.
func parseMetrics(t *testing.T, text string) map[string]float64 {
	t.Helper()
	kinds, helps, values, seen := map[string]string{}, map[string]bool{}, map[string]float64{}, map[string]bool{}
	in := bufio.NewScanner(strings.NewReader(text))
	for in.Scan() {
		line := in.Text()
		if m := helpLine.FindStringSubmatch(line); m != nil {
			if m[1] == "HELP" {
				helps[m[2]] = true
			} else if kinds[m[2]] = m[3]; m[3] == "counter" && !strings.HasSuffix(m[2], "_total") {
				t.Errorf("counter %s does not end in _total", m[2])
			}
			continue
		}
		m := metricLine.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("no line of metrics: %q", line)
			continue
		}
		name := m[1]
		if kinds[name] == "" { // parts of histograms and summaries have their family's
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				if family, found := strings.CutSuffix(name, part); found && kinds[family] != "" {
					name = family
				}
			}
		}
		if kinds[name] == "" || !helps[name] {
			t.Errorf("%s has no type or no help", m[1])
		}
		if series := m[1] + m[2]; seen[series] {
			t.Errorf("%s is there twice", series)
		} else {
			seen[series] = true
		}
		var v float64
		if _, err := fmt.Sscan(m[5], &v); err != nil && m[5] != "NaN" {
			t.Errorf("%s: %v", line, err)
		}
		values[m[1]] += v
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}

// TestDemo runs the demonstration as the README says, which checks itself.
func TestDemo(t *testing.T) {
	t.Parallel()
	out := ok(t, "", linkspan, "demo", "--for", "8s", "--check", "--plain")
	if !strings.Contains(out, "JT/T 808 on") {
		t.Errorf("the demo says %s", out)
	}
}
