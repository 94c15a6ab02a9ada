package gbt26875

import (
	"encoding/hex"
	"fmt"

	"github.com/linkspan/linkspan/codec"
)

// Unit is the application data of one frame (GB/T 26875.3-2011): objects of
// one type. Structs of this package implement it by pointer; their fields hold
// the wire's numbers.
type Unit interface {
	// Type is what the objects are.
	Type() Type

	// AppendUnit appends the data: type, count, objects. It fails with
	// [ErrTooLong] when there are more objects, or longer ones, than fit.
	AppendUnit(dst []byte) ([]byte, error)

	// ParseUnit overwrites the receiver with what data holds, which it does not
	// keep. With a [*CountError] the receiver holds the objects that are whole,
	// perhaps none; with any other error it is not to be used.
	ParseUnit(data []byte) error
}

// ParseUnit reads application data. Types that this package does not know become
// [*Unknown]. The result does not alias data. Its error is a [*CountError] when
// there are not as many objects as data says: the unit then holds those that
// are whole, and is for whoever takes them. When there is no data at all the
// error is a *codec.FrameError, and the unit nil.
func ParseUnit(data []byte) (Unit, error) {
	if len(data) < unitHeader {
		return nil, &codec.FrameError{Offset: len(data), Reason: fmt.Sprintf("%d bytes of application data, type and count are 2", len(data))}
	}
	u := NewUnit(Type(data[0]))
	return u, u.ParseUnit(data)
}

const unitHeader = 2 // type and count

// NewUnit returns an empty unit of type t: a struct of this package, or
// [*Unknown].
func NewUnit(t Type) Unit {
	if u := newUp(t); u != nil {
		return u
	}
	if u := newDown(t); u != nil {
		return u
	}
	return &Unknown{DataType: t}
}

func newUp(t Type) Unit {
	switch t {
	case TypeSystemState:
		return new(SystemStates)
	case TypePartState:
		return new(PartStates)
	case TypePartAnalog:
		return new(PartAnalogs)
	case TypeSystemOperation:
		return new(SystemOperations)
	case TypeSystemSoftware:
		return new(SystemSoftwares)
	case TypeSystemConfig:
		return new(SystemConfigs)
	case TypePartConfig:
		return new(PartConfigs)
	case TypeSystemTime:
		return new(SystemTimes)
	case TypeDeviceState:
		return new(DeviceStates)
	case TypeDeviceOperation:
		return new(DeviceOperations)
	case TypeDeviceSoftware:
		return new(DeviceSoftwares)
	case TypeDeviceConfig:
		return new(DeviceConfigs)
	case TypeDeviceTime:
		return new(DeviceTimes)
	default:
		return nil
	}
}

func newDown(t Type) Unit {
	switch t {
	case TypeReadSystemState, TypeReadSystemSoftware, TypeReadSystemConfig, TypeReadSystemTime:
		return &ReadSystem{Query: t}
	case TypeReadPartState, TypeReadPartAnalog, TypeReadPartConfig:
		return &ReadPart{Query: t}
	case TypeReadSystemOperations:
		return new(ReadSystemOperations)
	case TypeReadDeviceState, TypeReadDeviceSoftware, TypeReadDeviceConfig, TypeReadDeviceTime, TypeInitDevice:
		return &ReadDevice{Query: t}
	case TypeReadDeviceOperations:
		return new(ReadDeviceOperations)
	case TypeSetClock:
		return new(SetClock)
	case TypeCheckPost:
		return new(CheckPost)
	default:
		return nil
	}
}

// CountError says that application data holds fewer objects than it says, bytes
// behind them, or objects with shorter descriptions than the standard's. What
// there is of objects was read.
type CountError struct {
	Type  Type
	Count int // objects that there ought to be
	Have  int // that were read
	Rest  int // bytes behind them that are no object
	Size  int // bytes of an object, as they were read
	Want  int // bytes of an object, as the standard wants it; the least where objects vary
}

func (e *CountError) Error() string {
	if e.Size != e.Want {
		return fmt.Sprintf("gbt26875: application data of type %v: objects of %d bytes, want %d", e.Type, e.Size, e.Want)
	}
	return fmt.Sprintf("gbt26875: application data of type %v: %d of %d objects are whole, %d bytes are left", e.Type, e.Have, e.Count, e.Rest)
}

