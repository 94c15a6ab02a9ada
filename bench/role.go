//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// roleEnv makes the program one of the servers: its name, and its settings
// behind a blank.
const roleEnv = "LINKSPAN_BENCH_ROLE"

// role is a server process: what it is told on its standard input it does, and
// answers with one line of JSON.
type role struct {
	addr  string                           // where devices, or MQTT clients, connect
	count func() counts                    // what has been done so far
	drive func(time.Duration) (int, error) // of roles that make their own load
	close func(ctx context.Context) error  // nil: there is nothing to close
}

// counts is what a server has done; each variant knows some of it.
type counts struct {
	Messages uint64 `json:"messages"` // taken
	Reads    uint64 `json:"reads"`    // from sockets of devices
	Writes   uint64 `json:"writes"`   // to sockets of devices
	Payloads uint64 `json:"payloads"` // encoded for, or taken by, the platform
	Bytes    uint64 `json:"bytes"`    // of them
	Failures uint64 `json:"failures"` // of any kind
	Logins   uint64 `json:"logins"`   // of devices
	Commits  uint64 `json:"commits"`  // of the queue
	Syncs    uint64 `json:"syncs"`    // fsyncs of its records

	Polling *polling `json:"polling,omitempty"` // of Modbus lines
}

// state is the answer to a question.
type state struct {
	counts
	Addr    string        `json:"addr,omitempty"`
	CPU     time.Duration `json:"cpu"` // user and system time of the process so far
	Mallocs uint64        `json:"mallocs"`
	Heap    uint64        `json:"heap"`     // bytes of live objects
	InUse   uint64        `json:"inUse"`    // bytes of heap spans and stacks in use
	RSS     uint64        `json:"rss"`      // resident bytes of the process
	Threads int           `json:"routines"` // goroutines
	Done    int           `json:"done,omitempty"`
	Error   string        `json:"error,omitempty"`
}

// playRole is the process of a role. It ends when its standard input does.
func playRole(spec string) error {
	name, settings, _ := strings.Cut(spec, " ")
	start, ok := roles[name]
	if !ok {
		return errors.New("no such role")
	}
	r, err := start(settings)
	if err != nil {
		return err
	}
	answers := json.NewEncoder(os.Stdout)
	if err := answers.Encode(state{Addr: r.addr}); err != nil {
		return err
	}
	questions := bufio.NewScanner(os.Stdin)
	for questions.Scan() {
		if err := answers.Encode(r.answer(questions.Text())); err != nil {
			return err
		}
	}
	if r.close == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return r.close(ctx)
}

func (r *role) answer(question string) state {
	verb, argument, _ := strings.Cut(question, " ")
	var s state
	var err error
	switch verb {
	case "state":
	case "settle": // as small as it gets
		for range 3 {
			runtime.GC()
			time.Sleep(10 * time.Millisecond) // pools take two collections to be empty, and sweeping some time
		}
		debug.FreeOSMemory()
	case "drive":
		var d time.Duration
		if d, err = time.ParseDuration(argument); err == nil {
			s.Done, err = r.drive(d)
		}
	case "profile":
		err = profile(argument)
	default:
		err = fmt.Errorf("what is %q?", question)
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	s.counts = r.count()
	s.CPU, s.Mallocs, s.Heap, s.InUse, s.RSS = cpuTime(), mem.Mallocs, mem.HeapAlloc, mem.HeapInuse+mem.StackInuse, residentBytes()
	s.Threads = runtime.NumGoroutine()
	if err != nil {
		s.Error = err.Error()
	}
	return s
}

// profile begins a CPU profile, or ends the one that has begun.
func profile(path string) error {
	if path == "" {
		pprof.StopCPUProfile()
		return nil
	}
	f, err := os.Create(path) //nolint:gosec // whoever runs the benchmark named it
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(f) // which has the file until the process ends
}

func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func residentBytes() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages uint64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize()) //nolint:gosec // positive
}
