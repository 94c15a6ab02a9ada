package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/cli"
	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	_ "github.com/linkspan/linkspan/standard"
)

// served is linkspan serve with a configuration file, as an operator runs it.
type served struct {
	t              *testing.T
	terminals, web string
	stop           context.CancelFunc // what SIGTERM does
	ended          chan error
}

// serveFile runs linkspan serve; settings stand behind what every test needs, and
// defines are put above it.
func serveFile(t *testing.T, p *platform.Platform, settings string, defines ...string) *served {
	t.Helper()
	s := &served{t: t, terminals: freePort(t), web: freePort(t), ended: make(chan error, 1)}
	dir := t.TempDir()
	conf := filepath.Join(dir, "application.conf")
	text := fmt.Sprintf(`
productKey = %s, deviceName = %s, deviceSecret = %s
upstream.aliyun { endpoint = "tcp://%s", qos = 1, confirm = puback }
devices { unknown = template, template { productKey = %s, deviceName = "${identity}", deviceSecret = any } }
listeners = [{ name = terminals, protocol = jt808, address = %q, jt808.ack = delivered }]
admin.address = %q
log.path = %q
%s`, gatewayProduct, gatewayName, gatewaySecret, p.MQTTAddr(), truckProduct, s.terminals, s.web, filepath.Join(dir, "log"), settings)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	args := []string{"serve", "-c", conf}
	for _, d := range defines {
		args = append(args, "-D", d)
	}
	go func() { s.ended <- cli.Run(ctx, args) }() // ends on stop
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("the log:\n%s", log)
		}
	})
	await(t, "linkspan to be ready", func() bool { return s.says("/readyz") == "ok" })
	return s
}

// end waits until linkspan has ended, and returns its error.
func (s *served) end() error {
	s.t.Helper()
	w := world{t: s.t}
	ctx, cancel := w.deadline()
	defer cancel()
	select {
	case err := <-s.ended:
		return err
	case <-ctx.Done():
		s.t.Fatal("linkspan does not end")
		return nil
	}
}

// says is what the side door says at a path; empty when it is closed.
func (s *served) says(path string) string {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+s.web+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return ""
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(res.Body) // half an answer is none that a test waits for
	return strings.TrimSpace(string(text))
}

// freePort is an address of the loopback that nobody has.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// newCloud starts a platform that takes any device, and knows the gateway.
func newCloud(t *testing.T) *platform.Platform {
	t.Helper()
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress, cfg.AutoRegister, cfg.AutoSecret = "127.0.0.1:0", "", true, auth.Secret("any")
	cfg.Devices = []platform.Device{{ProductKey: gatewayProduct, DeviceName: gatewayName, DeviceSecret: gatewaySecret}}
	p, err := platform.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w := world{t: t}
		ctx, cancel := w.deadline()
		defer cancel()
		w.must(p.Close(ctx))
	})
	return p
}

// underWay lets a terminal report until a report is on its way to a platform that
// is frozen, which may read one thing more. It returns the last report's serial.
func (s *served) underWay(x *terminal) (serial uint16) {
	s.t.Helper()
	messages := 2 // the login
	await(s.t, "a report to be under way", func() bool {
		var err error
		messages++
		if serial, err = x.send(location(7)); err != nil {
			s.t.Fatal(err)
		}
		seen := s.says("/metrics")
		return strings.Contains(seen, "linkspan_bridge_inflight_messages ") && !strings.Contains(seen, "linkspan_bridge_inflight_messages 0\n")
	})
	await(s.t, "all of them to have arrived", func() bool {
		return strings.Contains(s.says("/metrics"), fmt.Sprintf("linkspan_server_received_messages_total{listener=\"terminals\",protocol=\"jt808\"} %d\n", messages))
	})
	return serial
}

func freeze(t *testing.T, p *platform.Platform, frozen bool) {
	t.Helper()
	if err := p.SetFaults(api.Faults{Frozen: &frozen}); err != nil {
		t.Fatal(err)
	}
}

// TestShutdownDelivers ends linkspan while the platform is slow to take a report:
// the terminal gets its acknowledgement before its connection ends, and the
// platform has the report.
func TestShutdownDelivers(t *testing.T) {
	t.Parallel()
	p := newCloud(t)
	s := serveFile(t, p, "shutdown.timeout = 40s")
	x, err := dial(t.Context(), t, s.terminals, "127.0.0.1", "13912345678", jt808.V2013)
	if err != nil {
		t.Fatal(err)
	}
	if err = x.login(); err != nil {
		t.Fatal(err)
	}
	freeze(t, p, true)
	serial := s.underWay(x)
	s.stop()
	await(t, "linkspan to drain", func() bool { return s.says("/readyz") == "draining" })
	await(t, "the listener to be closed", func() bool {
		c, refused := net.Dial("tcp", s.terminals)
		if refused == nil {
			_ = c.Close()
		}
		return refused != nil
	})
	freeze(t, p, false)
	result, err := x.answerTo(jt808.IDLocation, serial, patience)
	if err != nil || result != jt808.ResultOK {
		t.Errorf("the report is answered with %v, %v", result, err)
	}
	if err = x.gone(); err != nil {
		t.Error(err)
	}
	if err = s.end(); err != nil {
		t.Error(err)
	}
	d, err := p.Device(truckProduct, "13912345678")
	if err != nil || string(d.Properties["mileage"].Value) == "" || d.Online {
		t.Errorf("the platform has %+v, %v", d, err)
	}
}

