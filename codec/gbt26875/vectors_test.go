package gbt26875

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

// A vector is one case of the files in testdata: bytes, and what they mean.
type vector struct {
	Name   string   `json:"name"`
	Hex    string   `json:"hex"`
	Chunks []string `json:"chunks"` // of streams
	Expect struct {
		Serial      uint16   `json:"serial"`
		VersionMain uint8    `json:"ver_major"`
		VersionUser uint8    `json:"ver_user"`
		Time        label    `json:"time"`
		Source      address  `json:"src"`
		Destination address  `json:"dst"`
		Length      int      `json:"data_len"`
		Command     uint8    `json:"cmd"`
		App         *data    `json:"app"`
		Frames      []string `json:"frames"`
		Error       string   `json:"error"`
	} `json:"expect"`
}

type label struct {
	Raw   string `json:"raw"`
	Local string `json:"local"`
}

type address struct {
	Raw  string `json:"raw"`
	Uint uint64 `json:"uint"`
}

type data struct {
	Type    uint8            `json:"type"`
	Count   int              `json:"count"`
	Objects []map[string]any `json:"objects"`
}

// vectors reads testdata/name.json.
func vectors(tb testing.TB, name string) []vector {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(text, &all); err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	if len(all) == 0 {
		tb.Fatalf("%s: no vectors", name)
	}
	return all
}

func unhex(tb testing.TB, digits string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		tb.Fatalf("%q: %v", digits, err)
	}
	return b
}

// decodeAll feeds in to d and returns the frames and the errors.
func decodeAll(tb testing.TB, d codec.Decoder[*Frame], in []byte) (frames []*Frame, errs []error, rest []byte) {
	tb.Helper()
	for len(in) > 0 {
		f, n, err := d.Decode(in)
		if n < 0 || n > len(in) || n == 0 && err != codec.ErrIncomplete {
			tb.Fatalf("Decode took %d of %d bytes with %v", n, len(in), err)
		}
		in = in[n:]
		switch {
		case err == codec.ErrIncomplete:
			return frames, errs, in
		case err != nil:
			errs = append(errs, err)
		default:
			frames = append(frames, f.Clone())
		}
	}
	return frames, errs, nil
}

// decodeOne is the one frame that in is.
func decodeOne(tb testing.TB, in []byte) *Frame {
	tb.Helper()
	frames, errs, rest := decodeAll(tb, fresh(), in)
	if len(frames) != 1 || len(errs) != 0 || len(rest) != 0 {
		tb.Fatalf("%d frames, errors %v and %x left of %x, want one frame", len(frames), errs, rest, in)
	}
	return frames[0]
}

// Frames that others have published mean what they say, and are written again as
// they were.
func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "frames") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			wire, want := unhex(t, v.Hex), &v.Expect
			f := decodeOne(t, wire)
			if f.Serial != want.Serial || f.Version != (Version{want.VersionMain, want.VersionUser}) || f.Command != Command(want.Command) || len(f.Data) != want.Length {
				t.Errorf("frame %+v, want %+v", f.Header, want)
			}
			if f.Source.String() != want.Source.Raw || f.Source.Uint() != want.Source.Uint || f.Source != NewAddress(want.Source.Uint) ||
				f.Destination.String() != want.Destination.Raw || f.Destination.Uint() != want.Destination.Uint {
				t.Errorf("from %v (%d) to %v, want %v to %v", f.Source, f.Source.Uint(), f.Destination, want.Source, want.Destination)
			}
			sameTime(t, "header", f.Time, want.Time)
			if again, err := AppendFrame(nil, f); err != nil || string(again) != string(wire) {
				t.Errorf("written again %x, %v, want %x", again, err, wire)
			}
			if want.App == nil {
				return
			}
			u, err := f.Parse()
			if err != nil || u.Type() != Type(want.App.Type) {
				t.Fatalf("unit of type %v, %v", u, err)
			}
			compare(t, u, want.App.Objects)
			if again, err := AppendUnit(nil, f.Header, u); err != nil || string(again) != string(wire) {
				t.Errorf("unit written again %x, %v, want %x", again, err, wire)
			}
			if down := u.Type().Command(); down != 0 && down != f.Command {
				t.Errorf("type %v goes with command %v, want %v", u.Type(), down, f.Command)
			}
		})
	}
}

func sameTime(t *testing.T, what string, got Time, want label) {
	t.Helper()
	if hex.EncodeToString(got[:]) != want.Raw || strings.Replace(got.String(), " ", "T", 1) != want.Local {
		t.Errorf("%s: time %x is %v, want %+v", what, got[:], got, want)
	}
}

