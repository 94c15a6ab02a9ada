package devices

import (
	"hash/maphash"
	"strings"

	"github.com/linkspan/linkspan/auth"
)

// table holds devices without a Go object for each: their texts lie one behind
// the other in chunks, records point there, and the indexes are plain slices of
// record numbers. It is not changed once it is in use.
type table struct {
	records  []record
	live     int
	chunks   []*strings.Builder
	products []string
	numbers  map[string]uint32 // of products
	files    []string
	names    index
	ids      index
	seed     maphash.Seed
}

// record is 28 bytes. The texts name, device name and secret follow each other
// from start.
type record struct {
	chunk   uint32
	start   uint32
	product uint32
	line    int32
	name    uint16
	device  uint16
	secret  uint16
	file    uint16
	dead    bool // replaced by a later one
}

// chunkSize is what one chunk holds; maxText is the longest text of an entry.
const (
	chunkSize = 1 << 20
	maxText   = 1 << 10
)

func newTable() *table {
	return &table{numbers: map[string]uint32{}, seed: maphash.MakeSeed()}
}

func (t *table) text(r *record, from, n int) string {
	s := t.chunks[r.chunk].String()
	start := int(r.start) + from
	return s[start : start+n]
}

func (t *table) name(i int) string {
	r := &t.records[i]
	return t.text(r, 0, int(r.name))
}

func (t *table) device(i int) string {
	r := &t.records[i]
	return t.text(r, int(r.name), int(r.device))
}

func (t *table) identity(i int) auth.Identity {
	r := &t.records[i]
	return auth.Identity{
		ProductKey:   t.products[r.product],
		DeviceName:   t.device(i),
		DeviceSecret: auth.Secret(t.text(r, int(r.name)+int(r.device), int(r.secret))),
	}
}

func (t *table) fileOf(i int) string { return t.files[t.records[i].file] }

func (t *table) findName(name string) (int, bool) {
	return t.names.find(t.hash(name), func(i int) bool { return t.name(i) == name })
}

func (t *table) findIdentity(product, device string) (int, bool) {
	number, ok := t.numbers[product]
	if !ok {
		return 0, false
	}
	return t.ids.find(t.hash(device)^mix(number), func(i int) bool {
		r := &t.records[i]
		return !r.dead && r.product == number && t.device(i) == device
	})
}

func (t *table) hash(s string) uint64 { return maphash.String(t.seed, s) }

// mix spreads a product's number over a hash.
func mix(n uint32) uint64 { return (uint64(n) + 1) * 0x9e3779b97f4a7c15 }

// put adds a device, or replaces the one of that name. The texts are not longer
// than maxText.
func (t *table) put(name string, id auth.Identity, line int32, file string) {
	secret := id.DeviceSecret.Reveal()
	number, ok := t.numbers[id.ProductKey]
	if !ok {
		number = uint32(len(t.products)) //nolint:gosec // no more than there are records
		product := strings.Clone(id.ProductKey)
		t.products = append(t.products, product)
		t.numbers[product] = number
	}
	if n := len(t.chunks); n == 0 || t.chunks[n-1].Len()+len(name)+len(id.DeviceName)+len(secret) > chunkSize {
		t.chunks = append(t.chunks, &strings.Builder{})
		t.chunks[n].Grow(chunkSize)
	}
	chunk := t.chunks[len(t.chunks)-1]
	r := record{
		chunk: uint32(len(t.chunks) - 1), start: uint32(chunk.Len()), product: number, line: line, //nolint:gosec // chunks are small
		name: uint16(len(name)), device: uint16(len(id.DeviceName)), secret: uint16(len(secret)), file: t.fileNumber(file), //nolint:gosec // at most maxText
	}
	chunk.WriteString(name)
	chunk.WriteString(id.DeviceName)
	chunk.WriteString(secret)
	t.records = append(t.records, r)
	i := len(t.records) - 1
	if old, ok := t.findName(name); ok {
		t.records[old].dead = true
		t.names.replace(t.hash(name), old, i)
	} else {
		t.names.add(t.hash(name), i, func(i int) uint64 { return t.hash(t.name(i)) })
		t.live++
	}
	t.ids.add(t.hash(id.DeviceName)^mix(number), i, func(i int) uint64 {
		return t.hash(t.device(i)) ^ mix(t.records[i].product)
	})
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

// index is a hash table with open addressing of record numbers plus one; 0 is a
// free slot.
type index struct {
	slots []uint32
	used  int
}

func (x *index) find(hash uint64, is func(i int) bool) (int, bool) {
	if len(x.slots) == 0 {
		return 0, false
	}
	for at := hash & x.mask(); x.slots[at] != 0; at = (at + 1) & x.mask() {
		if i := int(x.slots[at]) - 1; is(i) {
			return i, true
		}
	}
	return 0, false
}

func (x *index) mask() uint64 { return uint64(len(x.slots)) - 1 }

// add puts record i. hashOf gives the hashes of those that move when the index
// grows.
func (x *index) add(hash uint64, i int, hashOf func(i int) uint64) {
	if 4*(x.used+1) > 3*len(x.slots) {
		old := x.slots
		x.slots = make([]uint32, max(16, 2*len(old)))
		for _, slot := range old {
			if slot != 0 {
				x.place(hashOf(int(slot)-1), slot)
			}
		}
	}
	x.place(hash, uint32(i+1)) //nolint:gosec // fewer records than 1<<32
	x.used++
}

func (x *index) place(hash uint64, slot uint32) {
	at := hash & x.mask()
	for x.slots[at] != 0 {
		at = (at + 1) & x.mask()
	}
	x.slots[at] = slot
}

func (x *index) replace(hash uint64, old, i int) {
	for at := hash & x.mask(); x.slots[at] != 0; at = (at + 1) & x.mask() {
		if int(x.slots[at])-1 == old {
			x.slots[at] = uint32(i + 1) //nolint:gosec // fewer records than 1<<32
			return
		}
	}
}
