package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/platform"
)

// diary is a log that is kept, in which one can wait for words.
type diary struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (d *diary) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.changed)
	d.changed = make(chan struct{})
	return d.text.Write(b)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// until waits for a line that has all these words.
func (d *diary) until(t *testing.T, words ...string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		d.mu.Lock()
		text, changed := d.text.String(), d.changed
		d.mu.Unlock()
	lines:
		for line := range strings.Lines(text) {
			for _, w := range words {
				if !strings.Contains(line, w) {
					continue lines
				}
			}
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no line of the log has %q:\n%s", words, text)
		}
	}
}

// The secrets of a bridge that goes through good and bad times, each different
// from everything else.
const (
	markGateway  = "m4rk-gateway-s3cret"
	markDevice   = "m4rk-device-s3cret"
	markWrong    = "m4rk-wrong-s3cret"
	markAdmin    = "m4rk-admin-t0ken-00"
	markKey      = "m4rk-signing-k3y-00"
	markLookup   = "m4rk-lookup-t0ken"
	markForged   = "m4rk-forged-c0de"
	markTemplate = "m4rk-template-s3cret"
)

var marks = []string{markGateway, markDevice, markWrong, markAdmin, markKey, markLookup, markForged, markTemplate}

// leaked is the first of the secrets that text shows, plainly or encoded.
func leaked(text string, secrets ...string) string {
	for _, s := range secrets {
		for _, form := range []string{s, hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s))), base64.StdEncoding.EncodeToString([]byte(s)), fmt.Sprint([]byte(s))} { //nolint:staticcheck // the bytes as numbers are meant
			if strings.Contains(text, form) {
				return s
			}
		}
	}
	return ""
}

