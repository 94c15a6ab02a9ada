package jt808

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec"
)

var noon = time.Date(2024, 3, 7, 12, 0, 0, 0, time.UTC)

// packages cuts a body into frames of ten bytes.
func packages(tb testing.TB, id ID, first uint16, body string) []*Frame {
	tb.Helper()
	wire, n, err := AppendPackages(nil, &Frame{
		Header: Header{ID: id, Version: V2013, Phone: phone(tb, "13800138000", V2013), Serial: first},
		Body:   []byte(body),
	}, 10)
	if err != nil {
		tb.Fatal(err)
	}
	frames, errs := decodeAll(tb, fresh(), wire)
	if len(frames) != n || len(errs) != 0 {
		tb.Fatalf("%d frames, errors %v, want %d", len(frames), errs, n)
	}
	return frames
}

func mustAdd(tb testing.TB, r *Reassembler, f *Frame, now time.Time) *Frame {
	tb.Helper()
	whole, err := r.Add(f, now)
	if err != nil {
		tb.Fatalf("package %d of %d, serial %d: %v", f.Index, f.Total, f.Serial, err)
	}
	return whole
}

func TestReassemblerVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "jt808_subpackets") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			var id, terminal, sum string
			var serials []uint16
			var length int
			for field, into := range map[string]any{"msg_id": &id, "phone": &terminal, "serials": &serials, "body_len": &length, "body_sha256": &sum} {
				v.get(t, field, into)
			}
			var frames []*Frame
			for i, digits := range v.Frames {
				f := decodeOne(t, unhex(t, digits))
				if f.Serial != serials[i] || int(f.Total) != len(v.Frames) {
					t.Errorf("frame %d: serial %d of %d packages", i, f.Serial, f.Total)
				}
				frames = append(frames, f)
			}
			reversed := slices.Clone(frames)
			slices.Reverse(reversed)
			twice := make([]*Frame, 0, 2*len(frames))
			for i, f := range frames {
				twice = append(twice, f)
				if i != len(frames)-1 { // else it would be late
					twice = append(twice, f)
				}
			}
			shuffled := slices.Clone(frames)
			random := rand.New(rand.NewPCG(1, 2))
			random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			for order, list := range map[string][]*Frame{"sent": frames, "reversed": reversed, "twice": twice, "shuffled": shuffled} {
				r := NewReassembler(ReassemblyOptions{})
				for i, f := range list {
					whole := mustAdd(t, r, f, noon)
					if (whole != nil) != (i == len(list)-1) {
						t.Fatalf("%s: package %d completes: %v", order, i, whole != nil)
					}
					if whole == nil {
						continue
					}
					got := sha256.Sum256(whole.Body)
					if len(whole.Body) != length || hex.EncodeToString(got[:]) != sum {
						t.Errorf("%s: body of %d bytes, sum %x, want %d, %s", order, len(whole.Body), got, length, sum)
					}
					if whole.ID != parseID(t, id) || whole.Phone.String() != terminal || whole.Serial != serials[0] || whole.IsPackage() {
						t.Errorf("%s: header %+v", order, whole.Header)
					}
				}
				if s := r.Stats(); s.Completed != 1 || s.Messages != 0 || s.Bytes != 0 || int(s.Duplicates) != len(list)-len(frames) {
					t.Errorf("%s: %+v", order, s)
				}
			}
		})
	}
}

func TestReassemblerWholeFrames(t *testing.T) {
	t.Parallel()
	r := NewReassembler(ReassemblyOptions{})
	f := packages(t, IDMediaData, 7, "short")[0]
	if got := mustAdd(t, r, f, noon); got != f {
		t.Errorf("a frame that is no package became %+v", got)
	}
	f.Total, f.Index = 1, 1
	got := mustAdd(t, r, f, noon)
	if got == nil || got.IsPackage() || string(got.Body) != "short" || &got.Body[0] == &f.Body[0] {
		t.Errorf("the only package of a message became %+v", got)
	}
	for _, h := range []Header{{Total: 2}, {Total: 2, Index: 3}} {
		var wrong *codec.FrameError
		if _, err := r.Add(&Frame{Header: h}, noon); !errors.As(err, &wrong) {
			t.Errorf("package %d of %d: %v", h.Index, h.Total, err)
		}
	}
}

