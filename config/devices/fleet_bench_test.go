package devices

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fleetEnv names the file that a process of BenchmarkFleet loads.
const fleetEnv = "LINKSPAN_BENCH_FLEET"

// BenchmarkFleet loads 500,000 devices in a process of its own, and loads them
// again with one in a hundred changed: what that takes, and the most memory that
// the process had resident, up to the load and up to the reload.
func BenchmarkFleet(b *testing.B) {
	if path := os.Getenv(fleetEnv); path != "" {
		loadFleet(b, path)
		return
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		b.Skip(err)
	}
	const n = 500_000
	dir := b.TempDir()
	for name, line := range map[string]string{
		"devices.conf": "\"4600%011[1]d\" {\n  productKey = a1Xf9GvQq%[2]d\n  deviceName = truck-%[1]d\n  deviceSecret = \"%032[3]x\"\n}\n",
		"devices.csv":  "4600%011[1]d,a1Xf9GvQq%[2]d,truck-%[1]d,%032[3]x\n",
	} {
		path := filepath.Join(dir, name)
		for _, file := range []string{path, path + ".new"} {
			f, err := os.Create(file)
			if err != nil {
				b.Fatal(err)
			}
			w := bufio.NewWriter(f)
			if strings.HasSuffix(name, ".csv") {
				_, _ = w.WriteString("identity,productKey,deviceName,deviceSecret\n")
			}
			for i := range n {
				secret := i
				if file != path && i%100 == 0 {
					secret += n
				}
				fmt.Fprintf(w, line, i, i%7, secret)
			}
			if err := w.Flush(); err != nil {
				b.Fatal(err)
			}
			_ = f.Close()
		}
		b.Run(name, func(b *testing.B) {
			var sum [4]float64
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkFleet$", "-test.benchtime=1x")
				cmd.Env = append(os.Environ(), fleetEnv+"="+path)
				out, err := cmd.Output()
				if err != nil {
					b.Fatal(err)
				}
				_, figures, _ := strings.Cut(string(out), "figures ")
				var got [4]float64
				if _, err = fmt.Sscan(figures, &got[0], &got[1], &got[2], &got[3]); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				for i := range sum {
					sum[i] += got[i]
				}
			}
			for i, unit := range []string{"s/load", "MB/load", "s/reload", "MB/reload"} {
				b.ReportMetric(sum[i]/float64(b.N), unit)
			}
		})
	}
}

func loadFleet(b *testing.B, path string) {
	b.Helper()
	began := time.Now()
	c, err := Open(Config{File: path})
	if err != nil || c.Len() != 500_000 {
		b.Fatal(err)
	}
	loaded, most := time.Since(began), peak(b)
	if err = os.Rename(path, path+".old"); err != nil {
		b.Fatal(err)
	}
	if err = os.Rename(path+".new", path); err != nil {
		b.Fatal(err)
	}
	began = time.Now()
	changes, err := c.Reload()
	again := time.Since(began)
	if err != nil || len(changes.Changed) != 5000 || len(changes.Mistakes) > 0 {
		b.Fatal(err, len(changes.Changed))
	}
	_, _ = fmt.Fprintf(os.Stdout, "figures %f %f %f %f\n", loaded.Seconds(), most, again.Seconds(), peak(b))
	if err = os.Rename(path, path+".new"); err != nil {
		b.Fatal(err)
	}
	if err = os.Rename(path+".old", path); err != nil {
		b.Fatal(err)
	}
}

// peak is the most memory that the process has had resident, in megabytes.
func peak(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kb float64
	if _, err = fmt.Sscan(rest, &kb); err != nil {
		b.Fatal(err)
	}
	return kb * 1024 / 1e6
}
