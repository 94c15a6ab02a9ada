package storm

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/harness"
	"github.com/linkspan/linkspan/simulate/jt808"
)

var (
	devices = flag.Int("devices", 800, "terminals that come at once")
	nodes   = flag.Int("nodes", 1, "linkspans that share the terminals' address")
	rate    = flag.Int("rate", 200, "bridge.loginRate of each")
	kind    = flag.String("platform", "aliyun", "aliyun: the local platform; mqtt: a broker, to which logins are no work")
	results = flag.String("results", "", "directory for logs and the table; empty: none is kept")
)

const (
	patience   = 5 * time.Minute        // reached only when something is broken
	perFleet   = 16_000                 // terminals of one process
	perGateway = 1500                   // the vendor's limit
	every      = 250 * time.Millisecond // between two looks at all, which take linkspans some time
	quiet      = 10                     // terminals of the other listener
	perDevice  = 48 << 10               // bytes of memory that one may take while all of them log in
	base       = 64 << 20               // bytes that linkspan may grow by besides
)

// TestStorm is what the package is about.
func TestStorm(t *testing.T) {
	s := newStorm(t)
	before := s.quietly(time.Second)
	s.begin()
	during := s.quietFleet(2)
	s.await("all terminals to be online", func() bool { return s.sum().Online == *devices })
	took := time.Since(s.began)
	meanwhile := s.endQuiet(during)
	s.look()
	s.judge(took, before, meanwhile)
	for _, f := range s.crowd {
		f.stop()
	}
	for _, n := range s.nodes {
		n.process.Stop()
	}
	s.platform.Stop()
}

// storm is one run. It belongs to the test's goroutine.
type storm struct {
	t          *testing.T
	dir        string
	crowdAt    string
	platform   *harness.Process
	nodes      []*node
	crowd      []*fleet
	began      time.Time
	connected  time.Duration // until all were; 0: not yet
	mostWaited float64
	longest    time.Duration // that /healthz took
	asked      int
	looked     time.Time // at all
	told       time.Time // how far it is
}

// node is a linkspan.
type node struct {
	process     *harness.Process
	admin       string
	quietAt     string
	idle, most  float64 // bytes of memory
	loginsThen  float64
	lastMetrics map[string]float64
}

func newStorm(t *testing.T) *storm {
	t.Helper()
	s := &storm{t: t, dir: *results}
	if s.dir == "" {
		s.dir = t.TempDir()
	} else if err := os.MkdirAll(s.dir, 0o750); err != nil {
		t.Fatal(err)
	}
	s.crowdAt = harness.FreeAddress(t)
	upstreams := s.startPlatform()
	for i := range *nodes {
		n := &node{admin: "http://" + harness.FreeAddress(t), quietAt: harness.FreeAddress(t)}
		n.process = s.start(fmt.Sprintf("node-%d", i), "serve", fmt.Sprintf(`
upstream %s
devices { unknown = template, template { productKey = terminals, deviceName = "${identity}", deviceSecret = secret-of-terminals } }
bridge { loginRate = %d, loginBurst = %d, loginWait = 10m }
listeners = [
  { name = crowd, protocol = jt808, address = %q, reusePort = true, limits.login = 10m, jt808.authentication.key = "a key of all nodes" }
  { name = quiet, protocol = jt808, address = %q, jt808.authentication.key = "a key of all nodes" }
]
admin.address = %q
log.level = warn
`, upstreams[i], *rate, *rate, s.crowdAt, n.quietAt, strings.TrimPrefix(n.admin, "http://")))
		s.nodes = append(s.nodes, n)
	}
	for _, n := range s.nodes {
		s.await("a linkspan", func() bool { return harness.Answers(n.admin + "/readyz") })
	}
	return s
}

