package gbt26875

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/codectest"
)

func fresh() codec.Decoder[*Frame] { return NewDecoder(DefaultOptions()) }

func asCount(err error, into **CountError) bool { return errors.As(err, into) }

// confirmation is a good frame to come behind damage.
const confirmation = "404001000101233a091a090c385b01000000790300000000000003ab2323"

// fire is the state of one part, on fire.
const fire = "404001000101203a091a090c790300000000385b0100000030000202010101280a000200020020202020202020202020202020202020202020202020202020202020202000023a091a090c462323"

func show(f *Frame) string { return fmt.Sprintf("%+v %x", f.Header, f.Data) }

func suiteFrames(tb testing.TB) [][]byte {
	tb.Helper()
	tricky := vectors(tb, "streams")[0] // markers in an address and a description
	return [][]byte{
		unhex(tb, fire), unhex(tb, confirmation), unhex(tb, tricky.Expect.Frames[0]), textFrame(tb, 40),
	}
}

// textFrame is a frame with that many bytes of data, markers among them.
func textFrame(tb testing.TB, size int) []byte {
	tb.Helper()
	wire, err := AppendFrame(nil, &Frame{Header: Header{Command: CommandSend, Serial: 7}, Data: bytes.Repeat([]byte("@@##\x80\x00"), size)[:size]})
	if err != nil {
		tb.Fatal(err)
	}
	return wire
}

// freshSmall is a decoder of frames of up to 100 bytes of data: the kit's time grows with the square of that.
func freshSmall() codec.Decoder[*Frame] { return NewDecoder(Options{MaxData: 100}) }

// TestContract runs the kit that every codec passes.
func TestContract(t *testing.T) {
	t.Parallel()
	codectest.Suite[*Frame]{
		New:        freshSmall,
		Encoder:    codec.AppendFunc[*Frame](AppendFrame),
		Frames:     suiteFrames(t),
		Show:       show,
		Garbage:    [][]byte{[]byte("noise"), []byte("@"), []byte("##"), []byte("@@"), bytes.Repeat([]byte("@"), 40)},
		MaxFrame:   minFrame + 100,
		Endless:    [][]byte{[]byte("@@\x01\x00\x01\x01\x20\x3a\x09\x1a\x09\x0c\x79\x03\x00\x00\x00\x00\x38\x5b\x01\x00\x00\x00\x01\x04\x02")},
		SameErrors: true,
	}.Run(t)
}

// A length that was damaged does not make the frames behind wait for more.
func TestDamagedLengthHidesNothing(t *testing.T) {
	t.Parallel()
	wire := unhex(t, fire)
	damaged := bytes.Clone(wire)
	damaged[offLength+1] = 3 // 816 bytes
	for _, step := range []int{1, 7, len(wire)} {
		d, kept, got := fresh(), []byte(nil), 0
		for in := range slices.Chunk(slices.Concat(damaged, wire, wire), step) {
			frames, _, rest := decodeAll(t, d, append(kept, in...))
			kept, got = rest, got+len(frames)
		}
		if got != 2 {
			t.Errorf("%d frames behind a damaged one, fed %d bytes at a time, want 2", got, step)
		}
	}
}

// Nor do frames behind whose check sums are wrong.
func TestDamagedFramesInsideHideNothing(t *testing.T) {
	t.Parallel()
	wire := unhex(t, fire)
	long := bytes.Clone(wire)
	long[offLength+1] = 3 // 816 bytes
	bad := bytes.Clone(wire)
	bad[len(bad)-trailLen]++
	frames, errs, rest := decodeAll(t, fresh(), slices.Concat(long, bad, bad, bad, wire, wire))
	if len(frames) != 2 || len(errs) != 1 || len(rest) != 0 {
		t.Errorf("%d frames, errors %v and %d bytes left, want two frames", len(frames), errs, len(rest))
	}
}

// Text that looks like the beginning of a frame does not tear the frame apart.
func TestMarkersInsideOfData(t *testing.T) {
	t.Parallel()
	whole := unhex(t, confirmation)
	for name, inner := range map[string][]byte{
		"a marker":                   []byte("@@"),
		"many markers":               bytes.Repeat([]byte("@"), 900),
		"a frame without its end":    whole[:len(whole)-1],
		"a frame with a wrong check": append(bytes.Clone(whole[:27]), 0xAA, '#', '#'),
	} {
		wire, err := AppendFrame(nil, &Frame{Header: Header{Command: CommandSend}, Data: append([]byte{200, 1}, inner...)})
		if err != nil {
			t.Fatal(err)
		}
		if f := decodeOne(t, wire); !bytes.HasSuffix(f.Data, inner) {
			t.Errorf("%s: data %x", name, f.Data)
		}
	}
}

