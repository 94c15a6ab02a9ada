package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Section is a struct with its place in the configuration, for [Reference].
type Section struct {
	Path   string // "" for the root
	Title  string // heading; the path if empty
	Doc    string // what the section is, one sentence or more
	Config any    // the struct, or a pointer to it, with the defaults
}

// Key is a row of the reference.
type Key struct {
	Path     string // [] stands for a list's element, <name> for any key
	Type     string // such as duration or list of text
	Default  string // as a configuration would write it; secrets are masked
	Doc      string
	Required bool
	Secret   bool
}

// Manual describes sections with their keys.
type Manual struct {
	Sections []ManualSection
}

// ManualSection is a section of a [Manual].
type ManualSection struct {
	Section

	Keys []Key
}

// Reference walks over the structs of sections. It panics when a tag is wrong,
// as Decode does.
func Reference(sections ...Section) *Manual {
	m := &Manual{}
	for _, s := range sections {
		v := reflect.ValueOf(s.Config)
		for v.IsValid() && v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if s.Title == "" {
			s.Title = s.Path
		}
		ms := ManualSection{Section: s}
		if v.IsValid() && v.Kind() == reflect.Struct {
			ms.Keys = describe(nil, s.Path, v, 0)
		}
		m.Sections = append(m.Sections, ms)
	}
	return m
}

const deepest = 16 // structs within structs; ends recursive types

func describe(keys []Key, prefix string, v reflect.Value, depth int) []Key {
	if depth > deepest {
		return keys
	}
	for _, f := range fieldsOf(v.Type()) {
		path := f.key
		if prefix != "" {
			path = prefix + "." + f.key
		}
		keys = describeField(keys, path, v.FieldByIndex(f.index), f.options, depth)
	}
	return keys
}

func describeField(keys []Key, path string, v reflect.Value, o options, depth int) []Key {
	t := v.Type()
	secret := o.secret || isSecret(t)
	row := Key{Path: path, Type: kindName(t, o), Doc: o.doc, Required: o.required, Secret: secret}
	if !o.required {
		row.Default = formatValue(v, options{secret: secret, bytes: o.bytes})
	}
	switch {
	case t == treeType || reflect.PointerTo(t).Implements(unmarshalerType):
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct && !t.Implements(unmarshalerType):
		target := v.Elem()
		if v.IsNil() {
			fresh := reflect.New(t.Elem())
			setDefaults(fresh)
			target = fresh.Elem()
		}
		return describeField(keys, path, target, o, depth)
	case t.Kind() == reflect.Struct:
		if o.doc != "" {
			row.Default = ""
			keys = append(keys, row)
		}
		return describe(keys, path, v, depth+1)
	case isStruct(elemOf(t)):
		elem := reflect.New(elemOf(t))
		setDefaults(elem)
		suffix := "[]"
		if t.Kind() == reflect.Map {
			suffix = ".<name>"
		}
		return describe(append(keys, row), path+suffix, elem.Elem(), depth+1)
	}
	return append(keys, row)
}

// elemOf is the element of a slice or map, t itself for others.
func elemOf(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		return t.Elem()
	}
	return t
}

func isStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(unmarshalerType)
}

func kindName(t reflect.Type, o options) string {
	switch {
	case t == treeType:
		return "section"
	case t.Kind() == reflect.Slice && !reflect.PointerTo(t).Implements(unmarshalerType):
		return "list of " + strings.TrimSuffix(kindName(t.Elem(), o), "s")
	case t.Kind() == reflect.Interface:
		return "any"
	case t.Kind() == reflect.Map:
		return "section of " + kindName(t.Elem(), o)
	default:
		name := typeName(t, o)
		return name[strings.IndexByte(name, ' ')+1:]
	}
}

// formatValue writes a default as a configuration would; "" for none.
func formatValue(v reflect.Value, o options) string {
	t := v.Type()
	switch {
	case o.secret:
		if v.IsZero() {
			return ""
		}
		return masked
	case t == durationType:
		return formatDuration(time.Duration(v.Int()))
	case o.bytes && v.CanInt():
		return Size(v.Int()).String()
	case o.bytes && v.CanUint():
		return Size(v.Uint()).String() //nolint:gosec // a default of ours is no exabyte
	case t == treeType:
		return ""
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok && (t.Kind() != reflect.Pointer || !v.IsNil()) {
		text, err := m.MarshalText()
		if err == nil {
			return quoted(string(text))
		}
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return ""
		}
		return formatValue(v.Elem(), o)
	case reflect.String:
		return quoted(v.String())
	case reflect.Slice:
		return formatList(v, o)
	case reflect.Map, reflect.Struct:
		return ""
	default:
		return fmt.Sprint(v.Interface())
	}
}

func formatList(v reflect.Value, o options) string {
	if isStruct(v.Type().Elem()) {
		return ""
	}
	items := make([]string, v.Len())
	for i := range items {
		items[i] = formatValue(v.Index(i), o)
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return quote(s)
}

// Text is the manual for a terminal.
func (m *Manual) Text() string {
	var b strings.Builder
	for i, s := range m.Sections {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s\n", s.Title)
		if s.Doc != "" {
			fmt.Fprintf(&b, "  %s\n", s.Doc)
		}
		for _, k := range s.Keys {
			fmt.Fprintf(&b, "\n  %s (%s)\n", k.Path, strings.Join(k.facts(), ", "))
			if k.Doc != "" {
				fmt.Fprintf(&b, "      %s\n", k.Doc)
			}
		}
	}
	return b.String()
}

func (k Key) facts() []string {
	facts := []string{k.Type}
	switch {
	case k.Required:
		facts = append(facts, "required")
	case k.Default != "":
		facts = append(facts, "default "+k.Default)
	}
	if k.Secret {
		facts = append(facts, "secret")
	}
	return facts
}

// Markdown is the manual as the reference page: one table for each section.
func (m *Manual) Markdown() string {
	var b strings.Builder
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;")
	for _, s := range m.Sections {
		fmt.Fprintf(&b, "## %s\n\n", s.Title)
		if s.Doc != "" {
			fmt.Fprintf(&b, "%s\n\n", s.Doc)
		}
		if len(s.Keys) == 0 {
			b.WriteString("No keys.\n\n")
			continue
		}
		b.WriteString("| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |\n")
		for _, k := range s.Keys {
			def := ""
			switch {
			case k.Required:
				def = "required"
			case k.Default != "":
				def = "`" + strings.ReplaceAll(k.Default, "|", `\|`) + "`"
			}
			doc := cell.Replace(k.Doc)
			if k.Secret {
				doc = strings.TrimPrefix(doc+"; secret", "; ")
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", strings.ReplaceAll(k.Path, "|", `\|`), k.Type, def, doc)
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}
