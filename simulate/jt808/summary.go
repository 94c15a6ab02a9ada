package jt808

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/linkspan/linkspan/simulate/internal/crew"
)

// Report is what a fleet has done, in numbers for people.
type Report struct {
	Snapshot
	Elapsed time.Duration // of Run
	Kinds   []KindReport  // of messages, those that there were
	Connect Latency       // the time that connections took to be made
	Login   Latency       // from there to the answer to the authentication
}

// KindReport is about the messages of one kind.
type KindReport struct {
	Kind    string  // register, authenticate, heartbeat, location, batch, media, answer
	Sent    uint64  // messages, those sent again included
	Resent  uint64  // messages sent again
	Acked   uint64  // answers with result 0 or 4
	Refused uint64  // answers with another result
	Latency Latency // from when a message was first sent on its connection to its answer
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
	r.Connect, r.Login = latency(kindConnect), latency(kindLogin)
	for k := kindRegister; k < kinds; k++ {
		kr := KindReport{Kind: k.String(), Latency: latency(k)}
		for _, s := range f.shards {
			kr.Sent += s.sent[k].Load()
			kr.Resent += s.resent[k].Load()
			kr.Acked += s.acked[k].Load()
			kr.Refused += s.refused[k].Load()
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
	fmt.Fprintf(&b, "%d terminals, %d online, %.1f s\n", r.Devices, r.Online, r.Elapsed.Seconds())
	fmt.Fprintf(&b, "reports   %d made (%.1f/s), %d acknowledged, %d pending, %d lost, %d refused, %d skipped\n",
		r.Sent, float64(r.Sent)/seconds, r.Acked, r.Pending, r.Lost, r.Refused, r.Skipped)
	fmt.Fprintf(&b, "links     %d made, %d failed, %d reconnects, %d broken off, %d closed by the peer, %d silent, %d stalls\n",
		r.Connects, r.DialErrors, r.Reconnects, r.Broken, r.ClosedByPeer, r.Silences, r.Stalls)
	fmt.Fprintf(&b, "commands  %d received, %d refused; stray answers %d, stray frames %d, bad frames %d\n\n",
		r.Commands, r.CommandsRefused, r.StrayAcks, r.StrayFrames, r.BadFrames)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "message\tsent\tresent\tacked\trefused\tp50\tp90\tp99\tmax\t")
	row := func(name string, l Latency, counts ...any) {
		fmt.Fprintf(w, "%s\t%v\t%v\t%v\t%v\t", append([]any{name}, counts...)...)
		if l.Count > 0 {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\n", short(l.P50), short(l.P90), short(l.P99), short(l.Max))
		} else {
			fmt.Fprintln(w, "\t\t\t\t")
		}
	}
	row("connect", r.Connect, r.Connects, "", "", "")
	row("login", r.Login, "", "", "", "")
	for _, k := range r.Kinds {
		row(k.Kind, k.Latency, k.Sent, k.Resent, k.Acked, k.Refused)
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
