//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
)

// The program starts itself in its roles, and so does the test.
func TestMain(m *testing.M) {
	if spec := os.Getenv(roleEnv); spec != "" {
		if err := playRole(spec); err != nil {
			_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestQuick runs everything, for a moment. That no message is lost is checked in
// every turn of every variant; how fast they are is not looked at.
func TestQuick(t *testing.T) {
	dir := t.TempDir()
	var out, progress bytes.Buffer
	args := []string{"-quick", "-pin=false", "-duration", "50ms", "-json", filepath.Join(dir, "out.json"), "-markdown", filepath.Join(dir, "out.md")}
	if raced { // what takes long there, and is made of the same parts
		args = append(args, "-only", "throughput,platform,udp,tls")
	}
	if err := command(t.Context(), args, &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, progress.Bytes())
	}
	if bytes.Contains(progress.Bytes(), []byte("DATA RACE")) { // in a server
		t.Errorf("%s", progress.Bytes())
	}
	text, err := os.ReadFile(filepath.Join(dir, "out.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err = json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Throughput); n != 6 {
		t.Errorf("%d figures of throughput, want three variants in two shapes", n)
	}
	if len(r.UDP) != 4 || len(r.TLS) != 4 || len(r.Platform) != 6 {
		t.Errorf("figures: platform %d, UDP %d, TLS %d", len(r.Platform), len(r.UDP), len(r.TLS))
	}
	if !raced && (len(r.Latency) != 3 || len(r.Memory) != 7 || len(r.Storm) != 5 || len(r.Scale) != 4) {
		t.Errorf("figures: latency %d, memory %d, storm %d, scale %d", len(r.Latency), len(r.Memory), len(r.Storm), len(r.Scale))
	}
	if !raced && len(r.Roads) != 18 {
		t.Errorf("%d figures of other platforms, want three ways and their bare clients, at two qualities of service", len(r.Roads))
	}
	for _, s := range slices.Concat(r.Throughput, r.Scale, r.Platform, r.UDP, r.TLS, r.Roads) {
		if len(s.Samples) != 1 || s.Median.Messages == 0 || s.Median.CPU <= 0 {
			t.Errorf("%s %s: %+v", s.Variant, s.Shape, s.Median)
		}
		if want := s.Variant != limitName && s.Variant != goroutinesName && s.Variant != goroutinesTLSName && s.Variant != limitUDPName; want != (s.Median.PayloadBytes > 0) {
			t.Errorf("%s %s: payloads of %v bytes", s.Variant, s.Shape, s.Median.PayloadBytes)
		}
		if w := s.Median.WritesPerRead; !slices.Contains([]string{bareName, platformName, bareBrokerName, directName, mqttName, http2Name}, s.Variant) && w > 1 {
			t.Errorf("%s %s: %v writes per read", s.Variant, s.Shape, w)
		}
	}
	markdown, err := os.ReadFile(filepath.Join(dir, "out.md"))
	if err != nil || !bytes.Contains(markdown, []byte("| "+discardName+" |")) || !bytes.Contains(out.Bytes(), []byte(discardName)) {
		t.Errorf("%v in\n%s\n%s", err, markdown, out.Bytes())
	}
}

func TestFiguresInAPage(t *testing.T) {
	t.Parallel()
	const page = "a\n" + beginFigures + "old\n" + endFigures + "z\n"
	got, err := between([]byte(page), []byte("new\n"))
	if want := "a\n" + beginFigures + "new\n" + endFigures + "z\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if _, err := between([]byte("a page\n"), nil); err == nil {
		t.Error("a page without a place was written to")
	}
}

func TestMistakesInFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-only", "speed"}, {"-variants", "fastest"}, {"-rounds", "0"}, {"-conns", "0"}, {"-terminals", "0"}, {"-burst", "100"}, {"-nonsense"}} {
		if err := command(context.Background(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

// The least server and linkspan's codec have to agree about what a frame is.
func TestFraming(t *testing.T) {
	t.Parallel()
	var stream, want []byte
	frames := 0
	for device := range 3 {
		for i := range 700 {
			var err error
			if stream, err = appendReport(stream, device, i); err != nil {
				t.Fatal(err)
			}
			frames++
		}
	}
	decoder := jt808.NewDecoder(jt808.DefaultOptions())
	for in := stream; len(in) > 0; {
		f, n, err := decoder.Decode(in)
		if err != nil {
			t.Fatal(err)
		}
		in = in[n:]
		h := f.Header
		want, _, err = jt808.AppendMessage(want, h, &jt808.PlatformResponse{Serial: h.Serial, Request: h.ID})
		if err != nil {
			t.Fatal(err)
		}
	}
	acks, _, used, n := acknowledgeAll(nil, nil, stream)
	if used != len(stream) || n != frames || !bytes.Equal(acks, want) {
		t.Errorf("%d of %d bytes, %d frames of %d, acknowledgements are equal: %v", used, len(stream), n, frames, bytes.Equal(acks, want))
	}
	split := 0
	for cut := 1; cut < 200; cut++ {
		_, _, used, n := acknowledgeAll(nil, nil, stream[:cut])
		_, _, more, m := acknowledgeAll(nil, nil, stream[used:400])
		_, _, all, whole := acknowledgeAll(nil, nil, stream[:400])
		if used+more != all || n+m != whole {
			t.Fatalf("cut at %d: %d+%d bytes, %d+%d frames", cut, used, more, n, m)
		}
		split++
	}
	broken := bytes.Clone(stream[:200])
	broken[20] ^= 1
	if _, _, _, n := acknowledgeAll(nil, nil, broken); split == 0 || n != bytes.Count(broken, []byte{delimiter})/2-1 {
		t.Errorf("%d frames acknowledged of a stream in which one is damaged", n)
	}
}

// What the bare client of the broker publishes is what linkspan does, but for the
// device's name.
func TestPayloadsOfTheBrokersClient(t *testing.T) {
	t.Parallel()
	opts := quickOptions()
	opts.Pin, opts.Only, opts.Variants = false, []string{"roads"}, []string{mqttName, bareBrokerName}
	r, err := run(t.Context(), opts, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]float64{}
	for _, s := range r.Roads {
		sizes[s.Variant] = s.Median.PayloadBytes
	}
	if d := sizes[mqttName] - sizes[bareBrokerName]; d < 0 || d > 16 {
		t.Errorf("payloads have %.1f bytes from linkspan and %.1f from the bare client", sizes[mqttName], sizes[bareBrokerName])
	}
}

// What the discarding connector encodes has to be what the connector to the
// platform sends: the same size for the same reports, but for digits of the ids.
func TestPayloadsAreTheConnectors(t *testing.T) {
	t.Parallel()
	opts := quickOptions()
	opts.Pin, opts.Only, opts.Variants = false, []string{"platform"}, []string{platformName, bareName}
	r, err := run(t.Context(), opts, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]float64{}
	for _, s := range r.Platform {
		sizes[s.Variant] = s.Median.PayloadBytes
	}
	if d := sizes[platformName] - sizes[bareName]; d < -8 || d > 8 {
		t.Errorf("payloads have %.1f bytes from linkspan and %.1f from the bare client", sizes[platformName], sizes[bareName])
	}
}

// Fleets are measured with a few lines and panels, for a moment: no fire is lost, and
// the schedule goes on when a tenth of the lines has gone.
func TestFleets(t *testing.T) {
	t.Parallel()
	opts := quickOptions()
	opts.Pin, opts.Only, opts.Duration = false, fleets, time.Second
	opts.Lines, opts.Interval, opts.Panels, opts.Fires = 10, time.Second, 10, 20
	r, err := run(t.Context(), opts, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Polls) != 2 || len(r.Alarms) != 1 {
		t.Fatalf("%d and %d figures, want those of polls with and without a platform, and of one rate", len(r.Polls), len(r.Alarms))
	}
	for _, v := range r.Polls {
		if len(v.Phases) != 3 || v.Memory.Heap <= 0 {
			t.Errorf("%+v", v)
		}
		for _, p := range v.Phases {
			if p.PerSecond <= 0 || p.CPU <= 0 {
				t.Errorf("%s, %s: %+v", v.Variant, p.Name, p)
			}
		}
	}
	if a := r.Alarms[0]; a.Fires == 0 || a.P50 <= 0 || a.P99 > a.Most || a.Frames <= 0 {
		t.Errorf("%+v", a)
	}
	if n := len(r.Budgets); n != 7 {
		t.Errorf("%d budgets, want six of the polls and one of the fires", n)
	}
}

// The acknowledgements are measured for a moment: all that was acknowledged is at the
// platform, and variants with a queue have brought it to the disk before.
func TestAcks(t *testing.T) {
	t.Parallel()
	opts := quickOptions()
	opts.Pin, opts.Only, opts.Duration, opts.Data = false, []string{"acks"}, 50*time.Millisecond, t.TempDir()
	r, err := run(t.Context(), opts, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Acks) != 14 || r.Disk.FileSystem == "" || r.Disk.Sync <= 0 {
		t.Errorf("%d figures on %+v, want those of four variants and of three, in two shapes", len(r.Acks), r.Disk)
	}
	for _, s := range r.Acks {
		m := s.Median
		if m.Messages == 0 || m.Arrived <= 0 || m.Arrived > m.PerSecond*1.01 {
			t.Errorf("%s %s: %+v", s.Variant, s.Shape, m)
		}
		if stored := s.Variant != memoryName; stored != (m.PerSync > 0) {
			t.Errorf("%s %s: %v messages for each fsync", s.Variant, s.Shape, m.PerSync)
		}
		if steady := strings.HasSuffix(s.Shape, "steady"); steady != (s.Latency != nil) || steady && s.Latency.P50 > s.Latency.P99 {
			t.Errorf("%s %s: latency %+v", s.Variant, s.Shape, s.Latency)
		}
	}
	if left, err := os.ReadDir(opts.Data); err != nil || len(left) > 0 {
		t.Errorf("%v, %v are left", left, err)
	}
}

func TestEvenness(t *testing.T) {
	t.Parallel()
	var e evenness
	for range 99 {
		e.by[3].Add(1)
	}
	e.by[700].Add(1)
	if p99, most := e.quantiles(); p99 != 3 || most != 700 {
		t.Errorf("%v and %v ms", p99, most)
	}
	if e.reset(); e.by[3].Load() != 0 {
		t.Error("it was not reset")
	}
}
