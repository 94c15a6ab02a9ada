package devices

import (
	"hash/maphash"
	"strings"

	"github.com/linkspan/linkspan/auth"
)

// table holds devices without a Go object for each: their texts lie one behind
// the other in chunks, records point there, and the indexes are plain slices of
// record numbers. It is not changed once it is in use.
//
// A table that replaces another shares the texts of what stays the same, so
// that a reload does not hold every text twice.
type table struct {
	blocks   [][]record
	count    int // of records
	live     int // of them
	chunks   []chunk
	open     int // the chunk that is being filled; -1: none
	free     int // chunks before this one have a text
	products []string
	numbers  map[string]uint32 // of products
	files    []string
	names    index
	ids      index
	seed     maphash.Seed
	prev     *table // while it is being filled: the table that it replaces
}

// record is one device. Its texts name, device name and secret follow each
// other from start.
type record struct {
	chunk    uint32
	start    uint32
	product  uint32
	line     int32
	nameHash uint32
	idHash   uint32
	name     uint16
	device   uint16
	secret   uint16
	file     uint16
	dead     bool // replaced by a later one
}

// chunk is texts of many records, and how many bytes of it the records of this
// table use. It is shared with the next table when that is at least half of it.
type chunk struct {
	text *strings.Builder
	used int
}

const (
	blockBits = 12 // of records in a block; no record moves when there are more
	blockMask = 1<<blockBits - 1
	minChunk  = 4 << 10 // bytes of the first chunk; the following ones are larger
	maxChunk  = 1 << 20
	maxText   = 1 << 10 // bytes of the longest text of an entry
)

// newTable is an empty table to take the place of prev, which may be nil.
func newTable(prev *table) *table {
	t := &table{numbers: map[string]uint32{}, open: -1}
	if prev == nil {
		t.seed = maphash.MakeSeed()
		return t
	}
	t.prev, t.seed = prev, prev.seed
	t.chunks = make([]chunk, len(prev.chunks))
	for i, c := range prev.chunks {
		t.chunks[i].text = c.text
	}
	return t
}

// settle ends the filling: texts that only the former table needs go with it.
func (t *table) settle() {
	t.prev = nil
	for i := range t.chunks {
		if t.chunks[i].used == 0 {
			t.chunks[i].text = nil
		}
	}
	// Chunks without a text at the end are given up; others keep their numbers.
	for n := len(t.chunks); n > 0 && t.chunks[n-1].text == nil; n-- {
		t.chunks = t.chunks[:n-1]
	}
	t.open = -1
}

func (t *table) at(i int) *record { return &t.blocks[i>>blockBits][i&blockMask] }

func (t *table) text(r *record, from, n int) string {
	s := t.chunks[r.chunk].text.String()
	start := int(r.start) + from
	return s[start : start+n]
}

func (t *table) name(i int) string {
	r := t.at(i)
	return t.text(r, 0, int(r.name))
}

func (t *table) identity(i int) auth.Identity {
	r := t.at(i)
	return auth.Identity{
		ProductKey:   t.products[r.product],
		DeviceName:   t.text(r, int(r.name), int(r.device)),
		DeviceSecret: auth.Secret(t.text(r, int(r.name)+int(r.device), int(r.secret))),
	}
}

func (t *table) fileOf(i int) string { return t.files[t.at(i).file] }

func (t *table) lineOf(i int) int { return int(t.at(i).line) }

// nameHash and idHash are what the indexes sort by.
func (t *table) nameHash(name string) uint32 {
	return uint32(maphash.String(t.seed, name)) //nolint:gosec // the lower half is as good
}

func (t *table) idHash(product uint32, device string) uint32 {
	h := maphash.String(t.seed, device) ^ (uint64(product)+1)*0x9e3779b97f4a7c15
	return uint32(h >> 16) //nolint:gosec // a part is as good
}

func (t *table) findName(name string) (int, bool) { return t.findNameHash(t.nameHash(name), name) }

func (t *table) findNameHash(hash uint32, name string) (int, bool) {
	x := &t.names
	if len(x.slots) == 0 {
		return 0, false
	}
	for at := hash & x.mask(); x.slots[at] != 0; at = (at + 1) & x.mask() {
		i := int(x.slots[at]) - 1
		if r := t.at(i); r.nameHash == hash && int(r.name) == len(name) && t.text(r, 0, len(name)) == name {
			return i, true
		}
	}
	return 0, false
}

func (t *table) findIdentity(product, device string) (int, bool) {
	number, ok := t.numbers[product]
	if !ok {
		return 0, false
	}
	return t.findIDHash(t.idHash(number, device), number, device)
}

func (t *table) findIDHash(hash, product uint32, device string) (int, bool) {
	x := &t.ids
	if len(x.slots) == 0 {
		return 0, false
	}
	for at := hash & x.mask(); x.slots[at] != 0; at = (at + 1) & x.mask() {
		i := int(x.slots[at]) - 1
		r := t.at(i)
		if r.idHash == hash && !r.dead && r.product == product && int(r.device) == len(device) && t.text(r, int(r.name), len(device)) == device {
			return i, true
		}
	}
	return 0, false
}