// Unknown is application data of a type that this package does not know: a
// maker's own, or a reserved one.
type Unknown struct {
	DataType Type  `json:"-"`
	Count    uint8 `json:"count"`
	Objects  Hex   `json:"objects"` // as they are
}

// Type is the data's type.
func (u *Unknown) Type() Type { return u.DataType }

// AppendUnit appends the data as it is.
func (u *Unknown) AppendUnit(dst []byte) ([]byte, error) {
	return append(append(dst, byte(u.DataType), u.Count), u.Objects...), nil
}

// ParseUnit keeps a copy of data.
func (u *Unknown) ParseUnit(data []byte) error {
	if len(data) < unitHeader {
		return short(u.DataType, data)
	}
	u.DataType, u.Count = Type(data[0]), data[1]
	u.Objects = append(u.Objects[:0], data[unitHeader:]...)
	return nil
}

// Hex is bytes that print, in JSON too, as hexadecimal digits.
type Hex []byte

// String is the bytes as lower-case hexadecimal digits.
func (h Hex) String() string { return hex.EncodeToString(h) }

// MarshalText is [Hex.String].
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

func short(t Type, data []byte) error {
	return &codec.FrameError{Offset: len(data), Reason: fmt.Sprintf("%d bytes of application data of type %v, type and count are 2", len(data), t)}
}

// object is one object of a unit, by pointer.
type object[T any] interface {
	*T
	// append appends the object.
	append(dst []byte) []byte
	// parse reads the object that in begins with, which is at least as long as
	// its type's size, and exactly so long where the size is fixed. It says how
	// long the object is; 0 when it is not whole.
	parse(in []byte) int
}

// appendObjects appends a unit.
func appendObjects[T any, P object[T]](dst []byte, t Type, objects []T) ([]byte, error) {
	if most := t.MaxObjects(); len(objects) > most {
		return dst, tooLong("objects of type "+t.String(), len(objects), most)
	}
	out := append(dst, byte(t), byte(len(objects)))
	for i := range objects {
		out = P(&objects[i]).append(out)
	}
	return out, nil
}

// parseObjects reads a unit into objects, whose memory is used again.
func parseObjects[T any, P object[T]](t Type, objects []T, data []byte) ([]T, error) {
	return parseSized[T, P](t, objects, data, t.info().size)
}

// parseSized is parseObjects of objects of that size, of at least that size where
// the type's vary.
func parseSized[T any, P object[T]](t Type, objects []T, data []byte, size int) ([]T, error) {
	objects = objects[:0]
	if len(data) < unitHeader || Type(data[0]) != t {
		return objects, short(t, data)
	}
	count, rest, varies := int(data[1]), data[unitHeader:], t.info().varies
	for len(objects) < count && len(rest) >= size {
		in := rest
		if !varies {
			in = rest[:size]
		}
		var zero T
		objects = append(objects, zero)
		n := P(&objects[len(objects)-1]).parse(in)
		if n == 0 {
			objects = objects[:len(objects)-1]
			break
		}
		rest = rest[n:]
	}
	if standard := t.info().size; len(objects) < count || len(rest) > 0 || size != standard {
		return objects, &CountError{Type: t, Count: count, Have: len(objects), Rest: len(rest), Size: size, Want: standard}
	}
	return objects, nil
}

// sizeOf is how long the objects of data are whose descriptions may be shorter
// than they ought to be: of all objects alike, so that each ends with a date, or,
// where objects have no time, is of the first one's system. Otherwise data has
// been cut.
func sizeOf(t Type, data []byte) int {
	size := t.info().size
	if len(data) < unitHeader || data[1] == 0 {
		return size
	}
	count, length := int(data[1]), len(data)-unitHeader
	if length%size == 0 { // then objects are missing
		return size
	}
	each := length / count
	if length%count != 0 || each > size || each < size-len(Description{}) {
		return size
	}
	first := data[unitHeader:]
	for at := 0; at < length; at += each {
		object := first[at : at+each]
		fits := object[0] == first[0] && object[1] == first[1]
		if t == TypePartState {
			fits = Time(object[each-len(Time{}):]).isDate()
		}
		if !fits {
			return size
		}
	}
	return each
}
