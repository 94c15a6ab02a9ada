package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// A segment is one file: a header, a second copy of it on another page of the
// disk, and records one behind the other. All numbers are little endian.
//
//	 0  magic       "LINKSPAN"
//	 8  version     16 bits
//	10  kind        16 bits: 1 encrypted, 2 compacted
//	12  number      32 bits, that of the file's name
//	16  created     64 bits, Unix milliseconds
//	24  salt        16 random bytes
//	40  key         8 bytes, which key it is encrypted with
//	48  before      what the segment before this one really holds: its number (32 bits; 0: there is none),
//	                records (32) and size (64)
//	64  end         of a compacted segment: indexes (32), records (32) and size (64)
//	124 CRC-32C of all that
//
// A record:
//
//	 0  check       CRC-32C of the salt and the 20 bytes behind this
//	 4  CRC-32C of the payload as it is stored
//	 8  length      32 bits, of the payload as it is stored
//	12  kind        8 bits: 1
//	13  flags       8 bits
//	14  zero        16 bits
//	16  index       32 bits, counting from 0 in each segment
//	20  time        32 bits, milliseconds since the segment was created
//	24  payload; encrypted with AES-256-GCM it is 16 bytes longer
//
// The salt keeps payloads, which are of devices' making, from being taken for
// records where a damaged file is searched for the next one.
const (
	magic         = "LINKSPAN"
	formatVersion = 1
	headerSize    = 128
	copyAt        = 4096
	recordsAt     = copyAt + headerSize
	recordSize    = 24
	tagSize       = 16

	kindEncrypted = 1
	kindCompacted = 2
	recordKind    = 1

	recordOverhead = recordSize + tagSize
	maxPayload     = 1 << 28
	maxNumber      = math.MaxUint32 - 1  // of a segment
	maxLife        = 24 * 24 * time.Hour // of a segment that is written to, for times are 32 bits
)

const (
	segmentSuffix = ".seg"
	damagedSuffix = ".damaged"
	tmpSuffix     = ".tmp"
	cursorName    = "cursor"
	lockName      = "lock"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the beginning of a segment.
type header struct {
	kind    uint16
	number  uint32
	created int64 // Unix milliseconds
	salt    [16]byte
	key     keyID
	before  end // of the segment before
	beforeN uint32
	own     end // compacted segments
	records uint32
}

// end is where a segment ends.
type end struct {
	count uint32 // one more than the last index
	size  int64
}

var errNoHeader = errors.New("no header that can be read")

// seed makes checks of records those of one segment.
func (h *header) seed() uint32 { return crc32.Checksum(h.salt[:], castagnoli) }

// encode is both copies.
func (h *header) encode() []byte {
	b := make([]byte, recordsAt)
	le := binary.LittleEndian
	copy(b, magic)
	le.PutUint16(b[8:], formatVersion)
	le.PutUint16(b[10:], h.kind)
	le.PutUint32(b[12:], h.number)
	le.PutUint64(b[16:], uint64(h.created)) //nolint:gosec // bits
	copy(b[24:], h.salt[:])
	copy(b[40:], h.key[:])
	le.PutUint32(b[48:], h.beforeN)
	le.PutUint32(b[52:], h.before.count)
	le.PutUint64(b[56:], uint64(h.before.size)) //nolint:gosec // bits
	le.PutUint32(b[64:], h.own.count)
	le.PutUint32(b[68:], h.records)
	le.PutUint64(b[72:], uint64(h.own.size)) //nolint:gosec // bits
	le.PutUint32(b[124:], crc32.Checksum(b[:124], castagnoli))
	copy(b[copyAt:], b[:headerSize])
	return b
}

// readHeader reads whichever copy is whole.
func readHeader(f io.ReaderAt) (header, error) {
	var page [headerSize]byte
	for _, at := range []int64{0, copyAt} {
		n, err := f.ReadAt(page[:], at)
		if err != nil && !errors.Is(err, io.EOF) || n < headerSize {
			continue
		}
		h, err := decodeHeader(page[:])
		if !errors.Is(err, errNoHeader) {
			return h, err
		}
	}
	return header{}, errNoHeader
}

func decodeHeader(b []byte) (header, error) {
	le := binary.LittleEndian
	if !bytes.HasPrefix(b, []byte(magic)) || crc32.Checksum(b[:124], castagnoli) != le.Uint32(b[124:]) {
		return header{}, errNoHeader
	}
	if int64(le.Uint32(b[64:])) > maxSegment/recordSize {
		return header{}, errNoHeader
	}
	if v := le.Uint16(b[8:]); v > formatVersion {
		return header{}, fmt.Errorf("%w: its version is %d, this one knows up to %d", ErrVersion, v, formatVersion)
	}
	h := header{
		kind: le.Uint16(b[10:]), number: le.Uint32(b[12:]), created: int64(le.Uint64(b[16:])), //nolint:gosec // bits
		beforeN: le.Uint32(b[48:]), before: end{le.Uint32(b[52:]), int64(le.Uint64(b[56:]))}, //nolint:gosec // bits
		own: end{le.Uint32(b[64:]), int64(le.Uint64(b[72:]))}, records: le.Uint32(b[68:]), //nolint:gosec // bits
	}
	copy(h.salt[:], b[24:])
	copy(h.key[:], b[40:])
	return h, nil
}

func (h *header) encrypted() bool { return h.kind&kindEncrypted != 0 }
func (h *header) compacted() bool { return h.kind&kindCompacted != 0 }

// putRecord fills the header of the record that b is: 24 bytes and the payload as
// it is stored, whose fields from length to time are there already.
func putRecord(b []byte, seed uint32) {
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[recordSize:], castagnoli))
	binary.LittleEndian.PutUint32(b, crc32.Update(seed, castagnoli, b[4:recordSize]))
}

