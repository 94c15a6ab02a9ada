package jt808

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/linkspan/linkspan/codec"
)

// ErrShortBody is what a message body that ends too early is: errors.Is finds
// it in a [*ShortBodyError]. Answer the message with result "message wrong".
var ErrShortBody = errors.New("jt808: body too short")

// ErrTooLong is the error of a value that does not fit its field: errors.Is
// finds it in what AppendBody and AppendFrame return. Shorten the value.
var ErrTooLong = errors.New("jt808: value too long for its field")

// ErrDigits is the error of text that has to be decimal digits, and few enough
// of them, and is not.
var ErrDigits = errors.New("jt808: not the digits of a BCD field")

// ShortBodyError tells where a body ended too early. It wraps [ErrShortBody].
type ShortBodyError struct {
	Offset int // of the field that is cut, from the front of the body
	Want   int // bytes the field has
	Have   int // bytes that were left
}

func (e *ShortBodyError) Error() string {
	return fmt.Sprintf("%v: field at byte %d needs %d bytes, %d are left", ErrShortBody, e.Offset, e.Want, e.Have)
}

// Unwrap returns ErrShortBody.
func (e *ShortBodyError) Unwrap() error { return ErrShortBody }

// reader takes fields off the front of a message body. The first field that is
// not there makes it fail: from then on every read gives zero, and err tells of
// the first failure. So a body is read straight down and checked once.
type reader struct {
	data   []byte
	off    int
	failed error
}

func newReader(body []byte) reader { return reader{data: body} }

// err is the first failure, nil when there was none.
func (r *reader) err() error { return r.failed }

// len says how many bytes are left.
func (r *reader) len() int {
	if r.failed != nil {
		return 0
	}
	return len(r.data) - r.off
}

