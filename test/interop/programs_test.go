//go:build interop

package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds what a test waits for: it is reached only when something is
// broken.
const patience = 30 * time.Second

// packages are the Debian packages of the programs that tests call.
var packages = map[string]string{
	"mosquitto": "mosquitto", "mosquitto_pub": "mosquitto-clients", "mosquitto_sub": "mosquitto-clients",
	"mosquitto_rr": "mosquitto-clients", "mosquitto_passwd": "mosquitto", "openssl": "openssl", "curl": "curl", "socat": "socat", "haproxy": "haproxy", "mbpoll": "mbpoll", "gcc": "gcc libc6-dev libmodbus-dev", "keytool": "default-jre-headless", "stdbuf": "coreutils",
	"nghttpd": "nghttp2-server",
}

// linkspan is the path of the binary, which TestMain builds.
var linkspan string

func TestMain(m *testing.M) {
	os.Exit(withBinary(m.Run)) //nolint:forbidigo // what TestMain is for
}

func withBinary(run func() int) int {
	dir, err := os.MkdirTemp("", "linkspan-interop")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	linkspan = filepath.Join(dir, "linkspan")
	build := exec.Command("go", "build", "-o", linkspan, "github.com/linkspan/linkspan/cmd/linkspan")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build linkspan:", err)
		return 1
	}
	return run()
}

// program is the path of a program of others.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, try := range []string{name, "/usr/sbin/" + name} { // where no user's PATH leads
		if path, err := exec.LookPath(try); err == nil {
			return path
		}
	}
	t.Fatalf("%s is missing: apt-get install %s", name, packages[name])
	return ""
}

// outcome is what a program said and how it ended.
type outcome struct {
	out, err string
	status   int
}

// run runs a program to its end; in is its standard input.
func run(t *testing.T, in, name string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if name != linkspan {
		name = program(t, name)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s %s: %v %s", name, strings.Join(args, " "), err, errOut.String())
	}
	return outcome{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// ok runs a program that must succeed and returns what it said.
func ok(t *testing.T, in, name string, args ...string) string {
	t.Helper()
	o := run(t, in, name, args...)
	if o.status != 0 {
		t.Fatalf("%s %s ends with status %d: %s%s", name, strings.Join(args, " "), o.status, o.out, o.err)
	}
	return o.out
}

// process is a program that goes on until it is told to stop.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	log  *lines
	exit chan struct{} // closed at its end
}

// start starts a program, which ends with the test if not before.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(name, args...)
	if name != linkspan { // others keep back what they say unless it goes to a terminal
		cmd = exec.Command(program(t, "stdbuf"), append([]string{"-oL", "-eL", program(t, name)}, args...)...)
	}
	p := &process{t: t, name: filepath.Base(name), cmd: cmd, log: &lines{}, exit: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process
		_ = p.cmd.Wait() // its status is asked for later
		close(p.exit)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.exit
		if t.Failed() {
			t.Logf("%s %s said:\n%s", p.name, strings.Join(args, " "), p.log.text())
		}
	})
	return p
}

// stop asks the process to end and returns its status.
func (p *process) stop() int {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.exit:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end on SIGTERM", p.name)
	}
	return p.cmd.ProcessState.ExitCode()
}

// says waits until the process has said a line with text in it, and returns it.
func (p *process) says(text string) (line string) {
	p.t.Helper()
	await(p.t, p.name+" to say "+text, func() bool {
		line = p.log.with(text)
		return line != ""
	})
	return line
}

// lines is what a process says. It may be used from any goroutine.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// with is the first whole line with text in it.
func (l *lines) with(text string) string {
	for line := range strings.Lines(l.text()) {
		if strings.Contains(line, text) && strings.HasSuffix(line, "\n") {
			return strings.TrimSuffix(line, "\n")
		}
	}
	return ""
}

// await waits until holds does.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// free is an address of the loopback that nobody has.
func free(t *testing.T) (address, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return l.Addr().String(), port
}

// sign is the HMAC of content by openssl.
func sign(t *testing.T, method, key, content string) string {
	t.Helper()
	digest := strings.TrimPrefix(strings.ToLower(method), "hmac")
	out := ok(t, content, "openssl", "dgst", "-"+digest, "-hmac", key)
	_, hex, found := strings.Cut(strings.TrimSpace(out), "= ")
	if !found {
		t.Fatalf("openssl says %q", out)
	}
	return hex
}