// putFields fills in what the check is over.
func putFields(b []byte, length int, flags Flags, index, at uint32) {
	le := binary.LittleEndian
	le.PutUint32(b[8:], uint32(length)) //nolint:gosec // at most maxPayload
	b[12], b[13], b[14], b[15] = recordKind, byte(flags), 0, 0
	le.PutUint32(b[16:], index)
	le.PutUint32(b[20:], at)
}

// stored is a record as it is in a file.
type stored struct {
	offset int64
	index  uint32
	at     uint32 // milliseconds since the segment was created
	flags  Flags
	raw    []byte // all of it
}

func (s *stored) body() []byte { return s.raw[recordSize:] }

// parse reads the header of a record at the beginning of b. size is that of the
// whole record. It does not look at the payload.
func parse(b []byte, seed uint32) (s stored, size int64, ok bool) {
	if len(b) < recordSize || b[12] != recordKind || b[14] != 0 || b[15] != 0 {
		return s, 0, false
	}
	le := binary.LittleEndian
	if crc32.Update(seed, castagnoli, b[4:recordSize]) != le.Uint32(b) {
		return s, 0, false
	}
	n := le.Uint32(b[8:])
	return stored{index: le.Uint32(b[16:]), at: le.Uint32(b[20:]), flags: Flags(b[13])}, recordSize + int64(n), n <= maxPayload+tagSize
}

// whole says whether the payload of a parsed record is.
func whole(raw []byte) bool {
	return crc32.Checksum(raw[recordSize:], castagnoli) == binary.LittleEndian.Uint32(raw[4:])
}

// fileName is that of a segment.
func fileName(number uint32) string { return fmt.Sprintf("%020d%s", number, segmentSuffix) }

// numberOf is the number in a name that begins as a segment's does.
func numberOf(name string) (number uint32, rest string, ok bool) {
	digits, _, found := strings.Cut(name, ".")
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || !found || n == 0 || n > maxNumber || len(digits) != 20 {
		return 0, "", false
	}
	return uint32(n), name[len(digits):], true
}