// Terminals that are asked for packages send them again with the next serials
// they have, not with those the packages had.
func TestReassemblerAskedForPackagesWithNewSerials(t *testing.T) {
	t.Parallel()
	r := NewReassembler(ReassemblyOptions{Retries: 3})
	a := packages(t, IDMediaData, 100, "AAAAAAAAAAaaaaaaaaaa1111111111zzzzzzzzzz")
	mustAdd(t, r, a[0], noon)
	mustAdd(t, r, a[3], noon)
	later := noon.Add(5 * time.Second)
	if m := r.Missing(later); len(m) != 1 || !slices.Equal(m[0].Indexes, []uint16{2, 3}) {
		t.Fatalf("missing %+v", m)
	}
	mustAdd(t, r, a[0], later) // a copy
	a[1].Serial, a[2].Serial = 120, 121
	if whole := mustAdd(t, r, a[1], later); whole != nil {
		t.Fatal("whole too early")
	}
	whole := mustAdd(t, r, a[2], later)
	if whole == nil || string(whole.Body) != "AAAAAAAAAAaaaaaaaaaa1111111111zzzzzzzzzz" {
		t.Fatalf("whole %v, held %+v", whole, r.Stats())
	}
}

// TestReassemblerInterleaved mixes messages, and wants the bodies in the order
// in which they are complete.
func TestReassemblerInterleaved(t *testing.T) {
	t.Parallel()
	a := packages(t, IDMediaData, 100, "AAAAAAAAAAaaaaaaaaaa111")
	b := packages(t, IDMediaData, 103, "BBBBBBBBBBbbbbbbbbbb222") // the same kind, as long
	c := packages(t, IDParameters, 106, "CCCCCCCCCCcccccccccc333")
	other := packages(t, IDMediaData, 100, "DDDDDDDDDDdddddddddd444")
	for _, f := range other {
		f.Phone = phone(t, "13900139000", V2013)
	}
	gaps := packages(t, IDMediaData, 200, "EEEEEEEEEEeeeeeeeeee555")
	gaps[1].Serial, gaps[2].Serial = 217, 230
	later := packages(t, IDMediaData, 240, "FFFFFFFFFFffffffffff666")
	later[2].Serial = 250
	same := packages(t, IDMediaData, 0, "GGGGGGGGGGgggggggggg777") // the terminal does not count
	for _, f := range same {
		f.Serial = 0
	}
	wrapping := packages(t, IDMediaData, 0xFFFF, "HHHHHHHHHHhhhhhhhhhh888")
	for name, test := range map[string]struct {
		frames []*Frame
		want   string
	}{
		"different kinds":                {[]*Frame{a[0], c[0], a[1], c[1], c[2], a[2]}, "CA"},
		"different terminals":            {[]*Frame{a[0], other[0], other[1], a[1], a[2], other[2]}, "AD"},
		"same kind":                      {[]*Frame{a[0], b[0], a[1], b[1], a[2], b[2]}, "AB"},
		"same kind, out of order":        {[]*Frame{a[0], b[0], b[2], a[2], b[1], a[1]}, "BA"},
		"one begins where one was lost":  {[]*Frame{a[0], a[2], b[0], b[1], b[2], a[1]}, "BA"},
		"gaps":                           {[]*Frame{gaps[0], gaps[1], gaps[2]}, "E"},
		"gaps, out of order":             {[]*Frame{gaps[2], gaps[0], gaps[1]}, "E"},
		"gaps and one lost, then gaps":   {[]*Frame{gaps[0], gaps[2], later[0], later[1], later[2], gaps[1]}, "FE"},
		"serials that do not count":      {[]*Frame{same[0], same[1], same[2]}, "G"},
		"not counting, out of order":     {[]*Frame{same[1], same[2], same[0], same[2], same[1], same[0]}, "GG"},
		"serials that wrap":              {[]*Frame{wrapping[0], wrapping[1], wrapping[2]}, "H"},
		"late copies after it is whole":  {[]*Frame{a[0], a[1], a[2], a[1], a[0], b[0], b[1], b[2], b[2]}, "AB"},
		"sent again whole after a while": {[]*Frame{a[0], a[1], a[2], b[0], b[1], b[2], gaps[0], gaps[1], gaps[2]}, "ABE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, got := NewReassembler(ReassemblyOptions{}), []byte(nil)
			for _, f := range test.frames {
				if whole := mustAdd(t, r, f, noon); whole != nil {
					letter := string(whole.Body[:1])
					if want := strings.Repeat(letter, 10) + strings.Repeat(strings.ToLower(letter), 10); string(whole.Body[:20]) != want {
						t.Errorf("messages are mixed up: %q", whole.Body)
					}
					got = append(got, letter...)
				}
			}
			if string(got) != test.want {
				t.Errorf("whole: %q, want %q", got, test.want)
			}
			if s := r.Stats(); s.Messages != 0 || s.Bytes != 0 {
				t.Errorf("something is held still: %+v", s)
			}
		})
	}
}

