package cli

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/pop"
)

// TestJavaConfigurations loads application.conf files as they are written for the
// Java SDK, with their devices.conf beside them, and looks at what becomes of them.
func TestJavaConfigurations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		listeners        []string // network, name, address, TLS
		region, endpoint string
		warns            []string
	}{
		"core/application.conf": {
			listeners: []string{"tcp socketServer-9123 127.0.0.1:9123"},
			region:    "cn-shanghai",
		},
		"server-jks/application.conf": {
			listeners: []string{"tcp socketServer-9123 127.0.0.1:9123 TLS", "tcp socketServer-9124 127.0.0.1:9124 TLS"},
			region:    "ap-southeast-1",
			warns:     []string{"subDeviceConnectMode", "upstream.aliyun.gateways"},
		},
		"server-p12/application.conf": {
			listeners: []string{"tcp socketServer-9443 127.0.0.1:9443 TLS or none"},
			endpoint:  "ssl://iot-060a0b0c.mqtt.iothub.aliyuncs.com:1883",
			warns:     []string{"socketServer.unsecured"},
		},
		"json/application.json": {
			listeners: []string{"tcp socketServer-7000 127.0.0.1:7000", "tcp socketServer-7001 127.0.0.1:7001", "tcp socketServer-7002 127.0.0.1:7002"},
			region:    "cn-shanghai",
		},
		"properties/application.properties": {
			listeners: []string{"tcp socketServer-9123 127.0.0.1:9123", "tcp socketServer-9124 127.0.0.1:9124"},
			region:    "us-west-1",
			warns:     []string{"keyStoreType, keyPassword missing", "not encrypted"},
		},
		"udp/application.conf": {
			listeners: []string{"udp socketServer-5000 127.0.0.1:5000 no broadcast", "udp socketServer-5001 127.0.0.1:5001 no broadcast"},
			region:    "cn-shanghai",
		},
		"env/application.conf": {
			listeners: []string{
				"tcp more 127.0.0.1:7611", "tcp more-2 127.0.0.1:7612",
				"tcp socketServer-9123 127.0.0.1:9123", "tcp socketServer-9999 127.0.0.1:9999",
			},
			region: "cn-shanghai",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", "java", filepath.FromSlash(name))
			out, err := run(t, "", "config", "check", "-c", path)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range append(c.warns, "ok\n") {
				if !strings.Contains(out, want) {
					t.Errorf("config check lacks %q:\n%s", want, out)
				}
			}
			for _, secret := range []string{"aX3vQ9LmT2cYw8KpZr5uHn1BdFgJeS6o", "5Wexample", "changeit"} {
				if strings.Contains(out, secret) {
					t.Errorf("config check shows a secret:\n%s", out)
				}
			}

			tree, err := config.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := listenersOf(t, tree, filepath.Dir(path)); !slices.Equal(got, c.listeners) {
				t.Errorf("listeners %q, want %q", got, c.listeners)
			}
			var gateway gatewaySettings
			if err := tree.Decode("", &gateway); err != nil {
				t.Fatal(err)
			}
			var a aliyun.Config
			if err := gateway.apply(&a, tree, func(error) {}); err != nil {
				t.Fatal(err)
			}
			endpoint := cmp.Or(c.endpoint, "ssl://a1Xj9mPqR7s.iot-as-mqtt."+c.region+".aliyuncs.com:1883")
			if a.Region != c.region || a.Endpoint != endpoint || a.ProductKey != "a1Xj9mPqR7s" || !strings.HasPrefix(a.DeviceName, "bridge-") {
				t.Errorf("the platform is %+v", a)
			}
		})
	}
}

