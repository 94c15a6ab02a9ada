package cli

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/config"
)

// TestListeners looks at what listeners become.
func TestListeners(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"one":                  {`listeners = [{ protocol = jt808, address = ":7611" }]`, []string{"tcp jt808-1 :7611"}},
		"a list of addresses":  {`listeners = [{ name = a, protocol = jt808, address = ["lo:7611", "[::1]:7611", "127.0.0:7612"] }]`, []string{"tcp a 127.0.0.1:7611", "tcp a-2 [::1]:7611", "tcp a-3 127.0.0.1:7612"}},
		"UDP":                  {`listeners = [{ protocol = jt808, network = UDP, address = ":7611" }]`, []string{"udp jt808-1 :7611"}},
		"both networks":        {`listeners = [{ protocol = jt808, address = ":7611" }, { protocol = jt808, network = udp, address = ":7611" }]`, []string{"tcp jt808-1 :7611", "udp jt808-2 :7611"}},
		"TLS":                  {`listeners = [{ protocol = jt808, address = ":7611", tls { keyStoreFile = server.jks, keyPassword = changeit } }]`, []string{"tcp jt808-1 :7611 TLS"}},
		"TLS or not":           {`listeners = [{ protocol = jt808, address = ":7611", unsecured = true, tls { keyStoreFile = server.p12, keyPassword = changeit } }]`, []string{"tcp jt808-1 :7611 TLS or none"}},
		"not TLS":              {`listeners = [{ protocol = jt808, address = ":7611", unsecured = true }]`, []string{"tcp jt808-1 :7611"}},
		"from Java and beside": {`socketServer.ports = 0, listeners = [{ protocol = jt808, address = ":0" }]`, []string{"tcp jt808-1 :0", "tcp socketServer-0 :0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree, err := config.Parse("a.conf", c.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := listenersOf(t, tree, filepath.Join("testdata", "java")); !slices.Equal(got, c.want) {
				t.Errorf("listeners %q, want %q", got, c.want)
			}
		})
	}
}

func TestListenerMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		listener string
		says     []string
	}{
		"TLS over UDP":               {`address = ":7611", network = udp, tls { keyStoreFile = server.jks, keyPassword = changeit }`, []string{"tls", "DTLS is not supported"}},
		"PROXY over UDP":             {`address = ":7611", network = udp, proxyProtocol { mode = optional, trusted = [any] }`, []string{"proxyProtocol", "UDP"}},
		"a network":                  {`address = ":7611", network = sctp`, []string{`"sctp"`, "tcp or udp"}},
		"an interface":               {`address = "eth99:7611"`, []string{"listeners.0.address", "eth99", "127.0.0.1"}},
		"no port":                    {`address = "127.0.0.1"`, []string{"listeners.0.address", "127.0.0.1", "host:port"}},
		"one address of several":     {`address = [":7611", "eth99:7611"]`, []string{"listeners.0.address", "eth99"}},
		"nobody trusted":             {`address = ":7611", proxyProtocol.mode = required`, []string{"listeners.0.proxyProtocol.trusted: is empty"}},
		"certificates and a way out": {`address = ":7611", unsecured = true, tls { keyStoreFile = server.jks, keyPassword = changeit, clientAuth = required }`, []string{"listeners.0.unsecured", "clientAuth"}},
		"no certificate":             {`address = ":7611", tls { certificate = away.pem }`, []string{"listeners.0.tls", "away.pem"}},
		"a pause":                    {"address = \":7611\" }]\nshutdown { pause = 2h, timeout = 0s }\nx = [{", []string{"shutdown.pause", "shutdown.timeout", "1s to 1h"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, "listeners = [{ protocol = jt808, "+c.listener+" }]", c.says)
		})
	}
}

// wantRefused checks that a configuration with that at its end is refused, and that
// the error says all of says and no secret.
func wantRefused(t *testing.T, end string, says []string) {
	t.Helper()
	tree, err := config.Parse("a.conf", "productKey = a, deviceName = b, deviceSecret = c\ndevices.unknown = template\ndevices.template { productKey = d, deviceSecret = e }\n"+end)
	if err != nil {
		t.Fatal(err)
	}
	err = check(tree, filepath.Join("testdata", "java"), func(error) {})
	if err == nil {
		t.Fatal("it is accepted")
	}
	for _, said := range says {
		if !strings.Contains(err.Error(), said) {
			t.Errorf("lacks %q:\n%v", said, err)
		}
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("shows a secret: %v", err)
	}
}

// TestNotify tells a service manager, and goes on without one.
func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	core, logs := observer.New(zapcore.DebugLevel)
	log := zap.New(core)

	t.Setenv("NOTIFY_SOCKET", path)
	notify(log, "READY=1")
	_ = manager.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 64)
	n, err := manager.Read(buf)
	if err != nil || string(buf[:n]) != "READY=1" {
		t.Errorf("the manager got %q, %v", buf[:n], err)
	}
	t.Setenv("NOTIFY_SOCKET", "")
	notify(log, "READY=1")
	if logs.Len() > 0 {
		t.Errorf("logs %v", logs.All())
	}
	t.Setenv("NOTIFY_SOCKET", path+".away")
	notify(log, "STOPPING=1")
	if logs.FilterMessageSnippet("STOPPING=1").Len() != 1 {
		t.Error("what fails is not logged")
	}
}
