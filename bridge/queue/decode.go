package queue

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/thing"
)

// Entry is a record of a queue, a dead letter, or a command that waits for its device.
type Entry struct {
	Name       string        // the device's own
	Listener   string        // that it came through
	ProductKey string        // of its identity at the platform then
	DeviceName string        // likewise
	Stored     time.Time     // when it was stored, to the millisecond
	Message    thing.Message // what it said; empty when there is a Command

	Dead     bool      // it is a dead letter: the rest says why
	Died     time.Time // when it was given up, to the millisecond
	Attempts int       // how often it was refused
	Cause    string    // why it was given up

	Command *thing.Command // what it is to be told; nil: it is no command
	Until   time.Time      // when the command stops waiting, to the millisecond
}

// Decode reads a record, which may be a dead letter or a command. The entry shares no memory
// with it. The error is ErrRecord.
func Decode(record []byte) (Entry, error) {
	var e Entry
	r := reader{in: record}
	command := len(record) > 0 && record[0] == commandVersion
	switch {
	case len(record) > 0 && record[0] == deadVersion:
		r.in = record[1:]
		e.Dead, e.Died = true, r.millis()
		e.Attempts = int(min(r.uint(), math.MaxInt32)) //nolint:gosec // bounded
		e.Cause = r.text()
	case command:
		r.in = record[1:]
		e.Until = r.millis()
	}
	if r.byte() != recordVersion {
		return Entry{}, ErrRecord
	}
	r.bytes(4)
	e.Stored = r.millis()
	e.Name, e.Listener, e.ProductKey, e.DeviceName = r.text(), r.text(), r.text(), r.text()
	r.message(&e.Message, nil)
	e.Message.Raw = append([]byte(nil), e.Message.Raw...)
	if r.bad || len(r.in) > 0 {
		return Entry{}, ErrRecord
	}
	if command {
		e.Command, e.Message = commandOf(&e.Message), thing.Message{}
	}
	return e, nil
}

// keyOf is the key of the lane that a record is for, in words of the record, and
// the run that wrote it. ok is false when it is no record.
func keyOf(record, scratch []byte) (key []byte, run uint32, ok bool) {
	if len(record) < namesAt || record[0] != recordVersion {
		return nil, 0, false
	}
	r := reader{in: record[namesAt:]}
	name := r.raw()
	if len(name) == 0 {
		r.raw()
		product := r.raw()
		device := r.raw()
		name = appendNameless(scratch[:0], product, device)
	}
	return name, binary.BigEndian.Uint32(record[runAt:]), !r.bad
}

// appendNameless appends the key of a device without a name of its own.
func appendNameless[T string | []byte](dst []byte, product, device T) []byte {
	dst = append(append(dst, 0), product...)
	return append(append(dst, '/'), device...)
}

// message reads a record's message for forwarding, with names out of words, and
// fields and Raw that are good until the record or m are used again.
func (w words) message(record []byte, m *thing.Message) (stored time.Time, ok bool) {
	r := reader{in: record, words: w}
	if r.byte() != recordVersion {
		return stored, false
	}
	r.bytes(4)
	stored = r.millis()
	for range 4 { // the sender is known
		r.raw()
	}
	r.message(m, m.Fields[:0])
	return stored, !r.bad && len(r.in) == 0
}

// words are texts that come again and again, so that reading one does not make it
// anew. One goroutine at a time uses them.
type words map[string]string

const (
	maxWords = 4096
	maxWord  = 64 // bytes
)

func (w words) of(b []byte) string {
	if s, known := w[string(b)]; known {
		return s
	}
	s := string(b)
	if w != nil && len(b) <= maxWord && len(w) < maxWords {
		w[s] = s
	}
	return s
}

// reader reads the parts of a record. What cannot be read is zero, and bad is
// true from then on.
type reader struct {
	in    []byte
	words words // may be nil
	bad   bool
}

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.in) {
		r.bad, r.in = true, nil
		return nil
	}
	b := r.in[:n:n]
	r.in = r.in[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint() uint64 {
	if len(r.in) > 0 && r.in[0] < 0x80 { // most of the time
		v := uint64(r.in[0])
		r.in = r.in[1:]
		return v
	}
	v, n := binary.Uvarint(r.in)
	if n <= 0 {
		r.bytes(-1)
		return 0
	}
	r.in = r.in[n:]
	return v
}

func (r *reader) int() int64 {
	v := r.uint()
	return int64(v>>1) ^ -int64(v&1) //nolint:gosec // bits: as encoding/binary has signed ones
}

func (r *reader) millis() time.Time {
	var ms [8]byte
	copy(ms[2:], r.bytes(6))
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))) //nolint:gosec // 48 bits
}