// take returns the next n bytes, which alias the body; nil when they are not there.
func (r *reader) take(n int) []byte {
	if r.failed != nil {
		return nil
	}
	if n < 0 || n > len(r.data)-r.off {
		r.short(n)
		return nil
	}
	b := r.data[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

func (r *reader) short(n int) {
	r.failed = &ShortBodyError{Offset: r.off, Want: n, Have: len(r.data) - r.off}
}

// fail makes the body wrong at the present place, unless it is already.
func (r *reader) fail(reason string) {
	if r.failed == nil {
		r.failed = &codec.FrameError{Offset: r.off, Reason: reason}
	}
}

// rest returns all bytes that are left; they alias the body.
func (r *reader) rest() []byte { return r.take(r.len()) }

// clone returns a copy of the next n bytes, never nil unless the reader fails.
func (r *reader) clone(n int) []byte {
	b := r.take(n)
	if r.failed != nil {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}

// cloneRest returns a copy of all bytes that are left.
func (r *reader) cloneRest() []byte { return r.clone(r.len()) }

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// text reads a STRING of n bytes: see decodeText.
func (r *reader) text(n int) string { return decodeText(r.take(n)) }

// text8 reads a STRING with its length before it in one byte.
func (r *reader) text8() string { return r.text(int(r.u8())) }

// textRest reads the STRING that the body ends with.
func (r *reader) textRest() string { return r.text(r.len()) }

// bcd reads n bytes of BCD as their 2n hexadecimal digits: wrong BCD stays visible.
func (r *reader) bcd(n int) string { return hex.EncodeToString(r.take(n)) }

// time reads a BCD[6] time, as it is.
func (r *reader) time() (t BCDTime) {
	copy(t[:], r.take(len(t)))
	return t
}

// fixed fills dst with the next len(dst) bytes.
func (r *reader) fixed(dst []byte) { copy(dst, r.take(len(dst))) }

// writer appends fields to a message body. The first value that does not fit
// makes it fail; done tells.
type writer struct {
	buf    []byte
	start  int
	failed error
}

func newWriter(dst []byte) writer { return writer{buf: dst, start: len(dst)} }

// done returns what was written; after a failure dst as newWriter got it.
func (w *writer) done() ([]byte, error) {
	if w.failed != nil {
		return w.buf[:w.start], w.failed
	}
	return w.buf, nil
}

// fail makes the message one that cannot be encoded, unless it is already.
func (w *writer) fail(err error) {
	if w.failed == nil {
		w.failed = err
	}
}

func (w *writer) u8(v uint8)     { w.buf = append(w.buf, v) }
func (w *writer) u16(v uint16)   { w.buf = binary.BigEndian.AppendUint16(w.buf, v) }
func (w *writer) u32(v uint32)   { w.buf = binary.BigEndian.AppendUint32(w.buf, v) }
func (w *writer) u64(v uint64)   { w.buf = binary.BigEndian.AppendUint64(w.buf, v) }
func (w *writer) bytes(b []byte) { w.buf = append(w.buf, b...) }
func (w *writer) time(t BCDTime) { w.buf = append(w.buf, t[:]...) }

// count8 writes n as a BYTE; what names the thing counted, for the error.
func (w *writer) count8(n int, what string) { w.u8(uint8(w.limit(n, 0xFF, what))) } //nolint:gosec // limited to a byte

// count16 writes n as a WORD.
func (w *writer) count16(n int, what string) { w.u16(uint16(w.limit(n, 0xFFFF, what))) } //nolint:gosec // limited to a word

// count32 writes n as a DWORD.
func (w *writer) count32(n int, what string) { w.u32(uint32(w.limit(n, 0xFFFFFFFF, what))) } //nolint:gosec // limited to a double word

func (w *writer) limit(n, most int, what string) int {
	if n < 0 || n > most {
		w.fail(fmt.Errorf("%w: %s: %d, at most %d", ErrTooLong, what, n, most))
		return 0
	}
	return n
}

// text writes a STRING without a terminator, as GBK.
func (w *writer) text(s string) {
	b, err := appendText(w.buf, s)
	if err != nil {
		w.fail(err)
		return
	}
	w.buf = b
}

// text8 writes a STRING with its length in bytes before it in one byte.
func (w *writer) text8(s, what string) {
	at := len(w.buf)
	w.u8(0)
	w.text(s)
	w.buf[at] = uint8(w.limit(len(w.buf)-at-1, 0xFF, what)) //nolint:gosec // limited to a byte
}

// textFixed writes s into a field of n bytes, padded behind with NUL.
func (w *writer) textFixed(s string, n int, what string) {
	at := len(w.buf)
	w.text(s)
	w.pad(at, n, what)
}

// bytesFixed writes b into a field of n bytes, padded behind with NUL.
func (w *writer) bytesFixed(b []byte, n int, what string) {
	at := len(w.buf)
	w.bytes(b)
	w.pad(at, n, what)
}

func (w *writer) pad(at, n int, what string) {
	if have := len(w.buf) - at; have > n {
		w.fail(fmt.Errorf("%w: %s: %d bytes, at most %d", ErrTooLong, what, have, n))
		return
	}
	for len(w.buf) < at+n {
		w.buf = append(w.buf, 0)
	}
}

// bcd writes digits into a BCD field of n bytes, with zeros in front. The
// hexadecimal digits a to f are taken too: what was read can be written.
func (w *writer) bcd(digits string, n int) {
	if len(digits) > 2*n {
		w.fail(fmt.Errorf("%w: %q: more than %d", ErrDigits, digits, 2*n))
		return
	}
	for i := range n {
		hi, ok1 := nibble(digits, len(digits)-2*(n-i))
		lo, ok2 := nibble(digits, len(digits)-2*(n-i)+1)
		if !ok1 || !ok2 {
			w.fail(fmt.Errorf("%w: %q", ErrDigits, digits))
			return
		}
		w.u8(hi<<4 | lo)
	}
}

// nibble is the value of digits[i], 0 in front of the first.
func nibble(digits string, i int) (uint8, bool) {
	if i < 0 {
		return 0, true
	}
	switch c := digits[i]; {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