// compare wants the objects of u to be what a vector says.
func compare(t *testing.T, u Unit, want []map[string]any) {
	t.Helper()
	var got []map[string]any
	switch u := u.(type) {
	case *PartStates:
		for _, o := range u.Objects {
			zone, point := o.Address.Words()
			got = append(got, map[string]any{
				"sys_type": o.System.Type, "sys_addr": o.System.Address, "part_type": o.Type, "part_addr_raw": o.Address.String(),
				"part_addr": o.Address.Uint(), "zone": zone, "point": point, "status": uint16(o.State), "desc": o.Description.String(),
				"desc_raw": hex.EncodeToString(o.Description[:]), "time": o.Time,
			})
		}
	case *DeviceStates:
		for _, o := range u.Objects {
			got = append(got, map[string]any{"status": uint8(o.State), "time": o.Time})
		}
	case *DeviceOperations:
		for _, o := range u.Objects {
			got = append(got, map[string]any{"op": uint8(o.Operation), "operator": o.Operator, "time": o.Time})
		}
	case *DeviceSoftwares:
		for _, o := range u.Objects {
			got = append(got, map[string]any{"major": o.Major, "minor": o.Minor})
		}
	case *DeviceTimes:
		for _, o := range u.Objects {
			got = append(got, map[string]any{"time": o.Time})
		}
	case *ReadDevice:
		for _, o := range u.Objects {
			got = append(got, map[string]any{"reserved": o.Value})
		}
	case *SetClock:
		for _, o := range u.Objects {
			got = append(got, map[string]any{"time": o.Time})
		}
	case *CheckPost:
		for _, o := range u.Objects {
			got = append(got, map[string]any{"timeout_min": o.Minutes})
		}
	default:
		t.Fatalf("no vector is expected to be %T", u)
	}
	if len(got) != len(want) {
		t.Fatalf("%d objects, want %d", len(got), len(want))
	}
	for i := range want {
		compareObject(t, got[i], want[i])
	}
}

func compareObject(t *testing.T, got, want map[string]any) {
	t.Helper()
	for name, w := range want {
		g := got[name]
		if at, ok := g.(Time); ok {
			var l label
			text, _ := json.Marshal(w)
			if err := json.Unmarshal(text, &l); err != nil {
				t.Fatal(err)
			}
			sameTime(t, name, at, l)
			continue
		}
		if number, ok := w.(float64); ok {
			if text, _ := json.Marshal(number); string(text) != jsonNumber(g) {
				t.Errorf("%s is %v, want %v", name, g, w)
			}
			continue
		}
		if g != w {
			t.Errorf("%s is %v, want %v", name, g, w)
		}
	}
}

// jsonNumber is a number of any type, without the name it may have.
func jsonNumber(n any) string {
	switch n := n.(type) {
	case SystemType:
		n2, _ := json.Marshal(uint8(n))
		return string(n2)
	case PartType:
		n2, _ := json.Marshal(uint8(n))
		return string(n2)
	default:
		text, _ := json.Marshal(n)
		return string(text)
	}
}

func TestStreamVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "streams") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			d := fresh()
			var kept []byte
			var got []string
			for _, chunk := range v.Chunks {
				kept = append(kept, unhex(t, chunk)...)
				frames, _, rest := decodeAll(t, d, kept)
				kept = rest
				for _, f := range frames {
					again, err := AppendFrame(nil, f)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, hex.EncodeToString(again))
				}
			}
			if strings.Join(got, "\n") != strings.Join(v.Expect.Frames, "\n") {
				t.Errorf("frames\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(v.Expect.Frames, "\n "))
			}
		})
	}
}

func TestNegativeVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "negative") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			wire := unhex(t, v.Hex)
			frames, errs, _ := decodeAll(t, fresh(), wire)
			switch v.Expect.Error {
			case "bad_checksum":
				if len(frames) != 0 || len(errs) != 1 || !strings.Contains(errs[0].Error(), "check sum 0x30, want 0x32") {
					t.Errorf("%d frames, errors %v", len(frames), errs)
				}
				lax, laxErrs, _ := decodeAll(t, NewDecoder(Options{IgnoreChecksum: true}), wire)
				if len(lax) != 1 || len(laxErrs) != 0 || lax[0].Damaged || lax[0].Command != CommandConfirm || string(lax[0].Data) != "\x17" {
					t.Errorf("without check sums %+v, errors %v", lax, laxErrs)
				}
				marked, markedErrs, _ := decodeAll(t, NewDecoder(Options{Damaged: true}), wire)
				if len(marked) != 1 || len(markedErrs) != 0 || !marked[0].Damaged {
					t.Errorf("marked %+v, errors %v", marked, markedErrs)
				}
			case "length_over_1024":
				if len(frames) != 0 || len(errs) != 1 {
					t.Errorf("%d frames, errors %v", len(frames), errs)
				}
			case "short_object":
				if len(frames) != 1 || len(errs) != 0 {
					t.Fatalf("%d frames, errors %v", len(frames), errs)
				}
				u, err := frames[0].Parse()
				var count *CountError
				if s, ok := u.(*PartStates); !ok || len(s.Objects) != 1 || !asCount(err, &count) || count.Have != 1 || count.Count != 2 {
					t.Errorf("unit %+v, error %v: want what there is of it", u, err)
				}
			default:
				t.Fatalf("nobody knows what %q is", v.Expect.Error)
			}
		})
	}
}
