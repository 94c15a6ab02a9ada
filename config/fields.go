package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/config/hocon"
)

// options are what a conf tag says behind the key.
type options struct {
	required bool
	secret   bool
	bytes    bool
	doc      string
	example  string         // of a value, as a configuration has it
	section  hocon.Position // of the section that should hold the key
}

// hint says what a missing key is, with an example.
func (o options) hint(path []string, t reflect.Type) string {
	text := "write " + example(path, t, o)
	if o.doc != "" {
		text = "it is the " + strings.TrimPrefix(o.doc, "the ") + "; " + text
	}
	return text
}

// structField is a field that has a key.
type structField struct {
	key   string
	index []int
	typ   reflect.Type
	options
}

// fieldsOf lists the fields of a struct that have keys. Wrong tags are mistakes
// in the program: it panics.
func fieldsOf(t reflect.Type) []structField {
	var out []structField
	for f := range t.Fields() {
		tag, tagged := f.Tag.Lookup("conf")
		switch {
		case tag == "-":
		case !tagged && f.Anonymous && f.Type.Kind() == reflect.Struct:
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append(slices.Clone(f.Index), inner.index...)
				out = append(out, inner)
			}
		case tagged && !f.IsExported():
			panic(fmt.Sprintf("config: %s.%s has a conf tag and is not exported", t, f.Name))
		case tagged:
			out = append(out, fieldOf(t, f, tag))
		}
	}
	for i := range out {
		if slices.ContainsFunc(out[:i], func(f structField) bool { return f.key == out[i].key }) {
			panic(fmt.Sprintf("config: %s has two fields with the key %q", t, out[i].key))
		}
	}
	return out
}

func fieldOf(owner reflect.Type, f reflect.StructField, tag string) structField {
	key, rest, _ := strings.Cut(tag, ",")
	out := structField{key: key, index: f.Index, typ: f.Type}
	out.doc, out.example = f.Tag.Get("doc"), f.Tag.Get("example")
	if key == "" {
		panic(fmt.Sprintf("config: %s.%s has a conf tag without a key", owner, f.Name))
	}
	for o := range strings.SplitSeq(rest, ",") {
		switch o {
		case "":
		case "required":
			out.required = true
		case "secret":
			out.secret = true
		case "bytes":
			out.bytes = true
		default:
			panic(fmt.Sprintf("config: %s.%s: the conf tag has an unknown option %q", owner, f.Name, o))
		}
	}
	return out
}

var durationType = reflect.TypeFor[time.Duration]()

// holdsSections tells whether a key of that type has keys beneath it, or is a
// list of what has.
func holdsSections(t reflect.Type) bool {
	for t != treeType && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice) {
		t = t.Elem()
	}
	return t == treeType || t.Kind() == reflect.Map || isStruct(t) || t.Kind() == reflect.Interface
}

// isSecret tells whether a type is a text that masks itself when it is printed.
func isSecret(t reflect.Type) bool {
	if t.Kind() != reflect.String || !t.Implements(reflect.TypeFor[fmt.Stringer]()) {
		return false
	}
	const probe = "a probe that is no secret"
	v := reflect.New(t).Elem()
	v.SetString(probe)
	return !strings.Contains(v.Interface().(fmt.Stringer).String(), probe)
}