func TestReassemblerMissing(t *testing.T) {
	t.Parallel()
	o := ReassemblyOptions{Idle: time.Minute, Retry: 5 * time.Second, Retries: 2}
	r := NewReassembler(o)
	f := packages(t, IDMediaData, 500, strings.Repeat("0123456789", 6))
	if _, ok := r.Next(); ok {
		t.Error("something is due before anything came")
	}
	mustAdd(t, r, f[1], noon)
	mustAdd(t, r, f[3], noon.Add(time.Second))
	if at, ok := r.Next(); !ok || !at.Equal(noon.Add(6*time.Second)) {
		t.Errorf("next at %v, %v", at, ok)
	}
	if m := r.Missing(noon.Add(6*time.Second - 1)); len(m) != 0 {
		t.Errorf("asked too early: %+v", m)
	}
	check := func(at time.Duration, attempt int, want ...uint16) {
		t.Helper()
		m := r.Missing(noon.Add(at))
		if len(m) != 1 || m[0].FirstSerial != 500 || m[0].Header.ID != IDMediaData || m[0].Attempt != attempt || !slices.Equal(m[0].Indexes, want) {
			t.Fatalf("missing %+v, want attempt %d, %v", m, attempt, want)
		}
		if again := r.Missing(noon.Add(at)); len(again) != 0 {
			t.Errorf("asked twice at once: %+v", again)
		}
	}
	check(6*time.Second, 1, 1, 3, 5, 6)
	if m := r.Missing(noon.Add(16*time.Second - 1)); len(m) != 0 {
		t.Errorf("second request after less than twice the time: %+v", m)
	}
	check(16*time.Second, 2, 1, 3, 5, 6)
	if at, ok := r.Next(); !ok || !at.Equal(noon.Add(61*time.Second)) {
		t.Errorf("next at %v, %v, want the end", at, ok)
	}
	if m := r.Missing(noon.Add(50 * time.Second)); len(m) != 0 {
		t.Errorf("third request, two are allowed: %+v", m)
	}
	mustAdd(t, r, f[0], noon.Add(50*time.Second)) // what comes begins it anew
	check(55*time.Second, 1, 3, 5, 6)
	for _, i := range []int{2, 4} {
		mustAdd(t, r, f[i], noon.Add(56*time.Second))
	}
	if whole := mustAdd(t, r, f[5], noon.Add(57*time.Second)); whole == nil || whole.Serial != 500 || len(whole.Body) != 60 {
		t.Errorf("whole %+v", whole)
	}
	if s := r.Stats(); s.Requested != 11 || s.Completed != 1 {
		t.Errorf("%+v", s)
	}
	if never := NewReassembler(ReassemblyOptions{}); never.options.Retries != 0 {
		t.Error("retries of 0 do not mean never")
	}
}

func TestReassemblerMissingMany(t *testing.T) {
	t.Parallel()
	r := NewReassembler(DefaultReassemblyOptions())
	f := &Frame{Header: Header{ID: IDMediaData, Version: V2013, Total: 0xFFFF, Index: 0xFFFF, Serial: 3}, Body: []byte("x")}
	mustAdd(t, r, f, noon)
	m := r.Missing(noon.Add(time.Hour))
	if len(m) != 1 || len(m[0].Indexes) != 255 || m[0].Indexes[0] != 1 || m[0].Indexes[254] != 255 || m[0].FirstSerial != 5 {
		t.Errorf("missing %+v", m)
	}
}

