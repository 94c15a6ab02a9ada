package queue

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/linkspan/linkspan/thing"
)

// A record is a message of a device as it is in the log. Numbers are varints as in
// encoding/binary unless another size is said, texts have their length in front:
//
//	1 byte   version
//	4 bytes  the run of the process that wrote it, big endian
//	6 bytes  when it was stored, Unix milliseconds, big endian
//	texts    the device's own name, listener, product key, device name
//	byte     kind
//	byte     quality of service
//	number   what follows, the bits below
//	...      those that are there, in the order of their bits
//
// A dead letter begins with another version and has in front of the record
// 6 bytes of time, the number of attempts and the text of the cause. Commands have
// a version of their own, too, see commandVersion.
const (
	recordVersion = 1
	deadVersion   = 0x81
)

const (
	hasName   = 1 << iota // text
	hasID                 // text
	hasTime               // seconds, nanoseconds, offset of the zone in seconds
	hasFields             // their number, and of each name and value
	hasRaw                // text
	hasTopic              // text
	hasState              // byte
	hasCode               // number
	hasText               // text
	allParts  = 1<<iota - 1
)

// runSize is where the device's name is in a record.
const (
	runAt   = 1
	timeAt  = runAt + 4
	namesAt = timeAt + 6
)

// sender is whose message a record is.
type sender struct {
	name, listener, product, device string
}

// appendRecord appends m, which the device of s said at that time.
func appendRecord(dst []byte, run uint32, at time.Time, s *sender, m *thing.Message) []byte {
	dst = append(dst, recordVersion)
	dst = binary.BigEndian.AppendUint32(dst, run)
	dst = appendMillis(dst, at)
	dst = appendText(dst, s.name)
	dst = appendText(dst, s.listener)
	dst = appendText(dst, s.product)
	dst = appendText(dst, s.device)
	return appendMessage(dst, m)
}

func appendMillis(dst []byte, at time.Time) []byte {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(at.UnixMilli(), 0))) //nolint:gosec // not negative
	return append(dst, ms[2:]...)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// parts are the bits of what m has.
func parts(m *thing.Message) (bits uint64) {
	for bit, has := range [...]bool{
		m.Name != "", m.ID != "", !m.Time.IsZero(), len(m.Fields) > 0, len(m.Raw) > 0, m.Topic != "", m.State != 0, m.Code != 0, m.Text != "",
	} {
		if has {
			bits |= 1 << bit
		}
	}
	return bits
}

func appendMessage(dst []byte, m *thing.Message) []byte {
	bits := parts(m)
	dst = append(dst, byte(m.Kind), byte(m.QoS))
	dst = binary.AppendUvarint(dst, bits)
	if bits&hasName != 0 {
		dst = appendText(dst, m.Name)
	}
	if bits&hasID != 0 {
		dst = appendText(dst, m.ID)
	}
	if bits&hasTime != 0 {
		_, offset := m.Time.Zone()
		dst = binary.AppendVarint(dst, m.Time.Unix())
		dst = binary.AppendUvarint(dst, uint64(m.Time.Nanosecond())) //nolint:gosec // not negative
		dst = binary.AppendVarint(dst, int64(offset))
	}
	if bits&hasFields != 0 {
		dst = appendFields(dst, m.Fields)
	}
	if bits&hasRaw != 0 {
		dst = append(binary.AppendUvarint(dst, uint64(len(m.Raw))), m.Raw...)
	}
	if bits&hasTopic != 0 {
		dst = appendText(dst, m.Topic)
	}
	if bits&hasState != 0 {
		dst = append(dst, byte(m.State))
	}
	if bits&hasCode != 0 {
		dst = binary.AppendVarint(dst, int64(m.Code))
	}
	if bits&hasText != 0 {
		dst = appendText(dst, m.Text)
	}
	return dst
}

func appendFields(dst []byte, fields []thing.Field) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(fields)))
	for i := range fields {
		dst = appendText(dst, fields[i].Name)
		dst = appendValue(dst, fields[i].Value)
	}
	return dst
}

// appendValue appends the type and what it holds.
func appendValue(dst []byte, v thing.Value) []byte {
	dst = append(dst, byte(v.Type()))
	switch v.Type() {
	case thing.BoolType:
		if b, _ := v.Bool(); b {
			return append(dst, 1)
		}
		return append(dst, 0)
	case thing.IntType:
		i, _ := v.Int()
		return binary.AppendVarint(dst, i)
	case thing.FloatType:
		f, _ := v.Float()
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(f))
	case thing.DecimalType:
		unscaled, scale, _ := v.Decimal()
		return binary.AppendVarint(append(dst, scale), unscaled)
	case thing.StringType:
		s, _ := v.Text()
		return appendText(dst, s)
	case thing.ListType:
		list := v.List()
		dst = binary.AppendUvarint(dst, uint64(len(list)))
		for _, e := range list {
			dst = appendValue(dst, e)
		}
		return dst
	case thing.StructType:
		return appendFields(dst, v.Struct())
	default:
		return dst
	}
}

// appendDead appends the dead letter of a record.
func appendDead(dst []byte, at time.Time, attempts int, cause string, record []byte) []byte {
	dst = append(dst, deadVersion)
	dst = appendMillis(dst, at)
	dst = binary.AppendUvarint(dst, uint64(max(attempts, 0))) //nolint:gosec // not negative
	dst = appendText(dst, cause)
	return append(dst, record...)
}
