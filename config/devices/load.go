package devices

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

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

// ErrChanging says that a file was written while it was read, so that what was
// read may be half of it. Nothing of it is used; load it again.
var ErrChanging = errors.New("devices: changed while it was read")

// loaded is what one reading of a path gave.
type loaded struct {
	table *table
	bad   config.Errors
	files stamps // everything that was read or looked for
}

// load reads the devices of path: a file, or a directory of files; with pool,
// certificates that need no name. The table is to take the place of prev, which
// may be nil, and has to be settled. The error is for a path that cannot be read
// as a whole.
func load(path string, maxBytes int64, pool bool, prev *table) (*loaded, error) {
	l := &loader{path: path, pool: pool, table: newTable(prev)}
	if err := l.read(maxBytes); err != nil {
		return nil, err
	}
	if changed := l.files.changed(); changed != "" {
		return nil, fmt.Errorf("%w: %s; reload when it is whole", ErrChanging, changed)
	}
	if l.unsaid > 0 {
		l.bad = append(l.bad, &config.Error{File: path, Problem: fmt.Sprintf("has %d more mistakes", l.unsaid), Hint: "correct these first"})
	}
	return &loaded{table: l.table, bad: l.bad, files: l.files}, nil
}

// loader builds a table.
type loader struct {
	path   string
	pool   bool
	table  *table
	bad    config.Errors
	unsaid int // mistakes beyond maxMistakes
	files  stamps
}

func (l *loader) read(maxBytes int64) error {
	info, err := os.Stat(l.path)
	if err == nil && info.IsDir() {
		return l.directory(maxBytes)
	}
	return l.file(l.path, maxBytes)
}

// directory reads all devices files of a directory, in the order of their
// names. Names that begin with a period are not read: editors and Kubernetes
// keep their own there.
func (l *loader) directory(maxBytes int64) error {
	l.files.add(l.path)
	entries, err := os.ReadDir(l.path)
	if err != nil {
		return fmt.Errorf("devices: %w", err)
	}
	for _, e := range entries {
		name := filepath.Join(l.path, e.Name())
		info, err := os.Stat(name) // follows links
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() || strings.HasPrefix(e.Name(), ".") || formatOf(name) == "" {
			continue
		}
		if err != nil {
			return fmt.Errorf("devices: %w", err)
		}
		if maxBytes -= info.Size(); maxBytes < 0 {
			return fmt.Errorf("devices: the files of %s are larger than maxFile; raise it: %w", l.path, errTooLarge)
		}
		if err := l.file(name, info.Size()+maxBytes); err != nil {
			return err
		}
	}
	return nil
}

// errTooLarge says that files are larger than maxFile allows.
var errTooLarge = errors.New("too large")

func (l *loader) file(name string, maxBytes int64) error {
	if formatOf(name) == formatCSV {
		return l.csv(name, maxBytes)
	}
	h := hoconLoader{loader: l, partial: map[string]*partialEntry{}}
	return h.file(name, maxBytes)
}

const formatCSV = "csv"

// formatOf is the format that the extension of name tells; empty: none of ours.
func formatOf(name string) string {
	if strings.EqualFold(filepath.Ext(name), ".csv") {
		return formatCSV
	}
	return hocon.FormatOf(name)
}

func (l *loader) report(pos hocon.Position, key, problem, hint string) {
	if len(l.bad) >= maxMistakes {
		l.unsaid++
		return
	}
	l.bad = append(l.bad, &config.Error{File: pos.File, Line: pos.Line, Column: pos.Column, Key: strings.ToValidUTF8(strings.Clone(key), "\ufffd"), Problem: problem, Hint: hint})
}

// add checks an entry and puts it into the table. texts are those of entryKeys.
func (l *loader) add(name string, pos hocon.Position, texts [3]string) {
	e := entry{
		name: name, line: int32(min(pos.Line, 1<<31-1)), file: pos.File, //nolint:gosec // just bounded
		id: auth.Identity{ProductKey: texts[0], DeviceName: texts[1], DeviceSecret: auth.Secret(texts[2])},
	}
	ok := true
	for _, problem := range checkEntry(name, e.id) {
		if problem != "" {
			l.report(pos, keyOf(name), problem, "")
			ok = false
		}
	}
	if !ok {
		return
	}
	t := l.table
	k := t.keysOf(&e)
	old, twice := t.findNameHash(k.nameHash, name)
	if twice {
		l.report(pos, keyOf(name), fmt.Sprintf("stands twice, first at %s:%d; this one counts", t.fileOf(old), t.lineOf(old)), "remove one")
	}
	if other, taken := t.findIDHash(k.idHash, k.product, e.id.DeviceName); taken && t.name(other) != name {
		l.report(pos, keyOf(name), fmt.Sprintf("%s is already %s at %s:%d; this one is left out", e.id, t.name(other), t.fileOf(other), t.lineOf(other)),
			"two devices with one identity would push each other offline")
		return
	}
	t.add(&e, k, old, twice)
}

func keyOf(name string) string { return hocon.FormatPath([]string{name}) }

// checkEntry tells what is wrong with an entry; empty texts say nothing.
func checkEntry(name string, id auth.Identity) [4]string {
	secret := ""
	if len(id.DeviceSecret) > maxText || !utf8.ValidString(id.DeviceSecret.Reveal()) {
		secret = fmt.Sprintf("%s must be UTF-8 of at most %d bytes", keySecret, maxText)
	}
	return [4]string{checkName(keyProduct, id.ProductKey), checkName(keyDevice, id.DeviceName), secret, checkOwnName(name)}
}

// checkOwnName tells what is wrong with what a device calls itself.
func checkOwnName(name string) string {
	if name == "" || len(name) > maxText || !utf8.ValidString(name) {
		return fmt.Sprintf("the device's own name must be UTF-8 of 1 to %d bytes", maxText)
	}
	return ""
}
