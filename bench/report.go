//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report is all that a run has found.
type report struct {
	Began      time.Time       `json:"began"`
	Ended      time.Time       `json:"ended"`
	Machine    machine         `json:"machine"`
	LoadAfter  string          `json:"loadAfter"`
	Options    options         `json:"options"`
	Throughput []series        `json:"throughput,omitempty"`
	Latency    []latencies     `json:"latency,omitempty"`
	Memory     []footprint     `json:"memory,omitempty"`
	Storm      []storms        `json:"storm,omitempty"`
	Scale      []series        `json:"scale,omitempty"`
	Platform   []series        `json:"platform,omitempty"`
	UDP        []series        `json:"udp,omitempty"`
	TLS        []series        `json:"tls,omitempty"`
	Roads      []series        `json:"roads,omitempty"`
	Disk       disk            `json:"disk"` // of the acknowledgements
	Acks       []acknowledging `json:"acks,omitempty"`
	Polls      []polls         `json:"polls,omitempty"`
	Alarms     []alarms        `json:"alarms,omitempty"`
	Budgets    []budget        `json:"budgets,omitempty"`
}

// table is one table of the report.
type table struct {
	title string
	head  []string
	rows  [][]string
}

func (r *report) tables() (all []table) {
	for _, t := range []table{
		throughputTable("Throughput", "burst", limitName, r.Throughput), throughputTable("Throughput", "steady", limitName, r.Throughput),
		throughputTable("UDP", "burst", limitUDPName, r.UDP), throughputTable("UDP", "steady", limitUDPName, r.UDP),
		throughputTable("TLS", "burst", goroutinesTLSName, r.TLS), throughputTable("TLS", "steady", goroutinesTLSName, r.TLS),
		r.latencyTable(), r.memoryTable(), r.stormTable(),
		r.scaleTable(), r.platformTable(), r.roadsTable(), r.acksTable(), r.pollsTable(), r.alarmsTable(), r.fleetsMemoryTable(), r.budgetTable(),
	} {
		if len(t.rows) > 0 {
			all = append(all, t)
		}
	}
	return all
}

func throughputTable(title, shape, base string, all []series) table {
	t := table{title: title + ", " + shape, head: []string{"variant", "messages/s", "CPU us/message", "x " + base, "allocations/message", "writes/read", "messages/read", "payload bytes"}}
	least := cpuOf(all, base, shape)
	for _, s := range all {
		if s.Shape == shape {
			m := s.Median
			t.add(s.Variant, whole(m.PerSecond), decimals(m.CPU, 3), ratio(m.CPU, least), decimals(m.Allocs, 3),
				decimals(m.WritesPerRead, 2), decimals(m.PerRead, 1), whole(m.PayloadBytes))
		}
	}
	return t
}

func (r *report) latencyTable() table {
	t := table{title: "Acknowledgement latency", head: []string{"variant", "messages/s", "p50 us", "p99 us"}}
	for _, l := range r.Latency {
		t.add(l.Variant, strconv.Itoa(l.Rate), whole(l.P50), whole(l.P99))
	}
	return t
}

func (r *report) memoryTable() table {
	t := table{title: "Memory per idle connection", head: []string{"variant", "connections", "resident bytes", "heap and stacks in use", "live heap", "goroutines"}}
	for _, m := range r.Memory {
		t.add(m.Variant, strconv.Itoa(m.Conns), whole(m.RSS), whole(m.InUse), whole(m.Heap), decimals(m.Goroutines, 2))
	}
	return t
}

func (r *report) stormTable() table {
	t := table{title: "Connection storm", head: []string{"variant", "connections", "online/s", "CPU us/connection"}}
	for _, s := range r.Storm {
		t.add(s.Variant, strconv.Itoa(s.Conns), whole(s.Rate), decimals(s.CPU, 1))
	}
	return t
}

func (r *report) scaleTable() table {
	t := table{title: "Cost by connected devices", head: []string{"variant", "devices", "messages/s", "CPU us/message", "x fewest"}}
	for _, s := range r.Scale {
		var fewest float64
		for _, other := range r.Scale {
			if other.Variant == s.Variant && fewest == 0 {
				fewest = other.Median.CPU
			}
		}
		t.add(s.Variant, strconv.Itoa(s.Devices), whole(s.Median.PerSecond), decimals(s.Median.CPU, 2), ratio(s.Median.CPU, fewest))
	}
	return t
}

func (r *report) platformTable() table {
	t := table{title: "To the platform", head: []string{"variant", "load", "messages/s", "CPU us/message", "x bare client", "x bare client and limit", "allocations/message", "payload bytes"}}
	for _, s := range r.Platform {
		m := s.Median
		qos, shape, _ := strings.Cut(s.Shape, "-")
		bare, both := cpuOf(r.Platform, bareName, qos), 0.0
		if limit := cpuOf(r.Throughput, limitName, shape); limit > 0 && bare > 0 {
			both = limit + bare
		}
		t.add(s.Variant, s.Shape, whole(m.PerSecond), decimals(m.CPU, 2), ratio(m.CPU, bare), ratio(m.CPU, both), decimals(m.Allocs, 1), whole(m.PayloadBytes))
	}
	return t
}

func (r *report) pollsTable() table {
	t := table{title: "Polls of Modbus lines", head: []string{
		"variant", "lines", "phase", "polls/s", "CPU, % of a core", "late p99 ms", "late max ms", "uneven p99 ms", "uneven max ms", "left out", "not answered",
	}}
	for _, v := range r.Polls {
		for _, p := range v.Phases {
			t.add(v.Variant, strconv.Itoa(v.Lines), p.Name, whole(p.PerSecond), decimals(100*p.CPU, 1), whole(p.LatenessP99), whole(p.LatenessMax),
				whole(p.UnevenP99), whole(p.UnevenMax), strconv.FormatUint(p.Skipped, 10), strconv.FormatUint(p.Timeouts, 10))
		}
	}
	return t
}

