package devices

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// fleet writes a devices file with n entries and returns its path.
func fleet(tb testing.TB, n int) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "devices.conf")
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range n {
		fmt.Fprintf(w, "\"4600%011d\" {\n  productKey = a1Xf9GvQq%d\n  deviceName = truck-%d\n  deviceSecret = \"%032x\"\n}\n", i, i%7, i, i)
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			path := fleet(b, n)
			b.ReportAllocs()
			for b.Loop() {
				f, err := Open(Config{File: path})
				if err != nil || f.Len() != n {
					b.Fatal(f.Len(), err, f.Mistakes())
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkHeld reports what 100,000 devices hold in memory once loaded.
func BenchmarkHeld(b *testing.B) {
	const n = 100_000
	path := fleet(b, n)
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		f, err := Open(Config{File: path})
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(f)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/device")
}

func BenchmarkIdentity(b *testing.B) {
	f, err := OpenFile(fleet(b, 100_000), 0)
	if err != nil {
		b.Fatal(err)
	}
	names := make([]string, 1024)
	for i := range names {
		names[i] = fmt.Sprintf("4600%011d", i*97)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := f.Identity(names[i&1023]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
