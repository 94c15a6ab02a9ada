package segment

// batch is records on their way to the disk: each has room for its header before it.
type batch struct {
	buf     []byte
	records []waiting
}

// waiting is a record of a batch.
type waiting struct {
	end   int // in buf, where the next one begins
	flags Flags
	done  func(Position, error)
}

var noHeader [recordSize]byte

func (b *batch) add(payload []byte, flags Flags, done func(Position, error)) {
	b.buf = append(b.buf, noHeader[:]...)
	b.buf = append(b.buf, payload...)
	b.records = append(b.records, waiting{end: len(b.buf), flags: flags, done: done})
}

// due says whether it should wait for nothing more.
func (b *batch) due(c *CommitConfig) bool {
	return len(b.records) >= c.Count || len(b.buf) >= c.Bytes
}

// reset makes it empty. Its memory is kept unless there is much more of it than the
// batch needed.
func (b *batch) reset() {
	clear(b.records)
	if cap(b.buf) > keepBuffer && len(b.buf) < cap(b.buf)/8 {
		*b = batch{}
		return
	}
	b.records = b.records[:0]
	b.buf = b.buf[:0]
}

// keepBuffer is memory that is kept however little of it was needed.
const keepBuffer = 1 << 20

// part is some neighbours of a batch.
type part struct {
	buf     []byte // all of the batch's
	start   int    // of the first
	records []waiting
	tag     int // how much longer each one becomes
}

// size is what it takes in a file.
func (p *part) size() int64 {
	if len(p.records) == 0 {
		return 0
	}
	return int64(p.records[len(p.records)-1].end-p.start) + int64(len(p.records)*p.tag)
}

// take cuts off as many as fit into that room. p is what remains.
func (p *part) take(room int64) part {
	n, size, start := 0, int64(0), p.start
	for _, r := range p.records {
		if size += int64(r.end - start + p.tag); size > room {
			break
		}
		start = r.end
		n++
	}
	first := *p
	first.records = p.records[:n]
	p.records, p.start = p.records[n:], start
	return first
}

// encode fills in the records' headers: in place, or into out when they are
// encrypted. It returns the bytes for the file.
func (p *part) encode(out []byte, seed uint32, cipher *sealer, index, at uint32) []byte {
	start := p.start
	for i, r := range p.records {
		rec := p.buf[start:r.end:r.end]
		n := index + uint32(i) //nolint:gosec // bounded by the segment's size
		putFields(rec, len(rec)-recordSize+p.tag, r.flags, n, at)
		if p.tag > 0 {
			from := len(out)
			out = cipher.seal(out, rec, n)
			rec = out[from:]
		}
		putRecord(rec, seed)
		start = r.end
	}
	if p.tag > 0 {
		return out
	}
	return p.buf[p.start:start]
}
