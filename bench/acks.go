//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/upstream"
)

// The variants of the acknowledgements. All but the first have the durable queue, with
// its defaults but for how much may wait.
const (
	memoryName    = "linkspan-memory"
	receivedName  = "linkspan-received"
	storedName    = "linkspan-stored"
	deliveredName = "linkspan-delivered"
)

// ackVariants is what each of them acknowledges, and whether it has a queue.
var ackVariants = map[string]struct {
	ack, mode string
}{
	memoryName:    {"received", queue.ModeOff},
	receivedName:  {"received", queue.ModeOn},
	storedName:    {"stored", queue.ModeOn},
	deliveredName: {"delivered", queue.ModeOn},
}

// nowhere is the address of the platform that discards.
const nowhere = "-"

// startAcks is linkspan with what the variant says. The settings are where the queue may
// be, and the platform's address.
func startAcks(variant string) func(settings string) (*role, error) {
	return func(settings string) (*role, error) {
		dir, broker, ok := strings.Cut(settings, " ")
		if !ok {
			return nil, fmt.Errorf("settings %q: a directory and an address are wanted", settings)
		}
		d := &discard{}
		var up upstream.Connector = d
		count := d.count
		if broker != nowhere {
			var err error
			if up, count, err = platformConnector(broker, 1); err != nil {
				return nil, err
			}
		}
		// Devices that wait for nothing but that a report was received say more than can be
		// stored or forwarded. Nothing is to be refused of that, for all of it is counted.
		cfg := bridge.DefaultConfig()
		cfg.MaxInFlight, cfg.MaxSessionInFlight = 1<<28, 1<<28
		v := ackVariants[variant]
		if v.mode == queue.ModeOff {
			return startBridge(cfg, up, v.ack, count)
		}
		q, err := newQueue(dir, v.mode, up)
		if err != nil {
			return nil, err
		}
		return startBridge(cfg, q, v.ack, func(n *counts) {
			count(n)
			st := q.Stats()
			n.Failures += st.Refused + st.Bypassed + st.Setbacks + st.Duplicates + st.Dropped
			n.Commits, n.Syncs = st.Log.Commits, st.Log.Syncs
		})
	}
}

func newQueue(dir, mode string, up upstream.Connector) (*queue.Connector, error) {
	cfg := queue.DefaultConfig()
	cfg.Mode, cfg.MaxPending = mode, 1<<30
	var err error
	if cfg.Directory, err = os.MkdirTemp(dir, "queue"); err != nil {
		return nil, err
	}
	if cfg.Dead.Directory, err = os.MkdirTemp(dir, "dead"); err != nil {
		return nil, err
	}
	return queue.New(cfg, up, nil)
}

// ackDevices is how many devices write bursts, so that what is under way is more than
// one fsync's worth.
const ackDevices = 64