// leaky is a platform and a bridge that logs everything.
// asked has something for each question to the server of devices.
func leaky(t *testing.T) (n *node, p *platform.Platform, log *diary, asked chan bool, settings string) {
	t.Helper()
	asked = make(chan bool, 100)
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress = "127.0.0.1:0", ""
	cfg.Devices = []platform.Device{
		{ProductKey: "gateway", DeviceName: "bridge", DeviceSecret: markGateway},
		{ProductKey: "demo", DeviceName: "good", DeviceSecret: markDevice, Gateway: "gateway/bridge"},
		{ProductKey: "demo", DeviceName: "bad", DeviceSecret: markDevice, Gateway: "gateway/bridge"},
	}
	p, err := platform.New(cfg)
	if err == nil {
		err = p.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	inventory := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+markLookup {
			t.Error("the server of devices was asked without the token")
		}
		asked <- true
		http.Error(w, "broken: "+r.Header.Get("Authorization"), http.StatusInternalServerError)
	}))
	t.Cleanup(inventory.Close)
	dir := t.TempDir()
	list := fmt.Sprintf("101 { productKey = demo, deviceName = good, deviceSecret = %q }\n102 { productKey = demo, deviceName = bad, deviceSecret = %q }\n104 { oops = %q }\n",
		markDevice, markWrong, markWrong)
	if err = os.WriteFile(filepath.Join(dir, "devices.conf"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	settings = fmt.Sprintf(`
productKey = gateway, deviceName = bridge, deviceSecret = %q
upstream.aliyun.endpoint = "tcp://%s"
admin { address = "127.0.0.1:0", token = %q }
devices { file = devices.conf, http { url = %q, token = %q }, template.deviceSecret = %q }
listeners = [{ name = yard, protocol = jt808, address = "127.0.0.1:0", jt808.authentication.key = %q }]
`, markGateway, p.MQTTAddr(), markAdmin, inventory.URL, markLookup, markTemplate, markKey)
	tree, err := config.Parse("application.conf", settings)
	if err != nil {
		t.Fatal(err)
	}
	log = &diary{changed: make(chan struct{})}
	encoder := zapcore.NewJSONEncoder(zap.NewDevelopmentEncoderConfig())
	n, err = newNode(tree, dir, zap.New(zapcore.NewCore(encoder, zapcore.AddSync(log), zap.DebugLevel)))
	if err == nil {
		err = n.start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return n, p, log, asked, settings
}

// enroll registers a terminal and authenticates it with the code that it got,
// which it returns; empty if it was refused.
func enroll(t *testing.T, n *node, name, forged string) (code string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", n.addr("yard").String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	d := &device{Conn: conn}
	if d.phone, err = jt808.ParsePhone(name, jt808.V2013); err != nil {
		t.Fatal(err)
	}
	if forged != "" {
		if err = d.say(&jt808.Authenticate{Code: forged}); err != nil {
			t.Fatal(err)
		}
		return ""
	}
	if err = d.say(&jt808.Register{Layout: jt808.V2013, Manufacturer: "M", Model: "X", TerminalID: "T", Plate: "P"}); err != nil {
		t.Fatal(err)
	}
	if name == "103" {
		return "" // it gets no answer: it may be known tomorrow
	}
	decoder, buf := jt808.NewDecoder(jt808.DefaultOptions()), make([]byte, 1024)
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	read, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := decoder.Decode(buf[:read])
	if err != nil {
		t.Fatal(err)
	}
	var r jt808.RegisterResponse
	if f.ID != jt808.IDRegisterResponse || r.ParseBody(f.Body, jt808.V2013) != nil || r.Result != jt808.RegisterOK {
		return ""
	}
	if err := d.say(&jt808.Authenticate{Code: r.Code}); err != nil {
		t.Fatal(err)
	}
	return r.Code
}

// Nothing that linkspan logs, at the level that shows most, or shows otherwise,
// has a secret in it, whatever goes wrong.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	n, p, log, asked, settings := leaky(t)
	log.until(t, "gateway connected")
	good := enroll(t, n, "101", "")
	log.until(t, "online", `"101"`)
	enroll(t, n, "102", "")         // the platform refuses its secret
	enroll(t, n, "103", "")         // nobody knows it, and the server that is asked is broken
	enroll(t, n, "101", markForged) // a code that linkspan did not give
	if good == "" {
		t.Fatal("no code was given")
	}
	log.until(t, `"102"`, "refused")
	select {
	case <-asked:
	case <-time.After(patience):
		t.Fatal("the server of devices was not asked")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.admin.Addr().String()+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+markAdmin)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %d %v", res.StatusCode, err)
	}
	_ = p.Close(t.Context())
	log.until(t, "upstream", "lost")
	if err := n.close(t.Context()); err != nil {
		t.Log(err)
	}
	secrets := append([]string{good}, marks...)
	if s := leaked(log.String(), secrets...); s != "" {
		for line := range strings.Lines(log.String()) {
			if leaked(line, s) != "" {
				t.Errorf("the log shows %s: %s", s, line)
			}
		}
	}
	if s := leaked(string(metrics), secrets...); s != "" {
		t.Errorf("the metrics show %s", s)
	}
	path := filepath.Join(t.TempDir(), "application.conf")
	if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"config", "print", "-c", path}, {"config", "check", "-c", path}} {
		out, err := run(t, "", args...)
		if s := leaked(out+fmt.Sprint(err), marks...); s != "" {
			t.Errorf("%v shows %s:\n%s", args, s, out)
		}
	}
}

// The check above is worth something: it sees what is there.
func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	for _, text := range []string{markKey, fmt.Sprintf("%x", markKey), fmt.Sprintf("%X", markKey), fmt.Sprint([]byte(markKey)), base64.StdEncoding.EncodeToString([]byte(markKey))} { //nolint:staticcheck // the bytes as numbers are meant
		if leaked("before "+text+" behind", marks...) != markKey {
			t.Errorf("%q is not seen", text)
		}
	}
	if s := leaked("m4rk, signing", marks...); s != "" {
		t.Errorf("sees %q where it is not", s)
	}
}
