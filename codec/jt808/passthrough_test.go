package jt808

import (
	"bytes"
	"compress/gzip"
	"errors"
	"testing"
)

func TestDecompress(t *testing.T) {
	t.Parallel()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b := &Compressed{Data: z.Bytes()}
	if data, err := b.Decompress(1 << 20); err != nil || len(data) != 1<<20 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if data, err := b.Decompress(1<<20 - 1); !errors.Is(err, ErrTooLong) || data != nil {
		t.Errorf("%d bytes, %v, want ErrTooLong", len(data), err)
	}
	padded := &Compressed{Data: append(bytes.Clone(b.Data), 0, 0, 0)}
	if data, err := padded.Decompress(1 << 20); err != nil || len(data) != 1<<20 {
		t.Errorf("padded: %d bytes, %v", len(data), err)
	}
	b.Data = b.Data[:len(b.Data)-1]
	if _, err := b.Decompress(1 << 20); err == nil || errors.Is(err, ErrTooLong) {
		t.Errorf("cut data: %v", err)
	}
	if _, err := (&Compressed{Data: Hex("plain")}).Decompress(10); err == nil {
		t.Error("plain data: no error")
	}
}

func TestLengthsBeyondTheBody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		id  ID
		hex string
	}{
		{IDCompressed, "ffffffff" + "00"},
		{IDCompressed, "00000002" + "00"},
		{IDWaybill, "80000000" + "00"},
		{IDUpgrade, "00" + "0000000000" + "00" + "7fffffff" + "00"},
		{IDSetPolygon, "00000001" + "0000" + "ffff" + "00000000"},
		{IDSetRoute, "00000001" + "0000" + "ffff" + "00000000"},
	} {
		if b, err := ParseBody(tt.id, V2013, unhex(t, tt.hex)); !errors.Is(err, ErrShortBody) || b != nil {
			t.Errorf("%v %s: %v, want ErrShortBody", tt.id, tt.hex, err)
		}
	}
}