// entry is a device on its way into a table.
type entry struct {
	name string
	id   auth.Identity
	line int32
	file string
}

// keys are the hashes of an entry, taken once.
type keys struct {
	product          uint32
	nameHash, idHash uint32
}

func (t *table) keysOf(e *entry) keys {
	k := keys{product: t.productNumber(e.id.ProductKey), nameHash: t.nameHash(e.name)}
	k.idHash = t.idHash(k.product, e.id.DeviceName)
	return k
}

// put adds a device, or replaces the one of that name. The texts are not longer
// than maxText.
func (t *table) put(e entry) {
	k := t.keysOf(&e)
	old, replaces := t.findNameHash(k.nameHash, e.name)
	t.add(&e, k, old, replaces)
}

// add is put for who knows the keys and whether there is an old record.
func (t *table) add(e *entry, k keys, old int, replaces bool) {
	secret := e.id.DeviceSecret.Reveal()
	r := record{
		product: k.product, line: e.line, nameHash: k.nameHash, idHash: k.idHash, file: t.fileNumber(e.file),
		name: uint16(len(e.name)), device: uint16(len(e.id.DeviceName)), secret: uint16(len(secret)), //nolint:gosec // at most maxText
	}
	size := len(e.name) + len(e.id.DeviceName) + len(secret)
	if !t.share(&r, e) {
		t.store(&r, size, e.name, e.id.DeviceName, secret)
	}
	t.chunks[r.chunk].used += size
	i := t.count
	if i>>blockBits == len(t.blocks) {
		t.blocks = append(t.blocks, nil)
	}
	b := &t.blocks[i>>blockBits]
	if len(*b) == cap(*b) && i >= blockMask/4 { // later blocks, and the first one if it becomes large, are made at once
		whole := make([]record, len(*b), blockMask+1)
		copy(whole, *b)
		*b = whole
	}
	*b = append(*b, r)
	t.count++
	if replaces {
		t.kill(old)
		t.names.replace(k.nameHash, old, i)
	} else {
		t.names.add(k.nameHash, i, func(i int) uint32 { return t.at(i).nameHash })
		t.live++
	}
	t.ids.add(k.idHash, i, func(i int) uint32 { return t.at(i).idHash })
}

// kill marks a record as replaced.
func (t *table) kill(i int) {
	r := t.at(i)
	r.dead = true
	t.chunks[r.chunk].used -= int(r.name) + int(r.device) + int(r.secret)
}

// share lets r use the text of the former table, if that has the same one in
// a chunk that is worth keeping.
func (t *table) share(r *record, e *entry) bool {
	p := t.prev
	if p == nil {
		return false
	}
	i, ok := p.findNameHash(r.nameHash, e.name)
	if !ok {
		return false
	}
	old := p.at(i)
	if p.identity(i) != e.id || 2*p.chunks[old.chunk].used < p.chunks[old.chunk].text.Cap() {
		return false
	}
	r.chunk, r.start = old.chunk, old.start
	return true
}

// store writes texts for r.
func (t *table) store(r *record, size int, texts ...string) {
	if t.open < 0 || t.chunks[t.open].text.Len()+size > t.chunks[t.open].text.Cap() {
		capacity := minChunk
		if t.open >= 0 {
			capacity = min(maxChunk, 4*t.chunks[t.open].text.Cap())
		}
		b := &strings.Builder{}
		b.Grow(capacity)
		t.open = t.freeChunk()
		t.chunks[t.open].text = b
	}
	b := t.chunks[t.open].text
	r.chunk, r.start = uint32(t.open), uint32(b.Len()) //nolint:gosec // chunks are small and not that many
	for _, s := range texts {
		b.WriteString(s)
	}
}

// freeChunk is the number of a chunk without a text, a new one if there is none.
func (t *table) freeChunk() int {
	for ; t.free < len(t.chunks); t.free++ {
		if t.chunks[t.free].text == nil {
			return t.free
		}
	}
	t.chunks = append(t.chunks, chunk{})
	return t.free
}

func (t *table) productNumber(product string) uint32 {
	number, ok := t.numbers[product]
	if !ok {
		number = uint32(len(t.products)) //nolint:gosec // no more than there are records
		product = strings.Clone(product)
		t.products = append(t.products, product)
		t.numbers[product] = number
	}
	return number
}

// fileNumber finds or adds a file's name. Files are few, and entries of one
// come together.
func (t *table) fileNumber(file string) uint16 {
	for i := len(t.files) - 1; i >= 0; i-- {
		if t.files[i] == file {
			return uint16(i) //nolint:gosec // see below
		}
	}
	if len(t.files) == 1<<16-1 {
		return 0 // more files than includes are allowed
	}
	t.files = append(t.files, file)
	return uint16(len(t.files) - 1) //nolint:gosec // just checked
}
