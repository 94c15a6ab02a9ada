package segment

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
)

// View is a look at a log that changes nothing, beside a process that has it open
// or without one. It is one goroutine's.
type View struct {
	keys     *keys
	segments []*segment
	aside    int
	gaps     []Gap
	number   int // of the segment that is read, in segments
	scan     *scanner
	cipher   sealer
	next     uint32
	plain    []byte
}

// Gap is bytes of a file that are no record.
type Gap struct {
	Path     string
	From, To int64 // To is one more than the last one
	Err      error // of the disk; nil when the content is damaged
}

// Summary is what a [View] finds without reading records.
type Summary struct {
	Records  int64 // that are not finished, as far as the files say
	Finished int64 // whose space is not free yet
	Bytes    int64
	Segments int
	Aside    int       // files kept as .damaged
	Oldest   time.Time // about when the oldest record that is not finished came; zero: there is none
	Newest   time.Time // about when the newest one came
}

// OpenView looks at the log in the directory. Keys are those of encrypted records. What another
// process appends later is not seen; what it finished within the last cursorInterval may be. It
// is ErrVersion or ErrWrongKey as for [Open].
func OpenView(dir string, secrets ...auth.Secret) (*View, error) {
	return openView(dir, system(), secrets)
}

func openView(dir string, d disk, secrets []auth.Secret) (*View, error) {
	k, err := newKeys("", secrets)
	if err != nil {
		return nil, fmt.Errorf("segment: %w", err)
	}
	files, err := d.list(dir)
	if err != nil {
		return nil, fmt.Errorf("segment: %w", err)
	}
	v := &View{keys: k}
	for _, e := range files {
		if strings.HasSuffix(e.name, damagedSuffix) {
			v.aside++
		}
	}
	f, err := look(&d, dir, k, zap.NewNop())
	if err != nil {
		return nil, fmt.Errorf("segment: %s: %w", dir, err)
	}
	for _, e := range f.broken {
		v.gaps = append(v.gaps, Gap{Path: filepath.Join(dir, e.name), To: e.size})
	}
	f.measure(func(s *segment, g gap) {})
	v.segments = f.segments
	return v, nil
}

// Summary is what there is.
func (v *View) Summary() Summary {
	sum := Summary{Segments: len(v.segments), Aside: v.aside}
	for _, s := range v.segments {
		sum.Bytes += s.end.size
		sum.Records += s.waiting()
		sum.Finished += int64(s.done.count)
		if s.waiting() > 0 {
			if sum.Oldest.IsZero() {
				sum.Oldest = time.UnixMilli(s.oldest())
			}
			sum.Newest = time.UnixMilli(s.newest)
		}
	}
	return sum
}

// Next is the next record that is not finished, valid until the call after; false
// at the end.
func (v *View) Next() (Record, bool) {
	for v.number < len(v.segments) {
		s := v.segments[v.number]
		if v.scan == nil && (s.complete() || !v.enter(s)) {
			v.number++
			continue
		}
		rec, skipped, ok := v.scan.next()
		switch {
		case ok:
			if rec.index < v.next || rec.index >= s.end.count || s.done.has(rec.index) {
				continue
			}
			v.next = rec.index + 1
			out := Record{
				Position: Position{segment: s.number, index: rec.index, offset: uint32(rec.offset)}, //nolint:gosec // bounded by the segment's size
				Payload:  rec.body(), Time: timeOf(s.head.created, &rec), Flags: rec.flags,
			}
			if s.aead == nil {
				return out, true
			}
			var err error
			if v.plain, err = v.cipher.open(v.plain[:0], &rec); err == nil {
				out.Payload = v.plain
				return out, true
			}
			v.skipped(s, gap{from: rec.offset, to: v.scan.off})
		case skipped.to > 0:
			v.skipped(s, skipped)
		default:
			v.scan = nil
			v.number++
			_ = s.sweep()
		}
	}
	return Record{}, false
}

// enter begins to read a segment. The process beside may have deleted it meanwhile, or
// rewritten it.
func (v *View) enter(s *segment) bool {
	src := source{s, s.generation}
	if _, err := src.ReadAt(make([]byte, 1), 0); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if h, err := readHeader(src); err == nil && h.compacted() && h.salt == s.head.salt {
		s.head, s.end = h, h.own
	}
	v.scan, v.next, v.cipher.aead = newScanner(src, &s.head, s.end.size), 0, s.aead
	return true
}

// skipped notes bytes that are no record; neighbours are one gap.
func (v *View) skipped(s *segment, g gap) {
	if n := len(v.gaps); n > 0 && v.gaps[n-1].Path == s.path && v.gaps[n-1].To == g.from && (v.gaps[n-1].Err == nil) == (g.err == nil) {
		v.gaps[n-1].To = g.to
		return
	}
	v.gaps = append(v.gaps, Gap{Path: s.path, From: g.from, To: g.to, Err: g.err})
}

// Gaps is what was skipped so far: complete once Next was false.
func (v *View) Gaps() []Gap { return v.gaps }

// Close closes the files.
func (v *View) Close() error {
	var errs []error
	for _, s := range v.segments {
		s.fmu.Lock()
		errs = append(errs, s.closeReader())
		s.fmu.Unlock()
	}
	return errors.Join(errs...)
}

// Purge deletes all records, finished or not, whatever they are encrypted with, and
// says how many files that were. Files kept as .damaged go when damaged is set. It is
// ErrLocked while a process has the log open.
func Purge(dir string, damaged bool) (files int, err error) { return purge(dir, system(), damaged) }

func purge(dir string, d disk, damaged bool) (files int, err error) {
	lock, err := d.lock(filepath.Join(dir, lockName))
	if err != nil {
		return 0, lockError(err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	list, err := d.list(dir)
	if err != nil {
		return 0, fmt.Errorf("segment: %w", err)
	}
	slices.SortFunc(list, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	for _, e := range list {
		_, suffix, ok := numberOf(e.name)
		aside := strings.HasSuffix(suffix, damagedSuffix)
		if !ok && e.name != cursorName || aside && !damaged {
			continue
		}
		if err = d.remove(filepath.Join(dir, e.name)); err != nil {
			return files, fmt.Errorf("segment: %w", err)
		}
		if ok {
			files++
		}
	}
	return files, nil
}
