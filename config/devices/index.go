package devices

// index is a hash table with open addressing of record numbers plus one; 0 is a
// free slot. The hashes are in the records, so that neither a miss nor growing
// looks at texts.
type index struct {
	slots []uint32
	used  int
}

func (x *index) mask() uint32 { return uint32(len(x.slots) - 1) } //nolint:gosec // fewer than 1<<32 slots

// add puts record i. hashOf gives the hashes of those that move when the index
// grows.
func (x *index) add(hash uint32, i int, hashOf func(i int) uint32) {
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

func (x *index) place(hash, slot uint32) {
	at := hash & x.mask()
	for x.slots[at] != 0 {
		at = (at + 1) & x.mask()
	}
	x.slots[at] = slot
}

// replace puts record i in the place of record old.
func (x *index) replace(hash uint32, old, i int) {
	for at := hash & x.mask(); x.slots[at] != 0; at = (at + 1) & x.mask() {
		if int(x.slots[at])-1 == old {
			x.slots[at] = uint32(i + 1) //nolint:gosec // fewer records than 1<<32
			return
		}
	}
}
