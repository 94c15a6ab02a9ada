package segment

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"

	"go.uber.org/zap"
)

// The cursor is a file that says which records are finished. All numbers are
// little endian.
//
//	0  magic     "LSCURSOR"
//	8  version   16 bits
//	10 zero      16 bits
//	12 last      32 bits, the highest number of a segment so far
//	16 segments  32 bits; for each of them:
//	     number 32 bits, salt 16 bytes, base 32 bits, words 32 bits, and so many words of 64 bits:
//	     the indexes below 64*base are finished, of those behind a bit says it
//	   CRC-32C of all that
const (
	cursorMagic   = "LSCURSOR"
	cursorVersion = 1
	cursorHeader  = 20
	cursorEntry   = 28
	maxCursor     = 1 << 30
)

var errBadCursor = errors.New("the cursor is damaged")

// encodeCursor is what is finished now.
func (l *Log) encodeCursor() []byte {
	le := binary.LittleEndian
	l.state.Lock()
	defer l.state.Unlock()
	size := cursorHeader + 4
	for _, s := range l.segments {
		size += cursorEntry + 8*len(s.done.words)
	}
	b := make([]byte, 0, size)
	b = append(b, cursorMagic...)
	b = le.AppendUint16(b, cursorVersion)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint32(b, l.last)
	b = le.AppendUint32(b, uint32(len(l.segments))) //nolint:gosec // bounded by maxBytes
	for _, s := range l.segments {
		b = le.AppendUint32(b, s.number)
		b = append(b, s.head.salt[:]...)
		b = le.AppendUint32(b, s.done.base)
		b = le.AppendUint32(b, uint32(len(s.done.words))) //nolint:gosec // bounded by the segment's size
		for _, w := range s.done.words {
			b = le.AppendUint64(b, w)
		}
	}
	return le.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// finishedIn is what a cursor says of one segment.
type finishedIn struct {
	salt  [16]byte
	base  uint32
	words []uint64
}

// cursor is what was finished when it was written.
type cursor struct {
	last     uint32
	segments map[uint32]finishedIn
}

func decodeCursor(b []byte) (cursor, error) {
	le := binary.LittleEndian
	c := cursor{segments: map[uint32]finishedIn{}}
	if len(b) < cursorHeader+4 || string(b[:8]) != cursorMagic || crc32.Checksum(b[:len(b)-4], castagnoli) != le.Uint32(b[len(b)-4:]) {
		return c, errBadCursor
	}
	if le.Uint16(b[8:]) > cursorVersion {
		return c, ErrVersion
	}
	c.last = le.Uint32(b[12:])
	n := le.Uint32(b[16:])
	b = b[cursorHeader : len(b)-4]
	for ; n > 0; n-- {
		if len(b) < cursorEntry {
			return c, errBadCursor
		}
		f := finishedIn{base: le.Uint32(b[20:])}
		number, words := le.Uint32(b), int64(le.Uint32(b[24:]))
		copy(f.salt[:], b[4:])
		if b = b[cursorEntry:]; int64(len(b)) < words*8 {
			return c, errBadCursor
		}
		for ; words > 0; words-- {
			f.words = append(f.words, le.Uint64(b))
			b = b[8:]
		}
		c.segments[number] = f
	}
	return c, nil
}

// loadCursor reads what was finished; nothing when there is no cursor that can
// be read, which is logged.
func loadCursor(d *disk, dir string, files []entry, logger *zap.Logger) (cursor, error) {
	if !slices.ContainsFunc(files, func(e entry) bool { return e.name == cursorName }) {
		return cursor{}, nil
	}
	b, err := d.readAll(dir, cursorName, maxCursor)
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		var c cursor
		if c, err = decodeCursor(b); err == nil || errors.Is(err, ErrVersion) {
			return c, err
		}
	}
	logger.Error("queue: what was finished cannot be read; records may come again", zap.String("path", cursorName), zap.NamedError("err", err))
	return cursor{}, nil
}