// listenersOf is what a configuration listens on, one text for each listener.
func listenersOf(t *testing.T, tree *config.Tree, baseDir string) (texts []string) {
	t.Helper()
	s, err := decodeSettings(tree)
	if err != nil {
		t.Fatal(err)
	}
	doors, err := newDoors(tree, s, baseDir, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	listeners, _, err := newListeners(tree, doors)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range listeners {
		text := fmt.Sprintf("%s %s %s", l.Network, l.Name, l.Address)
		if l.TLS != nil {
			text += " TLS"
		}
		if l.PlainToo {
			text += " or none"
		}
		if l.Network == "udp" && !l.UDP.Broadcast {
			text += " no broadcast"
		}
		if l.Protocol != "jt808" || l.Host.Listener != l.Name {
			t.Errorf("listener %s speaks %s, and its host is %s", l.Name, l.Protocol, l.Host.Listener)
		}
		texts = append(texts, text)
	}
	return texts
}

// TestSocketServerDefaults is an empty section: port 9123 of all addresses.
func TestSocketServerDefaults(t *testing.T) {
	t.Parallel()
	tree, err := config.Parse("a.conf", "socketServer {}")
	if err != nil {
		t.Fatal(err)
	}
	if got := listenersOf(t, tree, "."); !slices.Equal(got, []string{"tcp socketServer-9123 :9123"}) {
		t.Errorf("listeners %q", got)
	}
}

func TestSocketServerMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		section string
		says    []string
	}{
		"a port":                      {"ports = [9123, 70000]", []string{"socketServer.ports", `"70000"`, "0 to 65535"}},
		"a port that is a word":       {"ports = http", []string{"socketServer.ports", `"http"`}},
		"no ports":                    {"ports = []", []string{"socketServer.ports", "no device can connect"}},
		"one port twice":              {`ports = "9123, 9123"`, []string{"socketServer.ports", "9123", "twice"}},
		"an interface":                {"address = eth99", []string{"socketServer.address", "eth99", "127.0.0.1"}},
		"an address that nobody has":  {"address = 198.51", []string{"socketServer.address", "198.51"}},
		"a kind of socket":            {"listenType = sctp", []string{"socketServer.listenType", `"sctp"`, "tcp or udp"}},
		"a protocol":                  {"protocol = jt809", []string{"socketServer.protocol", `"jt809"`, "jt808"}},
		"secured without a key store": {"unsecured = false", []string{"socketServer.unsecured", "keyStoreFile, keyStoreType, keyPassword missing"}},
		"secured without a password":  {"unsecured = false, keyStoreFile = a.jks, keyStoreType = JKS", []string{"socketServer.unsecured", "keyPassword missing"}},
		"a key store that is away":    {"keyStoreFile = away.jks, keyStoreType = JKS, keyPassword = s3cret", []string{"socketServer.keyStoreFile", "away.jks"}},
		"a wrong password":            {"keyStoreFile = server.jks, keyStoreType = JKS, keyPassword = s3cret", []string{"socketServer.keyStoreFile", "server.jks", "password"}},
		"another type":                {"keyStoreFile = server.p12, keyStoreType = BCFKS, keyPassword = changeit", []string{"socketServer.keyStoreFile", "BCFKS"}},
		"a key store over UDP":        {"listenType = UDP, keyStoreFile = server.jks, keyStoreType = JKS, keyPassword = s3cret", []string{"a.conf:4:49: socketServer.keyStoreFile", "socketServer.keyStoreType", "socketServer.keyPassword", "DTLS is not supported"}},
		"security over UDP":           {"listenType = udp, unsecured = false", []string{"a.conf:4:46: socketServer.unsecured", "DTLS is not supported", "tcp"}},
		"ports as properties take no": {`ports = "[9123,9124]"`, []string{"socketServer.ports", "without brackets: 9123,9124"}},
		"PROXY over UDP":              {"listenType = udp, proxyProtocol { mode = required, trusted = [any] }", []string{"proxyProtocol", "UDP"}},
		"a backlog":                   {"backlog = -1", []string{"backlog"}},
		"several":                     {"ports = [a], listenType = b, address = eth99", []string{`"a"`, `"b"`, "eth99"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, "socketServer { "+c.section+" }", c.says)
		})
	}
}

