package jt808

import (
	"fmt"

	"github.com/linkspan/linkspan/codec"
)

// shifted is err with the place it tells of counted from by bytes further ahead.
func shifted(err error, by int) error {
	switch e := err.(type) { //nolint:errorlint // parsers return these two bare
	case *ShortBodyError:
		return &ShortBodyError{Offset: e.Offset + by, Want: e.Want, Have: e.Have}
	case *codec.FrameError:
		return &codec.FrameError{Offset: e.Offset + by, Reason: e.Reason}
	}
	return err
}

// BatchKind tells why location reports come together.
type BatchKind uint8

// Kinds of batches.
const (
	BatchNormal  BatchKind = 0 // reported together as configured
	BatchBacklog BatchKind = 1 // collected while there was no network
)

// String is "normal", "backlog" or "unknown".
func (k BatchKind) String() string {
	switch k {
	case BatchNormal:
		return "normal"
	case BatchBacklog:
		return "backlog"
	}
	return "unknown"
}

// Batch is location reports in a batch, message 0x0704 (JT/T 808-2013 8.49,
// JT/T 808-2019 8.46).
//
//	0 WORD   number of reports
//	2 BYTE   kind
//	3        reports: {length WORD, body of a location report}
//
// Reading goes to the end of the body, whatever number is sent in front.
type Batch struct {
	Kind      BatchKind  `json:"type"`
	Locations []Location `json:"items"`
}

// ID is 0x0704.
func (b *Batch) ID() ID { return IDBatch }

// AppendBody implements [Body].
func (b *Batch) AppendBody(dst []byte, v Version) ([]byte, error) {
	w := newWriter(dst)
	w.count16(len(b.Locations), "locations")
	w.u8(uint8(b.Kind))
	for i := range b.Locations {
		at := len(w.buf)
		w.u16(0)
		w.body(&b.Locations[i], v)
		n := w.limit(len(w.buf)-at-2, 0xFFFF, "location")
		w.buf[at], w.buf[at+1] = byte(n>>8), byte(n)
	}
	return w.done()
}

// ParseBody implements [Body]. It reuses the Locations that b has, and what
// these have allocated. Items without a byte are skipped. With an error b has
// the reports before the damage, and they are good: whoever sends a backlog may do so only once.
// The error tells how many they are.
func (b *Batch) ParseBody(body []byte, v Version) error {
	in := newReader(body)
	_ = in.u16() // the number is not to be trusted
	b.Kind = BatchKind(in.u8())
	b.Locations = b.Locations[:0]
	if in.err() != nil {
		return in.err()
	}
	for in.len() > 0 {
		n := int(in.u16())
		at := in.off
		item := in.take(n)
		if in.err() != nil {
			return fmt.Errorf("behind %d whole locations: %w", len(b.Locations), in.err())
		}
		if n == 0 {
			continue
		}
		if err := b.next().ParseBody(item, v); err != nil {
			last := len(b.Locations) - 1
			b.Locations = b.Locations[:last]
			return fmt.Errorf("behind %d whole locations: %w", last, shifted(err, at))
		}
	}
	return nil
}

// next makes room for one more location, one that was used before if there is any.
func (b *Batch) next() *Location {
	n := len(b.Locations)
	if n < cap(b.Locations) {
		b.Locations = b.Locations[:n+1]
	} else {
		b.Locations = append(b.Locations, Location{})
	}
	return &b.Locations[n]
}
