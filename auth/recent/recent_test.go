package recent_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth/recent"
	"github.com/linkspan/linkspan/internal/testclock"
)

func TestSuccessesAreForgotten(t *testing.T) {
	t.Parallel()
	c := testclock.New()
	s := recent.New(recent.Config{Entries: 10, Lifetime: time.Minute}, c.Now)
	k := s.Key("a", "secret")
	if s.Has(k) {
		t.Error("it is known before")
	}
	s.Add(k)
	c.Advance(time.Minute - 1)
	if !s.Has(k) {
		t.Error("it is forgotten too early")
	}
	c.Advance(1)
	if s.Has(k) {
		t.Error("it is known after its lifetime: being asked for does not prolong it")
	}
	s.Add(k)
	if !s.Has(k) {
		t.Error("it is not known again")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	for _, entries := range []int{1, 2, 3, 100} {
		s := recent.New(recent.Config{Entries: entries, Lifetime: time.Hour}, nil)
		for i := range 10 * entries {
			k := s.Key(strconv.Itoa(i))
			s.Add(k)
			if !s.Has(k) {
				t.Fatalf("%d entries: the newest, number %d, is forgotten", entries, i)
			}
			if s.Len() > max(entries, 2) {
				t.Fatalf("%d entries: there are %d", entries, s.Len())
			}
		}
		if s.Has(s.Key("0")) {
			t.Errorf("%d entries: the oldest is still there", entries)
		}
	}
}

func TestKeysTellApart(t *testing.T) {
	t.Parallel()
	s := recent.New(recent.Config{Entries: 10, Lifetime: time.Hour}, nil)
	seen := map[recent.Key][]string{}
	for _, parts := range [][]string{{"a", "bc"}, {"ab", "c"}, {"a", "b", "c"}, {"abc"}, {"abc", ""}, {"", "abc"}, {""}} {
		k := s.Key(parts[0], parts[1:]...)
		if other, twice := seen[k]; twice {
			t.Errorf("%q is %q", parts, other)
		}
		seen[k] = parts
		if k != s.Key(parts[0], parts[1:]...) {
			t.Errorf("%q is not itself", parts)
		}
	}
	if other := recent.New(recent.Config{Entries: 10, Lifetime: time.Hour}, nil); other.Key("a") == s.Key("a") {
		t.Error("two memories have one key")
	}
}

func TestNoMemory(t *testing.T) {
	t.Parallel()
	for _, cfg := range []recent.Config{{}, {Entries: 10}, {Lifetime: time.Hour}} {
		s := recent.New(cfg, nil)
		k := s.Key("a")
		s.Add(k)
		if s.Has(k) || s.Len() != 0 {
			t.Errorf("%+v remembers", cfg)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	if err := (recent.Config{Entries: 1 << 24, Lifetime: 24 * time.Hour}).Validate(); err != nil {
		t.Error(err)
	}
	for _, cfg := range []recent.Config{{Entries: -1}, {Entries: 1<<24 + 1}, {Lifetime: -1}, {Lifetime: 25 * time.Hour}} {
		if cfg.Validate() == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

func BenchmarkHas(b *testing.B) {
	s := recent.New(recent.Config{Entries: 1000, Lifetime: time.Hour}, nil)
	s.Add(s.Key("13800138001", "a secret of a device", "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"))
	b.ReportAllocs()
	for b.Loop() {
		if !s.Has(s.Key("13800138001", "a secret of a device", "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy")) {
			b.Fatal("not there")
		}
	}
}
