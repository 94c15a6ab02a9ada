//go:build soak

package soak

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds what must happen soon, on a busy machine too.
const patience = time.Minute

// process is one linkspan in a process of its own. It belongs to the test's
// goroutine.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	log  string
	exit chan error // gets how the process ended
}

// start starts the binary; what it says goes to a file beside the results.
func start(t *testing.T, dir, name, binary string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(binary, args...), log: filepath.Join(dir, name+".log"), exit: make(chan error, 1)}
	out, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = out.Close() // the process has its own
	go func() { p.exit <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // it has ended unless the test failed
	return p
}

// stop asks the process to end and fails the test unless it does so in order.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Errorf("%s is gone already: %v; see %s", p.name, err, p.log)
		return
	}
	select {
	case err := <-p.exit:
		if err != nil {
			p.t.Errorf("%s ended with %v; see %s", p.name, err, p.log)
		}
	case <-time.After(patience):
		p.t.Errorf("%s did not end within %s of SIGTERM; see %s", p.name, patience, p.log)
	}
}

// alive fails the test when the process has ended by itself.
func (p *process) alive() {
	p.t.Helper()
	select {
	case err := <-p.exit:
		p.t.Fatalf("%s ended: %v; see %s", p.name, err, p.log)
	default:
	}
}

// usage is what /proc says about the process now.
func (p *process) usage() (u usage) {
	p.t.Helper()
	root := "/proc/" + strconv.Itoa(p.cmd.Process.Pid)
	if fds, err := os.ReadDir(root + "/fd"); err == nil {
		u.fds = float64(len(fds))
	}
	status, err := os.ReadFile(root + "/status")
	if err != nil {
		p.alive()
		p.t.Fatalf("%s: %v", p.name, err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, _ := strconv.ParseFloat(f[1], 64)
			u.rss = kib * 1024
		}
	}
	if stat, err := os.ReadFile(root + "/stat"); err == nil {
		if _, rest, ok := strings.Cut(string(stat), ") "); ok { // behind the name: state is field 3
			f := strings.Fields(rest)
			user, _ := strconv.ParseFloat(f[11], 64)
			system, _ := strconv.ParseFloat(f[12], 64)
			u.cpu = (user + system) / 100 // USER_HZ
		}
	}
	return u
}

type usage struct{ fds, rss, cpu float64 } // number, bytes, seconds since the start

// bytesIn is how much the files of a directory hold.
func bytesIn(dir string) (sum float64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error { // files come and go meanwhile
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				sum += float64(info.Size())
			}
		}
		return nil
	})
	return sum
}

// freeAddress is an address of the loopback that nobody has.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// await waits until holds does, however long that is.
func await(t *testing.T, what string, within time.Duration, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain for %s", within, what)
		}
	}
}

// answers says whether something answers under that URL.
func answers(url string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// raiseFileLimit gives this process and its children as many descriptors as
// there may be. The Go runtime does so by itself, but not for children.
func raiseFileLimit(t *testing.T, need int) {
	t.Helper()
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: l.Cur, Max: l.Max}); err != nil {
		t.Fatal(err)
	}
	if l.Cur < uint64(need) {
		t.Fatalf("%d open files are needed, the limit is %d: raise it (ulimit -Hn) or take fewer -devices", need, l.Cur)
	}
}

func mib(bytes float64) string { return fmt.Sprintf("%.0f MiB", bytes/(1<<20)) }
