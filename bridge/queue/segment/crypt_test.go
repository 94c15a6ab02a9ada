package segment

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/linkspan/linkspan/auth"
)

func TestEncryption(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	cfg := small()
	l := mustOpen(t, d, cfg)
	put(t, l, "before there was a key", 0)
	mustClose(t, l)

	cfg.EncryptionKey = keyA
	l = mustOpen(t, d, cfg)
	secret := put(t, l, "secret of key A", Droppable)
	if b, err := l.Read(secret, []byte("> ")); err != nil || string(b) != "> secret of key A" {
		t.Errorf("Read is %q, %v", b, err)
	}
	mustClose(t, l)

	cfg.EncryptionKey, cfg.FormerKeys = keyB, []auth.Secret{keyA}
	l = mustOpen(t, d, cfg)
	put(t, l, "secret of key B", 0)
	want := []string{"before there was a key", "secret of key A", "secret of key B"}
	wantRecords(t, l, want)
	mustClose(t, l)
	for path, f := range d.files {
		if bytes.Contains(f.data, []byte("secret of")) {
			t.Errorf("%s holds what it should hide", path)
		}
	}

	before := cloneFiles(d.files)
	for _, wrong := range []auth.Secret{"", keyA} {
		cfg.EncryptionKey, cfg.FormerKeys = wrong, nil
		if _, err := Open("q", cfg, withDisk(d.disk())); !errors.Is(err, ErrWrongKey) {
			t.Errorf("Open without key B is %v, want ErrWrongKey", err)
		}
	}
	for path, f := range before {
		if !bytes.Equal(f.data, d.files[path].data) {
			t.Errorf("%s was changed by an Open with the wrong key", path)
		}
	}
	if _, err := openView("q", d.disk(), []auth.Secret{keyA}); !errors.Is(err, ErrWrongKey) {
		t.Errorf("a view without key B is %v, want ErrWrongKey", err)
	}
	cfg.EncryptionKey, cfg.FormerKeys = "", []auth.Secret{keyA, keyB}
	l = mustOpen(t, d, cfg)
	wantRecords(t, l, want)
	mustClose(t, l)
}

// No nonce is used twice with one key: the same records in two segments, or in
// one file written twice, have nothing in common.
func TestNoncesAreNotUsedTwice(t *testing.T) {
	t.Parallel()
	cfg := small()
	cfg.EncryptionKey = keyA
	d := newSimDisk()
	var seen [][]byte
	for range 3 { // each life begins after a crash that took the last record with it
		l := mustOpen(t, d, cfg)
		p := put(t, l, "the same text, longer than one block of the cipher", 0)
		mustClose(t, l)
		data := d.files[segmentPath(p.segment)].data
		record := bytes.Clone(data[p.offset+recordSize:])
		for _, other := range seen {
			if bytes.Equal(record[:32], other[:32]) {
				t.Fatal("two records are encrypted alike")
			}
		}
		seen = append(seen, record)
		d.files[segmentPath(p.segment)].data = data[:len(data)-5]
	}
}

// A record that was changed by someone who can mend the checksums does not decrypt.
func TestChangedRecord(t *testing.T) {
	t.Parallel()
	cfg := small()
	cfg.EncryptionKey = keyA
	d := newSimDisk()
	l := mustOpen(t, d, cfg)
	put(t, l, "one", 0)
	p := put(t, l, "two", 0)
	put(t, l, "three", 0)
	mustClose(t, l)
	data := d.files[segmentPath(1)].data
	h, err := readHeader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	raw := data[p.offset : p.offset+recordSize+3+tagSize]
	raw[13] |= byte(Droppable)
	putRecord(raw, h.seed())
	l = mustOpen(t, d, cfg)
	wantRecords(t, l, []string{"one", "three"})
	if st := l.Stats(); st.Damaged != 1 || st.Records != 2 {
		t.Errorf("stats are %+v", st)
	}
	mustClose(t, l)
}

func TestEncryptedLogCompacts(t *testing.T) {
	t.Parallel()
	cfg := small()
	cfg.EncryptionKey, cfg.Full = keyA, FullDropDroppable
	d := newSimDisk()
	l := mustOpen(t, d, cfg)
	stored, err := fill(t, l, func(i int) Flags { return Flags((i + 1) % 2) })
	wantFull(t, err, FullMaxBytes)
	got, _ := all(l)
	var odd []string
	for i := 1; i < len(stored); i += 2 {
		odd = append(odd, stored[i])
	}
	for _, payload := range odd {
		if !slices.Contains(got, payload) {
			t.Fatalf("%.10q is gone", payload)
		}
	}
	mustClose(t, l)
	l = mustOpen(t, d, cfg)
	wantRecords(t, l, got)
	mustClose(t, l)
}

// A write that failed half way has left a part of its bytes on the disk: what comes
// after is not encrypted with the same nonces, in the same place.
func TestNoncesAfterAFullDisk(t *testing.T) {
	t.Parallel()
	cfg := small()
	cfg.EncryptionKey = keyA
	d := newSimDisk()
	l := mustOpen(t, d, cfg)
	put(t, l, "one", 0)
	d.setFault(func(op, _ string, size int) (int, error) {
		if op == "write" {
			return size / 2, syscall.ENOSPC
		}
		return size, nil
	})
	_, err := tryPut(l, strings.Repeat("two", 100), 0)
	wantFull(t, err, FullDisk)
	d.setFault(nil)
	put(t, l, strings.Repeat("three", 100), 0)
	wantRecords(t, l, []string{"one", strings.Repeat("three", 100)})
	mustClose(t, l)
	type place struct {
		path string
		off  int64
	}
	written := map[place][]byte{}
	for _, op := range d.ops {
		at := place{op.path, op.off}
		if op.kind != "write" || filepath.Ext(op.path) != segmentSuffix {
			continue
		}
		if before, twice := written[at]; twice && len(before) > 0 {
			t.Errorf("bytes at %d of %s were written twice: %d and %d of them", op.off, op.path, len(before), len(op.data))
		}
		written[at] = op.data
	}
}
