package direct_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/direct"
)

// platformVariable makes the test a platform of its own, so that what that needs
// is not counted as the connector's.
const platformVariable = "LINKSPAN_TEST_PLATFORM"

// remote is a platform in another process.
type remote struct{ MQTT, TLS, WS, WSS, CA string }

// servePlatform is that process: it prints where it is, and ends with its input.
func servePlatform() {
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.TLSAddress, cfg.WSAddress, cfg.WSSAddress, cfg.APIAddress = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", ""
	cfg.AutoRegister, cfg.MaxConnections, cfg.Reply = true, 100_000, platform.ReplyNone
	p, err := platform.New(cfg)
	if err == nil {
		err = p.Start(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	_ = json.NewEncoder(os.Stdout).Encode(remote{p.MQTTAddr(), p.TLSAddr(), p.WSAddr(), p.WSSAddr(), string(p.Authority())})
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func startRemote(tb testing.TB) (r remote) {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), platformVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		tb.Fatalf("platform: %q, %v", line, err)
	}
	return r
}

// config leads to the platform by a scheme.
func (r remote) config(tb testing.TB, scheme string) direct.Config {
	tb.Helper()
	c := direct.DefaultConfig()
	c.Endpoint = scheme + "://" + map[string]string{"tcp": r.MQTT, "ssl": r.TLS, "ws": r.WS, "wss": r.WSS}[scheme]
	if scheme == "ssl" || scheme == "wss" {
		c.CAFile = filepath.Join(tb.TempDir(), "ca.pem")
		if err := os.WriteFile(c.CAFile, []byte(r.CA), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	c.ConnectRate, c.Connecting, c.MaxDevices, c.RequestTimeout, c.ConnectTimeout = 10_000, 32, 100_000, time.Minute, time.Minute
	return c
}

// inUse is the memory that the process holds for good: heap and stacks, after two
// collections, which shrink stacks too.
func inUse() int64 {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// resident is the process's memory as the system counts it, in bytes.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// loginAll logs devices in and returns them when all are online.
func loginAll(tb testing.TB, c *direct.Connector, count int) []upstream.Device {
	tb.Helper()
	type result struct {
		i   int
		d   upstream.Device
		err error
	}
	results := make(chan result, count)
	for i := range count {
		id := auth.Identity{ProductKey: "a1truck0001", DeviceName: fmt.Sprintf("truck-%06d", i), DeviceSecret: "secret"}
		c.Login(upstream.Login{Device: id, Command: func(*thing.Command) {}}, func(d upstream.Device, err error) { results <- result{i, d, err} })
	}
	devices := make([]upstream.Device, count)
	for range count {
		r := <-results
		if r.err != nil {
			tb.Fatal(r.err)
		}
		devices[r.i] = r.d
	}
	return devices
}

// reportAll says one property of each device, and waits until the platform has all.
func reportAll(tb testing.TB, devices []upstream.Device, n int) {
	tb.Helper()
	m := &thing.Message{Kind: thing.Property, Fields: []thing.Field{
		{Name: "latitude", Value: thing.Decimal(31234567, 6)}, {Name: "longitude", Value: thing.Decimal(121234567, 6)}, {Name: "n", Value: thing.Int(int64(n))},
	}}
	done := make(chan error, len(devices))
	for _, d := range devices {
		d.Publish(m, func(err error) { done <- err })
	}
	for range devices {
		if err := <-done; err != nil {
			tb.Fatal(err)
		}
	}
}

// What a connection costs is bounded: ten thousand devices have to fit into a
// process of 1 GiB.
func TestMemoryOfADevice(t *testing.T) {
	r := startRemote(t)
	for scheme, limit := range map[string]int64{"tcp": 24 << 10, "ssl": 56 << 10} {
		t.Run(scheme, func(t *testing.T) {
			c := newConnector(t, r.config(t, scheme))
			if err := c.Start(t.Context(), upstream.Host{}); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := c.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			loginAll(t, c, 10) // what is there once
			before, goroutines := inUse(), runtime.NumGoroutine()
			const devices = 300
			list := loginAll(t, c, devices)
			for n := range 3 {
				reportAll(t, list, n)
			}
			each := (inUse() - before) / (devices - 10)
			t.Logf("%d bytes a device", each)
			if each > limit {
				t.Errorf("a device takes %d bytes, want no more than %d", each, limit)
			}
			if got := float64(runtime.NumGoroutine()-goroutines) / (devices - 10); got > 2.1 {
				t.Errorf("a device takes %.1f goroutines, want 2", got)
			}
		})
	}
}

// BenchmarkDevices says what a connection costs: LINKSPAN_DEVICES of them, 1000
// by default, idle and after reports.
func BenchmarkDevices(b *testing.B) {
	count, err := strconv.Atoi(os.Getenv("LINKSPAN_DEVICES"))
	if err != nil {
		count = 1000
	}
	for _, scheme := range []string{"tcp", "ssl", "ws", "wss"} {
		b.Run(scheme, func(b *testing.B) {
			c := newConnector(b, startRemote(b).config(b, scheme))
			if err := c.Start(b.Context(), upstream.Host{}); err != nil {
				b.Fatal(err)
			}
			before, rss := inUse(), resident()
			began := time.Now()
			list := loginAll(b, c, count)
			took := time.Since(began)
			idle, idleRSS := inUse()-before, resident()-rss
			reportAll(b, list, 0)
			n := 0
			for b.Loop() { // one report of each device
				n++
				reportAll(b, list, n)
			}
			b.ReportMetric(float64(idle)/float64(count), "B/device-idle")
			b.ReportMetric(float64(idleRSS)/float64(count), "rss-B/device-idle")
			b.ReportMetric(float64(count)/took.Seconds(), "logins/s")
			b.ReportMetric(float64(count)*float64(n)/b.Elapsed().Seconds(), "messages/s")
			b.ReportMetric(float64(resident()-rss)/float64(count), "rss-B/device-peak")
			b.ReportMetric(float64(inUse()-before)/float64(count), "B/device-used")
			if err := c.Close(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