// TestGatewayMistakes looks at the keys at the top of application.conf.
func TestGatewayMistakes(t *testing.T) {
	t.Parallel()
	const profile = "popClientProfile { accessKey = a, accessSecret = s3cret, name = n, region = cn-shanghai, endpoint = iot.cn-shanghai.aliyuncs.com }\n"
	for name, c := range map[string]struct {
		top   string
		fails string
		warns []string
	}{
		"a device to be created":   {"productKey = a\n" + profile, "", nil},
		"by half a profile":        {"productKey = a, popClientProfile { region = cn-shanghai, accessSecret = s3cret }\n", "accessKey, name, endpoint missing", nil},
		"by what is not there":     {"productKey = a\n", "deviceSecret", nil},
		"of a name":                {"productKey = a, deviceName = b\n" + profile, "deviceSecret", nil},
		"no secret":                {"productKey = a, deviceName = b\n", "deviceSecret", nil},
		"no name":                  {"productKey = a, deviceSecret = c\n", "", []string{"deviceName", "MAC address"}},
		"half a profile":           {"productKey = a, deviceName = b, deviceSecret = c, popClientProfile { region = cn-shanghai }\n", "", []string{"accessKey, accessSecret, name, endpoint missing"}},
		"an endpoint of elsewhere": {"productKey = a, deviceName = b, deviceSecret = c, http2Endpoint = \"https://gateway.example:443\"\n", "", []string{"http2Endpoint", "gateway.example", "upstream.aliyun.endpoint"}},
		"two regions": {
			"productKey = a, deviceName = b, deviceSecret = c, http2Endpoint = a.iot-as-http2.us-west-1.aliyuncs.com, authEndpoint = \"https://iot-auth.cn-shanghai.aliyuncs.com/auth/bridge\"\n", "",
			[]string{"authEndpoint", "another region"},
		},
		"an endpoint of our own": {"productKey = a, deviceName = b, deviceSecret = c, http2Endpoint = \"https://gateway.example\", upstream.aliyun.endpoint = \"tcp://127.0.0.1:1883\"\n", "", nil},
		"gateways of our own":    {"productKey = a\nupstream.aliyun.gateways = [{ productKey = a, deviceName = b, deviceSecret = c }]\n", "gateway 1: deviceName, deviceSecret missing", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree, err := config.Parse("a.conf", c.top+"devices.unknown = template\ndevices.template { productKey = d, deviceSecret = e }\nlisteners = [{ protocol = jt808, address = \":7611\" }]")
			if err != nil {
				t.Fatal(err)
			}
			if (name == "no name" || name == "a device to be created") && pop.MACAddress() == "" {
				t.Skip("this machine has no MAC address")
			}
			var warnings []string
			err = check(tree, ".", func(w error) { warnings = append(warnings, w.Error()) })
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("error %v, want one that says %q", err, c.fails)
			}
			all := strings.Join(warnings, "\n")
			for _, want := range c.warns {
				if !strings.Contains(all, want) {
					t.Errorf("lacks the warning %q:\n%s", want, all)
				}
			}
			if c.warns == nil && len(warnings) > 0 && c.fails == "" {
				t.Errorf("warns %s", all)
			}
			if err != nil {
				all += err.Error()
			}
			if strings.Contains(all, "s3cret") {
				t.Errorf("shows a secret: %s", all)
			}
		})
	}
}

// TestOnlyProtocol finds what devices speak when the configuration does not say.
func TestOnlyProtocol(t *testing.T) {
	t.Parallel()
	own := func(name string) protocol.Plugin { return protocol.Plugin{Name: name, Config: struct{}{}} }
	builtIn := protocol.Default["jt808"]
	for name, c := range map[string]struct {
		known protocol.Registry
		want  string
	}{
		"ours":               {protocol.Registry{"jt808": builtIn}, "jt808"},
		"one of the program": {protocol.Registry{"jt808": builtIn, "acme": own("acme")}, "acme"},
		"it alone":           {protocol.Registry{"acme": own("acme")}, "acme"},
		"two of the program": {protocol.Registry{"jt808": builtIn, "acme": own("acme"), "emca": own("emca")}, ""},
		"none":               {protocol.Registry{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := onlyProtocol(c.known); got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("%q %v", got, err)
			}
		})
	}
}
