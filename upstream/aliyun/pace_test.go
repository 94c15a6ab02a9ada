package aliyun

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

func TestPacer(t *testing.T) {
	t.Parallel()
	const minute = int64(60_000)
	p := newPacer(5)
	now := int64(1_000_000)
	for i := range 5 {
		if wait := p.ask("a", now+int64(i)*1000); wait != 0 {
			t.Errorf("login %d has to wait %s", i+1, wait)
		}
	}
	if wait := p.ask("a", now+5000); wait != 55*time.Second {
		t.Errorf("the sixth waits %s, want until the first is a minute old", wait)
	}
	if wait := p.ask("b", now+5000); wait != 0 {
		t.Errorf("another device waits %s", wait)
	}
	if wait := p.ask("a", now+minute); wait != 0 {
		t.Errorf("after a minute: %s", wait)
	}
	if wait := p.ask("a", now+minute); wait != time.Second {
		t.Errorf("the second after a minute waits %s, want 1s", wait)
	}
}

// After 429 a device waits, longer each time, until a login succeeds.
func TestPacerTooFast(t *testing.T) {
	t.Parallel()
	p := newPacer(0)
	now := int64(1_000_000)
	last := time.Duration(0)
	for range 3 {
		p.tooFast("a", now)
		wait := p.ask("a", now)
		if wait < last || wait < firstTooFast/2 {
			t.Errorf("waits %s after %s", wait, last)
		}
		last = wait / 2 // the jitter
		now += maxTooFast.Milliseconds()
		if wait := p.ask("a", now); wait != 0 {
			t.Errorf("still waits %s", wait)
		}
	}
	p.tooFast("a", now)
	p.fine("a")
	if wait := p.ask("a", now); wait != 0 {
		t.Errorf("waits %s after a login", wait)
	}
	for range 300 { // no overflow
		p.tooFast("a", now)
	}
	if wait := p.ask("a", now); wait < maxTooFast/2 || wait > maxTooFast {
		t.Errorf("waits %s, want about %s at most", wait, maxTooFast)
	}
}

func TestPacerForgets(t *testing.T) {
	t.Parallel()
	p := newPacer(5)
	now := int64(1_000_000)
	for i := range 1000 {
		p.ask(strconv.Itoa(i), now)
	}
	p.ask("a", now+10*60_000)
	if n := p.size(); n != 1 {
		t.Errorf("%d devices are remembered, want 1", n)
	}
}

// A refusal for good is the platform's last word about a device until it lets the device in, the
// device comes with another secret, or a while has passed.
func TestPacerRemembersRefusals(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{0, 5} {
		p := newPacer(limit)
		now := int64(1_000_000)
		no := refused(codeBadSign, "invalid sign")
		p.ask("a", now)
		p.refused("a", "wrong", fmt.Errorf("login: %w", no), now)
		p.refused("a", "wrong", refused(codeTooFast, ""), now) // says nothing of who it is
		p.tooFast("a", now)
		said := p.lastWord("a", "wrong")
		if said == nil || said.Code != codeBadSign || said.Reason != no.Reason || said.Temporary || !said.Repeated || no.Repeated {
			t.Errorf("the last word was %+v", said)
		}
		if said := p.lastWord("a", "right"); said != nil {
			t.Errorf("with another secret: %v", said)
		}
		if said := p.lastWord("b", "wrong"); said != nil {
			t.Errorf("of another device: %v", said)
		}
		p.refused("a", "wrong", p.lastWord("a", "wrong"), now+1000) // is no newer for that
		if at := p.devices["a"].word.at; at != now {
			t.Errorf("the refusal is of %d, want %d", at, now)
		}
		p.fine("a")
		if said := p.lastWord("a", "wrong"); said != nil {
			t.Errorf("after a login: %v", said)
		}
		p.refused("a", "wrong", no, now)
		p.forgive("a")
		if said := p.lastWord("a", "wrong"); said != nil {
			t.Errorf("of a device that was enabled: %v", said)
		}
		for i := range 1000 {
			p.refused(strconv.Itoa(i), "wrong", no, now)
		}
		p.ask("b", now+10*60_000)
		if n := p.size(); n > 1 {
			t.Errorf("%d devices are remembered", n)
		}
	}
}

func BenchmarkPacer(b *testing.B) {
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("a1truck0001/truck-%d", i)
	}
	p := newPacer(5)
	b.ReportAllocs()
	now := int64(1_000_000)
	for i := 0; b.Loop(); i++ {
		now += 50
		p.ask(names[i%len(names)], now)
	}
}
