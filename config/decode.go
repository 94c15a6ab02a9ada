package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/linkspan/linkspan/config/hocon"
)

// Defaulter is implemented by pointers to structs that are elements of lists,
// of maps or behind nil pointers: SetDefaults is called before such an element
// is decoded.
type Defaulter interface{ SetDefaults() }

// Decode fills what into points at with the section at path, "" for all of t.
// What into holds is the default for what the section leaves out. The error is
// an [Errors] with every mistake; then into is filled as far as possible.
// Unknown keys are no mistakes; see [Tree.Warnings].
func (t *Tree) Decode(path string, into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("config: decode: into is %T, want a pointer that is not nil", into)
	}
	if _, err := splitPath(path); err != nil {
		return fmt.Errorf("config: decode: %w", err)
	}
	s := t.Sub(path)
	d := decoder{all: t.all}
	d.decode(s.value, s.path, target.Elem(), options{})
	t.all.keep(s.path, target.Elem())
	if d.errs == nil {
		return nil
	}
	return d.errs.sorted()
}

// DecodeNew is Decode into a copy of defaults, which it returns. That is how
// the value of a plugin's configuration is made, whose type only the plugin
// knows.
func (t *Tree) DecodeNew(path string, defaults any) (any, error) {
	if defaults == nil {
		return nil, nil
	}
	target := reflect.New(reflect.TypeOf(defaults))
	target.Elem().Set(reflect.ValueOf(defaults))
	err := t.Decode(path, target.Interface())
	return target.Elem().Interface(), err
}

type decoder struct {
	all  *shared
	errs Errors
}

func (d *decoder) fail(v *hocon.Value, path []string, problem, hint string) {
	d.errs = append(d.errs, errorAt(v.Pos(), hocon.FormatPath(path), problem, hint))
}

