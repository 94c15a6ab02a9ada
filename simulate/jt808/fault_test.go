package jt808_test

import (
	"context"
	"net"
	"testing"
	"time"

	wire "github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/simulate/jt808"
)

// Terminals with faults go on with their work, and do what they are there for.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault  jt808.Fault
		shares jt808.Faults
		done   func(p *platform, s jt808.Snapshot) bool
		all    bool // reports are acknowledged in the end
	}{
		{jt808.FaultSlowWriter, jt808.Faults{SlowWriter: 1}, func(p *platform, _ jt808.Snapshot) bool { return p.counts[wire.IDLocation] >= 3 }, true},
		{jt808.FaultGarbage, jt808.Faults{Garbage: 1}, func(p *platform, _ jt808.Snapshot) bool { return p.damaged > 10 && p.counts[wire.IDLocation] > 10 }, true},
		{jt808.FaultBadChecksum, jt808.Faults{BadChecksum: 1}, func(p *platform, s jt808.Snapshot) bool { return p.damaged > 10 && s.Resent > 0 }, true},
		{jt808.FaultHalfFrames, jt808.Faults{HalfFrames: 1}, func(_ *platform, s jt808.Snapshot) bool { return s.Broken > 5 && s.Reconnects > 5 }, true},
		{jt808.FaultNeverReads, jt808.Faults{NeverReads: 1}, func(p *platform, s jt808.Snapshot) bool { return p.counts[wire.IDLocation] > 20 && s.Acked == 0 }, false},
		{jt808.FaultPackageFlood, jt808.Faults{PackageFlood: 1}, func(p *platform, s jt808.Snapshot) bool { return p.counts[wire.IDMediaData] > 20 && s.Acked > 20 }, true},
	} {
		t.Run(c.fault.String(), func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			p.quiet = true
			f, stop := start(t, p, func(cfg *jt808.Config) {
				cfg.Devices, cfg.Rate, cfg.Heartbeat, cfg.AckTimeout, cfg.Retries, cfg.Faults = 2, 40, 0, 50*time.Millisecond, 4, c.shares
				if c.fault == jt808.FaultSlowWriter {
					cfg.Rate, cfg.AckTimeout = 1, 10*time.Second
				}
			})
			for _, d := range f.Devices(0, 0) {
				if d.Fault != c.fault {
					t.Errorf("%s has fault %q", d.Phone, d.Fault)
				}
			}
			eventually(t, "the fault's doing", func() bool {
				s := f.Stats()
				p.mu.Lock()
				defer p.mu.Unlock()
				return c.done(p, s)
			})
			if !c.all {
				stop()
				balanced(t, f)
				return
			}
			if s := drain(t, f, stop); s.Acked != s.Sent {
				t.Errorf("%v", f.Report())
			}
		})
	}
}

func TestFaultsAreShared(t *testing.T) {
	t.Parallel()
	cfg := jt808.DefaultConfig()
	cfg.Devices = 200
	cfg.Faults = jt808.Faults{SlowWriter: 0.01, Garbage: 0.05, NeverReads: 0.1}
	f, err := jt808.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := map[jt808.Fault]int{}
	for _, d := range f.Devices(0, 0) {
		got[d.Fault]++
	}
	if got[jt808.FaultSlowWriter] != 2 || got[jt808.FaultGarbage] != 10 || got[jt808.FaultNeverReads] != 20 || got[jt808.FaultNone] != 168 {
		t.Errorf("faults %v", got)
	}
}

// A platform that does not read stalls its own connections and no other.
func TestPlatformThatDoesNotRead(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	const deaf = "13800138001"
	small := func(ctx context.Context, target string, _ net.IP) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
		if err == nil {
			err = conn.(*net.TCPConn).SetWriteBuffer(4096)
		}
		return conn, err
	}
	block := make(chan struct{})
	p.stall = func(phone string) {
		if phone == deaf {
			<-block
		}
	}
	f, stop := start(t, p, func(c *jt808.Config) { c.Devices, c.Rate, c.Workers, c.Pending = 3, 2000, 1, 32768 }, jt808.WithDialer(small))
	eventually(t, "writes to stall", func() bool { return f.Stats().Stalls > 0 })
	others := func() (acked uint64) {
		for _, d := range f.Devices(1, 2) {
			acked += d.Acked
		}
		return acked
	}
	before := others()
	eventually(t, "reports of others to be acknowledged", func() bool { return others() > before+500 })
	close(block)
	if s := drain(t, f, stop); s.Lost != 0 {
		t.Errorf("%v", f.Report())
	}
	if got := p.number(deaf); uint64(got) != f.Devices(0, 1)[0].Sent {
		t.Errorf("%d reports arrived of %d", got, f.Devices(0, 1)[0].Sent)
	}
}
