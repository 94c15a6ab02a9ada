package modbus

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

// A vector is one case of the files in testdata: bytes, and what they mean.
type vector struct {
	Name      string `json:"name"`
	Proto     string `json:"proto"`
	Direction string `json:"direction"`
	Hex       string `json:"hex"`
	Type      string `json:"type"`
	Order     string `json:"order"`
	Unit      *uint8 `json:"unit_filter"`
	Expect    expect `json:"expect"`
}

// expect is what all the kinds of vectors say, of which each has some.
type expect struct {
	Error          string   `json:"error"`
	CRC            *uint16  `json:"crc_value"`
	Wire           string   `json:"wire"`
	Kind           string   `json:"kind"`
	Transaction    uint16   `json:"transaction"`
	Unit           uint8    `json:"unit"`
	Function       uint8    `json:"fc"`
	Request        uint8    `json:"request_fc"`
	Exception      uint8    `json:"exception"`
	Name           string   `json:"exception_name"`
	Address        uint16   `json:"address"`
	Quantity       uint16   `json:"quantity"`
	Raw            *uint16  `json:"raw"`
	ReadAddress    uint16   `json:"read_address"`
	ReadQuantity   uint16   `json:"read_quantity"`
	WriteAddress   uint16   `json:"write_address"`
	WriteQuantity  uint16   `json:"write_quantity"`
	And            uint16   `json:"and_mask"`
	Or             uint16   `json:"or_mask"`
	Registers      []uint16 `json:"registers"`
	Bits           []int    `json:"bits"`
	Data           *string  `json:"data"`
	MEI            uint8    `json:"mei"`
	ReadCode       uint8    `json:"read_code"`
	ObjectID       uint8    `json:"object_id"`
	Conformity     uint8    `json:"conformity"`
	More           uint8    `json:"more_follows"`
	Next           uint8    `json:"next_object"`
	Count          uint8    `json:"count"`
	Objects        []object `json:"objects"`
	Frames         []string `json:"frames"`
	Skipped        int      `json:"skipped"`
	ResponseLength int      `json:"response_length"`
	Current        uint16   `json:"current"`
	Result         uint16   `json:"result"`

	AnyValue any `json:"value"`
}

type object struct {
	ID    uint8  `json:"id"`
	Value string `json:"value"`
}

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

// ofProto runs test for each vector of that proto, at least want of them.
func ofProto(t *testing.T, proto string, want int, test func(*testing.T, vector)) {
	t.Helper()
	n := 0
	for _, v := range vectors(t, "modbus") {
		if v.Proto == proto {
			n++
			t.Run(v.Name, func(t *testing.T) { t.Parallel(); test(t, v) })
		}
	}
	if n < want {
		t.Errorf("%d vectors of %s, want %d", n, proto, want)
	}
}

func unhex(tb testing.TB, digits string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		tb.Fatalf("%q: %v", digits, err)
	}
	return b
}

// decodeAll is the frames and the errors in a stream.
func decodeAll(tb testing.TB, d codec.Decoder[*Frame], in []byte) (frames []Frame, errs []error, rest []byte) {
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
			keep := *f
			keep.PDU = append([]byte(nil), f.PDU...)
			frames = append(frames, keep)
		}
	}
	return frames, errs, nil
}
