package hocon

import (
	"errors"
	"fmt"
)

// Entry is a field of a file's outermost object.
type Entry struct {
	Path  []string // its key; of several parts where the file wrote a.b
	Pos   Position // of the key
	Value *Value   // resolved
}

// ScanOptions say how [ScanFile] reads.
type ScanOptions struct {
	Options

	// Flat says that entries hold no objects. A key with an object inside an
	// entry then means that the entry's closing brace is missing: that is
	// reported and scanning goes on with the key.
	Flat bool
	// Bad is told of each mistake, at most MaxBad times. Scanning goes on behind
	// the entry that has it.
	Bad    func(*Error)
	MaxBad int // 1000 if 0
	// Referenced, if not nil, is filled with the first keys of all substitutions.
	Referenced map[string]bool
}

// ErrTooManyMistakes ends a scan. Correct those reported and scan again.
var ErrTooManyMistakes = errors.New("hocon: too many mistakes")

// ScanFile calls each for every field of the outermost object of a file and of
// those it includes at its outermost level, one at a time: the file may be much
// larger than memory. A key that stands twice comes twice. Entries that hold
// substitutions come after the others, which costs two more readings of the
// file; what they refer to is held in memory.
//
// An error of each ends the scan and is returned. The other errors are *[Error]
// for a file that cannot be read or is beyond the limits, and
// ErrTooManyMistakes.
func ScanFile(name string, opts ScanOptions, each func(Entry) error) error {
	s := &scan{flat: opts.Flat, bad: opts.Bad, most: opts.MaxBad, each: each, refs: opts.Referenced}
	if s.refs == nil {
		s.refs = map[string]bool{}
	}
	if s.most <= 0 {
		s.most = 1000
	}
	s.take = s.emit
	if err := scanOnce(name, opts.Options, s); err != nil || s.open == 0 {
		return err
	}
	// Mistakes have been reported.
	s.bad, s.most = nil, 1<<62
	kept := newObject(place{file: &name})
	s.take = func(path []string, at place, val *node) error {
		if s.refs[path[0]] {
			kept.setPath(path, at, val)
		}
		return nil
	}
	if err := scanOnce(name, opts.Options, s); err != nil {
		return err
	}
	s.bad, s.most = opts.Bad, max(opts.MaxBad, 1000)
	return s.emitOpen(name, opts.Options, kept)
}

func scanOnce(name string, opts Options, s *scan) error {
	r, err := opts.open(name)
	if err != nil {
		return &Error{Pos: Position{File: name}, Problem: "cannot open the file: " + err.Error(), Err: err}
	}
	defer r.Close()
	p := &parser{session: newSession(opts, name), name: name, including: []string{identityOf(name)}, scan: s}
	err = p.read(r, newObject(place{file: &name}))
	var own *eachError
	if errors.As(err, &own) {
		return own.err
	}
	return err
}

// scan is what the parsers of one scan share.
type scan struct {
	flat  bool
	entry place // of the key of the entry that is being parsed
	bad   func(*Error)
	most  int
	count int
	each  func(Entry) error
	take  func(path []string, at place, val *node) error
	open  int             // entries with something to resolve
	refs  map[string]bool // first keys of their substitutions
}

// eachError carries an error of the caller's out of the parser.
type eachError struct{ err error }

func (e *eachError) Error() string { return e.err.Error() }

// unclosedError says that a key with an object stands in an entry that holds
// none.
type unclosedError struct {
	path  []string
	at    place
	entry place
}

func (e *unclosedError) Error() string {
	return e.at.errorf("", "%s stands in an object that is not closed", FormatPath(e.path)).Error()
}

func (s *scan) emit(path []string, at place, val *node) error {
	if val.open {
		s.open++
		val.references(s.refs)
		return nil
	}
	return s.call(path, at, closedValue(val))
}

func (s *scan) call(path []string, at place, v *Value) error {
	if err := s.each(Entry{Path: path, Pos: at.position(), Value: v}); err != nil {
		return &eachError{err}
	}
	return nil
}

