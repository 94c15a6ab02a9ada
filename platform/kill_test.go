package platform_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// childData is the variable that makes this test's program a platform.
const childData = "LINKSPAN_TEST_PLATFORM_DATA"

// childPlatform is a platform in a process of its own: it ends when it is killed,
// or when its standard input does.
func childPlatform(path string) error {
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress, cfg.Data, cfg.SaveInterval = "127.0.0.1:0", "127.0.0.1:0", path, time.Millisecond
	p, err := platform.New(cfg)
	if err != nil {
		return err
	}
	p.KeepJournal(0) // the file is replaced all the time
	if err = p.Start(context.Background()); err != nil {
		return err
	}
	fmt.Println(p.APIAddr()) // tells the test
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// TestKilled kills a platform again and again while devices are made: all that
// it has answered for is there after each start.
func TestKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	var answered []string // in all rounds
	for round := range 6 {
		cmd, client := child(t, path)
		page, err := client.Devices(t.Context(), nil, 0, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		there := map[string]bool{}
		for i := range page.Devices {
			there[page.Devices[i].DeviceName] = page.Devices[i].State != api.Disabled
		}
		for _, dn := range answered {
			if !there[dn] {
				t.Fatalf("round %d: %s is lost or disabled; %d of %d are there", round, dn, len(there), len(answered))
			}
		}
		answered = append(answered, makeDevices(t, cmd, client, round)...)
	}
	if len(answered) < 60 {
		t.Errorf("only %d devices were made", len(answered))
	}
}

// makeDevices makes devices until the platform is killed in the middle of it, and
// returns those that it has answered for.
func makeDevices(t *testing.T, cmd *exec.Cmd, client *api.Client, round int) (names []string) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	enough := make(chan struct{})
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				dn := fmt.Sprintf("d-%d-%d-%d", round, w, i)
				if _, err := client.AddDevice(t.Context(), spk, dn, secret, ""); err != nil {
					return // killed
				}
				mu.Lock()
				if names = append(names, dn); len(names) == 20+7*round {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(20 * time.Second):
		t.Error("devices are made too slowly")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Errorf("it ended with %v", err)
	}
	return names
}

func child(t *testing.T, path string) (*exec.Cmd, *api.Client) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childData+"="+path)
	cmd.Stderr = os.Stderr
	if _, err = cmd.StdinPipe(); err != nil { // open as long as this process is
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	client := api.NewClient(address[:len(address)-1])
	t.Cleanup(client.Close)
	return cmd, client
}
