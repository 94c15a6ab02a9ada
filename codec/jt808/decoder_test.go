package jt808

import (
	"bytes"
	"encoding/hex"
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

// heartbeat is a good frame to come behind damage.
const heartbeat = "7e000200000144199999990007c07e"

func TestStreamVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "jt808_stream") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			var want []string
			v.get(t, "valid_frames", &want)
			var candidates []struct {
				OK    bool   `json:"ok"`
				Error string `json:"error"`
			}
			v.get(t, "candidates", &candidates)
			damaged := 0
			for _, c := range candidates {
				if !c.OK && c.Error != "short_body" { // a body is not the decoder's business
					damaged++
				} else if !c.OK {
					want = append(want, "short body") // but the frame counts
				}
			}
			d, kept := fresh(), []byte(nil)
			var got []*Frame
			errs := 0
			for _, chunk := range v.Chunks {
				kept = append(kept, unhex(t, chunk)...)
				for len(kept) > 0 {
					f, n, err := d.Decode(kept)
					kept = kept[n:]
					if err == codec.ErrIncomplete {
						break
					}
					var damage *codec.FrameError
					if errors.As(err, &damage) {
						errs++
					} else {
						got = append(got, f.Clone())
					}
				}
			}
			if len(got) != len(want) || errs != damaged {
				t.Fatalf("%d frames and %d errors, want %d and %d", len(got), errs, len(want), damaged)
			}
			for i, f := range got {
				if want[i] == "short body" {
					continue
				}
				again, err := AppendFrame(nil, f)
				if err != nil || hex.EncodeToString(again) != want[i] {
					t.Errorf("frame %d: %x, %v, want %s", i, again, err, want[i])
				}
			}
			// What is pending is a delimiter that may open a frame, and what came since.
			var pending string
			v.get(t, "pending_hex", &pending)
			if open := d.(*decoder).open; open != (pending != "") {
				t.Errorf("open is %v with %q pending", open, pending)
			}
			if rest := strings.TrimLeft(pending, "7e"); strings.HasPrefix(pending, "7e") && rest != "" && hex.EncodeToString(kept) != pending[2:] {
				t.Errorf("kept %x, want %s behind its delimiter", kept, pending)
			}
		})
	}
}

func TestEscapeVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "jt808_escape") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			wire := unhex(t, v.Hex)
			var digits string
			v.get(t, "unescaped_hex", &digits)
			want := unhex(t, digits)
			got, bad := appendUnescaped(nil, wire[1:len(wire)-1])
			if bad >= 0 || !bytes.Equal(got, want) {
				t.Errorf("unescaped %x, bad at %d, want %x", got, bad, want)
			}
			if again := escapeTail(append([]byte{delimiter}, want...), 1); !bytes.Equal(append(again, delimiter), wire) {
				t.Errorf("escaped again %x7e, want %x", again, wire)
			}
		})
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	var frames [][]byte
	versions := map[Version]int{}
	for _, v := range vectors(t, "jt808") {
		f, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		if d := decodeOneOrNil(f); d != nil && len(f) < 70 && versions[d.Version] < 3 {
			if again, err := AppendFrame(nil, d); err == nil && bytes.Equal(again, f) {
				versions[d.Version]++
				frames = append(frames, f)
			}
		}
	}
	frames = append(frames, unhex(t, "7e000200000138001380007d017d02ab7e"))
	const most = 256
	codectest.Suite[*Frame]{
		New: func() codec.Decoder[*Frame] {
			o := DefaultOptions()
			o.MaxFrame = most
			return NewDecoder(o)
		},
		Encoder:    codec.AppendFunc[*Frame](AppendFrame),
		Frames:     frames,
		Garbage:    [][]byte{{delimiter}, bytes.Repeat([]byte{delimiter}, 9)},
		MaxFrame:   most,
		Endless:    [][]byte{{delimiter, 2}, append([]byte{delimiter}, bytes.Repeat([]byte{escape, 1}, most/2)...)},
		SameErrors: true,
	}.Run(t)
}