// emitOpen reads the file once more for the entries that have to be resolved.
// Those that others refer to are whole in kept.
func (s *scan) emitOpen(name string, opts Options, kept *node) error {
	report := s.bad
	resolve := func(val *node) (*Value, error) {
		v, err := newResolver(kept, opts).build(val, 0)
		var mistake *Error
		if errors.As(err, &mistake) {
			return nil, s.mistake(mistake, report)
		}
		return v, err
	}
	s.bad, s.count = nil, 0 // what the parser finds has been reported
	s.take = func(path []string, at place, val *node) error {
		if !val.open || s.refs[path[0]] && len(path) == 1 {
			return nil
		}
		v, err := resolve(val)
		if err != nil || v == nil {
			return err
		}
		return s.call(path, at, v)
	}
	if err := scanOnce(name, opts, s); err != nil {
		return err
	}
	for _, f := range kept.object.fields {
		if !f.val.open {
			continue
		}
		v, err := resolve(f.val)
		if err == nil && v != nil {
			err = s.each(Entry{Path: []string{f.key}, Pos: f.at.position(), Value: v})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) mistake(e *Error, report func(*Error)) error {
	if s.count++; s.count > s.most {
		return fmt.Errorf("%w: more than %d", ErrTooManyMistakes, s.most)
	}
	if report != nil {
		report(e)
	}
	return nil
}

// references adds the first keys of all substitutions in n.
func (n *node) references(into map[string]bool) {
	n.eachReference(func(path []string) { into[path[0]] = true })
}

// closedValue is n, which has nothing to resolve, as a value.
func closedValue(n *node) *Value {
	v := &Value{at: n.at, text: n.text, size: 1}
	switch n.kind {
	case nodeArray:
		v.kind = Array
		for _, e := range n.elems {
			v.elems = append(v.elems, closedValue(e))
		}
	case nodeObject:
		v.kind = Object
		v.fields = make([]Field, len(n.object.fields))
		for i, f := range n.object.fields {
			v.fields[i] = Field{Key: f.key, Value: closedValue(f.val), at: f.at}
		}
	default:
		v.kind = scalarKinds[n.kind]
	}
	return v
}

// scanFields is fields for the outermost object of a scan: a mistake costs the
// entry that has it.
func (p *parser) scanFields(o *node, end tokenKind) error {
	depth := p.depth
	for p.tok.kind != end && p.tok.kind != tokEOF {
		p.scan.entry = p.tok.at
		column := p.tok.at.column
		err := p.field(o)
		for {
			if err == nil {
				err = p.separator(end)
			}
			if err == nil {
				break
			}
			p.depth, p.path, p.inArray = depth, p.path[:p.base], 0
			var unclosed *unclosedError
			if errors.As(err, &unclosed) {
				if err = p.scan.mistake(unclosed.mistake(), p.scan.bad); err != nil {
					return err
				}
				p.scan.entry = unclosed.at
				err = p.assign(o, unclosed.path, unclosed.at, tokOpenBrace)
				continue
			}
			if err = p.forgive(err); err != nil {
				return err
			}
			if err = p.resume(end, column); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// mistake is e as it is reported.
func (e *unclosedError) mistake() *Error {
	return e.entry.errorf("close it with '}'", "the entry is not closed before line %d", e.at.line)
}

// forgive reports a mistake in the text. Other errors it gives back.
func (p *parser) forgive(err error) error {
	var own *eachError
	var mistake *Error
	if p.lex.failed || errors.As(err, &own) || !errors.As(err, &mistake) {
		return err
	}
	return p.scan.mistake(mistake, p.scan.bad)
}

// resume goes on to the next line that begins with a key at column or before
// it, or to the end.
func (p *parser) resume(end tokenKind, column int32) error {
	if p.startsEntry(column) && p.tok.at.line > p.scan.entry.line {
		return nil
	}
	skip := p.tok.kind != tokNewline
	for {
		if skip {
			if err := p.lex.skipLine(); err != nil {
				return err
			}
		}
		skip = true
		err := p.advance()
		if err == nil {
			err = p.skipBlank()
		}
		if p.lex.failed {
			return err
		}
		if err != nil {
			continue
		}
		switch p.tok.kind {
		case tokEOF:
			return nil
		case tokNewline:
			skip = false
		case end:
			if p.tok.at.column < column {
				return nil
			}
		default:
			if p.startsEntry(column) {
				return nil
			}
		}
	}
}

// startsEntry tells whether the present token may be the key of an entry, since
// it stands no further right than others.
func (p *parser) startsEntry(column int32) bool {
	switch p.tok.kind {
	case tokUnquoted, tokQuoted, tokNumber:
		return p.tok.at.column <= column
	default:
		return false
	}
}