// startPlatform starts where all linkspans lead to, and says how each gets there.
func (s *storm) startPlatform() (upstreams []string) {
	s.t.Helper()
	mqtt := harness.FreeAddress(s.t)
	if *kind == "mqtt" {
		s.platform = s.run("broker", brokerVariable+"="+mqtt)
		for i := range *nodes {
			upstreams = append(upstreams, fmt.Sprintf(`{ type = mqtt, mqtt { endpoint = "tcp://%s", clientId = storm-%d, subscribe = wildcard, requestTimeout = 1m } }`, mqtt, i))
		}
		s.await("the broker", func() bool {
			c, err := net.Dial("tcp", mqtt)
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
		return upstreams
	}
	api := harness.FreeAddress(s.t)
	var known strings.Builder
	for i := range *nodes {
		var own strings.Builder
		for k := range (*devices / *nodes * 5 / 4)/perGateway + 1 {
			fmt.Fprintf(&own, "{ productKey = gateways, deviceName = bridge-%d-%d, deviceSecret = secret-of-%d-%d }\n", i, k, i, k)
		}
		known.WriteString(own.String())
		upstreams = append(upstreams, fmt.Sprintf(`{ type = aliyun, aliyun { endpoint = "tcp://%s", qos = 1, loginRate = 5000, loginsPerMinute = 0
			maxDevicesPerGateway = %d, gateways = [ %s ] } }`, mqtt, perGateway, own.String()))
	}
	s.platform = s.start("platform", "platform", fmt.Sprintf(`
platform {
  mqttAddress = %q, apiAddress = %q
  autoRegister = true, autoSecret = secret-of-terminals, maxDevices = %d
  loginsPerMinute = 0, subDevices = %d, devices = [ %s ]
}
`, mqtt, api, *devices+1000, perGateway, known.String()))
	s.await("the platform", func() bool { return harness.Answers("http://" + api + "/api/v1/stats") })
	return upstreams
}

// start starts this program as linkspan.
func (s *storm) start(name, command, configuration string) *harness.Process {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), name+".conf")
	if err := os.WriteFile(path, []byte(configuration), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return s.run(name, linkspanVariable+"="+command+" "+path)
}

// run starts this program as what the variable says.
func (s *storm) run(name, variable string) *harness.Process {
	s.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable)
	p := harness.StartCommand(s.t, s.dir, name, cmd)
	s.t.Cleanup(func() {
		if log, err := os.ReadFile(p.Log()); s.t.Failed() && err == nil {
			s.t.Logf("%s says:\n%s", name, log[max(0, len(log)-4096):])
		}
	})
	return p
}

// await waits for something, and watches everybody meanwhile.
func (s *storm) await(what string, holds func() bool) {
	s.t.Helper()
	harness.Await(s.t, what, patience, func() bool {
		s.platform.Alive()
		for _, n := range s.nodes {
			n.process.Alive()
		}
		if !s.began.IsZero() && time.Since(s.looked) > every {
			s.looked = time.Now()
			s.look()
		}
		return holds()
	})
}

// begin lets all of the crowd come.
func (s *storm) begin() {
	for _, n := range s.nodes {
		m, err := harness.Scrape(n.admin + "/metrics")
		if err != nil {
			s.t.Fatal(err)
		}
		n.idle, n.loginsThen = n.process.Usage().Resident, m["linkspan_bridge_logins_total"]
	}
	s.began = time.Now()
	for first := 0; first < *devices; first += perFleet {
		cfg := jt808.DefaultConfig()
		cfg.Target, cfg.Devices, cfg.Rate, cfg.ConnectRate = s.crowdAt, min(perFleet, *devices-first), 0, 0
		cfg.FirstPhone = strconv.Itoa(13800000001 + first)
		cfg.AckTimeout = 2 * patience // who waits for a turn asks once
		cfg.Sources = []string{fmt.Sprintf("127.0.1.%d", 1+first/perFleet)}
		s.crowd = append(s.crowd, startFleet(s.t, cfg))
	}
}

// sum is what all of the crowd have done.
func (s *storm) sum() (all jt808.Snapshot) {
	for _, f := range s.crowd {
		r := f.report()
		all.Online += r.Online
		all.Connects += r.Connects
		all.ClosedByPeer += r.ClosedByPeer
		all.DialErrors += r.DialErrors
		all.Failed += r.Failed
	}
	return all
}

// look looks at everybody in the storm.
func (s *storm) look() {
	s.t.Helper()
	if s.connected == 0 && s.sum().Connects >= uint64(*devices) {
		s.connected = time.Since(s.began)
	}
	waiting := 0.0
	for i, n := range s.nodes {
		asked := time.Now()
		if !harness.Answers(n.admin + "/healthz") {
			s.t.Errorf("node %d: /healthz does not answer within %s", i, time.Since(asked))
		}
		s.longest = max(s.longest, time.Since(asked))
		s.asked++
		m, err := harness.Scrape(n.admin + "/metrics")
		if err != nil { // too slow for once; whoever asks for /healthz has an answer
			n.process.Alive()
			continue
		}
		n.lastMetrics = m
		waiting += m["linkspan_bridge_waiting_logins"]
		n.most = max(n.most, n.process.Usage().Resident)
		// Those that were on their way at the platform when the storm began are in the last summand.
		if logins, most := m["linkspan_bridge_logins_total"]-n.loginsThen, float64(*rate)*(1+time.Since(s.began).Seconds())+quiet; logins > most {
			s.t.Errorf("node %d: %.0f devices came online within %s, %.0f may", i, logins, time.Since(s.began), most)
		}
	}
	s.mostWaited = max(s.mostWaited, waiting)
	if time.Since(s.told) > 10*time.Second {
		s.told = time.Now()
		sum := s.sum()
		s.t.Logf("%3.0f s: %d connections made, %d terminals online, %.0f wait for their turn", time.Since(s.began).Seconds(), sum.Connects, sum.Online, waiting)
	}
}

