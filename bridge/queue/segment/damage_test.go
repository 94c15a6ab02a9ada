package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func observed() (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zap.InfoLevel)
	return zap.New(core), logs
}

func segmentPath(n uint32) string { return filepath.Join("q", fileName(n)) }

// written is a disk with a closed log of so many records, some segments long, and where they are.
func written(t *testing.T, cfg Config, records int) (*simDisk, []string, []Position) {
	t.Helper()
	d := newSimDisk()
	l := mustOpen(t, d, cfg)
	want := numbered(records)
	for _, payload := range want {
		if err := l.Append([]byte(payload), 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, l)
	l = mustOpen(t, d, cfg)
	_, positions := all(l)
	mustClose(t, l)
	return d, want, positions
}

func flip(d *simDisk, path string, at int) { d.files[path].data[at] ^= 0x55 }

// Whatever byte is damaged, one record at most is lost, which is counted.
func TestAnyByteFlipped(t *testing.T) {
	t.Parallel()
	cfg := small()
	d, want, positions := written(t, cfg, 3000)
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		number := uint32(1 + random.IntN(2)) // one in the middle, and the last
		path := segmentPath(number)
		at := random.IntN(len(d.files[path].data))
		copied := on(cloneFiles(d.files))
		flip(copied, path, at)
		l := mustOpen(t, copied, cfg)
		lost := -1
		for i, p := range positions {
			if p.segment == number && int64(p.offset) <= int64(at) {
				lost = i
			}
		}
		if at < recordsAt {
			lost = -1 // the header has a copy, or it is a byte between the copies
		}
		exp := slices.Clone(want)
		if lost >= 0 {
			exp = slices.Delete(exp, lost, lost+1)
		}
		if got, _ := all(l); !slices.Equal(got, exp) {
			t.Fatalf("byte %d of segment %d: read %d records, want all %d but %d", at, number, len(got), len(want), lost)
		}
		st := l.Stats()
		lastOne := lost == len(want)-1 // that is a torn tail
		if wantLost := lost >= 0 && !lastOne; wantLost && st.Damaged != 1 || !wantLost && st.Damaged != 0 || (lost >= 0) != (st.DamagedBytes > 0) || lastOne != (st.CutOff > 0) {
			t.Fatalf("byte %d of segment %d: stats say %d records, %d bytes, %d of them at the end, for record %d", at, number, st.Damaged, st.DamagedBytes, st.CutOff, lost)
		}
		if int64(len(exp)) != st.Records {
			t.Fatalf("byte %d of segment %d: %d records wait, want %d", at, number, st.Records, len(exp))
		}
		put(t, l, "afterwards", 0)
		mustClose(t, l)
	}
}

func TestTornTailIsCutOff(t *testing.T) {
	t.Parallel()
	d, want, _ := written(t, small(), 100)
	path := segmentPath(1)
	size := len(d.files[path].data)
	d.files[path].data = append(d.files[path].data, bytes.Repeat([]byte{7}, 1000)...)
	logger, logs := observed()
	l := mustOpen(t, d, small(), WithLogger(logger))
	wantRecords(t, l, want)
	if got := len(d.files[path].data); got != size {
		t.Errorf("the file has %d bytes, want it cut to %d", got, size)
	}
	lines := logs.FilterMessageSnippet(fmt.Sprintf("bytes %d to %d at the end", size, size+999)).All()
	if len(lines) != 1 || l.Stats().DamagedBytes != 1000 || l.Stats().CutOff != 1000 {
		t.Errorf("logged %v, counted %d bytes", logs.All(), l.Stats().DamagedBytes)
	}
	mustClose(t, l)
}

func TestGapInTheMiddle(t *testing.T) {
	t.Parallel()
	d, want, positions := written(t, small(), 3000)
	from, to := positions[10].offset+5, positions[20].offset+5
	clear(d.files[segmentPath(1)].data[from:to])
	logger, logs := observed()
	l := mustOpen(t, d, small(), WithLogger(logger))
	wantRecords(t, l, slices.Delete(slices.Clone(want), 10, 21))
	wantRecords(t, l, slices.Delete(slices.Clone(want), 10, 21))
	if st := l.Stats(); st.Damaged != 11 || st.DamagedBytes != uint64(positions[21].offset-positions[10].offset) {
		t.Errorf("counted %d records and %d bytes, once", st.Damaged, st.DamagedBytes)
	}
	if logs.FilterMessageSnippet(fmt.Sprintf("bytes %d to %d of a file were skipped", positions[10].offset, positions[21].offset-1)).Len() != 1 {
		t.Errorf("logged %v", logs.All())
	}
	if _, err := l.Read(positions[15], nil); !errors.Is(err, ErrGone) {
		t.Errorf("a damaged record is read with %v, want ErrGone", err)
	}
	_, rest := all(l)
	for _, p := range rest {
		l.Finish(p)
	}
	mustClose(t, l)
	if d.files[segmentPath(1)] != nil {
		t.Error("a segment whose other records are finished is kept")
	}
}