// acks is what it costs to acknowledge a report when it was received, when it is on
// the disk, and when the platform has it.
func (b *bench) acks(r *report) (err error) {
	dir, err := os.MkdirTemp(b.opts.Data, "linkspan-bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if r.Disk, err = describeDisk(dir); err != nil {
		return err
	}
	for _, platform := range []string{"discard", brokerName} {
		for _, sh := range []shape{
			{Name: "steady", Devices: b.opts.Terminals, Burst: 1},
			{Name: "burst", Devices: min(ackDevices, b.opts.Terminals), Burst: b.opts.Burst},
		} {
			b.say("acknowledgements, %s, %s", platform, sh.Name)
			if err := b.acksOf(r, dir, platform, sh); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) acksOf(r *report, dir, platform string, sh shape) (err error) {
	var all []*stand
	var platforms []*child
	defer func() { err = errors.Join(err, shutAll(all), endAll(platforms)) }()
	names := []string{receivedName, storedName, deliveredName}
	if platform != brokerName { // which has no limit: without a queue messages fail that it does not keep up with
		names = append([]string{memoryName}, names...)
	}
	for _, name := range b.wanted(names...) {
		addr := nowhere
		var to *child
		if platform == brokerName {
			if to, err = b.startOn(b.loadCPU, brokerName, ""); err != nil {
				return err
			}
			platforms = append(platforms, to)
			addr = to.addr
		}
		var s *stand
		if s, err = b.open(name, dir+" "+addr, sh.Devices, framesPerDevice); err != nil {
			return err
		}
		all = append(all, s)
		s.fleet.shares = true
		s.series.Shape = platform + ", " + sh.Name
		s.turn = b.untilArrived(s, to, func() (int, time.Duration, error) { return s.fleet.saturate(b.opts.Duration, sh.Burst) })
	}
	if err = b.profiled(all); err != nil {
		return err
	}
	for _, s := range all {
		r.Acks = append(r.Acks, acknowledging{series: s.series})
	}
	if sh.Burst > 1 {
		return nil
	}
	late, err := b.paced(all)
	for i := range late {
		r.Acks[len(r.Acks)-len(late)+i].Latency = &late[i]
	}
	return err
}

// untilArrived is turn, and the wait until the platform has acknowledged all that was
// sent; how long both took together is noted. platform is nil when it is not a process.
func (b *bench) untilArrived(s *stand, platform *child, turn func() (int, time.Duration, error)) func() (int, time.Duration, error) {
	arrive := func() (int, time.Duration, error) {
		before, err := s.ask("state")
		if err != nil {
			return 0, 0, err
		}
		began := time.Now()
		sent, took, err := turn()
		last, end := 0, time.Now().Add(patience)
		for ; err == nil; time.Sleep(time.Millisecond) {
			var now state
			if now, err = s.ask("state"); err != nil {
				break
			}
			s.arrival = time.Since(began)
			switch have := int(now.Payloads - before.Payloads); { //nolint:gosec // small
			case have == sent:
				return sent, took, nil
			case have > last && have < sent: // it comes, however long that takes
				last, end = have, time.Now().Add(patience)
			case have > sent || time.Now().After(end):
				err = fmt.Errorf("%d messages of %d arrived at the platform", have, sent)
			}
		}
		return sent, took, err
	}
	if platform == nil {
		return arrive
	}
	return b.untilPublished(platform, arrive)
}

// acknowledging is a variant of the acknowledgements.
type acknowledging struct {
	series

	Latency *latencies `json:"latency,omitempty"` // of the shape steady
}

// disk is where the queues of the run were.
type disk struct {
	FileSystem string  `json:"fileSystem"`
	Sync       float64 `json:"syncMicros"` // a write of 16 KiB behind a file's end and an fsync, median
}

var fileSystems = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
	unix.TMPFS_MAGIC: "tmpfs, which is memory", unix.OVERLAYFS_SUPER_MAGIC: "overlayfs", unix.NFS_SUPER_MAGIC: "nfs",
}

func describeDisk(dir string) (d disk, err error) {
	var st unix.Statfs_t
	if err = unix.Statfs(dir, &st); err != nil {
		return d, fmt.Errorf("%s: %w", dir, err)
	}
	if d.FileSystem = fileSystems[st.Type]; d.FileSystem == "" {
		d.FileSystem = fmt.Sprintf("file system %#x", st.Type)
	}
	f, err := os.CreateTemp(dir, "sync")
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	block := make([]byte, 16<<10)
	var took []float64
	for range 50 {
		began := time.Now()
		if _, err = f.Write(block); err == nil {
			err = f.Sync()
		}
		if err != nil {
			return d, err
		}
		took = append(took, float64(time.Since(began).Nanoseconds())/1e3)
	}
	d.Sync = median(took)
	return d, nil
}

// received is what others are compared with.
func (r *report) received(shape string) sample {
	at := slices.IndexFunc(r.Acks, func(s acknowledging) bool { return s.Variant == receivedName && s.Shape == shape })
	if at < 0 {
		return sample{}
	}
	return r.Acks[at].Median
}

// judgeAcks compares what linkspan takes when it acknowledges what is on the disk, with
// what it takes when it acknowledges before. What is only acknowledged is not compared: that
// is ahead of what can be stored, and piles up in memory.
func (r *report) judgeAcks() {
	for _, s := range r.Acks {
		base := r.received(s.Shape)
		if s.Variant != storedName || base.Arrived == 0 {
			continue
		}
		part := s.Median.Arrived / base.Arrived
		r.Budgets = append(r.Budgets, budget{
			"throughput with ack = stored, " + s.Shape, fmt.Sprintf(">= %g x received", leastStored), fmt.Sprintf("%.2f x", part), part >= leastStored,
		})
	}
}

func (r *report) acksTable() table {
	t := table{
		title: fmt.Sprintf("Acknowledgements; the queue is on %s, where 16 KiB with an fsync take %.0f us", r.Disk.FileSystem, r.Disk.Sync),
		head: []string{
			"variant", "platform, load", "acknowledged/s", "x received", "at the platform/s", "x received", "CPU us/message", "messages/fsync",
			"allocations/message", "p50 us", "p99 us",
		},
	}
	for _, s := range r.Acks {
		m, base := s.Median, r.received(s.Shape)
		p50, p99, shared := "", "", ""
		if s.Latency != nil {
			p50, p99 = whole(s.Latency.P50), whole(s.Latency.P99)
		}
		if m.PerSync > 0 {
			shared = whole(m.PerSync)
		}
		t.add(s.Variant, s.Shape, whole(m.PerSecond), ratio(m.PerSecond, base.PerSecond), whole(m.Arrived), ratio(m.Arrived, base.Arrived), decimals(m.CPU, 2), shared, decimals(m.Allocs, 2), p50, p99)
	}
	return t
}