// Stretches without frames are one error each, frames with a wrong check sum too.
func TestErrorsAreCountedOnce(t *testing.T) {
	t.Parallel()
	good := unhex(t, confirmation)
	bad := bytes.Clone(good)
	bad[27] ^= 1
	for name, test := range map[string]struct {
		stream []byte
		frames int
		errs   int
		why    string
	}{
		"noise":           {slices.Concat([]byte("GET / HTTP/1.1\r\n"), good), 1, 1, "want the start marker"},
		"two check sums":  {slices.Concat(bad, bad, good), 1, 2, "check sum"},
		"noise and a sum": {slices.Concat([]byte("noise"), bad, []byte("noise"), good), 1, 3, "start marker"},
		"end marker lost": {slices.Concat(good[:28], good), 1, 1, "end marker"},
		"endless noise":   {bytes.Repeat([]byte{'@'}, 3*reportEvery+27), 0, 4, "application data of 16448 bytes"},
	} {
		frames, errs, _ := decodeAll(t, fresh(), test.stream)
		if len(frames) != test.frames || len(errs) != test.errs || !strings.Contains(errs[0].Error(), test.why) {
			t.Errorf("%s: %d frames, errors %v, want %d and %d", name, len(frames), errs, test.frames, test.errs)
		}
	}
}

func TestMaxData(t *testing.T) {
	t.Parallel()
	wire, err := AppendFrame(nil, &Frame{Data: make([]byte, 2000)})
	if err != nil {
		t.Fatal(err)
	}
	if frames, errs, _ := decodeAll(t, fresh(), wire); len(frames) != 0 || len(errs) == 0 {
		t.Errorf("%d frames of more than the standard allows", len(frames))
	}
	if frames, errs, _ := decodeAll(t, NewDecoder(Options{MaxData: 2000}), wire); len(frames) != 1 || len(errs) != 0 {
		t.Errorf("%d frames, %v, as configured", len(frames), errs)
	}
	for _, o := range []Options{{}, {MaxData: 1 << 16}} {
		if o.Validate() == nil {
			t.Errorf("%+v is valid", o)
		}
	}
	if err := DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
	if _, err := AppendFrame(nil, &Frame{Data: make([]byte, 1<<16)}); !errors.Is(err, ErrTooLong) {
		t.Errorf("65536 bytes of data: %v", err)
	}
}

func TestReplySwapsAddresses(t *testing.T) {
	t.Parallel()
	f := decodeOne(t, unhex(t, fire))
	now := Time{0x23, 0x3a, 0x09, 0x1a, 0x09, 0x0c}
	wire, err := AppendFrame(nil, &Frame{Header: f.Reply(CommandConfirm, now)})
	if err != nil || string(wire) != string(unhex(t, confirmation)) {
		t.Errorf("confirmation %x, %v, want %s", wire, err, confirmation)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"790300000000", "79:03:00:00:00:00", "79-03-00-00-00-00"} {
		if a, err := ParseAddress(text); err != nil || a.Uint() != 889 || a.String() != "790300000000" {
			t.Errorf("%s is %v, %v", text, a, err)
		}
	}
	for _, text := range []string{"", "889", "7903000000", "79030000000000", "79030000000g"} {
		if _, err := ParseAddress(text); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if a := NewAddress(1<<48 - 1); a.Uint() != 1<<48-1 {
		t.Errorf("the largest address is %d", a.Uint())
	}
	if a, err := ParsePartAddress("0a000200"); err != nil || a != NewPartAddress(10, 2) || a.Uint() != 0x0002000a {
		t.Errorf("part address %v, %v", a, err)
	}
	if _, err := ParsePartAddress("0a0002"); !errors.Is(err, ErrAddress) {
		t.Errorf("short part address: %v", err)
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	codectest.Allocs(t, 0, fresh(), unhex(t, fire))
	f := decodeOne(t, unhex(t, fire))
	var states PartStates
	if n := testing.AllocsPerRun(100, func() {
		if err := states.ParseUnit(f.Data); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("parsing part states allocates %.0f times, want never", n)
	}
	var buf []byte
	h := f.Reply(CommandSend, f.Time)
	if n := testing.AllocsPerRun(100, func() { buf, _ = AppendUnit(buf[:0], h, &states) }); n != 0 {
		t.Errorf("writing part states allocates %.0f times, want never", n)
	}
}

func TestDecoderIsSmall(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(decoder{}); size > 144 {
		t.Errorf("a decoder has %d bytes, want at most 144", size)
	}
}
