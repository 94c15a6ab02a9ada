package devices

import (
	"errors"
	"fmt"
	"strings"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/config/hocon"
)

// The keys of an entry.
const (
	keyProduct = "productKey"
	keyDevice  = "deviceName"
	keySecret  = "deviceSecret"
)

var entryKeys = [3]string{keyProduct, keyDevice, keySecret}

// maxMistakes is how many mistakes one reading reports; further ones are
// counted in the last.
const maxMistakes = 1000

// loader builds a table of one file.
type loader struct {
	table   *table
	bad     config.Errors
	unsaid  int // mistakes beyond maxMistakes
	partial map[string]*partialEntry
	order   []string // of partial
	scalars []scalarEntry
}

// partialEntry gathers an entry that is written name.key = value.
type partialEntry struct {
	pos    hocon.Position
	values [3]*hocon.Value
}

type scalarEntry struct {
	key string
	pos hocon.Position
}

// load reads a devices file. The error is for a file that cannot be read as a
// whole.
func load(path string, limits hocon.Limits) (*table, config.Errors, error) {
	l := &loader{table: newTable(), partial: map[string]*partialEntry{}}
	referenced := map[string]bool{}
	err := hocon.ScanFile(path, hocon.ScanOptions{
		Options: hocon.Options{Limits: limits}, Flat: true, MaxBad: maxMistakes, Referenced: referenced,
		Bad: func(e *hocon.Error) { l.report(e.Pos, "", e.Problem, e.Hint) },
	}, l.entry)
	switch {
	case errors.Is(err, hocon.ErrTooManyMistakes):
		return nil, nil, fmt.Errorf("devices: %s: %w; the first is: %w", path, err, l.bad[0])
	case err != nil:
		return nil, nil, fmt.Errorf("devices: %w", err)
	}
	for _, s := range l.scalars {
		if !referenced[s.key] {
			l.report(s.pos, s.key, "is a single value", "write name { productKey = ..., deviceName = ..., deviceSecret = ... }")
		}
	}
	for _, name := range l.order {
		e := l.partial[name]
		l.add(name, e.pos, e.values)
	}
	if l.unsaid > 0 {
		l.bad = append(l.bad, &config.Error{File: path, Problem: fmt.Sprintf("has %d more mistakes", l.unsaid), Hint: "correct these first"})
	}
	return l.table, l.bad, nil
}

func (l *loader) report(pos hocon.Position, key, problem, hint string) {
	if len(l.bad) >= maxMistakes {
		l.unsaid++
		return
	}
	l.bad = append(l.bad, &config.Error{File: pos.File, Line: pos.Line, Column: pos.Column, Key: strings.Clone(key), Problem: problem, Hint: hint})
}

// entry takes one field of the file.
func (l *loader) entry(e hocon.Entry) error {
	last := e.Path[len(e.Path)-1]
	switch {
	case e.Value.Kind() == hocon.Object && len(e.Path) == 1:
		l.object(last, e)
	case e.Value.Kind() == hocon.Object:
		joined := strings.Join(e.Path, ".")
		l.report(e.Pos, hocon.FormatPath(e.Path), "an unquoted period divides the device's name", fmt.Sprintf("write %q { ... }", joined))
	case len(e.Path) == 1:
		if e.Value.Kind() != hocon.Null && len(l.scalars) < maxMistakes {
			l.scalars = append(l.scalars, scalarEntry{last, e.Pos})
		}
	default:
		l.part(e)
	}
	return nil
}

// object takes name { ... }.
func (l *loader) object(name string, e hocon.Entry) {
	var values [3]*hocon.Value
	for _, f := range e.Value.Fields() {
		if i := keyNumber(f.Key); i >= 0 {
			values[i] = f.Value
			continue
		}
		hint := "an entry has " + strings.Join(entryKeys[:], ", ")
		if like := config.Nearest(f.Key, entryKeys[:]); like != "" {
			hint = "did you mean " + like + "?"
		}
		l.report(f.Pos(), hocon.FormatPath([]string{name, f.Key}), "is not a known key", hint)
	}
	l.add(name, e.Pos, values)
}

func keyNumber(key string) int {
	for i, k := range entryKeys {
		if k == key {
			return i
		}
	}
	return -1
}

// part takes name.key = value.
func (l *loader) part(e hocon.Entry) {
	last := len(e.Path) - 1
	i := keyNumber(e.Path[last])
	if i < 0 {
		hint := "an entry has " + strings.Join(entryKeys[:], ", ")
		if like := config.Nearest(e.Path[last], entryKeys[:]); like != "" {
			hint = "did you mean " + like + "?"
		}
		l.report(e.Pos, hocon.FormatPath(e.Path), "is not a known key", hint)
		return
	}
	name := strings.Join(e.Path[:last], ".")
	p := l.partial[name]
	if p == nil {
		p = &partialEntry{pos: e.Pos}
		l.partial[name] = p
		l.order = append(l.order, name)
	}
	p.values[i] = e.Value
}

// add checks an entry and puts it into the table.
func (l *loader) add(name string, pos hocon.Position, values [3]*hocon.Value) {
	var texts [3]string
	key := hocon.FormatPath([]string{name})
	for i, v := range values {
		switch v.Kind() {
		case hocon.Null:
		case hocon.Array, hocon.Object:
			l.report(v.Pos(), key+"."+entryKeys[i], "is "+v.Kind().String()+", want a text", "")
			return
		default:
			texts[i] = v.Text() //nolint:gosec // there are three of both
		}
	}
	id := auth.Identity{ProductKey: texts[0], DeviceName: texts[1], DeviceSecret: auth.Secret(texts[2])}
	problems := []string{checkName(keyProduct, id.ProductKey), checkName(keyDevice, id.DeviceName)}
	if name == "" || len(name) > maxText {
		problems = append(problems, fmt.Sprintf("the device's own name must have 1 to %d bytes", maxText))
	}
	if len(texts[2]) > maxText { //nolint:gosec // there are three
		problems = append(problems, fmt.Sprintf("%s is longer than %d bytes", keySecret, maxText))
	}
	ok := true
	for _, p := range problems {
		if p != "" {
			l.report(pos, key, p, "")
			ok = false
		}
	}
	if !ok {
		return
	}
	if old, twice := l.table.findName(name); twice {
		l.report(pos, key, fmt.Sprintf("stands twice, first at %s:%d; this one counts", l.table.fileOf(old), l.table.records[old].line), "remove one")
	}
	if old, taken := l.table.findIdentity(id.ProductKey, id.DeviceName); taken && l.table.name(old) != name {
		l.report(pos, key, fmt.Sprintf("%s is already %s at %s:%d; this one is left out", id, l.table.name(old), l.table.fileOf(old), l.table.records[old].line),
			"two devices with one identity would push each other offline")
		return
	}
	l.table.put(name, id, int32(min(pos.Line, 1<<31-1)), pos.File) //nolint:gosec // just bounded
}