func decodeOneOrNil(wire []byte) *Frame {
	f, n, err := fresh().Decode(wire)
	if err != nil || n != len(wire) {
		return nil
	}
	return f
}

func TestNoiseBetweenFramesCostsNoFrame(t *testing.T) {
	t.Parallel()
	good := unhex(t, heartbeat)
	for name, noise := range map[string][]byte{
		"text":         []byte("hello\r\n"),
		"idle fill":    bytes.Repeat([]byte{delimiter}, 50),
		"lone escape":  {escape},
		"half a frame": good[1:9],
		"too much":     bytes.Repeat([]byte{0}, 3*defaultMaxFrame),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			frames, _ := decodeAll(t, fresh(), slices.Concat(noise, good, noise, good))
			if len(frames) != 2 {
				t.Errorf("%d frames, want 2", len(frames))
			}
		})
	}
}

func TestOversize(t *testing.T) {
	t.Parallel()
	o := DefaultOptions()
	o.MaxFrame = 100
	for _, size := range []int{100, 101, 150, 1000} {
		stream := slices.Concat([]byte{delimiter}, bytes.Repeat([]byte{1}, size), []byte{delimiter}, unhex(t, heartbeat))
		for _, read := range []int{1, 7, 99, 100, 101, 102, 5000} {
			t.Run(fmt.Sprintf("%d in reads of %d", size, read), func(t *testing.T) {
				t.Parallel()
				d, kept, frames := NewDecoder(o), []byte(nil), 0
				var errs []error
				for part := range slices.Chunk(stream, read) {
					kept = append(kept, part...)
					for {
						_, n, err := d.Decode(kept)
						kept = kept[n:]
						if err == codec.ErrIncomplete {
							break
						}
						if err != nil {
							errs = append(errs, err)
							continue
						}
						frames++
					}
					if len(kept) > o.MaxFrame {
						t.Fatalf("%d bytes are kept waiting", len(kept))
					}
				}
				if frames != 1 || len(errs) != 1 {
					t.Fatalf("%d frames and errors %v, want one of each", frames, errs)
				}
				long := strings.Contains(errs[0].Error(), "longer than 100")
				if long != (size > 100) {
					t.Errorf("size %d: %v", size, errs[0])
				}
			})
		}
	}
}

// TestTrickle wants that bytes which arrive one by one are looked at once each:
// the input below what was looked at is changed into delimiters, which a decoder
// that searches again would find.
func TestTrickle(t *testing.T) {
	t.Parallel()
	d := fresh()
	kept := []byte{}
	for i, b := range append([]byte{delimiter}, bytes.Repeat([]byte{0x11}, 3000)...) {
		kept = append(kept, b)
		_, n, err := d.Decode(kept)
		if err != codec.ErrIncomplete {
			t.Fatalf("byte %d: %v", i, err)
		}
		kept = kept[n:]
		for j := range kept {
			kept[j] = delimiter
		}
	}
	if len(kept) != 3000 {
		t.Errorf("%d bytes are kept, want 3000", len(kept))
	}
}

