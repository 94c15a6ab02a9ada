package profile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxCSV bounds a table of points in bytes.
const maxCSV = 4 << 20

// table adds the points of the file of config.CSV to those of the configuration.
func (b *builder) table(points map[string]Point, read func(string) ([]byte, error)) map[string]Point {
	if read == nil {
		b.fail("csv", "files cannot be read here")
		return points
	}
	text, err := read(b.config.CSV)
	if err != nil {
		b.fail("csv", "%w", err)
		return points
	}
	rows, err := ReadCSV(text)
	if err != nil {
		b.fail("csv", "%s: %w", b.config.CSV, err)
	}
	if points == nil {
		points = map[string]Point{}
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if _, twice := points[name]; twice {
			b.fail("csv", "%s: point %s stands in points too: remove one of the two", b.config.CSV, name)
			continue
		}
		points[name] = rows[name]
	}
	return points
}

// columns are what the first line of a table may name, and what becomes of a
// cell, which is not empty.
var columns = map[string]func(p *Point, cell string) error{
	"area":      textCell(func(p *Point) *string { return &p.Area }),
	"function":  wholeCell(func(p *Point) *int { return &p.Function }),
	"address":   textCell(func(p *Point) *string { return &p.Address }),
	"type":      textCell(func(p *Point) *string { return &p.Type }),
	"registers": wholeCell(func(p *Point) *int { return &p.Registers }),
	"bit":       wholeCell(func(p *Point) *int { return &p.Bit }),
	"bits":      wholeCell(func(p *Point) *int { return &p.Bits }),
	"order":     textCell(func(p *Point) *string { return &p.Order }),
	"scale":     textCell(func(p *Point) *string { return &p.Scale }),
	"offset":    textCell(func(p *Point) *string { return &p.Offset }),
	"decimals":  decimalsCell,
	"astext":    truthCell,
	"unit":      textCell(func(p *Point) *string { return &p.Unit }),
	"title":     textCell(func(p *Point) *string { return &p.Title }),
	"enum":      enumCell,
	"invalid":   invalidCell,
	"access":    wordCell(func(p *Point) *string { return &p.Access }),
	"write":     wordCell(func(p *Point) *string { return &p.Write }),
	"min":       textCell(func(p *Point) *string { return &p.Min }),
	"max":       textCell(func(p *Point) *string { return &p.Max }),
	"interval":  intervalCell,
	"report":    wordCell(func(p *Point) *string { return &p.Report }),
	"deadband":  textCell(func(p *Point) *string { return &p.Deadband }),
	"atleast":   atLeastCell,
}

// textCell is a cell whose text is kept as it is.
func textCell(field func(*Point) *string) func(*Point, string) error {
	return func(p *Point, cell string) error {
		*field(p) = cell
		return nil
	}
}

// wordCell is a cell with one of some words, in any case.
func wordCell(field func(*Point) *string) func(*Point, string) error {
	return func(p *Point, cell string) error {
		*field(p) = strings.ToLower(cell)
		return nil
	}
}

func wholeCell(field func(*Point) *int) func(*Point, string) error {
	return func(p *Point, cell string) (err error) {
		*field(p), err = whole(cell)
		return err
	}
}

func intervalCell(p *Point, cell string) (err error) {
	p.Interval, err = span(cell)
	return err
}

func invalidCell(p *Point, cell string) error { //nolint:unparam // as the others
	p.Invalid = strings.Fields(cell)
	return nil
}

func whole(cell string) (int, error) {
	n, err := strconv.ParseInt(cell, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number", cell)
	}
	return int(n), nil
}

func span(cell string) (time.Duration, error) {
	d, err := time.ParseDuration(cell)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration such as 10s, 500ms or 1h", cell)
	}
	return d, nil
}

func decimalsCell(p *Point, cell string) error {
	n, err := whole(cell)
	p.Decimals = &n
	return err
}

// truthCell reads true and false.
func truthCell(p *Point, cell string) (err error) {
	if p.AsText, err = strconv.ParseBool(strings.ToLower(cell)); err != nil {
		return fmt.Errorf("%q is neither true nor false", cell)
	}
	return nil
}

func atLeastCell(p *Point, cell string) error {
	d, err := span(cell)
	p.AtLeast = &d
	return err
}

