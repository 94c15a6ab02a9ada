//go:build unix

package cli

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

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
