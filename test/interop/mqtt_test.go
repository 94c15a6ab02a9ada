//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mosquitto is a broker of others in a process of its own.
type mosquitto struct {
	*process
	t          *testing.T
	dir, port  string
	conf       string
	credential []string // of clients: mosquitto_pub's arguments
}

// newMosquitto starts a broker with these lines in its configuration; without
// any it takes everybody. "listener" is written by the test itself then.
func newMosquitto(t *testing.T, lines ...string) *mosquitto {
	t.Helper()
	_, port := free(t)
	m := &mosquitto{t: t, dir: t.TempDir(), port: port}
	m.conf = filepath.Join(m.dir, "mosquitto.conf")
	text := fmt.Sprintf("listener %s 127.0.0.1\n", port)
	if len(lines) == 0 {
		lines = []string{"allow_anonymous true"}
	}
	text += strings.Join(lines, "\n") + "\npersistence true\npersistence_location " + m.dir + "/\nlog_dest stderr\nuser root\nmax_queued_messages 0\n"
	m.write("mosquitto.conf", text)
	m.begin()
	return m
}

func (m *mosquitto) path(name string) string { return filepath.Join(m.dir, name) }

func (m *mosquitto) write(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(m.path(name), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// begin starts the broker, once more.
func (m *mosquitto) begin() {
	m.t.Helper()
	m.process = start(m.t, "mosquitto", "-c", m.conf)
	await(m.t, "mosquitto to listen", func() bool {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+m.port, time.Second)
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	})
}

// client are the arguments of a client program.
func (m *mosquitto) client(args ...string) []string {
	return append(append([]string{"-h", "127.0.0.1", "-p", m.port, "-V", "mqttv311", "-q", "1"}, m.credential...), args...)
}

// hear starts mosquitto_sub, which writes a line "topic payload" for each message.
func (m *mosquitto) hear(args ...string) *process {
	m.t.Helper()
	p := start(m.t, "mosquitto_sub", m.client(append([]string{"-d", "-v"}, args...)...)...)
	p.says("SUBACK")
	return p
}

// ask gives the terminal a command with mosquitto_rr and returns the reply.
func (m *mosquitto) ask(command string) map[string]any {
	m.t.Helper()
	return object(m.t, ok(m.t, "", "mosquitto_rr", m.client("-W", "20", "-t", truckTopic+"/down/command", "-e", truckTopic+"/up/reply", "-m", command)...))
}

// payload is what a line of mosquitto_sub -v says under a topic.
func payload(t *testing.T, line, topic string) map[string]any {
	t.Helper()
	text, found := strings.CutPrefix(line, topic+" ")
	if !found {
		t.Fatalf("the line is %q, want one under %s", line, topic)
	}
	return object(t, text)
}

// bridgeTo starts linkspan with the section upstream.mqtt, and a terminal that
// stays.
func bridgeTo(t *testing.T, section string) (n *process, listen, admin string) {
	t.Helper()
	listen, _ = free(t)
	admin, _ = free(t)
	conf := filepath.Join(t.TempDir(), "application.conf")
	text := fmt.Sprintf(`
upstream { type = mqtt, mqtt { %s } }
devices { unknown = template, template.productKey = demo }
listeners = [{ protocol = jt808, address = %q, jt808 { ack = delivered } }]
admin.address = %q
`, section, listen, admin)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n = start(t, linkspan, "serve", "-c", conf)
	n.says("linkspan is ready")
	return n, listen, admin
}

// terminals starts simulated terminals.
func terminals(t *testing.T, listen string, devices int, duration time.Duration) *process {
	t.Helper()
	return start(t, linkspan, "simulate", "jt808", "--target", listen, "--devices", strconv.Itoa(devices), "--rate", "20",
		"--duration", duration.String(), "--first-phone", "13800138001", "--versions", "2013", "--every", "0", "--json")
}

const truckTopic = "linkspan/demo/13800138001"

// TestBrokerOfOthers puts mosquitto where a platform is, and mosquitto_sub and
// mosquitto_rr where its application is.
func TestBrokerOfOthers(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{
		"shared": "", "wildcard": "subscribe = wildcard", "pool": "connections = pool, poolSize = 3", "a connection for each": "connections = device", "websocket": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMosquitto(t)
			endpoint := "tcp://127.0.0.1:" + m.port
			if name == "websocket" {
				_, port := free(t)
				m = newMosquitto(t, "allow_anonymous true", "listener "+port+" 127.0.0.1", "protocol websockets")
				endpoint = "ws://127.0.0.1:" + port + "/mqtt"
			}
			all := m.hear("-t", "linkspan/#")
			n, listen, admin := bridgeTo(t, fmt.Sprintf("endpoint = %q\n%s", endpoint, more))
			sim := terminals(t, listen, 3, 10*time.Second)

			if p := payload(t, all.says(truckTopic+"/presence {"), truckTopic+"/presence"); p["online"] != true || p["deviceName"] != "13800138001" {
				t.Errorf("presence is %v", p)
			}
			line := all.says(`"fields":{"latitude"`) // behind what the terminal registers with
			topic, _, _ := strings.Cut(line, " ")
			report := payload(t, line, topic)
			if name := strings.Split(topic, "/")[2]; report["deviceName"] != name || topic != "linkspan/demo/"+name+"/up/property" || dig(report, "fields", "longitude") == nil {
				t.Errorf("the report under %s is %v", topic, report)
			}
			r := m.ask(`{"id":"q-1","type":"service","name":"queryLocation"}`)
			if r["state"] != "done" || r["id"] != "q-1" || r["name"] != "queryLocation" || dig(r, "fields", "latitude") == nil {
				t.Errorf("queryLocation is answered with %v", r)
			}
			if r := m.ask(`{"id":2,"type":"service","name":"text","fields":{}}`); r["state"] != "invalid" || r["id"] != "2" || r["text"] == "" {
				t.Errorf("a text without text is answered with %v", r)
			}
			if r := m.ask(`{"id":"3","type":"dance"}`); r["state"] != "invalid" {
				t.Errorf("what is no command is answered with %v", r)
			}

			if out := sim.ends(); sim.cmd.ProcessState.ExitCode() != 0 {
				t.Errorf("the terminals say %s", out)
			}
			await(t, "the device to be offline", func() bool {
				kept := ok(t, "", "mosquitto_sub", m.client("-C", "1", "-W", "20", "-t", truckTopic+"/presence")...)
				return object(t, kept)["online"] == false
			})
			metrics := parseMetrics(t, ok(t, "", "curl", "-sS", "--fail-with-body", "http://"+admin+"/metrics"))
			for metric, least := range map[string]float64{"linkspan_upstream_mqtt_messages_done_total": 10, "linkspan_upstream_mqtt_commands_total": 2, "linkspan_upstream_mqtt_logins_total": 3, "linkspan_upstream_mqtt_connects_total": 1} {
				if metrics[metric] < least {
					t.Errorf("%s is %v", metric, metrics[metric])
				}
			}
			if status := n.stop(); status != 0 {
				t.Errorf("SIGTERM ends the bridge with status %d", status)
			}
		})
	}
}

