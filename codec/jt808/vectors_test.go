package jt808

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

// A vector is one case of the files in testdata: bytes, and what they mean.
type vector struct {
	Name    string                     `json:"name"`
	Version string                     `json:"version"`
	MsgID   string                     `json:"msg_id"` // of bodies
	Hex     string                     `json:"hex"`
	Chunks  []string                   `json:"chunks"` // of streams
	Frames  []string                   `json:"frames"` // of messages in packages
	Expect  map[string]json.RawMessage `json:"expect"`
}

// vectors reads testdata/name.json.
func vectors(tb testing.TB, name string) []vector {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(data, &all); err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	if len(all) == 0 {
		tb.Fatalf("%s: no vectors", name)
	}
	return all
}

// get reads the field of that name into into.
func (v *vector) get(tb testing.TB, field string, into any) {
	tb.Helper()
	raw, ok := v.Expect[field]
	if !ok {
		tb.Fatalf("%s: expect has no %s", v.Name, field)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		tb.Fatalf("%s: expect.%s: %v", v.Name, field, err)
	}
}

func (v *vector) has(field string) bool { _, ok := v.Expect[field]; return ok }

func unhex(tb testing.TB, digits string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		tb.Fatalf("%q: %v", digits, err)
	}
	return b
}

func parseID(tb testing.TB, s string) ID {
	tb.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 16)
	if err != nil {
		tb.Fatal(err)
	}
	return ID(n)
}

func parseVersion(s string) Version {
	switch s {
	case "2011":
		return V2011
	case "2019":
		return V2019
	}
	return V2013
}

// decodeAll feeds in to d and returns the frames and the errors of candidates.
func decodeAll(tb testing.TB, d codec.Decoder[*Frame], in []byte) (frames []*Frame, errs []error) {
	tb.Helper()
	for len(in) > 0 {
		f, n, err := d.Decode(in)
		if n < 0 || n > len(in) || n == 0 && err != codec.ErrIncomplete {
			tb.Fatalf("Decode took %d of %d bytes with %v", n, len(in), err)
		}
		in = in[n:]
		switch {
		case err == codec.ErrIncomplete:
			return frames, errs
		case err != nil:
			errs = append(errs, err)
		default:
			frames = append(frames, f.Clone())
		}
	}
	return frames, errs
}

// decodeOne is the one frame that in is.
func decodeOne(tb testing.TB, in []byte) *Frame {
	tb.Helper()
	frames, errs := decodeAll(tb, NewDecoder(DefaultOptions()), in)
	if len(frames) != 1 || len(errs) != 0 {
		tb.Fatalf("%d frames and errors %v, want one frame and none", len(frames), errs)
	}
	return frames[0]
}
