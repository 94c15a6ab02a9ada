//go:build faults

package faults

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/internal/harness"
	"github.com/linkspan/linkspan/simulate/jt808"
	"github.com/linkspan/linkspan/thing"
)

func needsRoot() string {
	if os.Geteuid() != 0 {
		return "needs root"
	}
	return ""
}

// impatient terminals say again what was refused soon.
func impatient(c *jt808.Config) { c.AckTimeout, c.Retries = time.Second, 20 }

// diskFull has the queue on a file system of its own that is filled up, with the
// platform there and without it.
var diskFull = fault{
	name: "disk full", short: []string{stored}, reorders: true,
	skip: func() string {
		if why := needsRoot(); why != "" {
			return why
		}
		dir, err := os.MkdirTemp("", "faults")
		if err != nil {
			return err.Error()
		}
		defer func() { _ = os.Remove(dir) }()
		if err := unix.Mount("faults", dir, "tmpfs", 0, "size=1m"); err != nil {
			return "tmpfs cannot be mounted: " + err.Error()
		}
		_ = unix.Unmount(dir, 0)
		return ""
	},
	plan: plan{
		fleet:  impatient,
		bridge: "queue { segmentSize = 256KiB, maxBytes = 64MiB }",
		data: func(w *world) string {
			dir := filepath.Join(w.t.TempDir(), "small")
			if err := os.Mkdir(dir, 0o700); err != nil {
				w.t.Fatal(err)
			}
			if err := unix.Mount("faults", dir, "tmpfs", 0, "size=32m"); err != nil {
				w.t.Fatal(err)
			}
			w.t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
			return filepath.Join(dir, "data")
		},
	},
	inject: func(w *world) {
		gone := w.injected%2 == 0
		if gone {
			w.killPlatform()
		}
		before := w.metrics()["linkspan_queue_refused_records_total"]
		ballast := filepath.Join(filepath.Dir(w.data), "ballast")
		w.fill(ballast, 300<<10)
		w.injected++
		w.until("the disk to be full", func(m map[string]float64) bool { return m["linkspan_queue_refused_records_total"] > before })
		w.moment()
		if err := os.Remove(ballast); err != nil {
			w.t.Fatal(err)
		}
		if gone {
			w.startPlatform()
		}
	},
}

// fill writes a file that leaves so many bytes of its file system.
func (w *world) fill(path string, leave int64) {
	w.t.Helper()
	var s unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &s); err != nil {
		w.t.Fatal(err)
	}
	size := int64(s.Bavail)*s.Bsize - leave
	if err := os.WriteFile(path, make([]byte, max(size, 0)), 0o600); err != nil && !errors.Is(err, unix.ENOSPC) { // the queue grows meanwhile
		w.t.Fatal(err)
	}
}

const nobody = 65534

// readOnly takes the right to write its directories from a bridge that is not root.
var readOnly = fault{
	name: "directory read-only", short: []string{stored}, reorders: true,
	skip: needsRoot, // to run the bridge as somebody whom rights bind
	plan: plan{
		fleet:  impatient,
		bridge: "queue { segmentSize = 64KiB, maxRecord = 16KiB }", command: asNobody,
		data: func(w *world) string {
			dir, err := os.MkdirTemp("", "faults-data") // whose parents everybody may pass
			if err != nil {
				w.t.Fatal(err)
			}
			w.t.Cleanup(func() { _ = os.RemoveAll(dir) })
			return filepath.Join(dir, "data")
		},
	},
	inject: func(w *world) {
		queue := filepath.Join(w.data, "queue")
		before := w.metrics()["linkspan_queue_disk_failures_total"]
		if err := os.Chmod(queue, 0o500); err != nil {
			w.t.Fatal(err)
		}
		w.injected++
		w.until("writing to fail", func(m map[string]float64) bool { return m["linkspan_queue_disk_failures_total"] > before })
		w.moment()
		if err := os.Chmod(queue, 0o700); err != nil {
			w.t.Fatal(err)
		}
	},
}