func TestTruncatedSegment(t *testing.T) {
	t.Parallel()
	d, want, positions := written(t, small(), 3000)
	d.files[segmentPath(1)].data = d.files[segmentPath(1)].data[:positions[100].offset+3]
	second := slices.IndexFunc(positions, func(p Position) bool { return p.segment == 2 })
	l := mustOpen(t, d, small())
	wantRecords(t, l, append(slices.Clone(want[:100]), want[second:]...))
	if st := l.Stats(); st.Damaged != uint64(second-100) || st.Records != int64(3000-second+100) {
		t.Errorf("counted %d records, want %d; %d wait", st.Damaged, second-100, st.Records)
	}
	mustClose(t, l)
}

func TestSegmentWithoutHeader(t *testing.T) {
	t.Parallel()
	for _, number := range []uint32{1, 2} {
		d, want, positions := written(t, small(), 3000)
		second := slices.IndexFunc(positions, func(p Position) bool { return p.segment == 2 })
		flip(d, segmentPath(number), 20)
		flip(d, segmentPath(number), copyAt+20)
		logger, logs := observed()
		l := mustOpen(t, d, small(), WithLogger(logger))
		rest := want[second:]
		if number == 2 {
			rest = want[:second]
		}
		wantRecords(t, l, rest)
		if d.files[segmentPath(number)+damagedSuffix] == nil || logs.FilterMessageSnippet("no header").Len() != 1 {
			t.Errorf("the file is not kept, or that is not logged: %v", logs.All())
		}
		if p := put(t, l, "afterwards", 0); p.segment <= 2 {
			t.Errorf("a new segment has number %d, which another had", p.segment)
		}
		mustClose(t, l)
	}
}

func TestDamagedCursor(t *testing.T) {
	t.Parallel()
	d, want, positions := written(t, small(), 100)
	l := mustOpen(t, d, small())
	l.Finish(positions[3])
	mustClose(t, l)
	path := filepath.Join("q", cursorName)
	flip(d, path, 30)
	logger, logs := observed()
	l = mustOpen(t, d, small(), WithLogger(logger))
	wantRecords(t, l, want)
	if logs.FilterMessageSnippet("may come again").Len() != 1 {
		t.Errorf("logged %v", logs.All())
	}
	mustClose(t, l)
}

// Where the disk does not read, nothing is given up for good.
func TestUnreadableBlock(t *testing.T) {
	t.Parallel()
	d, want, positions := written(t, small(), 3000)
	d.setFault(func(op, path string, off int) (int, error) {
		if op == "read" && path == segmentPath(1) && off >= recordsAt {
			return 0, errors.New("input/output error")
		}
		return off, nil
	})
	logger, logs := observed()
	l := mustOpen(t, d, small(), WithLogger(logger))
	second := slices.IndexFunc(positions, func(p Position) bool { return p.segment == 2 })
	got, rest := all(l)
	if !slices.Equal(got, want[second:]) {
		t.Fatalf("read %d records, want those of the other segment", len(got))
	}
	for _, p := range rest {
		l.Finish(p)
	}
	if logs.FilterField(zap.String("cause", "the disk does not read it; the file is kept")).Len() == 0 || l.Stats().Failures == 0 {
		t.Errorf("logged %v, %d failures", logs.All(), l.Stats().Failures)
	}
	mustClose(t, l)
	d.setFault(nil)
	l = mustOpen(t, d, small())
	wantRecords(t, l, want[:second])
	mustClose(t, l)
}

// A payload that looks like records is none, also where the one it is in is damaged.
func TestForgedRecords(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	l := mustOpen(t, d, small())
	put(t, l, "before", 0)
	elsewhere := newSimDisk()
	other := mustOpen(t, elsewhere, small()) // what an attacker can make: records of another log
	put(t, other, "forged", 0)
	mustClose(t, other)
	forged := string(elsewhere.files[segmentPath(1)].data[recordsAt:])
	p := put(t, l, strings.Repeat(forged, 50), 0)
	put(t, l, "after", 0)
	mustClose(t, l)
	data := d.files[segmentPath(1)].data
	binary.LittleEndian.PutUint32(data[p.offset+8:], 7) // length
	l = mustOpen(t, d, small())
	wantRecords(t, l, []string{"before", "after"})
	mustClose(t, l)
}

// A file that was superseded after a failed write is read as far as it counts.
func TestRestOfFailedWrite(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	l := mustOpen(t, d, small())
	put(t, l, "one", 0)
	d.setFault(func(op, path string, size int) (int, error) {
		if path == segmentPath(1) && (op == "sync" || op == "truncate") {
			return size, errors.New("input/output error")
		}
		return size, nil
	})
	put(t, l, "two", 0) // is written to segment 1, and then to segment 2
	put(t, l, "three", 0)
	d.setFault(nil)
	wantRecords(t, l, []string{"one", "two", "three"})
	mustClose(t, l)
	l = mustOpen(t, d, small())
	wantRecords(t, l, []string{"one", "two", "three"})
	mustClose(t, l)
}
