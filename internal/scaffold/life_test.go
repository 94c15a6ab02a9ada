package scaffold

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the command writes is a module that vets, tests and builds as it is,
// without a network, and whose program does what its README says.
func TestTheScaffoldLives(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a program")
	}
	here, err := filepath.Abs(checkout)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	files, err := Plugin{Name: "umbrella.pump", Linkspan: Source{Path: here}}.Files(dir)
	if err == nil {
		err = Write(dir, files)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}, {"build", "-o", "linkspan-pump", "."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "GOFLAGS=-mod=readonly")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	if out, err := program(t, dir, "config", "check").CombinedOutput(); err != nil || string(out) != "ok\n" {
		t.Errorf("config check: %v\n%s", err, out)
	}
	day(t, dir)
}

// day is the README's, on ports that are free.
func day(t *testing.T, dir string) {
	t.Helper()
	m := start(t, dir, `MQTT on (\S+), API on (http://[0-9.:]+)/`, "platform", "--gateway", "demoGateway/bridge:gw-secret",
		"--mqtt", "127.0.0.1:0", "--api", "127.0.0.1:0")
	mqtt, api := m[1], m[2]
	text, err := os.ReadFile(filepath.Join(dir, "application.conf"))
	if err != nil {
		t.Fatal(err)
	}
	conf := strings.NewReplacer("127.0.0.1:1883", mqtt, "127.0.0.1:9000", "127.0.0.1:0").Replace(string(text)) + "\nadmin.address = \"127.0.0.1:0\"\n"
	if err = os.WriteFile(filepath.Join(dir, "test.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	m = start(t, dir, `listening on (?:\w+ )?([0-9.:]+)`, "serve", "-c", "test.conf")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", m[1])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err = conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(conn)
	hear := func(want string) {
		t.Helper()
		if line, end := lines.ReadString('\n'); end != nil || line != want {
			t.Fatalf("the device heard %q, %v, want %q", line, end, want)
		}
	}
	if _, err = io.WriteString(conn, "HELLO m1 secret\nTEMP 1 21.5\n"); err != nil {
		t.Fatal(err)
	}
	hear("OK\n")
	hear("ACK 1\n")
	if out, wrong := program(t, dir, "platform", "device", "demo/pump-1", "--api", api).CombinedOutput(); wrong != nil || !strings.Contains(string(out), "21.5") {
		t.Errorf("the platform does not show the temperature: %v\n%s", wrong, out)
	}
	type outcome struct {
		out []byte
		err error
	}
	invoked := make(chan outcome, 1)
	invoke := program(t, dir, "platform", "invoke", "demo/pump-1", "valve", "open=true", "--api", api)
	go func() { // ends with the command, which is waited for below
		out, wrong := invoke.CombinedOutput()
		invoked <- outcome{out, wrong}
	}()
	line, err := lines.ReadString('\n')
	var number string
	if _, scanErr := fmt.Sscanf(line, "DO %s valve open=true", &number); err != nil || scanErr != nil {
		t.Fatalf("the device heard %q, %v, want a command", line, err)
	}
	if _, err = fmt.Fprintf(conn, "DONE %s\n", number); err != nil {
		t.Fatal(err)
	}
	if o := <-invoked; o.err != nil || !strings.Contains(string(o.out), `"done"`) {
		t.Errorf("invoke: %v\n%s", o.err, o.out)
	}
}

func program(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "linkspan-pump"), args...)
	cmd.Dir = dir
	return cmd
}

// start runs the program until the test ends, and returns what said finds in
// what it prints.
func start(t *testing.T, dir, said string, args ...string) []string {
	t.Helper()
	want := regexp.MustCompile(said)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "linkspan-pump"), args...)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan []string, 1)
	read := make(chan struct{})
	var all strings.Builder // of the goroutine, until read is closed
	go func() {             // ends with the program
		defer close(read)
		defer close(found)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintln(&all, lines.Text())
			if m := want.FindStringSubmatch(lines.Text()); m != nil && len(found) == 0 {
				found <- m
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		<-read
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 0 || t.Failed() {
			t.Logf("%s: %v\n%s", strings.Join(args, " "), err, all.String())
		}
	})
	if m, ok := <-found; ok {
		return m
	}
	t.Fatalf("%s ended and never said %s", strings.Join(args, " "), said)
	return nil
}
