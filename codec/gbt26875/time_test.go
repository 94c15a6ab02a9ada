package gbt26875

import (
	"testing"
	"time"
)

var china = time.FixedZone("UTC+8", 8*60*60)

func TestTime(t *testing.T) {
	t.Parallel()
	moment := time.Date(2026, 2, 28, 23, 59, 58, 0, china)
	for name, test := range map[string]struct {
		label  Time
		binary string // as the standard reads it
		bcd    string
		text   string
	}{
		"binary":         {NewTime(moment), "2026-02-28 23:59:58", "", "2026-02-28 23:59:58"},
		"BCD":            {NewBCDTime(moment), "", "2026-02-28 23:59:58", "585923280226"},
		"both":           {Time{0, 0, 0, 1, 1, 0x24}, "2036-01-01 00:00:00", "2024-01-01 00:00:00", "2036-01-01 00:00:00"},
		"zero":           {Time{}, "", "", "000000000000"},
		"no such day":    {Time{0, 0, 0, 30, 2, 26}, "", "", "0000001e021a"},
		"signal instead": {Time{0xff, 0x1f, 99, 0, 0, 0}, "", "", "ff1f63000000"},
		"leap day":       {Time{0, 0, 0, 29, 2, 28}, "2028-02-29 00:00:00", "", "2028-02-29 00:00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read := func(at time.Time, ok bool) string {
				if !ok {
					return ""
				}
				if at.Location() != china {
					t.Errorf("in %v", at.Location())
				}
				return at.Format(time.DateTime)
			}
			if got := read(test.label.In(china)); got != test.binary {
				t.Errorf("binary %q, want %q", got, test.binary)
			}
			if got := read(test.label.BCDIn(china)); got != test.bcd {
				t.Errorf("BCD %q, want %q", got, test.bcd)
			}
			if test.label.String() != test.text {
				t.Errorf("text %q, want %q", test.label, test.text)
			}
			if test.label.IsZero() != (name == "zero") {
				t.Error("IsZero is wrong")
			}
		})
	}
}

// Whatever a device sends, the reading is the one that fits the time of receipt.
func TestNear(t *testing.T) {
	t.Parallel()
	for now := time.Date(2024, 1, 1, 0, 0, 0, 0, china); now.Year() < 2030; now = now.Add(25*time.Hour + 61*time.Second) {
		at, bcd, ok := NewTime(now).Near(china, now.Add(3*time.Second))
		if !ok || !at.Equal(now) || bcd {
			t.Fatalf("binary label of %v: %v, BCD %v, %v", now, at, bcd, ok)
		}
		if at, _, ok = NewBCDTime(now).Near(china, now.Add(-3*time.Second)); !ok || !at.Equal(now) {
			t.Fatalf("BCD label of %v: %v, %v", now, at, ok)
		}
	}
	if at, _, ok := (Time{}).Near(china, time.Now()); ok {
		t.Errorf("no time is %v", at)
	}
}
