package segment

import "math/bits"

// marks is which indexes of a segment are finished. Its memory is that of the
// span between the first index that is not and the last that is.
type marks struct {
	base  uint32   // all of the 64*base indexes before are finished
	words []uint64 // those behind, a bit each
	count uint32   // how many are finished
}

// has says whether the index is finished.
func (m *marks) has(index uint32) bool {
	w := index / 64
	if w < m.base {
		return true
	}
	w -= m.base
	return w < uint32(len(m.words)) && m.words[w]&(1<<(index%64)) != 0 //nolint:gosec // bounded by the segment's size
}

// set finishes the index, and says whether it was not finished before.
func (m *marks) set(index uint32) bool {
	if m.has(index) {
		return false
	}
	w := int(index/64 - m.base)
	for len(m.words) <= w {
		m.words = append(m.words, 0)
	}
	m.words[w] |= 1 << (index % 64)
	m.count++
	if w == 0 && m.words[0] == ^uint64(0) {
		full := 1
		for full < len(m.words) && m.words[full] == ^uint64(0) {
			full++
		}
		m.words = m.words[:copy(m.words, m.words[full:])]
		m.base += uint32(full) //nolint:gosec // bounded by the segment's size
	}
	return true
}

// restore takes over what was written down, for a segment of so many indexes.
func (m *marks) restore(base uint32, words []uint64, indexes uint32) {
	m.base = min(base, indexes/64)
	m.words = nil
	m.count = m.base * 64
	if m.base < base { // more than there are: the segment lost its end
		for i := m.base * 64; i < indexes; i++ {
			m.set(i)
		}
		return
	}
	for i, w := range words {
		for ; w != 0; w &= w - 1 {
			index := (base+uint32(i))*64 + uint32(bits.TrailingZeros64(w)) //nolint:gosec // bounded by the segment's size
			if index < indexes {
				m.set(index)
			}
		}
	}
}
