package devices

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/config/hocon"
)

// hoconLoader reads one .conf, .json or .properties file, with what it
// includes.
type hoconLoader struct {
	*loader

	partial map[string]*partialEntry
	order   []string // of partial
	scalars []scalarEntry
}

// partialEntry gathers an entry that is written name.key = value.
type partialEntry struct {
	pos    hocon.Position
	values [3]*hocon.Value
	bad    bool // it has a key that nobody knows
}

type scalarEntry struct {
	key string
	pos hocon.Position
}

func (l *hoconLoader) file(path string, maxBytes int64) error {
	referenced := map[string]bool{}
	opts := hocon.Options{Limits: hocon.Limits{Bytes: maxBytes}, Open: func(name string) (io.ReadCloser, error) {
		l.files.add(name)
		return os.Open(name) //nolint:gosec // reading the files an operator names is what it is for
	}}
	err := hocon.ScanFile(path, hocon.ScanOptions{
		Options: opts, Flat: true, MaxBad: maxMistakes, Referenced: referenced,
		Bad: func(e *hocon.Error) { l.report(e.Pos, "", e.Problem, e.Hint) },
	}, l.entry)
	switch {
	case errors.Is(err, hocon.ErrTooManyMistakes):
		return fmt.Errorf("devices: %s: %w; the first is: %w", path, err, l.bad[0])
	case err != nil:
		return fmt.Errorf("devices: %w", err)
	}
	for _, s := range l.scalars {
		if !referenced[s.key] {
			l.report(s.pos, s.key, "is a single value", "write name { productKey = ..., deviceName = ..., deviceSecret = ... }")
		}
	}
	for _, name := range l.order {
		if e := l.partial[name]; !e.bad {
			l.values(name, e.pos, e.values)
		}
	}
	return nil
}

// entry takes one field of the file.
func (l *hoconLoader) entry(e hocon.Entry) error {
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

// object takes name { ... }. One with a key that nobody knows is left out: the key
// may be a misspelt deviceSecret, without which the device would be refused.
func (l *hoconLoader) object(name string, e hocon.Entry) {
	var values [3]*hocon.Value
	bad := false
	for _, f := range e.Value.Fields() {
		if i := keyNumber(f.Key); i >= 0 {
			values[i] = f.Value
			continue
		}
		l.report(f.Pos(), hocon.FormatPath([]string{name, f.Key}), unknownKey, hintFor(f.Key))
		bad = true
	}
	if !bad {
		l.values(name, e.Pos, values)
	}
}

const unknownKey = "is not a known key, so this entry is left out"

func keyNumber(key string) int {
	for i, k := range entryKeys {
		if k == key {
			return i
		}
	}
	return -1
}

func hintFor(key string) string {
	if like := config.Nearest(key, entryKeys[:]); like != "" {
		return "did you mean " + like + "?"
	}
	return "an entry has " + strings.Join(entryKeys[:], ", ")
}

// part takes name.key = value.
func (l *hoconLoader) part(e hocon.Entry) {
	last := len(e.Path) - 1
	i := keyNumber(e.Path[last])
	name := strings.Join(e.Path[:last], ".")
	p := l.partial[name]
	if p == nil {
		p = &partialEntry{pos: e.Pos}
		l.partial[name] = p
		l.order = append(l.order, name)
	}
	if i < 0 {
		l.report(e.Pos, hocon.FormatPath(e.Path), unknownKey, hintFor(e.Path[last]))
		p.bad = true
		return
	}
	p.values[i] = e.Value
}

// values adds an entry of these values.
func (l *hoconLoader) values(name string, pos hocon.Position, values [3]*hocon.Value) {
	var texts [3]string
	for i, v := range values {
		switch v.Kind() {
		case hocon.Null:
		case hocon.Array, hocon.Object:
			l.report(v.Pos(), keyOf(name)+"."+entryKeys[i], "is "+v.Kind().String()+", want a text", "")
			return
		default:
			texts[i] = v.Text() //nolint:gosec // there are three of both
		}
	}
	l.add(name, pos, texts)
}
