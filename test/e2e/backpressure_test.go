package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/internal/harness"
)

// TestFullQueue lets a platform be away until the queue for its terminals is full.
// They are told so, and keep what they have to say; terminals of another listener,
// whose platform is there, notice nothing, and memory does not grow however much the
// first ones say. When the platform is back all that was acknowledged arrives, and
// what was refused is taken when it is said again.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	stored, live := []string{"13800138401", "13800138402", "13800138403"}, []string{"13800138451", "13800138452"}
	dir := t.TempDir()
	storedAt, liveAt, platformAt := freeAddress(t), freeAddress(t), freeAddress(t)
	away := &world{t: t, setup: newSetup(), seen: newRecorder(), known: stored}
	there := &world{t: t, setup: newSetup(), seen: newRecorder(), known: live}
	away.startPlatform(platformAt)
	there.startPlatform("127.0.0.1:0")
	var devices strings.Builder
	for _, phone := range append(stored[:len(stored):len(stored)], live...) {
		fmt.Fprintf(&devices, "%s { productKey = %s, deviceName = %q, deviceSecret = %q }\n", phone, truckProduct, phone, identity(phone).DeviceSecret.Reveal())
	}
	write(t, filepath.Join(dir, "devices.conf"), devices.String())
	connector := func(endpoint string) string {
		return fmt.Sprintf(`{ type = aliyun, aliyun { productKey = %s, deviceName = %s, deviceSecret = %s, endpoint = "tcp://%s",
			qos = 1, reconnectMin = 50ms, reconnectMax = 500ms, requestTimeout = 1s, holdTimeout = 2s, loginsPerMinute = 0 } }`,
			gatewayProduct, gatewayName, gatewaySecret, endpoint)
	}
	path := filepath.Join(dir, "application.conf")
	write(t, path, fmt.Sprintf(`
		listeners = [
			{ name = stored, protocol = jt808, address = %q, jt808 { ack = stored, authentication.policy = accept } }
			{ name = live, protocol = jt808, address = %q, jt808 { ack = delivered, authentication.policy = accept } }
		]
		upstreams { away = %s, there = %s }
		routes = [ { listener = live, to = there }, { to = away } ]
		queue { mode = on, listeners = [stored], full = refuse, maxBytes = 128KiB, segmentSize = 64KiB, maxRecord = 16KiB, minFree = 0
			away = 1s, retry { min = 50ms, max = 500ms } }
		admin.address = ""
		log.level = error
	`, storedAt, liveAt, connector(platformAt), connector(there.platform.MQTTAddr())))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveVariable+"="+path)
	linkspan := harness.StartCommand(t, dir, "linkspan", cmd)
	t.Cleanup(func() {
		if log, err := os.ReadFile(linkspan.Log()); t.Failed() && err == nil {
			t.Logf("%s", log)
		}
	})

	first, others := come(t, storedAt, stored), come(t, liveAt, live)
	said := make([]int, len(first)) // and acknowledged
	for i, x := range first {
		await(t, "the first report of "+x.digits, func() bool { return x.report(1, patience) == nil })
		said[i] = 1
	}
	away.stopPlatform()
	for i, x := range first { // one fills the disk, and none has room then
		for full := false; !full; {
			switch err := x.report(said[i]+1, patience); {
			case err == nil:
				said[i]++
			case strings.Contains(err.Error(), jt808.ResultFailed.String()):
				full = true
			default:
				t.Fatal(err)
			}
			if said[i] > 10_000 {
				t.Fatal("the queue does not become full")
			}
		}
	}
	if said[0] < 50 {
		t.Errorf("only %d reports were stored", said[0])
	}

	before := linkspan.Usage().Resident
	const pressed = 500
	for i, x := range first { // they do not give up, and each answer is no
		serials := make([]uint16, 0, pressed)
		for range pressed {
			serial, err := x.send(location(said[i] + 1))
			if err != nil {
				t.Fatal(err)
			}
			serials = append(serials, serial)
		}
		for _, serial := range serials {
			if r, err := x.answerTo(jt808.IDLocation, serial, patience); err != nil || r != jt808.ResultFailed {
				t.Fatalf("with a full queue %s is answered with %s, %v", x.digits, r, err)
			}
		}
	}
	for n := range 50 {
		for _, x := range others {
			if err := x.report(n+1, patience); err != nil {
				t.Fatalf("of the listener that the queue is not for: %v", err)
			}
		}
	}
	for _, x := range others {
		if !there.seen.has(x.digits, 50) {
			await(t, "the last report of "+x.digits, func() bool { return there.seen.has(x.digits, 50) })
		}
	}
	if grown := linkspan.Usage().Resident - before; grown > 32<<20 {
		t.Errorf("memory grew by %.0f MiB while the queue was full", grown/(1<<20))
	}

	away.startPlatform(platformAt)
	for i, x := range first {
		await(t, "room for what was refused", func() bool { return x.report(said[i]+1, patience) == nil })
		said[i]++
	}
	for i, x := range first {
		for n := 2; n <= said[i]; n++ {
			await(t, fmt.Sprintf("report %d of %s, which was acknowledged", n, x.digits), func() bool { return away.seen.has(x.digits, n) })
		}
	}
	linkspan.Stop()
	away.stopPlatform()
	there.stopPlatform()
}

// come brings terminals online as soon as somebody listens.
func come(t *testing.T, at string, phones []string) (all []*terminal) {
	t.Helper()
	for _, phone := range phones {
		var x *terminal
		await(t, "a connection", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var err error
			x, err = dial(ctx, t, at, "127.0.0.1", phone, jt808.V2013)
			return err == nil
		})
		if err := x.login(); err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	return all
}
