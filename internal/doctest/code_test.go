package doctest

import (
	"strings"
	"testing"
)

// What pages show of programs is in files that are compiled and tested. A block
// that is a whole program has to be.
func TestCodeIsThatOfTheFiles(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, p := range pages(t) {
		for _, b := range p.code {
			file := b.value("file")
			if file == "" {
				if b.lang == "go" && strings.HasPrefix(b.text, "package ") {
					t.Errorf("%s:%d: a whole Go file that nothing compiles: put it into examples and say file=", p.name, b.line)
				}
				continue
			}
			seen++
			if !strings.Contains("\n"+read(t, file), "\n"+b.text) {
				t.Errorf("%s:%d: %s has no such lines (any more)", p.name, b.line, file)
			}
		}
	}
	if seen < 3 {
		t.Errorf("only %d blocks of files were found", seen)
	}
}
