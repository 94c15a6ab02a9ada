package gbt26875

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/simulate/internal/crew"
)

// Report is what a fleet has done, in numbers for people.
type Report struct {
	Snapshot
	Elapsed time.Duration // of Run
	Kinds   []KindReport  // of frames, those that there were
	Connect Latency       // the time that connections took to be made
}

// KindReport is about the frames of one kind.
type KindReport struct {
	Kind      string  // state, alarm, operation, heartbeat, answer
	Sent      uint64  // frames, those sent again included
	Resent    uint64  // frames sent again
	Confirmed uint64  // frames confirmed
	Denied    uint64  // denials
	Latency   Latency // from when a frame was first sent on its connection to its confirmation
}

// Report is what the fleet has done until now.
func (f *Fleet) Report() Report {
	r := Report{Snapshot: f.Stats(), Elapsed: f.elapsed()}
	latency := func(k kind) Latency {
		parts := make([]*crew.Histogram, 0, len(f.shards))
		for _, s := range f.shards {
			parts = append(parts, &s.latency[k])
		}
		return crew.LatencyOf(parts...)
	}
	r.Connect = latency(kindConnect)
	for k := kindState; k < kinds; k++ {
		kr := KindReport{Kind: k.String(), Latency: latency(k)}
		for _, s := range f.shards {
			kr.Sent += s.sent[k].Load()
			kr.Resent += s.resent[k].Load()
			kr.Confirmed += s.confirmed[k].Load()
			kr.Denied += s.denied[k].Load()
		}
		if kr.Sent > 0 {
			r.Kinds = append(r.Kinds, kr)
		}
	}
	return r
}

// String is the report as a table.
func (r Report) String() string {
	var b strings.Builder
	seconds := max(r.Elapsed.Seconds(), 1e-9)
	fmt.Fprintf(&b, "%d panels, %d connected, %.1f s\n", r.Devices, r.Connected, r.Elapsed.Seconds())
	fmt.Fprintf(&b, "reports   %d made (%.1f/s), %d of them fires, %d confirmed, %d pending, %d lost, %d refused, %d skipped\n",
		r.Sent, float64(r.Sent)/seconds, r.Fires, r.Acked, r.Pending, r.Lost, r.Refused, r.Skipped)
	fmt.Fprintf(&b, "links     %d made, %d failed, %d reconnects, %d broken off, %d closed by the peer, %d silent, %d stalls\n",
		r.Connects, r.DialErrors, r.Reconnects, r.Broken, r.ClosedByPeer, r.Silences, r.Stalls)
	fmt.Fprintf(&b, "commands  %d received, %d denied; stray answers %d, stray frames %d, bad frames %d\n\n",
		r.Commands, r.CommandsDenied, r.StrayAcks, r.StrayFrames, r.BadFrames)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "frame\tsent\tresent\tconfirmed\tdenied\tp50\tp90\tp99\tmax\t")
	row := func(name string, l Latency, counts ...any) {
		fmt.Fprintf(w, "%s\t%v\t%v\t%v\t%v\t", append([]any{name}, counts...)...)
		if l.Count > 0 {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\n", short(l.P50), short(l.P90), short(l.P99), short(l.Max))
		} else {
			fmt.Fprintln(w, "\t\t\t\t")
		}
	}
	row("connect", r.Connect, r.Connects, "", "", "")
	for _, k := range r.Kinds {
		row(k.Kind, k.Latency, k.Sent, k.Resent, k.Confirmed, k.Denied)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

// short is d with three digits or so.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	default:
		return d.Round(10 * time.Millisecond).String()
	}
}

func (p *panel) describe() Device {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := Device{
		Panel: p.number, Address: p.name, State: p.state.String(), Fault: p.fault, Clock: p.shows(p.fleet.now()), Fires: p.fires,
		Sent: p.sent, Acked: p.acked, Refused: p.refused, Lost: p.lost, Pending: len(p.reports), Commands: p.commands, Connects: p.connects,
	}
	for i := range p.parts {
		if p.parts[i].state.Has(gbt26875.PartFire) {
			d.Burning++
		}
	}
	return d
}
