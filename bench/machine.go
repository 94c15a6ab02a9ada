//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// bench is one run.
type bench struct {
	ctx        context.Context //nolint:containedctx // of the run, which the value is
	opts       options
	progress   *serial
	serverCPU  *unix.CPUSet // nil: not pinned
	loadCPU    *unix.CPUSet
	serverCore int
	loadCore   int
}

// serial lets the run and its servers write to one writer.
type serial struct {
	mu  sync.Mutex
	out io.Writer // guarded by mu
}

func (s *serial) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, format+"\n", args...)
}

// pin takes the last of the cores that this process may run on for the server
// and the first for itself, the generator.
func (b *bench) pin() error {
	var have unix.CPUSet
	if err := unix.SchedGetaffinity(0, &have); err != nil {
		return fmt.Errorf("cores of the process: %w", err)
	}
	if have.Count() < 2 {
		b.say("only one core: server and generator share it, the figures mean nothing")
		return nil
	}
	var cores []int
	for core := 0; len(cores) < have.Count(); core++ {
		if have.IsSet(core) {
			cores = append(cores, core)
		}
	}
	b.loadCore, b.serverCore = cores[0], cores[len(cores)-1]
	b.loadCPU, b.serverCPU = &unix.CPUSet{}, &unix.CPUSet{}
	b.loadCPU.Set(b.loadCore)
	b.serverCPU.Set(b.serverCore)
	runtime.GOMAXPROCS(1)
	return pinThreads(b.loadCPU)
}

// pinThreads pins all threads of the process; later ones inherit it.
func pinThreads(set *unix.CPUSet) error {
	tasks, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		id, err := strconv.Atoi(filepath.Base(t))
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("pin thread %d: %w", id, err)
		}
	}
	return nil
}

// onCore runs f, which starts a process, on a thread that may run on that core
// only, so that the process inherits that before it has begun.
func onCore(set, back *unix.CPUSet, f func() error) error {
	if set == nil {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, set); err != nil {
		return fmt.Errorf("pin: %w", err)
	}
	err := f()
	if e := unix.SchedSetaffinity(0, back); e != nil && err == nil {
		err = fmt.Errorf("pin: %w", e)
	}
	return err
}

// raiseFileLimit allows as many open files as the system lets this user have.
func raiseFileLimit() error {
	const want = 1 << 17
	var have unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &have); err != nil {
		return fmt.Errorf("open files: %w", err)
	}
	if have.Cur >= want {
		return nil
	}
	all := unix.Rlimit{Cur: want, Max: max(have.Max, want)}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &all) == nil {
		return nil
	}
	have.Cur = have.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &have); err != nil {
		return fmt.Errorf("open files: %w", err)
	}
	return nil
}

// fileLimit is how many files a process may open.
func fileLimit() int {
	var have unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &have) != nil {
		return 0
	}
	return int(min(have.Cur, 1<<30)) //nolint:gosec // just bounded
}

// machine is where a run was made.
type machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	MemoryMB   uint64 `json:"memory"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	ServerCore string `json:"serverCore"`
	LoadCore   string `json:"generatorCore"`
	Files      int    `json:"openFiles"`
	LoadBefore string `json:"loadBefore"`
}

func describeMachine(b *bench) machine {
	m := machine{CPU: "unknown", Cores: runtime.NumCPU(), Go: runtime.Version(), Files: fileLimit(), LoadBefore: loadAverage(), ServerCore: "any", LoadCore: "any"}
	if b.serverCPU != nil {
		m.ServerCore, m.LoadCore = strconv.Itoa(b.serverCore), strconv.Itoa(b.loadCore)
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.MemoryMB = info.Totalram * uint64(info.Unit) >> 20
	}
	return m
}

// loadAverage is the machine's load: whoever else uses it is in there.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
