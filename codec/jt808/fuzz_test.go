package jt808

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/codectest"
)

func FuzzDecoder(f *testing.F) {
	var seeds [][]byte
	for _, file := range []string{"jt808_stream", "jt808_negative"} {
		for _, v := range vectors(f, file) {
			if b, err := hex.DecodeString(v.Hex); err == nil && len(b) > 0 && len(b) < 200 {
				seeds = append(seeds, b)
			}
		}
	}
	seeds = append(seeds, unhex(f, locationFrame))
	for i, seed := range seeds {
		f.Add(seed, uint16(i))
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16) {
		codectest.Properties(t, func() codec.Decoder[*Frame] { return NewDecoder(Options{MaxFrame: 200}) }, stream, int(cut))
		frames, errs := decodeAll(t, fresh(), stream)
		if 13*len(frames)+len(errs) > len(stream) {
			t.Errorf("%d frames and %d errors in %d bytes", len(frames), len(errs), len(stream))
		}
		for _, got := range frames {
			wire, err := AppendFrame(nil, got)
			if err != nil {
				t.Fatalf("%+v: %v", got.Header, err)
			}
			again := decodeOne(t, wire)
			if again.Header != got.Header || !bytes.Equal(again.Body, got.Body) {
				t.Errorf("encoded and decoded again\n %+v, want\n %+v", again, got)
			}
		}
	})
}

func FuzzLocation(f *testing.F) {
	fuzzed := []ID{IDLocation, IDLocationResponse, IDBatch}
	for _, v := range vectors(f, "jt808") {
		if frame := decodeOneOrNil(unhex(f, v.Hex)); frame != nil && len(frame.Body) < 150 {
			if slices.Contains(fuzzed, frame.ID) {
				f.Add(uint16(frame.ID), frame.Body)
			}
		}
	}
	f.Add(uint16(IDBatch), []byte("000\x00\x00")) // an item without a location
	f.Fuzz(func(t *testing.T, id uint16, body []byte) {
		if !slices.Contains(fuzzed, ID(id)) {
			id = uint16(IDLocation)
		}
		b, err := ParseBody(ID(id), V2013, body)
		if err != nil {
			if !errors.Is(err, ErrShortBody) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := b.AppendBody(nil, V2013)
		if err != nil {
			t.Fatal(err)
		}
		if batch, ok := b.(*Batch); ok { // empty and damaged items are left out, and the number in front is corrected
			var reread Batch
			if err = reread.ParseBody(again, V2013); err != nil || len(reread.Locations) != len(batch.Locations) {
				t.Fatalf("%d locations, encoded and read again %d, %v", len(batch.Locations), len(reread.Locations), err)
			}
			if body, err = reread.AppendBody(nil, V2013); err != nil {
				t.Fatal(err)
			}
		}
		if string(again) != string(body) {
			t.Errorf("encoded again\n %x, want\n %x", again, body)
		}
		if data, err := json.Marshal(b); err != nil || !json.Valid(data) {
			t.Errorf("JSON %s, %v", data, err)
		}
	})
}

// FuzzReassembler reads its input as packages of few kinds with any numbers, and
// wants limits kept, no byte in a message that was not in its packages, and nothing
// taken for a copy that was not sent before.
func FuzzReassembler(f *testing.F) {
	f.Add([]byte{0x13, 0, 0, 'a', 0x23, 1, 0, 'b', 0x33, 2, 0, 'c'})
	f.Add([]byte{0x13, 0, 0, 'a', 0x13, 3, 0, 'd', 0x23, 4, 0, 'e', 0x33, 2, 0, 'c', 0x33, 5, 0, 'f', 0x23, 1, 0, 'b'})
	f.Add(bytes.Repeat([]byte{0x12, 0, 70, 'x'}, 20))
	f.Add([]byte{0x21, 0, 0, 0, 0x01, 0, 0, 0, 0x1f, 0xff, 255, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		o := ReassemblyOptions{MaxBytes: 2000, MaxMessages: 3, Idle: time.Minute, Retry: time.Second, Retries: 1}
		r, now := NewReassembler(o), noon
		sent, copies := map[string]int{}, map[string]int{}
		for ; len(in) >= 4; in = in[4:] {
			now = now.Add(time.Duration(in[2]) * time.Second)
			f := &Frame{
				Header: Header{ID: ID(in[3] % 3), Total: uint16(in[0] & 15), Index: uint16(in[0] >> 4), Serial: uint16(in[1])},
				Body:   fmt.Appendf(nil, "<%d>", in[3]),
			}
			sent[string(f.Body)]++
			what := fmt.Sprint(f.Total, f.Index, in[3])
			copies[what]++
			had := r.stats.Duplicates
			whole, err := r.Add(f, now)
			if r.stats.Duplicates > had && copies[what] < 2 {
				t.Fatalf("%+v is no copy", f)
			}
			if whole != nil {
				if err != nil || whole.IsPackage() {
					t.Fatalf("whole %+v with %v", whole, err)
				}
				if n := strings.Count(string(whole.Body), "<"); n != max(1, int(f.Total)) {
					t.Fatalf("%d pieces in a message of %d: %q", n, f.Total, whole.Body)
				}
				for piece := range strings.SplitAfterSeq(string(whole.Body), ">") {
					if piece != "" && sent[piece] == 0 {
						t.Fatalf("%q was never sent", piece)
					}
				}
			}
			for _, m := range r.Missing(now) {
				if len(m.Indexes) == 0 || !slices.IsSorted(m.Indexes) || m.Indexes[len(m.Indexes)-1] > m.Header.Total {
					t.Fatalf("missing %+v", m)
				}
			}
			if in[2]&1 != 0 {
				r.Expire(now)
			}
			s := r.Stats()
			if s.Bytes > o.MaxBytes || s.Messages > o.MaxMessages || len(r.dropped) > o.MaxMessages || len(r.finished) > maxFinished {
				t.Fatalf("limits: %+v", s)
			}
			if at, ok := r.Next(); ok != (len(r.partials) > 0) || ok && at.After(now.Add(o.Idle)) {
				t.Fatalf("next at %v, %v", at, ok)
			}
		}
		r.Expire(now.Add(time.Hour))
		if s := r.Stats(); s.Bytes != 0 || s.Messages != 0 {
			t.Fatalf("held after the end: %+v", s)
		}
	})
}
