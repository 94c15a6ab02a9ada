package jt808

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestReassemblerLimits(t *testing.T) {
	t.Parallel()
	t.Run("messages", func(t *testing.T) {
		t.Parallel()
		r := NewReassembler(ReassemblyOptions{MaxMessages: 3})
		for id := range ID(5) {
			mustAdd(t, r, packages(t, IDMediaData+id, 1, "AAAAAAAAAAaaaaaaaaaa111")[0], noon)
			mustAdd(t, r, packages(t, IDMediaData, 1, "AAAAAAAAAAaaaaaaaaaa111")[1], noon) // is used, so stays
		}
		gone := r.Expire(noon)
		if len(gone) != 2 || !errors.Is(gone[0].Cause, ErrDisplaced) || gone[0].Header.ID != IDMediaData+1 || gone[1].Header.ID != IDMediaData+2 {
			t.Errorf("displaced %+v", gone)
		}
		if s := r.Stats(); s.Messages != 3 || s.Displaced != 2 {
			t.Errorf("%+v", s)
		}
		if whole := mustAdd(t, r, packages(t, IDMediaData, 1, "AAAAAAAAAAaaaaaaaaaa111")[2], noon); whole == nil {
			t.Error("the message in use was displaced")
		}
	})
	t.Run("bytes of one", func(t *testing.T) {
		t.Parallel()
		r := NewReassembler(ReassemblyOptions{MaxBytes: 5000})
		refused := 0
		for i := range uint16(100) {
			f := &Frame{Header: Header{ID: IDMediaData, Total: 100, Index: i + 1, Serial: i}, Body: make([]byte, 500)}
			whole, err := r.Add(f, noon)
			if whole != nil {
				t.Fatal("whole")
			}
			if err != nil {
				refused++
				if !errors.Is(err, ErrMessageTooLarge) {
					t.Fatal(err)
				}
			}
			if s := r.Stats(); s.Bytes > 5000 {
				t.Fatalf("%d bytes are held", s.Bytes)
			}
		}
		if s := r.Stats(); refused != 92 || s.TooLarge != 1 || s.Bytes != 0 || s.Messages != 0 {
			t.Errorf("%d refused, %+v", refused, s)
		}
		mustAdd(t, r, &Frame{Header: Header{ID: IDMediaData, Total: 100, Index: 1, Serial: 1000}, Body: []byte("next")}, noon)
		if gone := r.Expire(noon.Add(time.Hour)); len(gone) != 1 {
			t.Errorf("dropped %+v, want the next message alone", gone)
		}
	})
	t.Run("bytes of several", func(t *testing.T) {
		t.Parallel()
		r := NewReassembler(ReassemblyOptions{MaxBytes: 3000})
		for id := range ID(6) {
			mustAdd(t, r, &Frame{Header: Header{ID: id, Total: 2, Index: 1}, Body: make([]byte, 1000)}, noon)
			if s := r.Stats(); s.Bytes > 3000 {
				t.Fatalf("%d bytes are held", s.Bytes)
			}
		}
		if s := r.Stats(); s.Messages != 2 || s.Displaced != 4 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("tiny packages", func(t *testing.T) {
		t.Parallel()
		r := NewReassembler(ReassemblyOptions{})
		for i := range uint16(0xFFFF) {
			_, _ = r.Add(&Frame{Header: Header{ID: 1, Total: 0xFFFF, Index: 0xFFFF - i, Serial: 0xFFFF - i}}, noon)
		}
		if s := r.Stats(); s.TooLarge != 1 {
			t.Errorf("empty packages cost nothing: %+v", s)
		}
	})
}

func TestReassemblyOptions(t *testing.T) {
	t.Parallel()
	if err := DefaultReassemblyOptions().Validate(); err != nil {
		t.Error(err)
	}
	err := ReassemblyOptions{Retries: -1}.Validate()
	for _, key := range []string{"maxBytes", "maxMessages", "idle", "retry:", "retries"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v does not tell of %s", err, key)
		}
	}
}
