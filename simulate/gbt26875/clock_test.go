package gbt26875

import (
	"testing"
	"time"
)

func TestClocksDrift(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Devices, cfg.ClockDrift, cfg.ClockOffset = 200, 100, time.Minute
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	fast, slow := 0, 0
	const day = int64(24 * time.Hour)
	for _, p := range f.panels {
		gained := p.shows(day).Sub(p.shows(0)) - 24*time.Hour
		if gained.Abs() > 100*time.Second {
			t.Errorf("a clock gains %v a day", gained)
		}
		if off := p.shows(0).Sub(f.start).Abs(); off > time.Minute {
			t.Errorf("a clock is wrong by %v", off)
		}
		if gained > 10*time.Second {
			fast++
		} else if gained < -10*time.Second {
			slow++
		}
	}
	if fast < 50 || slow < 50 {
		t.Errorf("%d clocks are fast, %d slow", fast, slow)
	}
}

func TestSharesOfFaults(t *testing.T) {
	t.Parallel()
	f := Faults{BadChecksum: 0.01, BCD: 0.25, Noise: 0.5}
	got := map[Fault]int{}
	for i := range 100 {
		got[f.of(i, 100)]++
	}
	if got[FaultBadChecksum] != 1 || got[FaultBCD] != 25 || got[FaultNoise] != 50 || got[FaultNone] != 24 {
		t.Errorf("%v", got)
	}
}
