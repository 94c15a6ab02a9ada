package devices

import (
	"fmt"
	"maps"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/linkspan/linkspan/auth"
)

// Whatever fleets follow each other, a table says what the last one was, and
// does not hold more than about twice the texts that it needs.
func TestTablesThatFollowEachOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		fleet := map[string]auth.Identity{}
		var tab *table
		for round := range rapid.IntRange(1, 12).Draw(t, "rounds") {
			for range rapid.IntRange(0, 100).Draw(t, "edits") {
				n := rapid.IntRange(0, 300).Draw(t, "device")
				name := fmt.Sprintf("name-%d", n)
				if rapid.IntRange(0, 3).Draw(t, "edit") == 0 {
					delete(fleet, name)
					continue
				}
				fleet[name] = auth.Identity{ProductKey: fmt.Sprintf("p%d", n%3), DeviceName: name + "-d", DeviceSecret: auth.Secret(fmt.Sprintf("%040d", round))}
			}
			next := newTable(tab)
			for name, identity := range fleet {
				if rapid.IntRange(0, 9).Draw(t, "twice") == 0 {
					next.put(entry{name: name, id: auth.Identity{ProductKey: "p9", DeviceName: name}})
				}
				next.put(entry{name: name, id: identity, line: 7, file: "f"})
			}
			next.settle()
			tab = next
			if got := maps.Collect(tab.all()); !maps.Equal(got, fleet) || tab.live != len(fleet) {
				t.Fatalf("round %d: %d devices, want %d", round, len(got), len(fleet))
			}
			for n := range 300 {
				name := fmt.Sprintf("name-%d", n)
				want, known := fleet[name]
				i, found := tab.findName(name)
				if found != known || found && tab.identity(i) != want {
					t.Fatalf("round %d: %s", round, name)
				}
				if back, ok := tab.findIdentity(fmt.Sprintf("p%d", n%3), name+"-d"); ok != known || ok && tab.name(back) != name {
					t.Fatalf("round %d: the identity of %s", round, name)
				}
			}
			checkHeld(t, tab)
		}
	})
}

func checkHeld(t *rapid.T, tab *table) {
	used, held := 0, 0
	for _, c := range tab.chunks {
		if c.used < 0 || c.used > 0 && (c.text == nil || c.used > c.text.Len()) {
			t.Fatalf("a chunk of %v has %d bytes in use", c.text, c.used)
		}
		used += c.used
		if c.text != nil {
			held += c.text.Cap()
		}
	}
	// Chunks that were shared are at least half in use; what is new has its own.
	if held > 8*used+4*minChunk {
		t.Fatalf("%d bytes are held for %d", held, used)
	}
}

// A reload that changes little holds the texts of the others once.
func TestReloadsShareTexts(t *testing.T) {
	t.Parallel()
	old := newTable(nil)
	for i := range 50_000 {
		old.put(entry{name: fmt.Sprintf("name-%d", i), id: id("p", fmt.Sprintf("d-%d", i), "secret")})
	}
	old.settle()
	for range 4 {
		next := newTable(old)
		for i := range 50_000 {
			secret := "secret"
			if i == 5 {
				secret = strconv.Itoa(old.count)
			}
			next.put(entry{name: fmt.Sprintf("name-%d", i), id: id("p", fmt.Sprintf("d-%d", i), secret)})
		}
		fresh := 0
		for _, c := range next.chunks[len(old.chunks):] {
			fresh += c.text.Len()
		}
		next.settle()
		if fresh > maxChunk/2 { // but for a last chunk that was hardly filled
			t.Fatalf("%d bytes of texts are new", fresh)
		}
		if len(next.chunks) > 20 {
			t.Fatalf("%d chunks", len(next.chunks))
		}
		old = next
	}
}
