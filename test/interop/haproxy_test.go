//go:build interop

package interop

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// behindHAProxy is a bridge with three listeners, and a haproxy in front of each.
type behindHAProxy struct {
	*process
	haproxy *process
	admin   string
	fronts  map[string]string // v1, v2, tls: where haproxy listens
}

func newBehindHAProxy(t *testing.T, settings string) *behindHAProxy {
	t.Helper()
	c := newCloud(t)
	dir := t.TempDir()
	n := &behindHAProxy{fronts: map[string]string{}}
	n.admin, _ = free(t)
	_, adminPort, err := net.SplitHostPort(n.admin)
	if err != nil {
		t.Fatal(err)
	}
	ok(t, "", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
		"-subj", "/CN=localhost", "-keyout", filepath.Join(dir, "server.key"), "-out", filepath.Join(dir, "server.pem"))

	var listeners, sections strings.Builder
	for name, option := range map[string]string{"v1": "send-proxy", "v2": "send-proxy-v2", "tls": "send-proxy-v2"} {
		back, _ := free(t)
		n.fronts[name], _ = free(t)
		encryption := ""
		if name == "tls" {
			encryption = "tls { certificate = server.pem, key = server.key }"
		}
		fmt.Fprintf(&listeners, `listeners += { name = %s, protocol = jt808, address = %q, limits.maxPerAddress = 1, %s
  proxyProtocol { mode = required, trusted = [127.0.0.1] }
  jt808.ack = delivered }
`, name, back, encryption)
		fmt.Fprintf(&sections, `
frontend %[1]s
  bind %[2]s
  default_backend %[1]s
backend %[1]s
  option httpchk GET /readyz
  server bridge %[3]s source 127.0.0.1 %[4]s check port %[5]s inter 200ms fall 1 rise 1
backend checks-%[1]s
  server bridge %[3]s source 127.0.0.1 %[4]s check inter 200ms
`, name, n.fronts[name], back, option, adminPort)
	}
	conf, haproxy := filepath.Join(dir, "application.conf"), filepath.Join(dir, "haproxy.cfg")
	for name, text := range map[string]string{
		conf: fmt.Sprintf(`
productKey = %s, deviceName = %s, deviceSecret = %q
upstream.aliyun { endpoint = "tcp://127.0.0.1:%s", qos = 1 }
devices.file = devices.conf
admin.address = %q
log { level = debug, format = json }
%s%s`, gatewayProduct, gateway, gatewaySecret, c.mqttPort, n.admin, &listeners, settings),
		filepath.Join(dir, "devices.conf"): fmt.Sprintf(`"13800138001" { productKey = %s, deviceName = %s, deviceSecret = %q }`, truckProduct, truck, truckSecret),
		haproxy: `
global
  log stdout format raw local0
defaults
  mode tcp
  log global
  timeout connect 5s
  timeout client 1m
  timeout server 1m
` + sections.String(),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.process = start(t, linkspan, "serve", "-c", conf)
	n.says("linkspan is ready")
	n.haproxy = start(t, "haproxy", "-db", "-f", haproxy)
	for name, front := range n.fronts { // it listens when it has read its file
		await(t, "haproxy in front of "+name, func() bool {
			c, err := net.Dial("tcp", front)
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
	}
	return n
}

// entries are what the bridge has logged.
func (n *behindHAProxy) entries() []map[string]any {
	var all []map[string]any
	for line := range strings.Lines(n.log.text()) {
		entry := map[string]any{}
		if json.Unmarshal([]byte(line), &entry) == nil {
			all = append(all, entry)
		}
	}
	return all
}

// hasEnded says whether a connection of that listener from that host has ended.
func (n *behindHAProxy) hasEnded(listener, host string) bool {
	for _, e := range n.entries() {
		remote, _ := e["remote"].(string)
		if strings.HasPrefix(fmt.Sprint(e["msg"]), "connection ended") && e["listener"] == listener && strings.HasPrefix(remote, host+":") {
			return true
		}
	}
	return false
}

// TestHAProxy tells linkspan the addresses of devices by haproxy, in both versions
// of the PROXY protocol and in front of TLS that haproxy does not look into. Its
// health checks leave no mark that operators would see.
func TestHAProxy(t *testing.T) {
	t.Parallel()
	n := newBehindHAProxy(t, "")
	frame, err := hex.DecodeString(heartbeat)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"v1", "v2"} {
		host := fmt.Sprintf("127.0.1.%d", i+1)
		d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}}
		c, err := d.DialContext(t.Context(), "tcp", n.fronts[name])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(frame); err != nil {
			t.Error(err)
		}
		_ = c.Close()
		await(t, "the device's address of "+name, func() bool { return n.hasEnded(name, host) })
	}
	run(t, string(frame), "openssl", "s_client", "-connect", n.fronts["tls"], "-bind", "127.0.1.3:0", "-quiet", "-no_ign_eof")
	await(t, "the device's address behind TLS", func() bool { return n.hasEnded("tls", "127.0.1.3") })

	for _, name := range []string{"v1", "v2"} {
		report := object(t, ok(t, "", linkspan, "simulate", "jt808", "--target", n.fronts[name], "--devices", "1", "--rate", "20", "--duration", "1s",
			"--first-phone", "13800138001", "--versions", "2013", "--every", "0", "--json"))
		if got, _ := report["Acked"].(float64); got == 0 {
			t.Errorf("%s: the simulator says %v", name, report)
		}
	}

	values := parseMetrics(t, ok(t, "", "curl", "-sS", "--fail-with-body", "http://"+n.admin+"/metrics"))
	if values["linkspan_server_accepted_connections_total"] < 8 { // those above, and health checks
		t.Errorf("%v connections were accepted", values["linkspan_server_accepted_connections_total"])
	}
	if values["linkspan_server_refused_connections_total"] != 0 {
		t.Errorf("%v connections were refused", values["linkspan_server_refused_connections_total"])
	}
	for _, e := range n.entries() {
		if e["msg"] == "login refused" { // the heartbeats of who has not logged in
			if remote := fmt.Sprint(e["remote"]); !strings.HasPrefix(remote, "127.0.1.") {
				t.Errorf("the one that was refused has the address %s", remote)
			}
			continue
		}
		if e["level"] != "debug" && (strings.HasPrefix(fmt.Sprint(e["msg"]), "connection") || e["level"] != "info") {
			t.Errorf("the bridge logs %v", e)
		}
	}
	if status := n.stop(); status != 0 {
		t.Errorf("SIGTERM ends the bridge with status %d", status)
	}
}

// TestHAProxyTakesOut ends a bridge: haproxy sees it by /readyz, while the bridge
// still takes connections.
func TestHAProxyTakesOut(t *testing.T) {
	t.Parallel()
	n := newBehindHAProxy(t, "shutdown { pause = 5s }\n")
	await(t, "haproxy to look at /readyz", func() bool {
		c, err := net.Dial("tcp", n.fronts["v2"])
		if err == nil {
			_ = c.Close()
		}
		return err == nil && !strings.Contains(n.haproxy.log.text(), "DOWN")
	})
	stopped := make(chan int)
	go func() { stopped <- n.stop() }()
	n.haproxy.says("Server v2/bridge is DOWN")
	if n.log.with("stopped") != "" {
		t.Error("haproxy has seen it too late")
	}
	if status := <-stopped; status != 0 {
		t.Errorf("the bridge ends with status %d", status)
	}
	for _, e := range n.entries() {
		if e["cause"] == "proxy" {
			t.Errorf("the bridge logs %v", e)
		}
	}
}
