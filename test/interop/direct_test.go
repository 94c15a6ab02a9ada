//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// bridgeWith starts linkspan with a configuration to which a listener, devices
// and metrics are added.
func bridgeWith(t *testing.T, text string) (n *process, listen, admin string) {
	t.Helper()
	listen, _ = free(t)
	admin, _ = free(t)
	conf := filepath.Join(t.TempDir(), "application.conf")
	text += fmt.Sprintf(`
devices { unknown = template, template.productKey = demo }
listeners = [{ protocol = jt808, address = %q, jt808 { ack = delivered } }]
admin.address = %q
`, listen, admin)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n = start(t, linkspan, "serve", "-c", conf)
	n.says("linkspan is ready")
	return n, listen, admin
}

// metricOf is what curl reads of a metric, with its labels, from linkspan.
func metricOf(t *testing.T, admin, metric string) float64 {
	t.Helper()
	for line := range strings.Lines(ok(t, "", "curl", "-sS", "--fail-with-body", "http://"+admin+"/metrics")) {
		if value, found := strings.CutPrefix(line, metric+" "); found {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Errorf("there is no %s", metric)
	return 0
}

// TestDirectToABrokerOfOthers has mosquitto take each device's own connection,
// over TCP, TLS, WebSocket and both, and mosquitto's clients be the platform.
func TestDirectToABrokerOfOthers(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"tcp", "ssl", "ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ca, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key")
			ok(t, "", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
				"-subj", "/CN=broker.example", "-addext", "subjectAltName=DNS:broker.example", "-keyout", key, "-out", ca)
			_, port := free(t)
			more := []string{"allow_anonymous true", "listener " + port + " 127.0.0.1"}
			section := ""
			if strings.HasPrefix(scheme, "ws") {
				more = append(more, "protocol websockets")
			}
			if scheme == "ssl" || scheme == "wss" {
				more = append(more, "certfile "+ca, "keyfile "+key)
				section = fmt.Sprintf("caFile = %q, serverName = broker.example", ca)
			}
			m := newMosquitto(t, more...)
			const sys = "/sys/demo/13800138001/thing/"
			all := m.hear("-t", "/sys/#")
			n, listen, admin := bridgeWith(t, fmt.Sprintf("upstream { type = aliyun-direct, aliyun-direct { endpoint = %q\n%s } }", scheme+"://127.0.0.1:"+port, section))
			terminals(t, listen, 3, 15*time.Second)
			r := payload(t, all.says(sys+"event/property/post {"), sys+"event/property/post")
			if r["method"] != "thing.event.property.post" || r["params"] == nil {
				t.Errorf("report %v", r)
			}
			await(t, "metrics", func() bool {
				return metricOf(t, admin, "linkspan_aliyun_direct_devices_online") == 3
			})
			reply := object(t, ok(t, "", "mosquitto_rr", m.client("-W", "20", "-t", sys+"service/queryLocation", "-e", sys+"service/queryLocation_reply", "-m", `{"id":"q-1","params":{}}`)...))
			if reply["code"] != 200.0 || reply["id"] != "q-1" || dig(reply, "data", "latitude") == nil {
				t.Errorf("queryLocation is answered with %v", reply)
			}
			if status := n.stop(); status != 0 {
				t.Errorf("SIGTERM ends the bridge with status %d", status)
			}
		})
	}
}

// TestCopiesToABrokerOfOthers ends the broker that gets copies: the platform of
// the devices notices nothing.
func TestCopiesToABrokerOfOthers(t *testing.T) {
	t.Parallel()
	main, other := newMosquitto(t), newMosquitto(t)
	atMain, atOther := main.hear("-t", "linkspan/+/+/up/property"), other.hear("-t", "copy/#")
	_, listen, admin := bridgeWith(t, fmt.Sprintf(`
upstreams {
  main { type = mqtt, mqtt.endpoint = "tcp://127.0.0.1:%s" }
  other { type = mqtt, mqtt { endpoint = "tcp://127.0.0.1:%s", clientId = other, holdTimeout = 1s, topics { up.property = "copy/${deviceName}" } } }
}
routes = [{ to = main, copies = [other] }]
`, main.port, other.port))
	sim := terminals(t, listen, 3, 12*time.Second)
	atMain.says(`"fields":{"latitude"`)
	atOther.says(`"fields":{"latitude"`)
	_ = other.cmd.Process.Kill()
	<-other.exit
	const done = `linkspan_upstream_mqtt_messages_done_total{upstream="main"}`
	before := metricOf(t, admin, done)
	await(t, "what the copy does not get", func() bool {
		return metricOf(t, admin, `linkspan_route_copy_messages_dropped_total{cause="failed",upstream="other"}`) > 0
	})
	if out := sim.ends(); sim.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("the terminals say %s", out)
	}
	if after, failed := metricOf(t, admin, done), metricOf(t, admin, "linkspan_bridge_failed_messages_total"); after <= before || failed != 0 {
		t.Errorf("the platform got %v messages before and %v after; %v failed", before, after, failed)
	}
}
