//go:build linux

package main

import "fmt"

// budget is something that linkspan is to keep to.
type budget struct {
	What     string `json:"what"`
	Target   string `json:"target"`
	Measured string `json:"measured"`
	Met      bool   `json:"met"`
}

// What linkspan may cost. CPU is compared within one run.
const (
	mostSteady   = 1.15     // x limit
	mostBurst    = 2.0      // x limit
	mostAllocs   = 2.0      // for each location report
	mostIdle     = 4 << 10  // bytes of resident memory for each connection
	mostIdleTLS  = 10 << 10 // likewise with TLS
	mostPlatform = 1.3      // x bare client
	mostScale    = 1.2      // x the fewest devices
	leastStored  = 0.7      // x the throughput with ack = received
	mostLate     = 500.0    // milliseconds, of 99 of 100 polls
	mostAlarm    = 100.0    // milliseconds, of 99 of 100 fires
)

// judge compares what was measured with the budgets.
func (r *report) judge() {
	r.Budgets = nil
	against := func(what string, base, figure, most float64, of string) {
		if base > 0 && figure > 0 {
			r.Budgets = append(r.Budgets, budget{
				what, fmt.Sprintf("<= %.4g x %s", most, of), fmt.Sprintf("%.2f x", figure/base), figure <= most*base,
			})
		}
	}
	for _, shape := range []struct {
		name string
		most float64
	}{{"steady", mostSteady}, {"burst", mostBurst}} {
		against("CPU per message, "+shape.name, cpuOf(r.Throughput, limitName, shape.name), cpuOf(r.Throughput, discardName, shape.name), shape.most, limitName)
	}
	for _, s := range r.Throughput {
		if s.Variant == discardName {
			r.Budgets = append(r.Budgets, budget{
				"allocations per location report, " + s.Shape, fmt.Sprintf("<= %g", mostAllocs), fmt.Sprintf("%.3f", s.Median.Allocs), s.Median.Allocs <= mostAllocs,
			})
		}
	}
	for _, m := range r.Memory {
		if m.Variant == discardTLSName {
			r.Budgets = append(r.Budgets, budget{
				"resident memory per idle TLS connection", fmt.Sprintf("<= %d bytes, no goroutine", mostIdleTLS),
				fmt.Sprintf("%.0f bytes, %.2f goroutines", m.RSS, m.Goroutines), m.RSS <= mostIdleTLS && m.Goroutines < 0.01,
			})
		}
		if m.Variant == discardName {
			r.Budgets = append(r.Budgets, budget{
				"resident memory per idle authenticated connection", fmt.Sprintf("<= %d bytes", mostIdle), fmt.Sprintf("%.0f bytes", m.RSS), m.RSS <= mostIdle,
			})
		}
	}
	for _, s := range r.Platform {
		if s.Variant == platformName {
			against("CPU per message to the platform, "+s.Shape, cpuOf(r.Platform, bareName, s.Shape[:4]), s.Median.CPU, mostPlatform, bareName)
		}
	}
	r.judgeScale()
	r.judgeAcks()
	r.judgeFleets()
}

func (r *report) judgeFleets() {
	milliseconds := func(what string, figure, most float64) {
		r.Budgets = append(r.Budgets, budget{what, fmt.Sprintf("<= %g ms", most), fmt.Sprintf("%.0f ms", figure), figure <= most})
	}
	for _, v := range r.Polls {
		for _, p := range v.Phases {
			milliseconds(fmt.Sprintf("lateness of 99 of 100 polls, %d lines, %s, %s", v.Lines, v.Variant, p.Name), p.LatenessP99, mostLate)
		}
	}
	for _, a := range r.Alarms {
		milliseconds(fmt.Sprintf("99 of 100 fires are at the platform, %d panels, %.0f frames/s", a.Panels, a.Frames), a.P99, mostAlarm)
	}
}

func (r *report) judgeScale() {
	limit, _, _ := r.growth(limitName)
	growth, first, most := r.growth(discardName)
	if growth == 0 {
		return
	}
	measured := fmt.Sprintf("%.2f x", growth)
	if limit > 0 {
		measured += fmt.Sprintf(" (%s: %.2f x)", limitName, limit)
	}
	r.Budgets = append(r.Budgets, budget{
		fmt.Sprintf("CPU per message with %d devices", most), fmt.Sprintf("<= %g x with %d", mostScale, first), measured, growth <= mostScale,
	})
}

// growth is how much more a message costs with the most devices than with the
// fewest; 0 when it was not measured.
func (r *report) growth(variant string) (times float64, fewest, largest int) {
	var first, most series
	for _, s := range r.Scale {
		if s.Variant != variant {
			continue
		}
		if first.Variant == "" {
			first = s
		}
		if s.Devices > most.Devices {
			most = s
		}
	}
	if first.Devices == most.Devices || first.Median.CPU == 0 {
		return 0, first.Devices, most.Devices
	}
	return most.Median.CPU / first.Median.CPU, first.Devices, most.Devices
}