// TestShutdownPauses goes on serving for a while after /readyz has said that it
// will end, so that a balancer can take it out first.
func TestShutdownPauses(t *testing.T) {
	t.Parallel()
	p := newCloud(t)
	s := serveFile(t, p, "shutdown.pause = 4s")
	s.stop()
	await(t, "linkspan to say that it drains", func() bool { return s.says("/readyz") == "draining" })
	x, err := dial(t.Context(), t, s.terminals, "127.0.0.1", "13912345679", jt808.V2013)
	if err != nil {
		t.Fatal(err)
	}
	if err = x.login(); err != nil {
		t.Fatal(err)
	}
	if err = x.report(1, patience); err != nil {
		t.Error(err)
	}
	if err = s.end(); err != nil {
		t.Error(err)
	}
	if err = x.gone(); err != nil {
		t.Error(err)
	}
}

// TestShutdownCutsOff does not wait longer than it may for a platform that takes
// nothing, and says what is lost.
func TestShutdownCutsOff(t *testing.T) {
	t.Parallel()
	p := newCloud(t)
	s := serveFile(t, p, "shutdown.timeout = 2s")
	x, err := dial(t.Context(), t, s.terminals, "127.0.0.1", "13912345670", jt808.V2013)
	if err != nil {
		t.Fatal(err)
	}
	if err = x.login(); err != nil {
		t.Fatal(err)
	}
	freeze(t, p, true)
	s.underWay(x)
	s.stop()
	err = s.end()
	if err == nil || !strings.Contains(err.Error(), "had not reached the platform") {
		t.Errorf("linkspan ends with %v", err)
	}
	freeze(t, p, false)
}

// TestShutdownTellsWhatIsLost is the same for terminals that were answered when their
// reports were received, and do not send them again; the platform is gone.
func TestShutdownTellsWhatIsLost(t *testing.T) {
	t.Parallel()
	p := newCloud(t)
	s := serveFile(t, p, "shutdown.timeout = 2s", "listeners.0.jt808.ack=received")
	x, err := dial(t.Context(), t, s.terminals, "127.0.0.1", "13912345673", jt808.V2013)
	if err != nil {
		t.Fatal(err)
	}
	if err = x.login(); err != nil {
		t.Fatal(err)
	}
	if err = p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.underWay(x)
	s.stop()
	if err = s.end(); err == nil || !strings.Contains(err.Error(), "had not reached the platform") {
		t.Errorf("linkspan ends with %v", err)
	}
}

// TestHandOver starts a second linkspan on the address of the first one, and ends
// the first one: a terminal that reports all the time has to log in again, finds
// no closed door, and loses nothing.
func TestHandOver(t *testing.T) {
	t.Parallel()
	p := newCloud(t)
	old := serveFile(t, p, "", "listeners.0.reusePort=true")
	if x, err := dial(t.Context(), t, old.terminals, "127.0.0.1", "13912345671", jt808.V2013); err != nil || x.login() != nil {
		t.Fatal("the first one does not serve", err)
	}
	next := serveFile(t, p, "", "listeners.0.reusePort=true", "listeners.0.address="+old.terminals, "deviceName=bridge-2", "deviceSecret=any")

	reports, ended := make(chan int), make(chan struct{})
	go func() { // ends on ended
		defer close(reports)
		var x *terminal
		for n := 1; ; {
			select {
			case <-ended:
				return
			case reports <- n - 1:
			default:
			}
			var err error
			if x == nil {
				if x, err = dial(context.Background(), t, old.terminals, "127.0.0.1", "13912345672", jt808.V2013); err != nil {
					t.Errorf("the door is closed: %v", err)
					return
				}
				if x.login() != nil {
					x = nil // taken by one that is about to end
					continue
				}
			}
			if x.report(n, patience) != nil {
				x = nil
				continue
			}
			n++
		}
	}()
	await(t, "some reports", func() bool { return <-reports >= 20 })
	old.stop()
	if err := old.end(); err != nil {
		t.Error(err)
	}
	before := <-reports
	await(t, "reports to the second one", func() bool { return <-reports >= before+20 })
	close(ended)
	for range reports { // the terminal ends
	}
	next.stop()
	if err := next.end(); err != nil {
		t.Error(err)
	}
	d, err := p.Device(truckProduct, "13912345672")
	if err != nil || d.Counters.Properties < uint64(before+20) {
		t.Errorf("the platform has %+v, %v", d, err)
	}
}