// enumCell reads 0=off;1=on.
func enumCell(p *Point, cell string) error {
	p.Enum = map[string]string{}
	for pair := range strings.SplitSeq(cell, ";") {
		number, text, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("%q, want 0=off;1=on", cell)
		}
		p.Enum[strings.TrimSpace(number)] = strings.TrimSpace(text)
	}
	return nil
}

// ReadCSV reads a table of points (RFC 4180, UTF-8). Its first line names the
// columns, in any order and case: name, address and other keys of [Point]. It may
// use semicolons or tabulators in place of commas; then all lines do. In cells, a
// list has blanks between its items and enum is 0=off;1=on. Empty cells are the
// defaults, empty lines and lines that begin with # are left out.
//
// The error has every mistake, each with its line; the points of the other lines
// are returned with it.
func ReadCSV(text []byte) (map[string]Point, error) {
	if len(text) > maxCSV {
		return nil, fmt.Errorf("the table has %d bytes, at most %d are allowed", len(text), maxCSV)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.Comment, r.TrimLeadingSpace, r.FieldsPerRecord, r.ReuseRecord = delimiter(text), '#', true, -1, true
	if r.Comma == '\t' {
		r.TrimLeadingSpace = false // it would take empty cells for space
	}
	records, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("the first line has to name the columns: %w", err)
	}
	t := &tableReader{points: map[string]Point{}, name: -1}
	t.header(records)
	for len(t.errs) == 0 || t.name >= 0 {
		record, err := r.Read()
		if err != nil {
			if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
				t.errs = append(t.errs, err)
			}
			break
		}
		line, _ := r.FieldPos(0)
		t.row(line, record)
	}
	return t.points, errors.Join(t.errs...)
}

// delimiter is what the first line separates columns by.
func delimiter(text []byte) rune {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	best, most := ',', 0
	for _, c := range []rune{',', ';', '\t'} {
		if n := bytes.Count(first, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}

type tableReader struct {
	points map[string]Point
	keys   []string // of the columns
	name   int      // the column of names; -1: there is none
	errs   []error
}

func (t *tableReader) header(record []string) {
	for i, cell := range record {
		key := strings.ToLower(strings.TrimSpace(cell))
		_, known := columns[key]
		switch {
		case key == "name":
			t.name = i
		case key != "" && !known:
			t.errs = append(t.errs, fmt.Errorf("line 1: no column is called %q: there are name, %s", cell, strings.Join(slices.Sorted(maps.Keys(columns)), ", ")))
			key = ""
		case key != "" && slices.Contains(t.keys, key):
			t.errs = append(t.errs, fmt.Errorf("line 1: column %q stands there twice", cell))
			key = ""
		}
		t.keys = append(t.keys, key)
	}
	if t.name < 0 {
		t.errs = append(t.errs, errors.New("line 1: there is no column name"))
	}
}

func (t *tableReader) row(line int, record []string) {
	if t.name >= len(record) {
		t.errs = append(t.errs, fmt.Errorf("line %d: it has no name", line))
		return
	}
	name := strings.Clone(strings.TrimSpace(record[t.name]))
	if name == "" {
		if strings.TrimSpace(strings.Join(record, "")) != "" {
			t.errs = append(t.errs, fmt.Errorf("line %d: it has no name", line))
		}
		return
	}
	if _, twice := t.points[name]; twice {
		t.errs = append(t.errs, fmt.Errorf("line %d: point %s stands there twice", line, name))
		return
	}
	if len(t.points) >= MaxPoints {
		t.errs = append(t.errs, fmt.Errorf("line %d: more than %d points", line, MaxPoints))
		t.name = -1
		return
	}
	p := DefaultPoint()
	for i, cell := range record {
		if i >= len(t.keys) {
			t.errs = append(t.errs, fmt.Errorf("line %d: %d cells, but there are %d columns", line, len(record), len(t.keys)))
			break
		}
		set, known := columns[t.keys[i]]
		if cell = strings.Clone(strings.TrimSpace(cell)); i == t.name || cell == "" || !known {
			continue
		}
		if err := set(&p, cell); err != nil {
			t.errs = append(t.errs, fmt.Errorf("line %d: point %s: %s: %w", line, name, t.keys[i], err))
		}
	}
	t.points[name] = p
}
