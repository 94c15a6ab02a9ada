package segment

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"path/filepath"
	"testing"
)

// FuzzOpen opens two segments and a cursor of any content: it always opens, never
// panics, and goes on. Content that is a whole log is read as one.
func FuzzOpen(f *testing.F) {
	d := newSimDisk()
	l := mustOpen(f, d, small())
	for _, payload := range numbered(5) {
		l.Finish(put(f, l, payload, 0))
	}
	mustClose(f, l)
	l = mustOpen(f, d, small())
	put(f, l, "one", 0)
	put(f, l, "two", Droppable)
	mustClose(f, l)
	var whole []byte
	for path, file := range d.files {
		if filepath.Ext(path) == segmentSuffix {
			whole = file.data
		}
	}
	cursor := d.files[filepath.Join("q", cursorName)].data
	f.Add(whole, whole, cursor, false)
	f.Add(whole, whole, cursor, true)
	f.Add(whole[:len(whole)-3], append(bytes.Clone(whole), 1, 2, 3), cursor[:10], true)
	f.Add(whole[:recordsAt], whole[:100], []byte{}, false)
	f.Add([]byte{}, bytes.Repeat([]byte{1}, 9000), []byte(cursorMagic), true)
	f.Fuzz(func(t *testing.T, one, two, cursor []byte, mend bool) {
		one, two, cursor = bytes.Clone(one), bytes.Clone(two), bytes.Clone(cursor)
		if mend { // checksums fit, whatever the fields are
			for _, b := range [][]byte{one, two} {
				if len(b) >= headerSize {
					mendHeader(b)
				}
			}
			if n := len(cursor); n > 4 {
				binary.LittleEndian.PutUint32(cursor[n-4:], crc32.Checksum(cursor[:n-4], castagnoli))
			}
		}
		d := on(map[string]*simFile{
			segmentPath(1): {data: one}, segmentPath(2): {data: two},
			filepath.Join("q", cursorName): {data: cursor},
		})
		v, err := openView("q", d.disk(), nil)
		if err != nil {
			return // a newer version, or an unknown key: Open says the same
		}
		seen := 0
		for _, ok := v.Next(); ok; _, ok = v.Next() {
			seen++
		}
		if err = v.Close(); err != nil {
			t.Fatal(err)
		}
		l := mustOpen(t, d, small())
		got, positions := all(l)
		if len(got) != seen {
			t.Fatalf("the log has %d records, a view of it %d", len(got), seen)
		}
		if n := l.Stats().Records; n != int64(seen) {
			t.Fatalf("Stats says %d records, want %d", n, seen)
		}
		for _, p := range positions {
			if _, err := l.Read(p, nil); err != nil {
				t.Fatal(err)
			}
		}
		put(t, l, "afterwards", 0)
		mustClose(t, l)
		l = mustOpen(t, d, small())
		wantRecords(t, l, append(got, "afterwards"))
		mustClose(t, l)
	})
}
