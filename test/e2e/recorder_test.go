package e2e

import (
	"context"
	"encoding/json"
	"math"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// recorder notes every numbered report that arrives at the platforms it is
// attached to. Reports are numbered by their mileage. It may be used from any
// goroutine.
type recorder struct {
	followers sync.WaitGroup

	mu      sync.Mutex
	reports map[string]map[int]int // how often each number came, by device
	order   map[string][]int       // numbers in the order in which they came first
	lagged  uint64                 // messages that were missed: a test with any proves nothing
}

func newRecorder() *recorder {
	return &recorder{reports: map[string]map[int]int{}, order: map[string][]int{}}
}

// attach follows a platform until it is closed.
func (r *recorder) attach(tb testing.TB, p *platform.Platform) {
	tb.Helper()
	watch, err := p.Subscribe(platform.Filter{Kinds: []string{api.KindProperty}})
	if err != nil {
		tb.Fatal(err)
	}
	r.followers.Go(func() {
		defer watch.Close()
		for {
			m, err := watch.Next(context.Background())
			if err != nil {
				return
			}
			r.note(m)
		}
	})
}

// wait returns when all that the closed platforms have got is noted.
func (r *recorder) wait() { r.followers.Wait() }

func (r *recorder) note(m api.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Kind == api.KindLagged {
		r.lagged += m.Count
		return
	}
	var params struct {
		Mileage *struct{ Value float64 } `json:"mileage"`
	}
	if json.Unmarshal(m.Data, &params) != nil || params.Mileage == nil {
		return // what a terminal says of itself when it comes online
	}
	number := int(math.Round(params.Mileage.Value * 10))
	if r.reports[m.DeviceName] == nil {
		r.reports[m.DeviceName] = map[int]int{}
	}
	if r.reports[m.DeviceName][number]++; r.reports[m.DeviceName][number] == 1 {
		r.order[m.DeviceName] = append(r.order[m.DeviceName], number)
	}
}

// has says whether a terminal's report with that number has arrived.
func (r *recorder) has(phone string, number int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reports[phone][number] > 0
}

// first are the numbers of a terminal's reports in the order in which they
// arrived first.
func (r *recorder) first(phone string) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int(nil), r.order[phone]...)
}

// check fails the test unless all of the reports 1 to n of a terminal arrived.
func (r *recorder) check(tb testing.TB, phone string, n int) {
	tb.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lagged > 0 {
		tb.Fatalf("the recorder missed %d messages: make the platform's watchQueue larger", r.lagged)
	}
	missing := 0
	for number := 1; number <= n; number++ {
		if r.reports[phone][number] == 0 {
			missing++
		}
	}
	if missing > 0 {
		tb.Errorf("terminal %s: of %d reports that were acknowledged %d did not arrive", phone, n, missing)
	}
}
