package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// patience is longer than anything here takes.
const patience = 20 * time.Second

// yard is a bridge of JT/T 808 terminals to a local platform, on real sockets.
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
listeners = [{ name = yard, protocol = jt808, address = "127.0.0.1:0", jt808.authentication.policy = accept }]
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

	y     *yard
	phone jt808.Phone
	sent  uint16 // messages
}

// say sends one message.
func (d *device) say(m jt808.Body) error {
	body, err := m.AppendBody(nil, jt808.V2013)
	if err != nil {
		return err
	}
	d.sent++
	frame, err := jt808.AppendFrame(nil, &jt808.Frame{Header: jt808.Header{ID: m.ID(), Version: jt808.V2013, Phone: d.phone, Serial: d.sent}, Body: body})
	if err == nil {
		_, err = d.Write(frame)
	}
	return err
}

// dial connects a device, which asks to come online.
func (y *yard) dial(name string) *device {
	y.t.Helper()
	conn, err := new(net.Dialer).DialContext(y.t.Context(), "tcp", y.node.addr("yard").String())
	if err != nil {
		y.t.Fatal(err)
	}
	y.t.Cleanup(func() { _ = conn.Close() })
	d := &device{Conn: conn, y: y}
	if d.phone, err = jt808.ParsePhone(name, jt808.V2013); err == nil {
		err = d.say(&jt808.Authenticate{Code: "any"})
	}
	if err != nil {
		y.t.Fatal(err)
	}
	return d
}

// connect brings a device online and waits until its report is at the platform,
// under that name.
func (y *yard) connect(name, as string) *device {
	y.t.Helper()
	d := y.dial(name)
	d.report(1, as)
	return d
}

func (d *device) report(altitude int16, as string) {
	d.y.t.Helper()
	if err := d.say(&jt808.Location{Altitude: altitude, Time: jt808.BCDTime{0x26, 0x11, 0x21, 0x10, 0x00, 0x00}}); err != nil {
		d.y.t.Fatal(err)
	}
	d.y.until(api.KindProperty, as, fmt.Sprintf(`"altitude":{"value":%d,`, altitude))
}

// wantEnd waits until the bridge has closed the connection.
func (d *device) wantEnd() {
	d.y.t.Helper()
	_ = d.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, d); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		d.y.t.Errorf("the connection of %s: %v, want its end", d.phone, err)
	}
}

// wantUnknown waits until the bridge has refused the device.
func (d *device) wantUnknown() {
	d.y.t.Helper()
	_ = d.SetReadDeadline(time.Now().Add(patience))
	var in []byte
	decoder := jt808.NewDecoder(jt808.DefaultOptions())
	for buf := make([]byte, 1024); ; {
		n, err := d.Read(buf)
		if err != nil {
			d.y.t.Fatalf("no answer to %s: %v", d.phone, err)
		}
		in = append(in, buf[:n]...)
		f, _, err := decoder.Decode(in)
		if errors.Is(err, codec.ErrIncomplete) {
			continue
		}
		var r jt808.PlatformResponse
		if err == nil {
			err = r.ParseBody(f.Body, jt808.V2013)
		}
		if err != nil || r.Result == jt808.ResultOK || d.y.node.bridge.Stats().LoginFailures["unknown device"] == 0 {
			d.y.t.Errorf("%s was answered %+v, %v", d.phone, r, err)
		}
		return
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
			y := startYard(t, trigger.settings, list("101=a", "102=b", "103=c"))
			one, two, three := y.connect("101", "a"), y.connect("102", "b"), y.connect("103", "c")
			y.save(list("101=a", "102=b2", "104=d"))
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
			y.connect("102", "b2").report(2, "b2")
			y.connect("104", "d")
			y.dial("103").wantUnknown()
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
	y := startYard(t, "devices.watch = 0", list("101=a", "102=b"))
	one := y.connect("101", "a")
	y.save("101 { productKey = demo, deviceName = a, deviceSecrett = s-a }\n" + list("102=b"))
	y.hup <- syscall.SIGHUP
	if got := y.reloaded(); got["kept"] != int64(1) || got["mistakes"] != int64(1) || got["offline"] != int64(0) {
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
	y := startYard(t, settings, list("100=a"), list("x=a", "y=b", "z=c"))
	y.connect("100", "a")
	y.connect("201", "b")
	d := y.connect("202", "c")
	bindings := filepath.Join(filepath.Dir(y.path), "bindings.conf")
	text, err := os.ReadFile(bindings)
	if err != nil || !strings.Contains(string(text), `"201" { productKey = "demo", deviceName = "b", deviceSecret = "s-b" }`) {
		t.Fatalf("%s, %v", text, err)
	}
	var kept []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, `"202"`) {
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
	y.connect("203", "c")
	y.connect("201", "b")
}