func (r *report) alarmsTable() table {
	t := table{title: "Fires among routine states", head: []string{
		"panels", "frames/s", "messages/s", "CPU, % of a core", "fires", "p50 ms", "p99 ms", "max ms", "confirmed p99 ms",
	}}
	for _, a := range r.Alarms {
		t.add(strconv.Itoa(a.Panels), whole(a.Frames), whole(a.Messages), decimals(100*a.CPU, 1), strconv.Itoa(a.Fires),
			decimals(a.P50, 1), decimals(a.P99, 1), decimals(a.Most, 1), decimals(a.Confirmed, 1))
	}
	return t
}

func (r *report) fleetsMemoryTable() table {
	t := table{title: "Memory per line and per panel", head: []string{"variant", "lines or panels", "resident bytes", "heap and stacks in use", "live heap", "goroutines"}}
	add := func(m *footprint) {
		t.add(m.Variant, strconv.Itoa(m.Conns), whole(m.RSS), whole(m.InUse), whole(m.Heap), decimals(m.Goroutines, 2))
	}
	for i := range r.Polls {
		add(&r.Polls[i].Memory)
	}
	for i := range r.Alarms {
		add(&r.Alarms[i].Memory)
	}
	return t
}

func (r *report) budgetTable() table {
	t := table{title: "Budgets", head: []string{"what", "target", "measured", "verdict"}}
	for _, b := range r.Budgets {
		verdict := "missed"
		if b.Met {
			verdict = "met"
		}
		t.add(b.What, b.Target, b.Measured, verdict)
	}
	return t
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func cpuOf(all []series, variant, shape string) float64 {
	for _, s := range all {
		if s.Variant == variant && s.Shape == shape {
			return s.Median.CPU
		}
	}
	return 0
}

func whole(f float64) string           { return fmt.Sprintf("%.0f", f) }
func decimals(f float64, n int) string { return fmt.Sprintf("%.*f", n, f) }
func ratio(figure, base float64) string {
	if base == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", figure/base)
}

// where is one line about the machine and the moment.
func (r *report) where() string {
	m := r.Machine
	return fmt.Sprintf("%s, %d cores, %d MB, Linux %s, %s; server on core %s, generator on core %s; %s to %s, load average before %s, after %s; %d rounds of %s",
		m.CPU, m.Cores, m.MemoryMB, m.Kernel, m.Go, m.ServerCore, m.LoadCore,
		r.Began.UTC().Format("2006-01-02 15:04"), r.Ended.UTC().Format("15:04 UTC"), m.LoadBefore, r.LoadAfter, r.Options.Rounds, r.Options.Duration)
}

// table prints the report for people.
func (r *report) table(out io.Writer) {
	fmt.Fprintln(out, r.where())
	for _, t := range r.tables() {
		widths := make([]int, len(t.head))
		for _, row := range append([][]string{t.head}, t.rows...) {
			for i, cell := range row {
				widths[i] = max(widths[i], len(cell))
			}
		}
		fmt.Fprintf(out, "\n%s\n", t.title)
		for _, row := range append([][]string{t.head}, t.rows...) {
			for i, cell := range row {
				if i == 0 || !startsWithDigit(t.rows[0][i]) {
					fmt.Fprintf(out, "  %-*s", widths[i], cell)
				} else {
					fmt.Fprintf(out, "  %*s", widths[i], cell)
				}
			}
			fmt.Fprintln(out)
		}
	}
}

func startsWithDigit(s string) bool { return s != "" && (s[0] >= '0' && s[0] <= '9' || s[0] == '-') }

// write writes the report into files, for each that has a name.
func (r *report) write(jsonFile, markdown string) error {
	if jsonFile != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(jsonFile, append(text, '\n'), 0o644); err != nil { //nolint:gosec // nothing secret
			return err
		}
	}
	if markdown == "" {
		return nil
	}
	text := r.markdown()
	page, err := os.ReadFile(markdown) //nolint:gosec // whoever runs the benchmark named it
	if err == nil {
		if text, err = between(page, text); err != nil {
			return fmt.Errorf("%s: %w", markdown, err)
		}
	}
	return os.WriteFile(markdown, text, 0o644) //nolint:gosec // nothing secret
}

// The figures in a page stand between these lines.
const (
	beginFigures = "<!-- figures: written by go run ./bench -markdown -->\n"
	endFigures   = "<!-- end of figures -->\n"
)

// between is page with other figures.
func between(page, figures []byte) ([]byte, error) {
	before, rest, begun := bytes.Cut(page, []byte(beginFigures))
	_, after, ended := bytes.Cut(rest, []byte(endFigures))
	if !begun || !ended {
		return nil, fmt.Errorf("has no lines %q and %q to put the figures between", strings.TrimSpace(beginFigures), strings.TrimSpace(endFigures))
	}
	return slices.Concat(before, []byte(beginFigures), figures, []byte(endFigures), after), nil
}

func (r *report) markdown() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s.\n", r.where())
	for _, t := range r.tables() {
		fmt.Fprintf(&out, "\n### %s\n\n| %s |\n|%s\n", t.title, strings.Join(t.head, " | "), strings.Repeat(" --- |", len(t.head)))
		for _, row := range t.rows {
			fmt.Fprintf(&out, "| %s |\n", strings.Join(row, " | "))
		}
	}
	return out.Bytes()
}
