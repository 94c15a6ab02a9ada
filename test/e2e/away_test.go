package e2e

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/platform/api"
)

// TestKilledWithCommands kills linkspan while commands wait for a terminal that is
// away. The next process hands them over when the terminal is back, in their order, and once.
func TestKilledWithCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	listen, metrics := freeAddress(t), freeAddress(t)
	w := &world{t: t, setup: newSetup(), seen: newRecorder()}
	w.startPlatform("127.0.0.1:0")
	defer w.stopPlatform()
	w.know(commanded)
	c := &child{t: t, path: filepath.Join(dir, "application.conf")}
	write(t, filepath.Join(dir, "devices.conf"), fmt.Sprintf("%s { productKey = %s, deviceName = %q, deviceSecret = %q }\n",
		commanded, truckProduct, commanded, identity(commanded).DeviceSecret.Reveal()))
	write(t, c.path, fmt.Sprintf(`
		listeners = [{ protocol = jt808, address = %q, jt808.authentication.policy = accept }]
		away.hold = 1h
		data.directory = data
		queue.minFree = 0
		upstream { type = aliyun, aliyun {
			productKey = %s, deviceName = %s, deviceSecret = %s, endpoint = "tcp://%s"
			reconnectMin = 50ms, reconnectMax = 500ms, loginsPerMinute = 0
		} }
		admin.address = %q
		log.level = error
	`, listen, gatewayProduct, gatewayName, gatewaySecret, w.platformAddr(), metrics))
	c.start()
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Log(c.log.String())
		}
	})
	// enter brings the terminal online; earlier ones found nobody listening yet.
	enter := func() (x *terminal) {
		await(t, "the terminal to be online", func() bool {
			var err error
			if x, err = dial(t.Context(), t, listen, "127.0.0.1", commanded, jt808.V2013); err != nil {
				return false
			}
			return x.login() == nil
		})
		return x
	}
	waiting := func(n int) {
		t.Helper()
		await(t, fmt.Sprintf("%d commands on the disk", n), func() bool { return len(commandsIn(t, filepath.Join(dir, "data", "commands"))) == n })
	}

	enter().close()
	await(t, "the terminal to be away", func() bool { return strings.Contains(fetch(t, metrics), "\nlinkspan_away_devices 1\n") })
	first := w.invoke(commanded, "text", map[string]any{"text": "first"})
	waiting(1)
	second := w.invoke(commanded, "text", map[string]any{"text": "second"})
	waiting(2)
	c.kill()
	c.start()

	x := enter()
	for _, want := range []string{"first", "second"} {
		m, serial := told[jt808.Text](x)
		if m.Text != want {
			t.Errorf("the terminal is told %q, want %q", m.Text, want)
		}
		x.say(&jt808.TerminalResponse{Serial: serial, Request: jt808.IDText})
	}
	for _, done := range []<-chan api.Result{first, second} {
		if r := w.outcome(done); r.State != "offline" { // the platform has lost the gateway, and waits no longer
			t.Errorf("ends with %+v", r)
		}
	}
	waiting(0)
	c.kill()
	c.start()
	x = enter()
	if err := x.report(1, patience); err != nil {
		t.Fatal(err)
	}
	for _, f := range x.kept {
		if f.ID == jt808.IDText {
			t.Errorf("the terminal is told again: % x", f.Body)
		}
	}
}

// commandsIn are the names of the commands in a log.
func commandsIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	v, err := segment.OpenView(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	for rec, ok := v.Next(); ok; rec, ok = v.Next() {
		e, err := queue.Decode(rec.Payload)
		if err != nil || e.Command == nil {
			t.Fatalf("a record that is no command: %+v, %v", e, err)
		}
		names = append(names, e.Command.Name)
	}
	return names
}

// fetch is what the metrics are.
func fetch(t *testing.T, address string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Do(req)
	if err != nil {
		return ""
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	return string(text)
}
