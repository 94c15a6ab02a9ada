//go:build faults

package faults

import (
	"bufio"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/harness"
)

// journal is what the platform has received, read from its file as it grows. Its
// methods may be called from any goroutine.
type journal struct {
	path string
	stop chan struct{}
	done sync.WaitGroup
	hook func(phone string, number int, line []byte) // of first arrivals; may be nil

	mu      sync.Mutex
	seen    map[string]*arrivals // by phone
	arrived uint64               // reports, each once
	again   uint64               // reports that had arrived before
	late    uint64               // reports that first arrived behind one with a higher number
	bad     uint64               // lines that are none
	history []moment
}

// arrivals is what has arrived of one terminal.
type arrivals struct {
	numbers harness.Numbers
	highest int
}

// moment is how much had been received at a time.
type moment struct {
	at    time.Time
	lines uint64
}

func follow(t *testing.T, path string, hook func(phone string, number int, line []byte)) *journal {
	t.Helper()
	j := &journal{path: path, stop: make(chan struct{}), seen: map[string]*arrivals{}, hook: hook}
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	j.done.Go(func() { j.read(f) })
	t.Cleanup(j.close)
	return j
}

func (j *journal) close() {
	select {
	case <-j.stop:
	default:
		close(j.stop)
	}
	j.done.Wait()
}

// read reads lines until the end of the test.
func (j *journal) read(f *os.File) {
	defer func() { _ = f.Close() }()
	in, line := bufio.NewReaderSize(f, 1<<20), []byte(nil)
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			j.note(line)
			line = line[:0]
		case errors.Is(err, io.EOF): // so far
			select {
			case <-j.stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

func (j *journal) note(line []byte) {
	phone, number, ok, err := harness.Report(line)
	j.mu.Lock()
	defer j.mu.Unlock()
	if now := time.Now(); len(j.history) == 0 || now.Sub(j.history[len(j.history)-1].at) > 100*time.Millisecond {
		j.history = append(j.history, moment{now, j.arrived + j.again})
	}
	if err != nil {
		j.bad++
	}
	if !ok {
		return
	}
	a := j.seen[phone]
	if a == nil {
		a = &arrivals{}
		j.seen[phone] = a
	}
	if !a.numbers.Add(number) {
		j.again++
		return
	}
	j.arrived++
	if number < a.highest {
		j.late++
	}
	a.highest = max(a.highest, number)
	if j.hook != nil {
		j.hook(phone, number, line)
	}
}

// counts is how many reports have arrived.
func (j *journal) counts() (arrived, again, late, bad uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.arrived, j.again, j.late, j.bad
}

// since is how many reports were received in the last while.
func (j *journal) since(d time.Duration) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	from := time.Now().Add(-d)
	for i := len(j.history) - 1; i >= 0; i-- {
		if m := j.history[i]; m.at.Before(from) {
			return j.arrived + j.again - m.lines
		}
	}
	return j.arrived + j.again
}

// missing is which of the numbers of a terminal have not arrived.
func (j *journal) missing(phone string, numbers harness.Numbers) (missing []int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var seen harness.Numbers
	if a := j.seen[phone]; a != nil {
		seen = a.numbers
	}
	numbers.Each(func(n int) {
		if !seen.Has(n) {
			missing = append(missing, n)
		}
	})
	return missing
}
