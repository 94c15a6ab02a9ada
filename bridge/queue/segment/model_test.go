package segment

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// model is what a log should hold.
type model struct {
	disk     *simDisk
	cfg      Config
	log      *Log
	reader   *Reader
	n        int
	waiting  []string // in order
	finished map[string]bool
	position map[string]Position
	behind   map[string]bool // what the reader has not read
}

// TestModel does anything to a log, and compares it with a list.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{disk: newSimDisk(), cfg: small(), finished: map[string]bool{}, position: map[string]Position{}, behind: map[string]bool{}}
		m.cfg.MaxBytes = 4 << 20
		if rapid.Bool().Draw(rt, "encrypted") {
			m.cfg.EncryptionKey = keyA
		}
		m.open(rt)
		defer func() {
			if err := m.log.Close(); err != nil {
				rt.Error(err)
			}
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"append": m.append, "finish": m.finish, "read": m.read, "compact": m.compact,
			"restart": func(rt *rapid.T) {
				if err := m.log.Close(); err != nil {
					rt.Fatal(err)
				}
				m.open(rt)
			},
			"kill": m.kill,
			"":     m.check,
		})
	})
}

func (m *model) open(rt *rapid.T) {
	l, err := Open("q", m.cfg, withDisk(m.disk.disk()))
	if err != nil {
		rt.Fatal(err)
	}
	m.log, m.reader = l, l.NewReader()
	clear(m.behind)
	for _, payload := range m.waiting {
		m.behind[payload] = true
	}
}

func (m *model) append(rt *rapid.T) {
	for range rapid.IntRange(1, 40).Draw(rt, "records") {
		payload := fmt.Sprintf("%d-%s", m.n, strings.Repeat("x", rapid.IntRange(0, 1500).Draw(rt, "size")))
		m.n++
		p, err := tryPut(m.log, payload, Flags(m.n%2))
		if err != nil {
			rt.Fatal(err)
		}
		m.position[payload] = p
		m.waiting = append(m.waiting, payload)
		m.behind[payload] = true
	}
}

func (m *model) finish(rt *rapid.T) {
	if len(m.waiting) == 0 {
		return
	}
	from := rapid.IntRange(0, len(m.waiting)-1).Draw(rt, "from")
	step := rapid.IntRange(1, 3).Draw(rt, "step")
	var rest []string
	for i, payload := range m.waiting {
		if i < from || (i-from)%step != 0 {
			rest = append(rest, payload)
			continue
		}
		m.log.Finish(m.position[payload])
		m.finished[payload] = true
		delete(m.behind, payload)
	}
	m.waiting = rest
}

func (m *model) read(rt *rapid.T) {
	for range rapid.IntRange(1, 50).Draw(rt, "records") {
		rec, ok := m.reader.Next()
		if !ok {
			if len(m.behind) > 0 {
				rt.Fatalf("the reader is at the end, and has not read %d records", len(m.behind))
			}
			return
		}
		if payload := string(rec.Payload); !m.behind[payload] {
			rt.Fatalf("read %.20q, which was read or finished before", payload)
		}
		delete(m.behind, string(rec.Payload))
	}
}

func (m *model) compact(rt *rapid.T) {
	m.log.house.Lock()
	defer m.log.house.Unlock()
	segments := m.log.snapshot()
	if len(segments) > 0 {
		m.log.compact(segments[rapid.IntRange(0, len(segments)-1).Draw(rt, "segment")], false)
	}
	m.log.removeComplete()
}

// kill goes on with the files as they are now: what was finished may come again.
func (m *model) kill(rt *rapid.T) {
	m.disk.mu.Lock()
	files := cloneFiles(m.disk.files)
	m.disk.mu.Unlock()
	if err := m.log.Close(); err != nil {
		rt.Fatal(err)
	}
	m.disk = on(files)
	must := m.waiting
	m.open(rt)
	m.waiting = nil
	r := m.log.NewReader()
	defer r.Close()
	for rec, ok := r.Next(); ok; rec, ok = r.Next() {
		payload := string(rec.Payload)
		m.position[payload] = rec.Position
		m.waiting = append(m.waiting, payload)
		m.behind[payload] = true
		if len(must) > 0 && payload == must[0] {
			must = must[1:]
		} else if !m.finished[payload] {
			rt.Fatalf("read %.20q, want %.50q first", payload, must)
		}
	}
	if len(must) > 0 {
		rt.Fatalf("%d records are lost", len(must))
	}
}

func (m *model) check(rt *rapid.T) {
	got, positions := all(m.log)
	if !slices.Equal(got, m.waiting) {
		rt.Fatalf("the log holds %d records, want %d", len(got), len(m.waiting))
	}
	if n := m.log.Stats().Records; n != int64(len(got)) {
		rt.Fatalf("Stats says %d records, want %d", n, len(got))
	}
	if len(got) > 0 {
		i := rapid.IntRange(0, len(got)-1).Draw(rt, "record")
		if b, err := m.log.Read(m.position[got[i]], nil); err != nil || string(b) != got[i] || positions[i].Compare(m.position[got[i]]) != 0 {
			rt.Fatalf("Read(%s) is %.20q, %v; want %.20q at %s", m.position[got[i]], b, err, got[i], positions[i])
		}
	}
}
