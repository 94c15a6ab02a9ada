package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
	_ "github.com/linkspan/linkspan/examples/minimal"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// patience is longer than anything here takes.
const patience = 20 * time.Second

// yard is a bridge of "minimal" devices to a local platform, on real sockets.
type yard struct {
	t     *testing.T
	node  *node
	path  string // of devices.conf
	watch *platform.Watch
	lines *observer.ObservedLogs
	hup   chan os.Signal
	wrote chan zapcore.Entry // "devices reloaded" lines
}

func startYard(t *testing.T, settings, list string, pool ...string) *yard {
	t.Helper()
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress = "127.0.0.1:0", ""
	cfg.Devices = []platform.Device{{ProductKey: "gateway", DeviceName: "bridge", DeviceSecret: "s3cret"}}
	for _, name := range []string{"a", "b", "b2", "c", "d"} {
		cfg.Devices = append(cfg.Devices, platform.Device{ProductKey: "demo", DeviceName: name, DeviceSecret: auth.Secret("s-" + name), Gateway: "gateway/bridge"})
	}
	p, err := platform.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err = p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	y := &yard{t: t, hup: make(chan os.Signal, 1), wrote: make(chan zapcore.Entry, 100)}
	if y.watch, err = p.Subscribe(platform.Filter{ProductKey: "demo"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(y.watch.Close)
	dir := t.TempDir()
	y.path = filepath.Join(dir, "devices.conf")
	y.save(list)
	for _, text := range pool {
		if err = os.WriteFile(filepath.Join(dir, "pool.conf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := config.Parse("application.conf", fmt.Sprintf(`
productKey = gateway, deviceName = bridge, deviceSecret = s3cret
upstream.aliyun.endpoint = "tcp://%s", admin.address = ""
listeners = [{ name = yard, protocol = minimal, address = "127.0.0.1:0" }]
%s`, p.MQTTAddr(), settings))
	if err != nil {
		t.Fatal(err)
	}
	core, lines := observer.New(zap.DebugLevel)
	y.lines = lines
	log := zap.New(core, zap.Hooks(func(e zapcore.Entry) error {
		if strings.HasPrefix(e.Message, "devices ") && strings.Contains(e.Message, "reloaded") {
			y.wrote <- e
		}
		return nil
	}))
	if y.node, err = newNode(tree, dir, log); err != nil {
		t.Fatal(err)
	}
	y.node.reload.signals = y.hup
	if err = y.node.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := y.node.close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return y
}

// save replaces the devices file, as editors do.
func (y *yard) save(list string) {
	y.t.Helper()
	if err := errors.Join(os.WriteFile(y.path+".new", []byte(list), 0o600), os.Rename(y.path+".new", y.path)); err != nil {
		y.t.Fatal(err)
	}
}

// reloaded waits for the line of a reload.
func (y *yard) reloaded() map[string]any {
	y.t.Helper()
	select {
	case e := <-y.wrote:
		all := y.lines.FilterMessage(e.Message).All()
		return all[len(all)-1].ContextMap()
	case <-time.After(patience):
		y.t.Fatal("nothing was reloaded")
		return nil
	}
}

// device is one connection of a device.
type device struct {
	net.Conn

	y    *yard
	name string
}

// connect brings a device online and waits until its report is at the platform,
// under that name.
func (y *yard) connect(name, as string) *device {
	y.t.Helper()
	conn, err := new(net.Dialer).DialContext(y.t.Context(), "tcp", y.node.addr("yard").String())
	if err != nil {
		y.t.Fatal(err)
	}
	y.t.Cleanup(func() { _ = conn.Close() })
	d := &device{Conn: conn, y: y, name: name}
	d.report(1, as)
	return d
}

func (d *device) report(value int, as string) {
	d.y.t.Helper()
	if _, err := fmt.Fprintf(d, "%s %d\n", d.name, value); err != nil {
		d.y.t.Fatal(err)
	}
	d.y.until(api.KindProperty, as, fmt.Sprintf(`"temperature":%d`, value))
}

// wantEnd waits until the bridge has closed the connection.
func (d *device) wantEnd() {
	d.y.t.Helper()
	_ = d.SetReadDeadline(time.Now().Add(patience))
	if _, err := d.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		d.y.t.Errorf("the connection of %s: %v, want its end", d.name, err)
	}
}

// until waits for a message of the platform's about a device.
func (y *yard) until(kind, device, with string) {
	y.t.Helper()
	ctx, cancel := context.WithTimeout(y.t.Context(), patience)
	defer cancel()
	for {
		m, err := y.watch.Next(ctx)
		if err != nil {
			y.t.Fatalf("no %s of %s with %s: %v", kind, device, with, err)
		}
		if m.Kind == kind && m.DeviceName == device && strings.Contains(strings.ReplaceAll(string(m.Data), " ", ""), with) {
			return
		}
	}
}

func list(entries ...string) string {
	var b strings.Builder
	for _, e := range entries {
		name, as, _ := strings.Cut(e, "=")
		fmt.Fprintf(&b, "%s { productKey = demo, deviceName = %s, deviceSecret = s-%s }\n", name, as, as)
	}
	return b.String()
}

// What changed goes offline and comes back as what it is now, what was removed
// goes and stays away, what did not change notices nothing.
func TestReloadTouchesNobodyElse(t *testing.T) {
	t.Parallel()
	for name, trigger := range map[string]struct {
		settings string
		f        func(*yard)
	}{
		"watched": {"devices.watch = 100ms", func(*yard) {}},
		"SIGHUP":  {"devices.watch = 0", func(y *yard) { y.hup <- syscall.SIGHUP }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := startYard(t, trigger.settings, list("one=a", "two=b", "three=c"))
			one, two, three := y.connect("one", "a"), y.connect("two", "b"), y.connect("three", "c")
			y.save(list("one=a", "two=b2", "four=d"))
			trigger.f(y)
			got := y.reloaded()
			for key, want := range map[string]int64{"count": 3, "added": 1, "changed": 1, "removed": 1, "kept": 0, "mistakes": 0, "offline": 2} {
				if got[key] != want {
					t.Errorf("the log says %s = %v, want %d", key, got[key], want)
				}
			}
			two.wantEnd()
			three.wantEnd()
			one.report(2, "a") // on the same connection
			y.connect("two", "b2").report(2, "b2")
			y.connect("four", "d")
			again, err := new(net.Dialer).DialContext(t.Context(), "tcp", y.node.addr("yard").String())
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			gone := &device{Conn: again, y: y, name: "three"}
			_, _ = fmt.Fprintf(gone, "three 1\n")
			gone.wantEnd()
			for _, line := range y.lines.FilterMessage("device offline").All() {
				if cause := line.ContextMap()["cause"]; cause != "session: the device's identity has changed or was removed" {
					t.Errorf("offline for %v", cause)
				}
			}
			if s := y.node.devices.Stats(); s.Reloads != 1 || s.Revoked != 2 || s.Entries != 3 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Mistakes and missing files take nobody away.
func TestReloadOfABadFile(t *testing.T) {
	t.Parallel()
	y := startYard(t, "devices.watch = 0", list("one=a", "two=b"))
	one := y.connect("one", "a")
	y.save("one { productKey = demo, devicName = a }\n" + list("two=b"))
	y.hup <- syscall.SIGHUP
	if got := y.reloaded(); got["kept"] != int64(1) || got["mistakes"] != int64(2) || got["offline"] != int64(0) {
		t.Errorf("the log says %v", got)
	}
	one.report(2, "a")
	if err := os.Remove(y.path); err != nil {
		t.Fatal(err)
	}
	y.hup <- syscall.SIGHUP
	if got := y.reloaded(); got["err"] == nil {
		t.Errorf("the log says %v", got)
	}
	one.report(3, "a")
}

// Devices nobody knew get certificates of a pool, and keep them over a restart;
// a line that is deleted frees one.
func TestFirstFreeOnRealConnections(t *testing.T) {
	t.Parallel()
	settings := "devices { watch = 0, unknown = first-free, pool = pool.conf }"
	y := startYard(t, settings, list("known=a"), list("x=a", "y=b", "z=c"))
	y.connect("known", "a")
	y.connect("new1", "b")
	d := y.connect("new2", "c")
	bindings := filepath.Join(filepath.Dir(y.path), "bindings.conf")
	text, err := os.ReadFile(bindings)
	if err != nil || !strings.Contains(string(text), `"new1" { productKey = "demo", deviceName = "b", deviceSecret = "s-b" }`) {
		t.Fatalf("%s, %v", text, err)
	}
	var kept []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, `"new2"`) {
			kept = append(kept, line)
		}
	}
	if err = os.WriteFile(bindings, []byte(strings.Join(kept, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	y.hup <- syscall.SIGHUP
	if got := y.reloaded(); got["removed"] != int64(1) || got["offline"] != int64(1) {
		t.Errorf("the log says %v", got)
	}
	d.wantEnd()
	y.connect("new3", "c")
	y.connect("new1", "b")
}

// The process itself reloads on SIGHUP.
func TestServeHearsSIGHUP(t *testing.T) { //nolint:paralleltest // signals the whole process
	guard := make(chan os.Signal, 1) // until serve listens, the signal must not end the tests
	signal.Notify(guard, syscall.SIGHUP)
	defer signal.Stop(guard)
	path := write(t, goodConfig+"upstream.aliyun.endpoint = \"tcp://127.0.0.1:1\", devices.watch = 0\n", goodDevices)
	logPath := filepath.Join(t.TempDir(), "log")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, []string{"serve", "-c", path, "-D", "log.path=" + logPath, "-D", "admin.address="})
	}()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		text, _ := os.ReadFile(logPath) // not there at first
		if strings.Contains(string(text), "devices reloaded") {
			break
		}
		select {
		case <-tick.C:
			_ = syscall.Kill(os.Getpid(), syscall.SIGHUP)
		case err := <-ended:
			t.Fatalf("serve ended: %v\n%s", err, text)
		case <-deadline:
			t.Fatalf("nothing was reloaded:\n%s", text)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
