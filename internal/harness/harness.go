// Package harness is what tests share that run linkspan as operators do: the built
// binary in processes of its own, which are watched from outside. Only tests import it.
package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// FreeAddress is an address of the loopback that nobody has. It is none that systems give
// to outgoing connections, one of which could have it when it is used, or used again.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	const first, last, attempts = 10_000, 32_000, 100
	for range attempts {
		address := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first)) //nolint:gosec // no secret
		l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", address)
		if err == nil {
			_ = l.Close()
			return address
		}
	}
	tb.Fatal("no free address")
	return ""
}

// Await waits until holds does, however long that is within a limit, and fails the
// test if it does not.
func Await(tb testing.TB, what string, within time.Duration, holds func() bool) {
	tb.Helper()
	for end := time.Now().Add(within); !holds(); time.Sleep(50 * time.Millisecond) { //nolint:forbidigo // it is another process that is waited for
		if time.Now().After(end) {
			tb.Fatalf("waited %s in vain for %s", within, what)
		}
	}
}

func get(url string) (*http.Response, context.CancelFunc, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return res, cancel, nil
}

// Answers says whether something answers under that URL, with 200.
func Answers(url string) bool {
	res, cancel, err := get(url)
	if err != nil {
		return false
	}
	defer cancel()
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode == http.StatusOK
}

// Scrape reads metrics in Prometheus' text format; the values of one name are
// added up over all labels.
func Scrape(url string) (map[string]float64, error) {
	res, cancel, err := get(url)
	if err != nil {
		return nil, err
	}
	defer cancel()
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, errors.New(res.Status)
	}
	metrics := map[string]float64{}
	in := bufio.NewScanner(res.Body)
	for in.Scan() {
		line := in.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if at < 0 {
			return nil, errors.New("no metric: " + line)
		}
		name, _, _ := strings.Cut(line[:at], "{")
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, err
		}
		metrics[name] += v
	}
	return metrics, in.Err()
}
