package outage

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// roleVariable makes the test's program a platform: its role, and the address it
// listens on behind a blank.
const roleVariable = "LINKSPAN_OUTAGE_ROLE"

// The roles.
const (
	roleMQTT   = "mqtt"   // the local platform, by MQTT
	roleHTTP2  = "http2"  // the same, by HTTP/2
	roleBroker = "broker" // an MQTT broker
)

func TestMain(m *testing.M) {
	if role, addr, child := strings.Cut(os.Getenv(roleVariable), " "); child {
		if err := play(role, addr); err != nil {
			fmt.Fprintln(os.Stderr, role, err)
			os.Exit(1) //nolint:forbidigo // it is a program of its own
		}
		return
	}
	os.Exit(m.Run()) //nolint:forbidigo // what TestMain is for
}

// play is a platform until its input ends. It says where it listens, and then a
// line for each message: before the message is acknowledged.
func play(role, addr string) (err error) {
	var serve func() error
	if role == roleBroker {
		addr, serve, err = playBroker(addr)
	} else {
		addr, serve, err = playPlatform(role, addr)
	}
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintln(os.Stdout, "listening", addr); err != nil { // first of all: who was here before knows the address
		return err
	}
	if err = serve(); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends
	return nil
}

// arrived says that a message has.
func arrived(device string, n int) {
	_, _ = fmt.Fprintf(os.Stdout, "%s %d\n", device, n) // one write: the pipe has it whole, whatever happens to this process
}

// playBroker is an MQTT broker that listens, and accepts connections after serve.
func playBroker(addr string) (at string, serve func() error, err error) {
	s := broker.New(&broker.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(&recorder{}, nil); err != nil {
		return "", nil, err
	}
	l := listeners.NewTCP(listeners.Config{ID: "tcp", Address: addr})
	if err := s.AddListener(l); err != nil {
		return "", nil, err
	}
	return l.Address(), s.Serve, nil
}

// recorder is a hook of the broker.
type recorder struct{ broker.HookBase }

// ID, Provides, OnConnectAuthenticate, OnACLCheck and OnPublish implement mochi's
// Hook. The broker acknowledges a message when OnPublish has returned.
func (*recorder) ID() string { return "recorder" }

func (*recorder) Provides(b byte) bool {
	return b == broker.OnConnectAuthenticate || b == broker.OnACLCheck || b == broker.OnPublish
}

func (*recorder) OnConnectAuthenticate(*broker.Client, packets.Packet) bool { return true }
func (*recorder) OnACLCheck(*broker.Client, string, bool) bool              { return true }

func (*recorder) OnPublish(_ *broker.Client, pk packets.Packet) (packets.Packet, error) {
	var m struct {
		DeviceName string
		Fields     struct{ N *int }
	}
	if json.Unmarshal(pk.Payload, &m) == nil && m.Fields.N != nil {
		arrived(m.DeviceName, *m.Fields.N)
	}
	return pk, nil
}

// playPlatform is the local platform behind a gate, which lets an acknowledgement
// out when what it acknowledges is recorded, and accepts connections after serve.
func playPlatform(role, addr string) (at string, serve func() error, err error) {
	cfg := platformtest.Config()
	cfg.AutoRegister, cfg.AutoSecret, cfg.Reply = true, platformtest.Secret, platform.ReplyNone
	cfg.WatchQueue = 1 << 20
	if role == roleHTTP2 {
		cfg.HTTP2Address = "127.0.0.1:0"
	}
	p, err := platform.New(cfg)
	if err != nil {
		return "", nil, err
	}
	watch, err := p.Subscribe(platform.Filter{Kinds: []string{api.KindProperty}})
	if err != nil {
		return "", nil, err
	}
	if err = p.Start(context.Background()); err != nil {
		return "", nil, err
	}
	inside := p.MQTTAddr()
	if role == roleHTTP2 {
		inside = p.HTTP2Addr()
	}
	var recorded atomic.Uint64
	go record(watch, &recorded)
	caughtUp := func() {
		for want := p.Stats().Messages[api.KindProperty]; recorded.Load() < want; {
			time.Sleep(100 * time.Microsecond)
		}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", nil, err
	}
	return l.Addr().String(), func() error {
		go func() { // ends with the process, as do the connections
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go pass(c, inside, caughtUp)
			}
		}()
		return nil
	}, nil
}

// record tells of what the platform has, and counts it. It ends with the process.
func record(watch *platform.Watch, recorded *atomic.Uint64) {
	for {
		m, err := watch.Next(context.Background())
		if err != nil {
			return
		}
		var params struct{ N int }
		if json.Unmarshal(m.Data, &params) == nil {
			arrived(m.DeviceName, params.N)
		}
		recorded.Add(1)
	}
}

// pass joins a connection with the platform; what the platform says waits for
// caughtUp.
func pass(c net.Conn, to string, caughtUp func()) {
	defer func() { _ = c.Close() }()
	in, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = in.Close() }()
	go func() {
		_, _ = io.Copy(in, c)
		_ = in.Close()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := in.Read(buf)
		caughtUp()
		if _, err2 := c.Write(buf[:n]); err != nil || err2 != nil {
			return
		}
	}
}

// remote is a platform in a process of its own, and what has arrived there, by
// device, in the order of the first coming.
type remote struct {
	t    *testing.T
	role string
	addr string
	cmd  *exec.Cmd
	in   io.Closer
	read sync.WaitGroup // of what the process says

	mu    sync.Mutex
	heard map[string][]int
	seen  map[string]bool
	twice int
}

func startRemote(t *testing.T, role string) *remote {
	t.Helper()
	r := &remote{t: t, role: role, addr: "127.0.0.1:0", heard: map[string][]int{}, seen: map[string]bool{}}
	r.begin()
	t.Cleanup(r.kill)
	return r
}

// begin starts the process, once more.
func (r *remote) begin() {
	r.t.Helper()
	r.cmd = exec.Command(os.Args[0])
	r.cmd.Env = append(os.Environ(), roleVariable+"="+r.role+" "+r.addr)
	r.cmd.Stderr = os.Stderr
	in, err := r.cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	out, said, err := os.Pipe() // not the command's: all that was written is to be read
	if err != nil {
		r.t.Fatal(err)
	}
	r.in, r.cmd.Stdout = in, said
	err = r.cmd.Start()
	_ = said.Close()
	if err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if _, err = fmt.Fscanf(lines, "listening %s\n", &r.addr); err != nil {
		r.t.Fatal(err)
	}
	r.read.Go(func() {
		defer func() { _ = out.Close() }()
		for {
			var device string
			var n int
			if _, err := fmt.Fscanf(lines, "%s %d\n", &device, &n); err != nil {
				return
			}
			r.hear(device, n)
		}
	})
}

func (r *remote) hear(device string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := fmt.Sprint(device, " ", n)
	if r.seen[key] {
		r.twice++
		return
	}
	r.seen[key] = true
	r.heard[device] = append(r.heard[device], n)
}

// kill ends the process where it stands.
func (r *remote) kill() {
	_ = r.cmd.Process.Kill() // SIGKILL; it may have ended
	_ = r.cmd.Wait()
	_ = r.in.Close()
	r.read.Wait()
}

// of is what has arrived of a device.
func (r *remote) of(device string) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int(nil), r.heard[device]...)
}
