//go:build soak

package soak

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/linkspan/linkspan/internal/harness"
	"github.com/linkspan/linkspan/platform/api"
)

// checker notes which numbered report of which terminal arrived at the platform.
// Its methods may be called from any goroutine.
type checker struct {
	arrived    atomic.Uint64 // reports, each once
	duplicates atomic.Uint64
	done       sync.WaitGroup
	stop       context.CancelFunc

	mu     sync.Mutex
	seen   map[string]*harness.Numbers // by phone
	lagged uint64
	err    error // why the watch ended before its time
}

// watch follows the platform until stopped.
func watch(t *testing.T, base string) *checker {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	c := &checker{stop: stop, seen: map[string]*harness.Numbers{}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/watch?kind=property", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	c.done.Go(func() {
		defer res.Body.Close()
		in := bufio.NewReaderSize(res.Body, 1<<20)
		for {
			line, err := in.ReadSlice('\n')
			if err == nil {
				err = c.note(line)
			}
			if err != nil {
				if ctx.Err() == nil {
					c.mu.Lock()
					c.err = err
					c.mu.Unlock()
				}
				return
			}
		}
	})
	t.Cleanup(c.close)
	return c
}

func (c *checker) close() {
	c.stop()
	c.done.Wait()
}

// note reads one line of the watch. Nearly all are reports, for which the JSON
// is not parsed but searched: the test's own cost is load on the machine too.
func (c *checker) note(line []byte) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	if !bytes.Contains(line, []byte(`"kind":"property"`)) {
		var m api.Message
		if err := json.Unmarshal(line, &m); err != nil {
			return fmt.Errorf("watch: %w in %s", err, line)
		}
		c.mu.Lock()
		c.lagged += m.Count
		c.mu.Unlock()
		return nil
	}
	phone, number, ok, err := harness.Report(line)
	if err != nil || !ok { // what a terminal says of itself when it comes online is none
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.seen[phone]
	if b == nil {
		b = &harness.Numbers{}
		c.seen[phone] = b
	}
	if b.Add(number) {
		c.arrived.Add(1)
	} else {
		c.duplicates.Add(1)
	}
	return nil
}

// missing is how many of the numbers of a terminal have not arrived.
func (c *checker) missing(phone string, numbers harness.Numbers) (missing int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var seen harness.Numbers
	if b := c.seen[phone]; b != nil {
		seen = *b
	}
	numbers.Each(func(n int) {
		if !seen.Has(n) {
			missing++
		}
	})
	return missing
}

// failure is why the checker proves nothing; nil if it does.
func (c *checker) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return fmt.Errorf("the watch of the platform ended: %w", c.err)
	}
	if c.lagged > 0 {
		return fmt.Errorf("the watch of the platform missed %d messages: the machine is too slow for the load", c.lagged)
	}
	return nil
}
