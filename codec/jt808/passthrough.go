package jt808

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
)

// PassthroughType is what transparent data is (JT/T 808); 0xF0 to
// 0xFF are the users'.
type PassthroughType uint8

// The kinds of transparent data.
const (
	PassthroughGNSS    PassthroughType = 0x00 // details of the GNSS module
	PassthroughICCard  PassthroughType = 0x0B // road transport IC card: 64 bytes up, 24 bytes down
	PassthroughSerial1 PassthroughType = 0x41 // serial port 1, Modbus RTU for example
	PassthroughSerial2 PassthroughType = 0x42 // serial port 2
	PassthroughUser    PassthroughType = 0xF0 // the first of the users' own
)

// Passthrough is message 0x0900, data that the terminal passes on (JT/T 808). The platform answers with 0x8001.
//
// The counts that the draft of 2011 has before the data cannot be told from data:
// they stay in it.
type Passthrough struct {
	Type PassthroughType `json:"type"`     // what the data is
	Data Hex             `json:"data_hex"` // as it came
}

// ID is 0x0900.
func (*Passthrough) ID() ID { return IDPassthrough }

// AppendBody appends the type and the data.
func (b *Passthrough) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return append(append(dst, byte(b.Type)), b.Data...), nil
}

// ParseBody reads the type and the data; it wants one byte.
func (b *Passthrough) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = Passthrough{Type: PassthroughType(r.u8()), Data: r.bytesRest()}
	return r.err()
}

// PlatformPassthrough is message 0x8900, data that the terminal is to pass on
// (JT/T 808). The terminal answers with 0x0001.
type PlatformPassthrough struct {
	Type PassthroughType `json:"type"`     // where the data goes
	Data Hex             `json:"data_hex"` // as it goes
}

// ID is 0x8900.
func (*PlatformPassthrough) ID() ID { return IDPlatformPassthrough }

// AppendBody appends the type and the data.
func (b *PlatformPassthrough) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return append(append(dst, byte(b.Type)), b.Data...), nil
}

// ParseBody reads the type and the data; it wants one byte.
func (b *PlatformPassthrough) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = PlatformPassthrough{Type: PassthroughType(r.u8()), Data: r.bytesRest()}
	return r.err()
}

// Compressed is message 0x0901, gzipped data (JT/T 808). What is in it
// is agreed between terminal and platform. The platform answers with 0x8001.
type Compressed struct {
	Data Hex `json:"data_hex"`       // gzip
	Tail Hex `json:"tail,omitempty"` // bytes behind the data
}

// ID is 0x0901.
func (*Compressed) ID() ID { return IDCompressed }

// AppendBody appends the data with its length.
func (b *Compressed) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.count32(len(b.Data), "compressed data")
	w.bytes(b.Data)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the data; all of it has to be there. It is not decompressed:
// see [Compressed.Decompress].
func (b *Compressed) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = Compressed{Data: r.clone(int(r.u32())), Tail: r.tail()}
	return r.err()
}

// Decompress is the data decompressed. More than most bytes of it fail with
// [ErrTooLong]: a few bytes can decompress to gigabytes.
func (b *Compressed) Decompress(most int) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b.Data))
	if err != nil {
		return nil, fmt.Errorf("jt808: compressed data: %w", err)
	}
	z.Multistream(false) // what follows is padding
	data, err := io.ReadAll(io.LimitReader(z, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("jt808: compressed data: %w", err)
	}
	if len(data) > most {
		return nil, fmt.Errorf("%w: decompressed data: more than %d bytes", ErrTooLong, most)
	}
	return data, nil
}
