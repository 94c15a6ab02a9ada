//go:build soak

package soak

import (
	"encoding/csv"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// sample is the state of everything at one moment.
type sample struct {
	at     time.Duration // since the measurement began; before it negative
	values [columns]float64
}

// The columns of the samples.
const (
	goroutines = iota
	fds
	rss
	heap
	connections
	sessions
	inFlight
	pending
	loopLag
	bridgeCPU
	platformRSS
	platformCPU
	sent
	acked
	open
	arrived
	reconnects
	commandsGiven
	disk // bytes in the bridge's data directory
	columns
)

var columnNames = [columns]string{
	"goroutines", "fds", "rss", "heap", "connections", "sessions", "in_flight", "pending", "loop_lag_s", "bridge_cpu_s",
	"platform_rss", "platform_cpu_s", "sent", "acknowledged", "open", "arrived", "reconnects", "commands", "disk",
}

// writeCSV writes the samples for a spreadsheet.
func writeCSV(dir string, samples []sample) error {
	f, err := os.Create(filepath.Join(dir, "samples.csv"))
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	_ = w.Write(append([]string{"seconds"}, columnNames[:]...)) // Error has it
	for _, s := range samples {
		row := []string{strconv.FormatFloat(s.at.Seconds(), 'f', 1, 64)}
		for _, v := range s.values {
			row = append(row, strconv.FormatFloat(v, 'f', -1, 64))
		}
		_ = w.Write(row) // Error has it
	}
	w.Flush()
	return errors.Join(w.Error(), f.Close())
}

// trend is the straight line that fits a column best.
type trend struct {
	Mean   float64 `json:"mean"`
	Growth float64 `json:"growth"` // of the line, over the whole time
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// fit is the trend of a column (least squares).
func fit(samples []sample, column int) (t trend) {
	n := float64(len(samples))
	if n == 0 {
		return t
	}
	t.Min = math.Inf(1)
	var sx, sy, sxx, sxy float64
	for _, s := range samples {
		x, y := s.at.Seconds(), s.values[column]
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
		t.Min, t.Max = min(t.Min, y), max(t.Max, y)
	}
	t.Mean = sy / n
	if d := n*sxx - sx*sx; d > 0 {
		t.Growth = (n*sxy - sx*sy) / d * (samples[len(samples)-1].at - samples[0].at).Seconds()
	}
	return t
}

// limits say how much a column may grow over the time that is measured: a part
// of its mean, and in any case a number.
var limits = []struct {
	column   int
	part     float64
	absolute float64
}{
	{goroutines, 0.02, 25},
	{fds, 0.01, 50}, // terminals that are between two connections come and go
	{rss, 0.10, 24 << 20},
	{heap, 0.10, 24 << 20}, // between two garbage collections it is anything
	{inFlight, 0.10, 2000},
	{pending, 0.10, 2000},
	{disk, 0.10, 256 << 20}, // a segment or two more or less
}