// ends waits for the end of a program, and returns what it has said.
func (p *process) ends() string {
	p.t.Helper()
	select {
	case <-p.exit:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.name)
	}
	return p.log.text()
}

// TestBrokerKnowsWho connects with TLS and a certificate that openssl has made,
// after which mosquitto names the client and limits its topics; a client without
// one, and one whose topics are not its own, come to nothing.
func TestBrokerKnowsWho(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	sign := func(name, more string) {
		ok(t, "", "openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", file(name+".key"), "-out", file(name+".csr"), "-subj", "/CN="+name)
		if err := os.WriteFile(file(name+".ext"), []byte(more), 0o600); err != nil {
			t.Fatal(err)
		}
		ok(t, "", "openssl", "x509", "-req", "-in", file(name+".csr"), "-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial", "-days", "2",
			"-extfile", file(name+".ext"), "-out", file(name+".pem"))
	}
	ok(t, "", "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority", "-keyout", file("ca.key"), "-out", file("ca.pem"))
	sign("broker", "subjectAltName=DNS:broker.example")
	sign("bridge", "extendedKeyUsage=clientAuth")
	sign("app", "extendedKeyUsage=clientAuth")
	acl := "user bridge\ntopic readwrite linkspan/demo/#\ntopic write linkspan/bridge/#\nuser app\ntopic readwrite linkspan/#\n"
	if err := os.WriteFile(file("acl"), []byte(acl), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMosquitto(t, "cafile "+file("ca.pem"), "certfile "+file("broker.pem"), "keyfile "+file("broker.key"),
		"require_certificate true", "use_identity_as_username true", "acl_file "+file("acl"))
	m.credential = []string{"--cafile", file("ca.pem"), "--cert", file("app.pem"), "--key", file("app.key"), "--insecure"}
	all := m.hear("-t", "linkspan/#")
	tls := func(more string) string {
		return fmt.Sprintf("endpoint = %q, requestTimeout = 2s, tls { ca = %q, serverName = broker.example, %s }", "ssl://127.0.0.1:"+m.port, file("ca.pem"), more)
	}
	own := fmt.Sprintf("certificate = %q, key = %q", file("bridge.pem"), file("bridge.key"))
	_, listen, _ := bridgeTo(t, tls(own))
	sim := terminals(t, listen, 1, 10*time.Second)
	all.says(truckTopic + "/up/property {")
	if r := m.ask(`{"id":"1","type":"service","name":"queryLocation"}`); r["state"] != "done" {
		t.Errorf("the command is answered with %v", r)
	}
	_ = sim.cmd.Process.Kill()

	nobody, _, _ := bridgeTo(t, tls(""))
	nobody.says("cannot connect")
}

// TestBrokerRefuses ends linkspan with mosquitto's refusal when the password is
// wrong, and not when it is right.
func TestBrokerRefuses(t *testing.T) {
	t.Parallel()
	passwords := filepath.Join(t.TempDir(), "passwords")
	ok(t, "", "mosquitto_passwd", "-b", "-c", passwords, "bridge", "right-password")
	m := newMosquitto(t, "allow_anonymous false", "password_file "+passwords)
	for password, refused := range map[string]bool{"right-password": false, "wrong-password": true} {
		listen, _ := free(t)
		conf := filepath.Join(t.TempDir(), "application.conf")
		text := fmt.Sprintf(`upstream { type = mqtt, mqtt { endpoint = "tcp://127.0.0.1:%s", username = bridge, password = %s } }
devices { unknown = template, template.productKey = demo }
listeners = [{ protocol = jt808, address = %q }]
admin.address = ""
`, m.port, password, listen)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		n := start(t, linkspan, "serve", "-c", conf)
		if !refused {
			n.says("linkspan is ready")
			continue
		}
		if said := n.ends(); n.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(n.log.text(), "not authorized") || strings.Contains(n.log.text(), password) {
			t.Errorf("with a wrong password linkspan ends with status %d: %s", n.cmd.ProcessState.ExitCode(), said)
		}
	}
}

// numbered is what a message of the load test says.
type numbered struct {
	DeviceName string           `json:"deviceName"`
	Fields     map[string]int64 `json:"fields"`
}

// heardNumbers are the numbers that mosquitto_sub has heard, by device, in the
// order of their first coming.
func heardNumbers(t *testing.T, text string) map[string][]int64 {
	t.Helper()
	heard, seen := map[string][]int64{}, map[string]bool{}
	for line := range strings.Lines(text) {
		topic, body, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found || !strings.HasSuffix(topic, "/up/property") {
			continue
		}
		var m numbered
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			continue // the line is not whole
		}
		key := fmt.Sprint(m.DeviceName, " ", m.Fields["n"])
		if !seen[key] {
			seen[key] = true
			heard[m.DeviceName] = append(heard[m.DeviceName], m.Fields["n"])
		}
	}
	return heard
}
