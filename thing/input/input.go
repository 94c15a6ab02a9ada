// Package input reads the fields of a command: the input of a service, or properties that
// are to be set.
//
//	in := input.New(cmd.Fields)
//	interval := in.Int("interval", 1, 3600, 60) // 60 if it is not given
//	text := in.NeedText("text")
//	if err := in.Err(); err != nil { // everything that is wrong, in words
//		return err
//	}
//
// What is wrong is collected, so that whoever sent the command learns of all
// mistakes at once; fields that nobody asked for are mistakes too.
package input

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/linkspan/linkspan/thing"
)

// Reader reads the fields of one command, or of an object within them. It may be used by
// one goroutine at a time. A field that is null counts as not given.
type Reader struct {
	fields []thing.Field
	path   string   // of the object that is read; "" at the top
	known  []string // names that were asked for
	errs   *[]string
}

// New reads fields.
func New(fields []thing.Field) *Reader { return &Reader{fields: fields, errs: new([]string)} }

// Fail says what is wrong with the field of that name.
func (r *Reader) Fail(name, format string, args ...any) {
	*r.errs = append(*r.errs, r.path+name+": "+fmt.Sprintf(format, args...))
}

// Get is the value of a field; false when it is not given.
func (r *Reader) Get(name string) (thing.Value, bool) {
	r.known = append(r.known, name)
	v, ok := thing.Get(r.fields, name)
	return v, ok && !v.IsNull()
}

// Has says whether a field is given.
func (r *Reader) Has(name string) bool {
	_, ok := r.Get(name)
	return ok
}

// Need is Get of a field that has to be given.
func (r *Reader) Need(name string) (thing.Value, bool) {
	v, ok := r.Get(name)
	if !ok {
		r.Fail(name, "is missing")
	}
	return v, ok
}

// Int is a whole number from least to most, otherwise if it is not given, and least
// when it is none. Truths count as 1 and 0.
func (r *Reader) Int(name string, least, most, otherwise int64) int64 {
	if v, ok := r.Get(name); ok {
		return r.IntOf(name, v, least, most)
	}
	return otherwise
}

// NeedInt is Int of a field that has to be given.
func (r *Reader) NeedInt(name string, least, most int64) int64 {
	v, ok := r.Need(name)
	if !ok {
		return least
	}
	return r.IntOf(name, v, least, most)
}

// IntOf is Int for a value in the field of that name.
func (r *Reader) IntOf(name string, v thing.Value, least, most int64) int64 {
	n, ok := v.Int()
	if b, isBool := v.Bool(); !ok && isBool {
		ok = true
		if b {
			n = 1
		}
	}
	if !ok || n < least || n > most {
		r.Fail(name, "%v, must be a whole number from %d to %d", v, least, most)
		return least
	}
	return n
}

// Bool is a truth, otherwise if it is not given. The numbers 1 and 0 are truths.
func (r *Reader) Bool(name string, otherwise bool) bool {
	v, ok := r.Get(name)
	if !ok {
		return otherwise
	}
	b, ok := v.Bool()
	if !ok {
		r.Fail(name, "%v, must be true or false", v)
	}
	return b
}

// NeedBool is Bool of a field that has to be given.
func (r *Reader) NeedBool(name string) bool {
	r.Need(name)
	return r.Bool(name, false)
}

// Text is a text, empty if it is not given.
func (r *Reader) Text(name string) string {
	v, ok := r.Get(name)
	if !ok {
		return ""
	}
	s, ok := v.Text()
	if !ok {
		r.Fail(name, "%v, must be a text, in quotation marks", v)
	}
	return s
}

// NeedText is Text of a field that has to be given.
func (r *Reader) NeedText(name string) string {
	r.Need(name)
	return r.Text(name)
}

// Bytes is what a text of hexadecimal digits says, which spaces may part; empty if it is
// not given.
func (r *Reader) Bytes(name string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(r.Text(name), " ", ""))
	if err != nil {
		r.Fail(name, "must be hexadecimal digits, two for each byte")
	}
	return b
}

// One is the place of a text among words, otherwise if it is not given.
func (r *Reader) One(name string, otherwise int, words ...string) int {
	v, ok := r.Get(name)
	if !ok {
		return otherwise
	}
	s, _ := v.Text()
	i := slices.Index(words, s)
	if i < 0 {
		r.Fail(name, "%v, must be %s", v, strings.Join(words, " or "))
	}
	return max(i, 0)
}

// Items reads a list of least to most objects, which has to be given. read is called for
// each of them.
func (r *Reader) Items(name string, least, most int, read func(*Reader)) {
	v, ok := r.Need(name)
	if !ok {
		return
	}
	list := v.List()
	if v.Type() != thing.ListType || len(list) < least || len(list) > most {
		r.Fail(name, "must be a list of %d to %d", least, most)
		return
	}
	for i, e := range list {
		if e.Type() != thing.StructType {
			r.Fail(name, "item %d must be an object", i)
			continue
		}
		inner := &Reader{fields: e.Struct(), path: fmt.Sprintf("%s%s[%d].", r.path, name, i), errs: r.errs}
		read(inner)
		inner.unknown()
	}
}

// unknown complains of fields that nobody asked for.
func (r *Reader) unknown() {
	for _, f := range r.fields {
		switch {
		case slices.Contains(r.known, f.Name):
		case len(r.known) == 0:
			r.Fail(f.Name, "is not known here: nothing is")
		default:
			r.Fail(f.Name, "is not known here; known are %s", strings.Join(slices.Compact(slices.Sorted(slices.Values(r.known))), ", "))
		}
	}
}

// Err is everything that is wrong, as a *thing.ReplyError with the state Invalid, which
// ends the command; nil if nothing is. It is called once, when all is read.
func (r *Reader) Err() error {
	r.unknown()
	if len(*r.errs) == 0 {
		return nil
	}
	return &thing.ReplyError{State: thing.Invalid, Text: strings.Join(*r.errs, "; ")}
}
