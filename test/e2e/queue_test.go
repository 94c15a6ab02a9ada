package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/cli"
	"github.com/linkspan/linkspan/simulate/jt808"
)

// serveVariable makes this program a linkspan with the configuration that it names.
const serveVariable = "E2E_SERVE"

func serveIfAsked() {
	if path := os.Getenv(serveVariable); path != "" {
		os.Args = []string{"linkspan", "serve", "-c", path}
		cli.Main()
		os.Exit(0) //nolint:forbidigo // it is a program of its own, and has ended in order
	}
}

// child is a linkspan in a process of its own.
type child struct {
	t    *testing.T
	path string
	cmd  *exec.Cmd
	log  strings.Builder
}

func (c *child) start() {
	c.t.Helper()
	c.cmd = exec.Command(os.Args[0])
	c.cmd.Env = append(os.Environ(), serveVariable+"="+c.path)
	c.cmd.Stderr, c.cmd.Stdout = &c.log, &c.log
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
}

// kill is kill -9.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	_ = c.cmd.Wait()
}

func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// TestKilledWithQueue acknowledges what is stored, while the platform is away, and
// kills linkspan under load, twice. When the platform comes, all that was
// acknowledged arrives.
func TestKilledWithQueue(t *testing.T) {
	t.Parallel()
	const terminals = 30
	dir := t.TempDir()
	listen, platformAt := freeAddress(t), freeAddress(t)

	cfg := jt808.DefaultConfig()
	cfg.Target, cfg.Devices, cfg.Rate, cfg.Number = listen, terminals, 20, jt808.NumberMileage
	cfg.BackoffMin, cfg.BackoffMax = 50*time.Millisecond, 200*time.Millisecond
	cfg.AckTimeout = patience
	var mu sync.Mutex
	acked, count := map[string][]int{}, 0
	fleet, err := jt808.New(cfg, jt808.WithAcked(func(phone string, number uint64) {
		mu.Lock()
		defer mu.Unlock()
		acked[phone] = append(acked[phone], int(number))
		count++
	}))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, setup: newSetup(), seen: newRecorder()}
	var devices strings.Builder
	for _, d := range fleet.Devices(0, 0) {
		w.known = append(w.known, d.Phone)
		fmt.Fprintf(&devices, "%s { productKey = %s, deviceName = %q, deviceSecret = %q }\n", d.Phone, truckProduct, d.Phone, identity(d.Phone).DeviceSecret.Reveal())
	}
	c := &child{t: t, path: filepath.Join(dir, "application.conf")}
	write(t, filepath.Join(dir, "devices.conf"), devices.String())
	write(t, c.path, fmt.Sprintf(`
		listeners = [{ protocol = jt808, address = %q, jt808 { ack = stored, authentication.policy = accept } }]
		queue { mode = on, minFree = 0, segmentSize = 4MiB, maxBytes = 64MiB, away = 1s, retry { min = 50ms, max = 500ms } }
		upstream { type = aliyun, aliyun {
			productKey = %s, deviceName = %s, deviceSecret = %s, endpoint = "tcp://%s"
			reconnectMin = 50ms, reconnectMax = 500ms, loginsPerMinute = 0
		} }
		admin.address = ""
		log.level = error
	`, listen, gatewayProduct, gatewayName, gatewaySecret, platformAt))

	c.start()
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Log(c.log.String())
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() {
		if err := fleet.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	acknowledged := func(n int) {
		t.Helper()
		await(t, fmt.Sprintf("%d reports to be acknowledged", n), func() bool {
			mu.Lock()
			defer mu.Unlock()
			return count >= n
		})
	}
	for round := 1; round <= 2; round++ {
		acknowledged(1000 * round)
		c.kill()
		c.start()
	}
	acknowledged(3000)
	cancel()
	running.Wait()
	c.kill() // with messages of terminals that are gone
	w.startPlatform(platformAt)
	c.start()

	mu.Lock()
	defer mu.Unlock()
	for phone, numbers := range acked {
		for _, n := range numbers {
			await(t, fmt.Sprintf("report %d, which was acknowledged to %s", n, phone), func() bool { return w.seen.has(phone, n) })
		}
	}
	c.kill()
	w.stopPlatform()
	if len(acked) != terminals {
		t.Errorf("%d of %d terminals were acknowledged anything", len(acked), terminals)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
