package modbus

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Order is how the bytes of a value lie in its registers. The standard has no
// values of several registers; makers do as they like. With ABCD for the bytes
// of a 32-bit value, highest first, the names say in which order they come on
// the wire. Values of other sizes follow the same rule: the list of registers
// reversed, or the bytes of each register swapped, or both.
type Order uint8

// The four orders.
const (
	ABCD Order = iota // big-endian, as the standard has single registers
	CDAB              // low register first
	BADC              // bytes swapped within registers
	DCBA              // little-endian
)

var orderNames = [...]string{ABCD: "ABCD", CDAB: "CDAB", BADC: "BADC", DCBA: "DCBA"}

// String is "ABCD", "CDAB", "BADC" or "DCBA".
func (o Order) String() string {
	if int(o) < len(orderNames) {
		return orderNames[o]
	}
	return fmt.Sprintf("order %d", uint8(o))
}

// ParseOrder reads what [Order.String] writes, in any case.
func ParseOrder(s string) (Order, error) {
	for o, name := range orderNames {
		if strings.EqualFold(s, name) {
			return Order(o), nil //nolint:gosec // an index of four
		}
	}
	return 0, fmt.Errorf("modbus: order %q, want ABCD, CDAB, BADC or DCBA", s)
}

func (o Order) wordsReversed() bool { return o == CDAB || o == DCBA }
func (o Order) bytesSwapped() bool  { return o == BADC || o == DCBA }

// register is the register at place i, from the highest, of a value in data.
func (o Order) register(data []byte, i int) uint16 {
	if o.wordsReversed() {
		i = len(data)/2 - 1 - i
	}
	if o.bytesSwapped() {
		return binary.LittleEndian.Uint16(data[2*i:])
	}
	return binary.BigEndian.Uint16(data[2*i:])
}

// load is the number in data, of 1 to 4 registers.
func (o Order) load(data []byte) (n uint64) {
	for i := range len(data) / 2 {
		n = n<<16 | uint64(o.register(data, i))
	}
	return n
}

// append returns dst with n behind it as that many registers.
func (o Order) append(dst []byte, n uint64, registers int) []byte {
	for i := range registers {
		place := registers - 1 - i // of the register in n, from the lowest
		if o.wordsReversed() {
			place = i
		}
		word := uint16(n >> (16 * place)) //nolint:gosec // a part of it
		if o.bytesSwapped() {
			dst = binary.LittleEndian.AppendUint16(dst, word)
			continue
		}
		dst = binary.BigEndian.AppendUint16(dst, word)
	}
	return dst
}
