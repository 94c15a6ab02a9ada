package segment

import (
	"bytes"
	"fmt"
	"testing"
)

func TestFirst(t *testing.T) {
	dir := t.TempDir()
	cfg := DefaultConfig()
	l, err := Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ch := make(chan error, 1000)
	var last Position
	for i := range 1000 {
		if err := l.Append(fmt.Appendf(nil, "rec %d", i), 0, func(p Position, err error) { last = p; ch <- err }); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		if err := <-ch; err != nil {
			t.Fatal(err)
		}
	}
	r := l.NewReader()
	n := 0
	for rec, ok := r.Next(); ok; rec, ok = r.Next() {
		if !bytes.Equal(rec.Payload, fmt.Appendf(nil, "rec %d", n)) {
			t.Fatalf("%d: %s", n, rec.Payload)
		}
		n++
		if n <= 500 {
			l.Finish(rec.Position)
		}
	}
	b, err := l.Read(last, nil)
	t.Logf("%d %+v %q %v", n, l.Stats(), b, err)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err = Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r = l.NewReader()
	n = 0
	for rec, ok := r.Next(); ok; rec, ok = r.Next() {
		n++
		l.Finish(rec.Position)
	}
	t.Logf("%d %+v", n, l.Stats())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
