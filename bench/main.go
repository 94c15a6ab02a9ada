//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	if role := os.Getenv(roleEnv); role != "" {
		if err := playRole(role); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", role, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		stop()
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// options are what a run is made with.
type options struct {
	Rounds   int           `json:"rounds"`   // turns of every variant
	Duration time.Duration `json:"duration"` // of one turn
	Only     []string      `json:"only"`     // measurements; see measurements
	Variants []string      `json:"variants"` // empty: all
	Conns    int           `json:"conns"`    // connections of memory
	Steady   int           `json:"steady"`   // connections of the shape steady, the latency and the platform variants
	Burst    int           `json:"burst"`    // reports that a device of the shape burst writes at once
	Rate     int           `json:"rate"`     // messages per second of the latency
	Storm    int           `json:"storm"`    // connections of a storm
	Scale    []int         `json:"scale"`    // connected devices
	Lines    int           `json:"lines"`    // Modbus lines
	Interval time.Duration `json:"interval"` // of their polls
	Answer   time.Duration `json:"answer"`   // that units take to answer, once to twice
	Panels   int           `json:"panels"`   // fire alarm panels
	States   []float64     `json:"states"`   // routine states of each panel in a second
	Fires    int           `json:"fires"`    // of all panels in a second
	Pin      bool          `json:"pin"`
	// Terminals are those of the acknowledgements, Data the directory of their queues.
	Terminals int    `json:"terminals"`
	Data      string `json:"data,omitempty"`
	Profile   string `json:"profile,omitempty"` // directory
}

// measurements in their order.
var measurements = []string{"throughput", "latency", "memory", "storm", "scale", "platform", "udp", "tls", "roads"}

// fleets are measurements that take minutes each, and are made when they are named.
var fleets = []string{"polls", "alarms"}

// named are all measurements that are made only when they are named.
var named = append([]string{"acks"}, fleets...)

func defaultOptions() options {
	return options{
		Rounds: 7, Duration: 2 * time.Second, Only: measurements, Conns: 10_000, Steady: 256, Burst: framesPerDevice, Rate: 5_000,
		Storm: 4_000, Scale: []int{100, 1_000, 10_000, 20_000}, Pin: true,
		Lines: 5_000, Interval: 10 * time.Second, Answer: 100 * time.Millisecond, Panels: 10_000, States: []float64{0.02, 0.05}, Fires: 20,
		Terminals: 1_000,
	}
}

// quickOptions are for a look at whether everything runs.
func quickOptions() options {
	return options{
		Rounds: 1, Duration: 150 * time.Millisecond, Only: measurements, Conns: 300, Steady: 32, Burst: framesPerDevice, Rate: 1_000,
		Storm: 100, Scale: []int{20, 100}, Pin: true,
		Lines: 20, Interval: time.Second, Answer: 10 * time.Millisecond, Panels: 30, States: []float64{1}, Fires: 20,
		Terminals: 32,
	}
}

