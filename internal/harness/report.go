package harness

import (
	"bytes"
	"fmt"
	"sync"
)

// Numbers is a set of small numbers.
type Numbers []uint64

// Add says whether n was not there.
func (b *Numbers) Add(n int) (fresh bool) {
	for n/64 >= len(*b) {
		*b = append(*b, 0)
	}
	word, bit := &(*b)[n/64], uint64(1)<<(n%64)
	fresh = *word&bit == 0
	*word |= bit
	return fresh
}

// Has says whether n is there.
func (b Numbers) Has(n int) bool { return n/64 < len(b) && b[n/64]&(1<<(n%64)) != 0 }

// Each calls f with every number, in order.
func (b Numbers) Each(f func(n int)) {
	for n := range len(b) * 64 {
		if b.Has(n) {
			f(n)
		}
	}
}

// Ledger is which numbered reports terminals have been told are safe. Its methods
// may be called from any goroutine.
type Ledger struct {
	mu    sync.Mutex
	acked map[string]*Numbers // by phone
	count uint64
}

// NewLedger is one in which nothing is.
func NewLedger() *Ledger { return &Ledger{acked: map[string]*Numbers{}} }

// Note notes a report.
func (l *Ledger) Note(phone string, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.acked[phone]
	if b == nil {
		b = &Numbers{}
		l.acked[phone] = b
	}
	if b.Add(int(number)) { //nolint:gosec // counted from 1
		l.count++
	}
}

// Of is the numbers of a terminal, to be read when nothing is noted any more.
func (l *Ledger) Of(phone string) Numbers {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.acked[phone]; b != nil {
		return *b
	}
	return nil
}

// Len is how many there are, each counted once.
func (l *Ledger) Len() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// Report finds phone and number of a report in a line of the platform's watch, which
// is searched and not parsed: a test's own cost is load on the machine too. ok is false
// for lines of other kinds, and for what a terminal says when it comes online. The
// number is in the mileage.
func Report(line []byte) (phone string, number int, ok bool, err error) {
	if !bytes.Contains(line, []byte(`"kind":"property"`)) {
		return "", 0, false, nil
	}
	_, name, found := bytes.Cut(line, []byte(`"deviceName":"`))
	if !found {
		return "", 0, false, fmt.Errorf("harness: no device in %s", line)
	}
	name, _, _ = bytes.Cut(name, []byte(`"`))
	_, mileage, found := bytes.Cut(line, []byte(`"mileage":{"value":`))
	if !found {
		return "", 0, false, nil
	}
	number, ok = tenths(mileage)
	if !ok {
		return "", 0, false, fmt.Errorf("harness: no mileage in %s", line)
	}
	return string(name), number, true, nil
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
