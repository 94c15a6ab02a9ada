package static

import (
	"bufio"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"strings"
)

// table is a secrets file that was read. It does not change.
type table struct {
	info   os.FileInfo // of the file, when it was opened
	index  map[string]int32
	hashes []entry
	seed   maphash.Seed
}

// entry is one line's hash.
type entry struct {
	hash
	text string
}

// maxMistakes is how many mistakes of a file are told.
const maxMistakes = 20

// maxLine is the longest line of a file in bytes.
const maxLine = 4096

// errTooLarge is a file that is larger than it may be.
var errTooLarge = errors.New("static: the file is larger than maxFile allows")

// readFile reads a secrets file: lines IDENTITY:HASH, of UTF-8. Blank lines and
// those that begin with # are skipped. The identity goes to the last colon, so
// it may hold some. All mistakes are told at once, up to a limit.
func readFile(path string, cfg Config) (*table, error) {
	f, err := os.Open(path) //nolint:gosec // the configuration's own
	if err != nil {
		return nil, fmt.Errorf("static: file: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("static: file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("static: file %s is no regular file", path)
	}
	t := &table{info: info, index: map[string]int32{}, seed: maphash.MakeSeed()}
	if err := t.parse(f, path, cfg); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *table) parse(r io.Reader, path string, cfg Config) error {
	limited := &io.LimitedReader{R: r, N: cfg.MaxFile + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	var errs []error
	more, number := 0, 0
	for lines.Scan() {
		number++
		if err := t.add(lines.Text(), cfg.Limits); err != nil {
			if len(errs) < maxMistakes {
				errs = append(errs, fmt.Errorf("%s:%d: %w", path, number, err))
			} else {
				more++
			}
		}
	}
	if err := lines.Err(); err != nil {
		errs = append(errs, fmt.Errorf("%s:%d: %w", path, number+1, err))
	}
	if limited.N <= 0 {
		errs = append(errs, fmt.Errorf("%w: %s", errTooLarge, path))
	}
	if more > 0 {
		errs = append(errs, fmt.Errorf("%s: and %d more mistakes", path, more))
	}
	return errors.Join(errs...)
}

// CheckIdentity says what keeps an identity out of a secrets file: it is empty,
// has blanks around it or a line break in it, or begins with #.
func CheckIdentity(identity string) error {
	if identity == "" || strings.TrimSpace(identity) != identity || strings.ContainsAny(identity, "\r\n") || identity[0] == '#' {
		return fmt.Errorf("static: identity %q: want text without blanks around it and line breaks, that does not begin with #", identity)
	}
	return nil
}

func (t *table) add(line string, l Limits) error {
	line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
	if line == "" || line[0] == '#' {
		return nil
	}
	colon := strings.LastIndexByte(line, ':')
	if colon < 0 {
		return errors.New("want IDENTITY:HASH")
	}
	identity := strings.TrimSpace(line[:colon])
	if identity == "" {
		return errors.New("the identity is empty; want IDENTITY:HASH")
	}
	text := strings.TrimSpace(line[colon+1:])
	h, err := parseHash(text, l)
	if err != nil {
		if first, _, more := strings.Cut(identity, ":"); more { // what is behind may be a secret that has a colon in it
			identity = first + "..."
		}
		return fmt.Errorf("%q: %w", identity, err)
	}
	if _, twice := t.index[identity]; twice {
		return fmt.Errorf("%q was there before", identity)
	}
	t.index[identity] = int32(len(t.hashes)) //nolint:gosec // fewer than MaxFile has bytes
	t.hashes = append(t.hashes, entry{h, text})
	return nil
}

// find is the entry of that identity. For one that is not there it is another
// one, always the same, so that checking it takes as long as a check takes; nil
// when the file is empty.
func (t *table) find(identity string) (e *entry, known bool) {
	if i, ok := t.index[identity]; ok {
		return &t.hashes[i], true
	}
	if len(t.hashes) == 0 {
		return nil, false
	}
	return &t.hashes[maphash.String(t.seed, identity)%uint64(len(t.hashes))], false
}

// same says whether the file is still as it was when it was read.
func (t *table) same(info os.FileInfo) bool {
	return os.SameFile(t.info, info) && t.info.ModTime().Equal(info.ModTime()) && t.info.Size() == info.Size()
}