func command(ctx context.Context, args []string, out, progress io.Writer) error {
	opts := defaultOptions()
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(progress)
	quick := flags.Bool("quick", false, "as short as can be: whether it runs, not how fast")
	only := flags.String("only", strings.Join(measurements, ","), "measurements to make; also "+strings.Join(named, ", ")+"; the last two with a -duration of minutes")
	variants := flags.String("variants", "", "variants to measure: "+strings.Join(serverNames(), ",")+"; default: all")
	jsonFile := flags.String("json", "", "write everything there")
	markdown := flags.String("markdown", "", "write the tables there: into a new file, or between the lines of a page that are for them, as in docs/performance.md")
	rounds := flags.Int("rounds", opts.Rounds, "turns of every variant")
	duration := flags.Duration("duration", opts.Duration, "of one turn")
	lines := flags.Int("lines", opts.Lines, fmt.Sprintf("Modbus lines, with %d units each", unitsPerLine))
	panels := flags.Int("panels", opts.Panels, "fire alarm panels")
	states := flags.Float64("states", 0, "routine states of each panel in a second; default: "+fmt.Sprint(opts.States))
	terminals := flags.Int("terminals", opts.Terminals, "terminals of the acknowledgements")
	flags.StringVar(&opts.Data, "data", "", "directory for the queues of the acknowledgements; default: that for temporary files")
	conns := flags.Int("conns", opts.Conns, "idle connections whose memory is measured")
	burst := flags.Int("burst", opts.Burst, fmt.Sprintf("reports that devices of the shape burst write at once, a multiple of %d", framesPerDevice))
	flags.BoolVar(&opts.Pin, "pin", opts.Pin, "pin server and generator to a core each")
	flags.StringVar(&opts.Profile, "cpuprofile", "", "directory for CPU profiles of the servers, one for each variant and shape")
	if err := flags.Parse(args); err != nil {
		return err
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if *quick {
		q := quickOptions()
		q.Pin, q.Profile, q.Data = opts.Pin, opts.Profile, opts.Data
		opts = q
	}
	set := func(name string, to *int, value int) {
		if given[name] {
			*to = value
		}
	}
	set("rounds", &opts.Rounds, *rounds)
	set("conns", &opts.Conns, *conns)
	set("burst", &opts.Burst, *burst)
	set("lines", &opts.Lines, *lines)
	set("panels", &opts.Panels, *panels)
	set("terminals", &opts.Terminals, *terminals)
	if given["states"] {
		opts.States = []float64{*states}
	}
	if given["duration"] {
		opts.Duration = *duration
	}
	opts.Only = strings.Split(*only, ",")
	if *variants != "" {
		opts.Variants = strings.Split(*variants, ",")
	}
	if err := opts.check(); err != nil {
		return err
	}
	report, err := run(ctx, opts, progress)
	if err != nil {
		return err
	}
	report.table(out)
	return report.write(*jsonFile, *markdown)
}

func (o *options) check() error {
	for _, name := range o.Only {
		if !slices.Contains(measurements, name) && !slices.Contains(named, name) {
			return fmt.Errorf("-only: no measurement %q; there are %s", name, strings.Join(slices.Concat(measurements, named), ", "))
		}
	}
	for _, name := range o.Variants {
		if !slices.Contains(serverNames(), name) {
			return fmt.Errorf("-variants: no variant %q; there are %s", name, strings.Join(serverNames(), ", "))
		}
	}
	if o.Burst < 1 || o.Burst%framesPerDevice != 0 {
		return fmt.Errorf("-burst is %d, want a multiple of %d", o.Burst, framesPerDevice)
	}
	if o.Rounds < 1 || o.Duration <= 0 || o.Conns < 1 || o.Panels < 1 || o.Terminals < 1 {
		return errors.New("-rounds, -duration, -conns, -panels and -terminals have to be positive")
	}
	if o.Lines < 2 {
		return errors.New("-lines has to be 2 or more, as some of them go")
	}
	return nil
}

// wants says whether a variant is to be measured.
func (o *options) wants(variant string) bool {
	return len(o.Variants) == 0 || slices.Contains(o.Variants, variant)
}

// run makes the measurements.
func run(ctx context.Context, opts options, progress io.Writer) (*report, error) {
	if err := raiseFileLimit(); err != nil {
		return nil, err
	}
	b := &bench{ctx: ctx, opts: opts, progress: &serial{out: progress}}
	if opts.Pin {
		if err := b.pin(); err != nil {
			return nil, err
		}
	}
	r := &report{Began: time.Now(), Machine: describeMachine(b), Options: opts}
	for _, m := range []struct {
		name string
		make func(*bench, *report) error
	}{
		{"throughput", (*bench).throughput},
		{"latency", (*bench).latency},
		{"memory", (*bench).memory},
		{"storm", (*bench).storm},
		{"scale", (*bench).scale},
		{"platform", (*bench).platform},
		{"udp", (*bench).datagrams},
		{"tls", (*bench).encrypted},
		{"roads", (*bench).roads},
		{"acks", (*bench).acks},
		{"polls", (*bench).polling},
		{"alarms", (*bench).alarming},
	} {
		if !slices.Contains(opts.Only, m.name) {
			continue
		}
		if err := m.make(b, r); err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	r.Ended = time.Now()
	r.LoadAfter = loadAverage()
	r.judge()
	return r, nil
}