var (
	treeType        = reflect.TypeFor[*Tree]()
	unmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// decode fills into with v, which is nil where the configuration has nothing.
func (d *decoder) decode(v *hocon.Value, path []string, into reflect.Value, o options) {
	if v == nil && len(path) > 0 {
		v = d.fromEnvironment(path)
	}
	if into.Type() == treeType {
		if v.Kind() != hocon.Null {
			into.Set(reflect.ValueOf(&Tree{value: v, path: slices.Clip(path), all: d.all}))
		}
		return
	}
	if o.secret || isSecret(into.Type()) {
		o.secret = true
		d.all.markSecret(path)
	}
	if k := into.Kind(); o.secret && k != reflect.Slice && k != reflect.Map && k != reflect.Pointer {
		secret, ok := d.fromFile(v, path)
		if !ok {
			d.all.markRead(path)
			return
		}
		v = secret
	}
	missing := v.Kind() == hocon.Null
	if missing && o.required && into.IsZero() {
		pos := v.Pos()
		if v == nil {
			pos = o.section
		}
		problem, key := "is required and missing", hocon.FormatPath(path)
		if opt, ok := d.all.optional[key]; ok && v == nil {
			pos, problem = opt.at, problem+": "+opt.nothing()
		}
		d.errs = append(d.errs, errorAt(pos, key, problem, o.hint(path, into.Type())))
		return
	}
	switch {
	case reflect.PointerTo(into.Type()).Implements(unmarshalerType):
		d.text(v, path, into, o)
	case into.Kind() == reflect.Struct:
		d.structure(v, path, into)
	case into.Kind() == reflect.Pointer:
		d.pointer(v, path, into, o)
	case missing:
		if v != nil {
			d.all.markRead(path) // null: the default
		}
	case into.Kind() == reflect.Slice:
		d.slice(v, path, into, o)
	case into.Kind() == reflect.Map:
		d.mapping(v, path, into, o)
	case into.Kind() == reflect.Interface && into.NumMethod() == 0:
		into.Set(reflect.ValueOf(plain(v)))
		d.all.markRead(path)
	default:
		d.scalar(v, path, into, o)
	}
}

// fromEnvironment is the value of an environment variable for a key that no
// file has.
func (d *decoder) fromEnvironment(path []string) *hocon.Value {
	env := d.all.override(path)
	if env == nil {
		return nil
	}
	v, err := hocon.ParseValue(env.text, env.source())
	if err != nil {
		d.errs = append(d.errs, asError(err, hocon.FormatPath(path)))
		return nil
	}
	d.all.mu.Lock()
	d.all.fromEnv[hocon.FormatPath(path)] = v
	d.all.mu.Unlock()
	return v
}

func (d *decoder) text(v *hocon.Value, path []string, into reflect.Value, o options) {
	d.all.markRead(path)
	switch v.Kind() {
	case hocon.Null:
		return
	case hocon.Array, hocon.Object:
		d.fail(v, path, "is "+v.Kind().String()+", want a text", "write "+example(path, into.Type(), o))
		return
	default:
	}
	u := into.Addr().Interface().(encoding.TextUnmarshaler)
	if err := u.UnmarshalText([]byte(v.Text())); err != nil {
		problem := "has a value that cannot be used"
		if !o.secret {
			problem = strconv.Quote(v.Text()) + ": " + err.Error()
		}
		d.fail(v, path, problem, "")
	}
}

func (d *decoder) structure(v *hocon.Value, path []string, into reflect.Value) {
	switch v.Kind() {
	case hocon.Object, hocon.Null:
	default:
		d.all.markRead(path)
		d.fail(v, path, "is "+v.Kind().String()+", want a section", "write it as { key = value ... }")
		return
	}
	fields := fieldsOf(into.Type())
	keys := make(keyInfos, len(fields))
	for i, f := range fields {
		keys[i] = keyInfo{f.key, holdsSections(f.typ)}
	}
	d.all.markKnown(path, keys)
	for _, f := range fields {
		f.section = v.Pos()
		d.decode(v.Get(f.key), append(slices.Clip(path), f.key), into.FieldByIndex(f.index), f.options)
	}
}

func (d *decoder) pointer(v *hocon.Value, path []string, into reflect.Value, o options) {
	if v.Kind() == hocon.Null && (into.IsNil() || v != nil) && !d.all.overridesBelow(path) {
		if v != nil { // null takes the default away
			into.SetZero()
			d.all.markRead(path)
		}
		return
	}
	target := reflect.New(into.Type().Elem())
	if into.IsNil() {
		setDefaults(target)
	} else {
		target.Elem().Set(into.Elem())
	}
	o.required = false
	d.decode(v, path, target.Elem(), o)
	into.Set(target)
}

func setDefaults(pointer reflect.Value) {
	if s, ok := pointer.Interface().(Defaulter); ok {
		s.SetDefaults()
	}
}

// slice replaces the default. A single value is a list of one.
func (d *decoder) slice(v *hocon.Value, path []string, into reflect.Value, o options) {
	elems, ok := v.List()
	if !ok {
		elems = []*hocon.Value{v}
	}
	o.required = false
	out := reflect.MakeSlice(into.Type(), len(elems), len(elems))
	for i, e := range elems {
		at := path
		if ok {
			at = append(slices.Clip(path), indexOf(v, e, i))
		}
		setDefaults(out.Index(i).Addr())
		d.decode(e, at, out.Index(i), o)
	}
	if len(elems) == 0 {
		d.all.markRead(path)
	}
	into.Set(out)
}

// indexOf is the key by which element i is found in v.
func indexOf(v, e *hocon.Value, i int) string {
	for _, f := range v.Fields() {
		if f.Value == e {
			return f.Key
		}
	}
	return strconv.Itoa(i)
}

// mapping adds to the default.
func (d *decoder) mapping(v *hocon.Value, path []string, into reflect.Value, o options) {
	if into.Type().Key().Kind() != reflect.String {
		panic("config: decode: " + into.Type().String() + ": only maps with texts as keys can be decoded")
	}
	if v.Kind() != hocon.Object {
		d.all.markRead(path)
		d.fail(v, path, "is "+v.Kind().String()+", want a section", "write it as { name = value ... }")
		return
	}
	out := reflect.MakeMap(into.Type())
	for it := into.MapRange(); it.Next(); {
		out.SetMapIndex(it.Key(), it.Value())
	}
	o.required = false
	for _, f := range v.Fields() {
		key := reflect.ValueOf(f.Key).Convert(into.Type().Key())
		elem := reflect.New(into.Type().Elem())
		if old := out.MapIndex(key); old.IsValid() {
			elem.Elem().Set(old)
		} else {
			setDefaults(elem)
		}
		d.decode(f.Value, append(slices.Clip(path), f.Key), elem.Elem(), o)
		out.SetMapIndex(key, elem.Elem())
	}
	if len(v.Fields()) == 0 {
		d.all.markRead(path)
	}
	into.Set(out)
}

// plain gives v as nil, bool, int64, float64, string, []any or map[string]any.
func plain(v *hocon.Value) any {
	switch v.Kind() {
	case hocon.Bool:
		return v.Text() == "true"
	case hocon.Number:
		if n, err := strconv.ParseInt(v.Text(), 10, 64); err == nil {
			return n
		}
		f, _ := strconv.ParseFloat(v.Text(), 64) // the parser has checked it; too large is infinite
		return f
	case hocon.String:
		return v.Text()
	case hocon.Array:
		out := make([]any, 0, len(v.Elems()))
		for _, e := range v.Elems() {
			out = append(out, plain(e))
		}
		return out
	case hocon.Object:
		out := make(map[string]any, len(v.Fields()))
		for _, f := range v.Fields() {
			out[f.Key] = plain(f.Value)
		}
		return out
	default:
		return nil
	}
}
