package segment

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// What is finished is written down every CursorInterval, on a disk that takes a
// while, too: what came after that comes again after a kill -9.
func TestCursorInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := small()
		cfg.CursorInterval = time.Second
		d := newSimDisk()
		cursor := filepath.Join("q", cursorName)
		slow := d.disk()
		rename := slow.rename
		slow.rename = func(from, to string) error {
			<-time.After(5 * time.Millisecond)
			return rename(from, to)
		}
		l, err := Open("q", cfg, withDisk(slow))
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			l.Finish(put(t, l, "record", 0))
			<-time.After(100 * time.Millisecond)
		}
		written := 0
		d.mu.Lock()
		for _, op := range d.ops {
			if op.kind == "rename" && op.to == cursor {
				written++
			}
		}
		d.mu.Unlock()
		if written < 9 || written > 12 {
			t.Errorf("in 10 s the cursor was written %d times", written)
		}
		mustClose(t, l)
	})
}
