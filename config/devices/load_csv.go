package devices

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/config/hocon"
)

// keyIdentity is the column of devices' own names.
const keyIdentity = "identity"

// columns are where a CSV file has what; -1: nowhere.
type columns struct {
	identity int
	keys     [3]int // of entryKeys
}

// errNoHeader says that a CSV file does not begin with the names of its
// columns.
var errNoHeader = errors.New("the first line has to name the columns identity, productKey, deviceName, deviceSecret")

// csv reads a CSV file (RFC 4180): a header that names the columns, in any
// order, then one line for each device. The delimiter is that of the header: a
// comma, a semicolon or a tabulator. Other columns are for people.
func (l *loader) csv(path string, maxBytes int64) error {
	l.files.add(path)
	f, err := os.Open(path) //nolint:gosec // reading the files an operator names is what it is for
	if err != nil {
		return fmt.Errorf("devices: cannot open the file: %w", err)
	}
	defer func() { _ = f.Close() }() // read only, or synced
	limited := &io.LimitedReader{R: f, N: maxBytes + 1}
	in := bufio.NewReaderSize(limited, 1<<16)
	if err = skipBOM(in); err != nil {
		return fmt.Errorf("devices: %s: %w", path, err)
	}
	r := csv.NewReader(in)
	r.Comma, r.ReuseRecord = delimiter(in), true
	where, err := l.header(path, r)
	if err != nil {
		return fmt.Errorf("devices: %s: %w", path, err)
	}
	for {
		record, err := r.Read()
		var mistake *csv.ParseError
		switch {
		case limited.N <= 0:
			return fmt.Errorf("devices: %s is larger than maxFile; raise it: %w", path, errTooLarge)
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &mistake):
			l.csvMistake(path, mistake)
			if l.unsaid > 0 {
				return fmt.Errorf("devices: %s: more than %d mistakes; the first is: %w", path, maxMistakes, l.bad[0])
			}
		case err != nil:
			return fmt.Errorf("devices: %s: %w", path, err)
		default:
			l.line(path, r, record, where)
		}
	}
}

// skipBOM reads the mark that some programs put in front of UTF-8.
func skipBOM(in *bufio.Reader) error {
	start, _ := in.Peek(3)
	switch s := string(start); {
	case s == "\ufeff":
		_, _ = in.Discard(3) // they are there
	case strings.HasPrefix(s, "\xff\xfe") || strings.HasPrefix(s, "\xfe\xff"):
		return errUTF16
	}
	return nil
}

var errUTF16 = errors.New("is UTF-16; save it as UTF-8")

// delimiter is what divides the fields of the first line.
func delimiter(in *bufio.Reader) rune {
	start, _ := in.Peek(1 << 10)
	line, _, _ := strings.Cut(string(start), "\n")
	for _, c := range ",;\t" {
		if strings.ContainsRune(line, c) {
			return c
		}
	}
	return ','
}

// header reads the names of the columns.
func (l *loader) header(path string, r *csv.Reader) (columns, error) {
	where := columns{identity: -1, keys: [3]int{-1, -1, -1}}
	names, err := r.Read()
	if errors.Is(err, io.EOF) {
		return where, errNoHeader
	}
	if err != nil {
		return where, err
	}
	known := append([]string{keyIdentity}, entryKeys[:]...)
	places := [4]*int{&where.identity, &where.keys[0], &where.keys[1], &where.keys[2]}
	var unknown []int
	for i, name := range names {
		found := false
		for n, key := range known {
			if !strings.EqualFold(strings.TrimSpace(name), key) {
				continue
			}
			if *places[n] >= 0 {
				return where, fmt.Errorf("the column %s stands twice: %w", key, errNoHeader)
			}
			*places[n], found = i, true
		}
		if !found {
			unknown = append(unknown, i)
		}
	}
	if where.identity < 0 && !l.pool || where.keys[0] < 0 || where.keys[1] < 0 {
		return where, fmt.Errorf("%s is missing in %q: %w", missing(known, places), names, errNoHeader)
	}
	for _, i := range unknown {
		like := config.Nearest(names[i], known)
		if like == keySecret && where.keys[2] < 0 { // else all devices would be without a secret
			return where, fmt.Errorf("%s is missing, and %.64q looks like it: %w", keySecret, names[i], errNoHeader)
		}
		if like != "" {
			line, column := r.FieldPos(i)
			l.report(hocon.Position{File: path, Line: line, Column: column}, names[i], "is not a known column", "did you mean "+like+"?")
		}
	}
	return where, nil
}

// missing names the columns that have no place; the secret's may be missing.
func missing(columns []string, places [4]*int) string {
	var names []string
	for i, name := range columns[:3] {
		if *places[i] < 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// line takes one device.
func (l *loader) line(path string, r *csv.Reader, record []string, where columns) {
	line, column := r.FieldPos(max(where.identity, 0))
	pos := hocon.Position{File: path, Line: line, Column: column}
	var texts [3]string
	for i, at := range where.keys {
		if at >= 0 {
			texts[i] = record[at]
		}
	}
	name := texts[0] + "/" + texts[1]
	if where.identity >= 0 {
		name = record[where.identity]
	}
	if name != strings.TrimSpace(name) {
		l.report(pos, keyOf(name), "has a blank at its beginning or end", "remove it")
		return
	}
	l.add(name, pos, texts)
}

// csvMistake reports a line that is no CSV.
func (l *loader) csvMistake(path string, e *csv.ParseError) {
	hint := `put fields with delimiters, quotes or line breaks in double quotes, and write a quote in them twice`
	if errors.Is(e.Err, csv.ErrFieldCount) {
		hint = "every line needs as many fields as the first one"
	}
	l.report(hocon.Position{File: path, Line: e.StartLine, Column: e.Column}, "", e.Err.Error(), hint)
}