func TestEncrypted(t *testing.T) {
	t.Parallel()
	wire, err := AppendFrame(nil, &Frame{
		Header: Header{ID: IDLocation, Version: V2013, Phone: phone(t, "13800138000", V2013), Serial: 9, Encryption: 1},
		Body:   []byte("cannot be read"),
	})
	if err != nil {
		t.Fatal(err)
	}
	frames, errs := decodeAll(t, fresh(), append(wire, unhex(t, heartbeat)...))
	var refused *EncryptedError
	if len(frames) != 1 || len(errs) != 1 || !errors.As(errs[0], &refused) {
		t.Fatalf("%d frames, errors %v, want one *EncryptedError and the frame behind it", len(frames), errs)
	}
	if refused.Header.ID != IDLocation || refused.Header.Encryption != 1 || refused.Header.Serial != 9 {
		t.Errorf("header %+v", refused.Header)
	}
	if text := refused.Error(); !strings.Contains(text, "0x0200 is encrypted (method 1)") {
		t.Errorf("error %q", text)
	}
	o := DefaultOptions()
	o.AllowEncrypted = true
	if frames, errs = decodeAll(t, NewDecoder(o), wire); len(frames) != 1 || string(frames[0].Body) != "cannot be read" {
		t.Errorf("%d frames, errors %v with AllowEncrypted", len(frames), errs)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	bare := unhex(t, "7e0002000000000000067900007d7e")
	if frames, errs := decodeAll(t, NewDecoder(Options{}), bare); len(frames) != 0 || len(errs) != 1 {
		t.Errorf("bare check byte without BareChecksum: %d frames, errors %v", len(frames), errs)
	}
	if frames, _ := decodeAll(t, NewDecoder(Options{BareChecksum: true}), bare); len(frames) != 1 {
		t.Error("bare check byte with BareChecksum: no frame")
	}
	wrong := unhex(t, "7e000200000144199999990007c17e")
	if frames, errs := decodeAll(t, fresh(), wrong); len(frames) != 0 || len(errs) != 1 {
		t.Errorf("wrong check byte: %d frames, errors %v", len(frames), errs)
	}
	if frames, _ := decodeAll(t, NewDecoder(Options{IgnoreChecksum: true}), wrong); len(frames) != 1 {
		t.Error("wrong check byte with IgnoreChecksum: no frame")
	}
	for _, v := range vectors(t, "jt808_negative") {
		problem, category := "", ""
		v.get(t, "category", &category)
		v.get(t, "error", &problem)
		if problem != "body_length_mismatch" || v.has("recoverable_as") {
			continue
		}
		frames, errs := decodeAll(t, NewDecoder(Options{AnyLength: true}), unhex(t, v.Hex))
		if len(frames) != 1 {
			t.Errorf("%s with AnyLength: errors %v", v.Name, errs)
		}
	}
	for _, short := range []string{"7e0200600d01012345678901234567890005ff7e", "7e0200200d010123456789000500007e"} { // no room for the header
		if frames, errs := decodeAll(t, NewDecoder(Options{AnyLength: true, IgnoreChecksum: true}), unhex(t, short)); len(frames) != 0 || len(errs) != 1 {
			t.Errorf("%s: %d frames, errors %v", short, len(frames), errs)
		}
	}
	if err := DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
	if err := (Options{MaxFrame: 5}).Validate(); err == nil || !strings.Contains(err.Error(), "maxFrame: 5") {
		t.Errorf("maxFrame 5: %v", err)
	}
}

func phone(tb testing.TB, digits string, v Version) Phone {
	tb.Helper()
	p, err := ParsePhone(digits, v)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// TestIdleMemory wants that a decoder keeps little between frames, whatever it
// has decoded before.
func TestIdleMemory(t *testing.T) {
	t.Parallel()
	h := Header{Version: V2013, Phone: phone(t, "13800138000", V2013), ID: IDPassthrough}
	small, err := AppendFrame(longFrame(t), &Frame{Header: h, Body: make([]byte, smallFrame-minFrame)})
	if err != nil {
		t.Fatal(err)
	}
	d := NewDecoder(DefaultOptions()).(*decoder) //nolint:forcetypeassert // it is what NewDecoder makes
	if d.small == nil || cap(d.small) != len(d.first) {
		t.Error("a new decoder has no room in itself")
	}
	if frames, errs := decodeAll(t, d, append(small, unhex(t, heartbeat)...)); len(frames) != 3 || len(errs) != 0 || len(frames[0].Body) != MaxBody {
		t.Fatalf("%d frames, errors %v", len(frames), errs)
	}
	if d.large != nil {
		t.Error("the buffer of the long frame is kept")
	}
	if held := int(unsafe.Sizeof(*d)) + cap(d.small); held > 512 {
		t.Errorf("%d bytes are held", held)
	}
}

func TestDecodeAllocs(t *testing.T) {
	codectest.Allocs(t, 0, fresh(), slices.Concat(unhex(t, locationFrame), unhex(t, heartbeat), unhex(t, locationFrame)))
}