// quietFleet is terminals of the other listener of the first node that come and go.
type quietFleet struct {
	*jt808.Fleet
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func (s *storm) quietFleet(number int) *quietFleet {
	s.t.Helper()
	cfg := jt808.DefaultConfig()
	cfg.Target, cfg.Devices, cfg.Rate, cfg.Churn = s.nodes[0].quietAt, quiet, 0, 120
	cfg.FirstPhone = fmt.Sprintf("139%08d", number*quiet)
	cfg.BackoffMin, cfg.BackoffMax = 20*time.Millisecond, 100*time.Millisecond
	f, err := jt808.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	q := &quietFleet{Fleet: f}
	ctx, cancel := context.WithCancel(context.Background())
	q.cancel = cancel
	s.t.Cleanup(cancel)
	q.running.Go(func() {
		if err := f.Run(ctx); err != nil {
			s.t.Error(err)
		}
	})
	return q
}

func (s *storm) endQuiet(q *quietFleet) jt808.Report {
	r := q.Report()
	q.cancel()
	q.running.Wait()
	return r
}

// quietly is how logins are when there is no storm.
func (s *storm) quietly(length time.Duration) jt808.Report {
	s.t.Helper()
	q, end := s.quietFleet(1), time.Now().Add(length)
	s.await("some logins", func() bool { return time.Now().After(end) && q.Report().Login.Count >= 2*quiet })
	return s.endQuiet(q)
}

func (s *storm) judge(took time.Duration, before, during jt808.Report) {
	t, sum := s.t, s.sum()
	// The kernel lets attempts wait and time out that linkspan does not get round to, and resets a few; it counts none of them.
	if sum.Failed > 0 || sum.ClosedByPeer > uint64(*devices/1000) {
		t.Errorf("of the crowd's connections %d were ended, and %d requests refused", sum.ClosedByPeer, sum.Failed)
	}
	if during.ClosedByPeer+during.DialErrors+during.Failed > 0 {
		t.Errorf("of the others' connections %d were ended and %d not made, %d requests were refused", during.ClosedByPeer, during.DialErrors, during.Failed)
	}
	crowded := time.Duration(1<<63 - 1)
	for _, f := range s.crowd {
		crowded = min(crowded, f.report().Login.P50)
	}
	if during.Login.Count < 2*quiet || during.Login.P50 > crowded/4 {
		t.Errorf("%d logins at the other listener took %s in half of the cases, those of the crowd %s: the rows are not fair",
			during.Login.Count, during.Login.P50, crowded)
	}
	if s.mostWaited < float64(*devices)/20 {
		t.Errorf("no more than %.0f waited at once: it was no storm", s.mostWaited)
	}
	grown, peak := 0.0, 0.0
	for i, n := range s.nodes {
		for _, name := range []string{"linkspan_server_refused_connections_total", "linkspan_bridge_login_failures_total", "linkspan_bridge_overdue_logins_total"} {
			if v := n.lastMetrics[name]; v > 0 {
				t.Errorf("node %d: %s is %.0f", i, name, v)
			}
		}
		grown += n.most - n.idle
		peak = max(peak, n.most)
	}
	if limit := float64(*devices*perDevice + *nodes*base); grown > limit {
		t.Errorf("memory grew by %.0f MiB, %.0f are allowed", grown/(1<<20), limit/(1<<20))
	}
	text := fmt.Sprintf(`| what | figure |
| --- | --- |
| terminals, linkspans, logins a second each, platform | %d, %d, %d, %s |
| all connected after | %.1f s: %.0f connections/s |
| attempts to connect that the kernel let time out | %d |
| all online after | %.1f s: %.0f logins/s, %.0f are allowed |
| terminals that waited for their turn at once, most | %.0f |
| login of the crowd, from the connection on, fastest half | up to %.1f s |
| login at the other listener before the storm | %d logins; median %.0f ms, 9 of 10 within %.0f ms, longest %.0f ms |
| login at the other listener meanwhile | %d logins; median %.0f ms, 9 of 10 within %.0f ms, longest %.0f ms |
| /healthz | asked %d times, longest %.0f ms |
| resident memory of a linkspan, most | %.0f MiB: %.1f KiB for each terminal |
| refused, failed | 0 |
`, *devices, *nodes, *rate, *kind, s.connected.Seconds(), float64(*devices)/s.connected.Seconds(), sum.DialErrors, took.Seconds(), float64(*devices)/took.Seconds(), float64(*nodes**rate),
		s.mostWaited, crowded.Seconds(),
		before.Login.Count, millis(before.Login.P50), millis(before.Login.P90), millis(before.Login.Max),
		during.Login.Count, millis(during.Login.P50), millis(during.Login.P90), millis(during.Login.Max),
		s.asked, millis(s.longest), peak/(1<<20), grown/1024/float64(*devices))
	t.Log("\n" + text)
	if *results != "" && !t.Failed() {
		if err := os.WriteFile(filepath.Join(s.dir, "storm.md"), []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
