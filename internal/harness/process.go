package harness

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds what must happen soon, on a busy machine too.
const patience = time.Minute

// Process is a program in a process of its own. It belongs to the test's goroutine.
type Process struct {
	tb   testing.TB
	name string
	cmd  *exec.Cmd
	log  string
	exit chan error // gets how the process ended
}

// Start starts a program. What it says goes to the end of name.log in dir. It ends
// with the test at the latest.
func Start(tb testing.TB, dir, name, program string, args ...string) *Process {
	tb.Helper()
	return StartCommand(tb, dir, name, exec.Command(program, args...)) //nolint:noctx // the test ends it
}

// StartCommand is [Start] of a command that is there already.
func StartCommand(tb testing.TB, dir, name string, cmd *exec.Cmd) *Process {
	tb.Helper()
	p := &Process{tb: tb, name: name, cmd: cmd, log: filepath.Join(dir, name+".log"), exit: make(chan error, 1)}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	err = p.cmd.Start()
	_ = out.Close() // the process has its own
	if err != nil {
		tb.Fatal(err)
	}
	go func() { p.exit <- p.cmd.Wait() }()
	tb.Cleanup(func() { _ = p.cmd.Process.Kill() }) // it has ended unless the test failed
	return p
}

// Log is the path of the file that has what the process says.
func (p *Process) Log() string { return p.log }

// Stop asks the process to end and fails the test unless it does so in order.
func (p *Process) Stop() {
	p.tb.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.tb.Errorf("%s is gone already: %v; see %s", p.name, err, p.log)
		return
	}
	select {
	case err := <-p.exit:
		if err != nil {
			p.tb.Errorf("%s ended with %v; see %s", p.name, err, p.log)
		}
	case <-time.After(patience):
		p.tb.Errorf("%s did not end within %s of SIGTERM; see %s", p.name, patience, p.log)
	}
}

// Kill is kill -9, and waits until the process is gone.
func (p *Process) Kill() {
	p.tb.Helper()
	p.Alive()
	_ = p.cmd.Process.Kill() // it lives, or has just ended
	<-p.exit
}

// Alive fails the test when the process has ended by itself.
func (p *Process) Alive() {
	p.tb.Helper()
	select {
	case err := <-p.exit:
		p.tb.Fatalf("%s ended: %v; see %s", p.name, err, p.log)
	default:
	}
}

// Usage is what a process uses.
type Usage struct {
	Files    float64 // descriptors
	Resident float64 // bytes
	CPU      float64 // seconds since the start
}

// Usage is what /proc says about the process now.
func (p *Process) Usage() (u Usage) {
	p.tb.Helper()
	root := "/proc/" + strconv.Itoa(p.cmd.Process.Pid)
	if fds, err := os.ReadDir(root + "/fd"); err == nil {
		u.Files = float64(len(fds))
	}
	status, err := os.ReadFile(root + "/status") //nolint:gosec // a path of the kernel's
	if err != nil {
		p.Alive()
		p.tb.Fatalf("%s: %v", p.name, err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, _ := strconv.ParseFloat(f[1], 64)
			u.Resident = kib * 1024
		}
	}
	if stat, err := os.ReadFile(root + "/stat"); err == nil { //nolint:gosec // a path of the kernel's
		if _, rest, ok := strings.Cut(string(stat), ") "); ok { // behind the name: state is field 3
			f := strings.Fields(rest)
			user, _ := strconv.ParseFloat(f[11], 64)
			system, _ := strconv.ParseFloat(f[12], 64)
			u.CPU = (user + system) / 100 // USER_HZ
		}
	}
	return u
}

// BytesIn is how much the files of a directory hold.
func BytesIn(dir string) (sum float64) {
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
