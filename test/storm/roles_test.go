package storm

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/linkspan/linkspan/cli"
	"github.com/linkspan/linkspan/simulate/jt808"
	_ "github.com/linkspan/linkspan/standard"
)

// What makes the test's program another one: linkspan itself, or devices.
const (
	linkspanVariable = "STORM_COMMAND" // its subcommand; the configuration is behind a blank
	fleetVariable    = "STORM_FLEET"   // the fleet's configuration as JSON
	brokerVariable   = "STORM_BROKER"  // where an MQTT broker listens
)

func TestMain(m *testing.M) {
	if args := os.Getenv(linkspanVariable); args != "" {
		var command, path string
		if _, err := fmt.Sscan(args, &command, &path); err != nil {
			panic(err)
		}
		os.Args = []string{"linkspan", command, "-c", path}
		cli.Main()
		return
	}
	if text := os.Getenv(fleetVariable); text != "" {
		if err := beFleet(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // it is a program of its own
		}
		return
	}
	if at := os.Getenv(brokerVariable); at != "" {
		if err := beBroker(at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // it is a program of its own
		}
		return
	}
	os.Exit(m.Run()) //nolint:forbidigo // what TestMain is for
}

// open lets everybody in.
type open struct{ broker.HookBase }

func (*open) ID() string { return "open" }

func (*open) Provides(b byte) bool {
	return b == broker.OnConnectAuthenticate || b == broker.OnACLCheck
}

func (*open) OnConnectAuthenticate(*broker.Client, packets.Packet) bool { return true }

func (*open) OnACLCheck(*broker.Client, string, bool) bool { return true }

// beBroker is an MQTT broker until SIGTERM.
func beBroker(at string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	b := broker.New(&broker.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := b.AddHook(new(open), nil); err != nil {
		return err
	}
	if err := b.AddListener(listeners.NewTCP(listeners.Config{ID: "tcp", Address: at})); err != nil {
		return err
	}
	if err := b.Serve(); err != nil {
		return err
	}
	<-ctx.Done()
	return b.Close()
}

// beFleet is devices until the input ends. It says what they have done, again and
// again.
func beFleet(text string) error {
	var cfg jt808.Config
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	f, err := jt808.New(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var telling sync.WaitGroup
	telling.Go(func() {
		out := json.NewEncoder(os.Stdout)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = out.Encode(f.Report()) // the test has ended
			case <-ctx.Done():
				return
			}
		}
	})
	err = f.Run(ctx)
	cancel()
	telling.Wait()
	return err
}

// fleet is devices in a process of their own.
type fleet struct {
	t    *testing.T
	stop func()
	gone chan error

	mu   sync.Mutex
	last jt808.Report // guarded by mu
}

func startFleet(t *testing.T, cfg jt808.Config) *fleet {
	t.Helper()
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fleetVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, gone: make(chan error, 1)}
	f.stop = sync.OnceFunc(func() {
		_ = in.Close()
		if err := <-f.gone; err != nil {
			t.Errorf("devices ended with %v", err)
		}
	})
	t.Cleanup(f.stop)
	go func() { // ends with the process
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var r jt808.Report
			if json.Unmarshal(lines.Bytes(), &r) != nil {
				continue
			}
			f.mu.Lock()
			f.last = r
			f.mu.Unlock()
		}
		f.gone <- cmd.Wait()
	}()
	return f
}

func (f *fleet) report() jt808.Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}
