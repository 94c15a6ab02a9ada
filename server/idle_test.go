package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/server"
)

// idleEnv makes the test binary a fleet of idle devices: "address count".
const idleEnv = "LINKSPAN_TEST_IDLE"

// idleFleet connects devices, logs them in, says so, and stays until its input
// ends.
func idleFleet(spec string) error {
	addr, text, _ := strings.Cut(spec, " ")
	count, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	for i := range count {
		c, dialed := net.Dial("tcp", addr)
		if dialed != nil {
			return dialed
		}
		defer func() { _ = c.Close() }()
		_, _ = fmt.Fprintf(c, "HELLO d%d\n", i)
		if _, err = io.ReadFull(c, make([]byte, 3)); err != nil {
			return err
		}
	}
	fmt.Fprintln(os.Stdout, "ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// BenchmarkIdleConnections measures what 10,000 idle connections of devices
// that are online cost this process: server, protocol and session, without a
// bridge. Time per operation means nothing here.
func BenchmarkIdleConnections(b *testing.B) {
	const count = 10_000
	s := serve(b, server.DefaultLimits())
	warm := s.dial(b)
	warm.send("HELLO warm\n")
	warm.want("OK")
	before, resident, goroutines := heap(), rss(), runtime.NumGoroutine()

	fleet := exec.Command(os.Args[0], "-test.run=^$")
	fleet.Env = append(os.Environ(), idleEnv+"="+s.addr+" "+strconv.Itoa(count))
	fleet.Stderr = os.Stderr
	in, err := fleet.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := fleet.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := fleet.Start(); err != nil {
		b.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		b.Fatalf("fleet said %q, %v", line, err)
	}
	b.ReportMetric(float64(heap()-before)/count, "heap-B/conn")
	b.ReportMetric(float64(rss()-resident)/count, "resident-B/conn")
	b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
	if n := s.stats().Connections; n != count+1 {
		b.Errorf("%d connections, want %d", n, count+1)
	}
	_ = in.Close()
	if err := fleet.Wait(); err != nil {
		b.Error(err)
	}
	until(b, "all ended", func() bool { return s.stats().Connections == 1 })
}

// TestConnectionIsSmall keeps an idle connection within its budget.
func TestConnectionIsSmall(t *testing.T) {
	t.Parallel()
	if server.ConnSize > 256 {
		t.Errorf("a connection takes %d bytes, want 256 at most", server.ConnSize)
	}
}

// heap is the memory in use after a collection, the test's own fakes included.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// rss is the process's resident memory in bytes; 0 where it cannot be known.
func rss() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages uint64
	_, _ = fmt.Sscan(string(text), &size, &pages)
	return pages * uint64(os.Getpagesize())
}