// TestReassemblerRemembersTheLatest completes more messages than it remembers: a
// late copy of a package of the latest is known, one of the first begins anew.
func TestReassemblerRemembersTheLatest(t *testing.T) {
	t.Parallel()
	r := NewReassembler(ReassemblyOptions{})
	var sent []*Frame
	for i := range uint16(maxFinished + 2) {
		sent = packages(t, IDMediaData+ID(i), 10*i, "AAAAAAAAAAaaaaaaaaaa111")
		for _, f := range sent {
			mustAdd(t, r, f, noon)
		}
	}
	mustAdd(t, r, sent[1], noon)
	if s := r.Stats(); s.Completed != maxFinished+2 || s.Duplicates != 1 || s.Messages != 0 {
		t.Errorf("after a late copy of the latest: %+v", s)
	}
	mustAdd(t, r, packages(t, IDMediaData, 0, "AAAAAAAAAAaaaaaaaaaa111")[1], noon)
	if s := r.Stats(); s.Duplicates != 1 || s.Messages != 1 || len(r.finished) != maxFinished {
		t.Errorf("after a late copy of the first: %+v", s)
	}
}

// Some terminals begin every message with the same serial. Only what has the same
// content is a copy.
func TestReassemblerSerialsUsedAgain(t *testing.T) {
	t.Parallel()
	const first, second, third = "AAAAAAAAAAaaaaaaaaaa111", "BBBBBBBBBBaaaaaaaaaa222", "BBBBBBBBBBcccccccccc222"
	a, b, c := packages(t, IDMediaData, 1, first), packages(t, IDMediaData, 1, second), packages(t, IDMediaData, 1, third)
	for name, v := range map[string]struct {
		sent       []*Frame
		want       []string
		duplicates uint64
	}{
		"one after the other": {slices.Concat(a, b), []string{first, second}, 0},
		"in another order":    {slices.Concat(a, []*Frame{b[2], b[1], b[0]}), []string{first, second}, 0},
		"the first not whole": {slices.Concat(a[:2], b), []string{second}, 0},
		"with late copies":    {slices.Concat(a, a[:2], b, a[1:], b), []string{first, second}, 7},
		"with copies":         {slices.Concat(a, b[:1], b[:1], b[1:2], b[1:2], b[2:]), []string{first, second}, 2},
		"begins like another": {slices.Concat(a, b, c, c[:1]), []string{first, second, third}, 1}, // and is asked for that
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := NewReassembler(ReassemblyOptions{})
			var got []string
			for _, f := range v.sent {
				if whole := mustAdd(t, r, f, noon); whole != nil {
					got = append(got, string(whole.Body))
				}
			}
			if s := r.Stats(); !slices.Equal(got, v.want) || s.Duplicates != v.duplicates {
				t.Errorf("got %q, %+v, want %q and %d copies", got, s, v.want, v.duplicates)
			}
		})
	}
}

func TestReassemblerExpire(t *testing.T) {
	t.Parallel()
	r := NewReassembler(ReassemblyOptions{Idle: time.Minute})
	a := packages(t, IDMediaData, 1, "AAAAAAAAAAaaaaaaaaaa111")
	c := packages(t, IDParameters, 9, "CCCCCCCCCCcccccccccc333")
	mustAdd(t, r, a[0], noon)
	mustAdd(t, r, a[1], noon.Add(time.Second))
	mustAdd(t, r, c[0], noon.Add(30*time.Second))
	if gone := r.Expire(noon.Add(time.Minute)); len(gone) != 0 {
		t.Errorf("expired too early: %+v", gone)
	}
	gone := r.Expire(noon.Add(61 * time.Second))
	if len(gone) != 1 || !errors.Is(gone[0].Cause, ErrExpired) || gone[0].Header.ID != IDMediaData || gone[0].Received != 2 || gone[0].Bytes != 20 {
		t.Errorf("expired %+v", gone)
	}
	if s := r.Stats(); s.Messages != 1 || s.Expired != 1 {
		t.Errorf("%+v", s)
	}
	mustAdd(t, r, c[1], noon.Add(62*time.Second))
	if whole := mustAdd(t, r, c[2], noon.Add(62*time.Second)); whole == nil {
		t.Error("the other message was lost")
	}
	if mustAdd(t, r, a[2], noon.Add(70*time.Second)) != nil {
		t.Error("a message is whole that lost packages")
	}
	r.Expire(noon.Add(time.Hour))
	if r.partials != nil || r.finished != nil {
		t.Errorf("held after all is over: %+v", r)
	}
}
