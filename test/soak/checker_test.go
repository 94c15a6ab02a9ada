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

	"github.com/linkspan/linkspan/platform/api"
)

// bits is a set of small numbers.
type bits []uint64

func (b *bits) add(n int) (fresh bool) {
	for n/64 >= len(*b) {
		*b = append(*b, 0)
	}
	word, bit := &(*b)[n/64], uint64(1)<<(n%64)
	fresh = *word&bit == 0
	*word |= bit
	return fresh
}

func (b bits) has(n int) bool { return n/64 < len(b) && b[n/64]&(1<<(n%64)) != 0 }

// each calls f with every number of the set, in order.
func (b bits) each(f func(n int)) {
	for n := range len(b) * 64 {
		if b.has(n) {
			f(n)
		}
	}
}

// checker notes which numbered report of which terminal arrived at the platform.
// Its methods may be called from any goroutine.
type checker struct {
	arrived    atomic.Uint64 // reports, each once
	duplicates atomic.Uint64
	done       sync.WaitGroup
	stop       context.CancelFunc

	mu     sync.Mutex
	seen   map[string]*bits // by phone
	lagged uint64
	err    error // why the watch ended before its time
}

// watch follows the platform until stopped.
func watch(t *testing.T, base string) *checker {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	c := &checker{stop: stop, seen: map[string]*bits{}}
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
	name, ok := after(line, `"deviceName":"`)
	if !ok {
		return fmt.Errorf("watch: no device in %s", line)
	}
	phone, _, _ := bytes.Cut(name, []byte(`"`))
	mileage, ok := after(line, `"mileage":{"value":`)
	if !ok {
		return nil // what a terminal says of itself when it comes online
	}
	number, ok := tenths(mileage)
	if !ok {
		return fmt.Errorf("watch: no mileage in %s", line)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.seen[string(phone)]
	if b == nil {
		b = &bits{}
		c.seen[string(phone)] = b
	}
	if b.add(number) {
		c.arrived.Add(1)
	} else {
		c.duplicates.Add(1)
	}
	return nil
}

func after(line []byte, key string) ([]byte, bool) {
	_, rest, ok := bytes.Cut(line, []byte(key))
	return rest, ok
}

// tenths reads a number with at most one digit behind the point as tenths.
func tenths(text []byte) (n int, ok bool) {
	i := 0
	for ; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
		n = n*10 + int(text[i]-'0')
	}
	ok = i > 0
	n *= 10
	if i+1 < len(text) && text[i] == '.' && text[i+1] >= '0' && text[i+1] <= '9' {
		n += int(text[i+1] - '0')
	}
	return n, ok
}

// missing is how many of the numbers of a terminal have not arrived.
func (c *checker) missing(phone string, numbers bits) (missing int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var seen bits
	if b := c.seen[phone]; b != nil {
		seen = *b
	}
	numbers.each(func(n int) {
		if !seen.has(n) {
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

// ledger is which numbered reports terminals have been told are delivered. Its
// methods may be called from any goroutine.
type ledger struct {
	mu    sync.Mutex
	acked map[string]*bits // by phone
	count uint64
}

func newLedger() *ledger { return &ledger{acked: map[string]*bits{}} }

func (l *ledger) note(phone string, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.acked[phone]
	if b == nil {
		b = &bits{}
		l.acked[phone] = b
	}
	if b.add(int(number)) {
		l.count++
	}
}

// of are the numbers of a terminal.
func (l *ledger) of(phone string) bits {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.acked[phone]; b != nil {
		return *b
	}
	return nil
}

// len is how many there are, each counted once.
func (l *ledger) len() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}
