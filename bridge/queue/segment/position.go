package segment

import (
	"cmp"
	"strconv"
	"time"
)

// Position is where a record is in its log. Positions are comparable, may be keys
// of maps, and are of use to the log they come from alone. The zero value is
// no record's.
type Position struct {
	segment uint32 // number of the file
	index   uint32 // of the record in its segment, from 0
	offset  uint32 // in the file, until that is compacted
}

// Compare is negative when p is before q in the log, and positive when behind.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.segment, q.segment), cmp.Compare(p.index, q.index))
}

// String is the number of the segment and that of the record in it, as in 3:4711.
func (p Position) String() string {
	return strconv.FormatUint(uint64(p.segment), 10) + ":" + strconv.FormatUint(uint64(p.index), 10)
}

// Flags say how a record may be treated.
type Flags uint8

// Droppable marks a record that may be dropped first when the log is full, if
// the configuration says so (full = dropDroppable).
const Droppable Flags = 1

// Record is one that was read.
type Record struct {
	Position Position
	Payload  []byte    // the reader's, until its next Next
	Time     time.Time // when it was appended, to the millisecond
	Flags    Flags
}