// count is a number of things that take at least size bytes each.
func (r *reader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.in)/size) { //nolint:gosec // not negative
		r.bytes(-1)
		return 0
	}
	return int(n) //nolint:gosec // bounded
}

func (r *reader) raw() []byte { return r.bytes(r.count(1)) }

func (r *reader) text() string { return string(r.raw()) }

func (r *reader) word() string { return r.words.of(r.raw()) }

func (r *reader) time() time.Time {
	seconds, nanos, offset := r.int(), r.uint(), r.int()
	if nanos >= 1e9 || offset < -86400 || offset > 86400 {
		r.bytes(-1)
		return time.Time{}
	}
	t := time.Unix(seconds, int64(nanos))
	if offset == 0 {
		return t.UTC()
	}
	return t.In(zoneOf(int(offset)))
}

// zone is a time zone that was met last: most often there is but one.
type zone struct {
	offset   int // seconds
	location *time.Location
}

var lastZone atomic.Pointer[zone]

func zoneOf(offset int) *time.Location {
	if z := lastZone.Load(); z != nil && z.offset == offset {
		return z.location
	}
	z := &zone{offset, time.FixedZone("", offset)}
	lastZone.Store(z)
	return z.location
}

// message reads a message. Its fields go into room if they fit, and its Raw shares
// the record's memory.
func (r *reader) message(m *thing.Message, room []thing.Field) {
	*m = thing.Message{Kind: thing.Kind(r.byte()), QoS: thing.QoS(r.byte()), Fields: room}
	bits := r.uint()
	if bits > allParts {
		r.bytes(-1)
		return
	}
	if bits&hasName != 0 {
		m.Name = r.word()
	}
	if bits&hasID != 0 {
		m.ID = r.text()
	}
	if bits&hasTime != 0 {
		m.Time = r.time()
	}
	if bits&hasFields != 0 {
		m.Fields = r.fields(room, 0)
	}
	if bits&hasRaw != 0 {
		m.Raw = r.raw()
	}
	if bits&hasTopic != 0 {
		m.Topic = r.text()
	}
	if bits&hasState != 0 {
		m.State = thing.State(r.byte())
	}
	if bits&hasCode != 0 {
		m.Code = int(r.int())
	}
	if bits&hasText != 0 {
		m.Text = r.text()
	}
}

// maxDepth is how deep values may be in each other.
const maxDepth = 1000

func (r *reader) fields(room []thing.Field, depth int) []thing.Field {
	n := r.count(2)
	if cap(room) < n {
		room = make([]thing.Field, n)
	}
	room = room[:n]
	for i := range room {
		f := &room[i]
		if name := r.raw(); string(name) != f.Name { // the last record's are the same most of the time
			f.Name = r.words.of(name)
		}
		if f.Value = r.value(depth); r.bad {
			clear(room[i:])
			break
		}
	}
	return room
}

func (r *reader) value(depth int) thing.Value {
	if depth > maxDepth {
		r.bytes(-1)
		return thing.Value{}
	}
	switch thing.Type(r.byte()) {
	case thing.NullType:
		return thing.Null()
	case thing.BoolType:
		return thing.Bool(r.byte() != 0)
	case thing.IntType:
		return thing.Int(r.int())
	case thing.FloatType:
		var bits [8]byte
		copy(bits[:], r.bytes(8))
		return thing.Float(math.Float64frombits(binary.BigEndian.Uint64(bits[:])))
	case thing.DecimalType:
		scale := r.byte()
		return thing.Decimal(r.int(), scale)
	case thing.StringType:
		return thing.String(r.text())
	case thing.ListType:
		list := make([]thing.Value, 0, r.count(1))
		for range cap(list) {
			list = append(list, r.value(depth+1))
		}
		return thing.List(list...)
	case thing.StructType:
		return thing.Struct(r.fields(nil, depth+1)...)
	default:
		r.bytes(-1)
		return thing.Value{}
	}
}