// asNobody has the bridge run as somebody who is not root.
func asNobody(w *world, cmd *exec.Cmd) *exec.Cmd {
	dir := filepath.Dir(w.data)
	text, err := os.ReadFile(filepath.Join(w.dir, "bridge.conf"))
	if err != nil {
		w.t.Fatal(err)
	}
	conf, binary := filepath.Join(dir, "bridge.conf"), filepath.Join(dir, "linkspan") // where it may read them
	if err = os.WriteFile(conf, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	program, err := os.ReadFile(cmd.Path)
	if err != nil {
		w.t.Fatal(err)
	}
	if err = os.WriteFile(binary, program, 0o700); err != nil {
		w.t.Fatal(err)
	}
	for _, path := range []string{dir, conf, binary} {
		if err := os.Chown(path, nobody, nobody); err != nil {
			w.t.Fatal(err)
		}
	}
	cmd = exec.Command(binary, "serve", "-c", conf)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd
}

// slowSync makes each fsync of the bridge take longer, by strace.
var slowSync = fault{
	name: "fsync slow", short: []string{stored}, skip: needsTrace,
	plan: plan{command: traced("fdatasync,fsync:delay_enter=60000")},
	inject: func(w *world) {
		w.moment()
		w.injected++ // as long as the bridge lives
		w.killBridge()
		w.startBridge()
	},
}

// failingSync makes some fsyncs and writes of the bridge fail, by strace.
var failingSync = fault{
	name: "fsync and writes fail", final: untampered, short: []string{stored}, skip: needsTrace, reorders: true,
	plan: plan{fleet: impatient, command: traced("fdatasync,fsync:error=EIO:when=5+17", "pwrite64:error=ENOSPC:when=20+23")}, // counted by thread
	inject: func(w *world) {
		w.until("a write or fsync to fail", func(m map[string]float64) bool { return m["linkspan_queue_disk_failures_total"] > 2 })
		w.injected++
		w.excused += float64(w.journal.since(time.Hour)) // the cursor could not be written either
		w.killBridge()
		w.startBridge()
	},
}

// untampered goes on with a bridge that nobody tampers with, so that it can end in order.
func untampered(w *world) {
	w.excused += float64(w.journal.since(time.Hour))
	w.killBridge()
	w.untampered = true
	w.startBridge()
}

func needsTrace() string {
	if out, err := exec.Command("strace", "-f", "-e", "trace=none", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		return fmt.Sprintf("strace does not work: %v %s", err, strings.TrimSpace(string(out)))
	}
	return ""
}

// traced starts a bridge whose system calls are tampered with.
func traced(inject ...string) func(*world, *exec.Cmd) *exec.Cmd {
	return func(_ *world, cmd *exec.Cmd) *exec.Cmd {
		// The tracer is no parent of the bridge, so that the process that is killed is the bridge.
		args := []string{"-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", "signal=none", "-e", "trace=fsync,fdatasync,pwrite64"}
		for _, i := range inject {
			args = append(args, "-e", "inject="+i)
		}
		return exec.Command("strace", append(append(args, "--"), cmd.Args...)...)
	}
}

// damage changes bytes of the files of the queue while the bridge is stopped and
// much is stored.
var damage = fault{
	name: "damaged files", short: []string{stored, delivered}, reorders: true, // a terminal says again what was lost before it was delivered
	plan: plan{bridge: "queue { segmentSize = 256KiB, maxBytes = 64MiB }"},
	inject: func(w *world) {
		w.killPlatform()
		if w.ack == stored {
			w.progress(6 * *devices)
		} else {
			w.until("messages to wait", func(m map[string]float64) bool { return m["linkspan_queue_waiting_messages"] > float64(2**devices) })
		}
		w.killBridge()
		w.measure()
		for range 3 {
			w.strike()
		}
		w.startBridge()
		w.moment()
		w.startPlatform()
		w.until("the queue to be empty", func(m map[string]float64) bool {
			waiting, there := m["linkspan_queue_waiting_messages"]
			return there && waiting < float64(*devices)
		})
	},
}

// measure finds out how little space a report takes in the files of the queue.
func (w *world) measure() {
	w.t.Helper()
	v, err := segment.OpenView(filepath.Join(w.data, "queue"))
	if err != nil {
		w.t.Fatal(err)
	}
	for rec, ok := v.Next(); ok; rec, ok = v.Next() {
		e, err := queue.Decode(rec.Payload)
		if _, report := thing.Get(e.Message.Fields, "mileage"); err != nil || !report {
			continue
		}
		if size := float64(recordHead + len(rec.Payload)); w.least == 0 || size < w.least {
			w.least = size
		}
	}
	if err := v.Close(); err != nil || w.least == 0 {
		w.t.Fatalf("no report in the files of the queue: %v", err)
	}
	w.t.Logf("a report takes %.0f bytes or more", w.least)
}

// recordHead is the size of what is in front of each record.
const recordHead = 24

// strike changes bytes in one of the files of the queue.
func (w *world) strike() {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.data, "queue", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	path := files[w.rng.IntN(len(files))]
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return // such as the lock
	}
	size := []int64{1, 3, 64, 4096}[w.rng.IntN(4)]
	at := w.rng.Int64N(info.Size())
	b := make([]byte, min(size, info.Size()-at))
	if _, err := f.ReadAt(b, at); err != nil {
		w.t.Fatal(err)
	}
	for i := range b {
		b[i] ^= byte(1 + w.rng.IntN(255))
	}
	if _, err := f.WriteAt(b, at); err != nil {
		w.t.Fatal(err)
	}
	w.injected++
	if filepath.Base(path) == "cursor" { // everything in the files comes again
		w.excused += math.Floor(harness.BytesIn(filepath.Join(w.data, "queue")) / w.least)
	}
	w.t.Logf("%d bytes at %d of %s (%d bytes) changed", len(b), at, filepath.Base(path), info.Size())
}
