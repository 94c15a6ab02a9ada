//go:build soak

package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A page of small plots, one for each series, over the whole time.
const (
	plotWidth, plotHeight = 420, 130 // of one
	plotLeft, plotTop     = 78, 28   // room for numbers, and for the title
	plotGap               = 24
	plotsInRow            = 2
)

// plotted are the series with a plot: the state of the bridge, and what its load is.
var plotted = []struct {
	column int
	title  string
	unit   float64 // what the values are divided by
	rate   bool    // the column counts: the plot shows how much it grows in a second
}{
	{rss, "resident memory, MiB", 1 << 20, false},
	{heap, "heap in use, MiB", 1 << 20, false},
	{goroutines, "goroutines", 1, false},
	{fds, "file descriptors", 1, false},
	{disk, "data directory, MiB", 1 << 20, false},
	{sessions, "sessions", 1, false},
	{acked, "acknowledged reports per second", 1, true},
	{arrived, "reports at the platform per second", 1, true},
	{inFlight, "messages under way", 1, false},
	{open, "reports without an acknowledgement", 1, false},
	{bridgeCPU, "CPUs in use by the bridge", 1, true},
	{loopLag, "longest wait for an event loop, ms", 1e-3, false},
	{reconnects, "connections made per second", 1, true},
	{platformRSS, "platform: resident memory, MiB", 1 << 20, false},
}

// writePlots writes them as plots.svg.
func writePlots(dir string, samples []sample) error {
	if len(samples) < 2 {
		return nil
	}
	rows := (len(plotted) + plotsInRow - 1) / plotsInRow
	width := plotsInRow*(plotLeft+plotWidth+plotGap) + plotGap
	height := rows*(plotTop+plotHeight+2*plotGap) + plotGap
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	for i, p := range plotted {
		x := plotGap + i%plotsInRow*(plotLeft+plotWidth+plotGap) + plotLeft
		y := plotGap + i/plotsInRow*(plotTop+plotHeight+2*plotGap) + plotTop
		drawPlot(&b, x, y, p.title, series(samples, p.column, p.unit, p.rate), samples[0].at, samples[len(samples)-1].at)
	}
	b.WriteString("</svg>\n")
	return os.WriteFile(filepath.Join(dir, "plots.svg"), []byte(b.String()), 0o600)
}

// point is one value at one time, in seconds.
type point struct{ at, value float64 }

func series(samples []sample, column int, unit float64, rate bool) (all []point) {
	for i, s := range samples {
		v := s.values[column]
		if rate {
			if i == 0 {
				continue
			}
			before := samples[i-1]
			v = (v - before.values[column]) / max((s.at-before.at).Seconds(), 1e-3)
		}
		all = append(all, point{s.at.Seconds(), v / unit})
	}
	return all
}

// drawPlot draws one plot whose upper left corner is at x, y. Its scale begins at
// zero, so that flat looks flat.
func drawPlot(b *strings.Builder, x, y int, title string, points []point, from, to time.Duration) {
	top := 0.0
	for _, p := range points {
		top = max(top, p.value)
	}
	if top == 0 {
		top = 1
	}
	top *= 1.1
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", x, y-10, title)
	for i := range 5 {
		level := float64(i) / 4
		at := float64(y) + plotHeight*(1-level)
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/>`, x, at, x+plotWidth, at)
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", x-6, at+4, short(top*level))
	}
	fmt.Fprintf(b, `<text x="%d" y="%d">0</text><text x="%d" y="%d" text-anchor="end">%s</text>`+"\n",
		x, y+plotHeight+16, x+plotWidth, y+plotHeight+16, (to - from).Round(time.Second))
	b.WriteString(`<polyline fill="none" stroke="#1f6feb" stroke-width="1.5" points="`)
	for _, p := range points {
		along := (p.at - from.Seconds()) / max((to-from).Seconds(), 1e-3)
		fmt.Fprintf(b, "%.1f,%.1f ", float64(x)+plotWidth*along, float64(y)+plotHeight*(1-p.value/top))
	}
	b.WriteString(`"/>` + "\n")
}

// short is v with three digits or so.
func short(v float64) string {
	switch {
	case v >= 100 || v == 0:
		return fmt.Sprintf("%.0f", v)
	case v >= 1:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}
