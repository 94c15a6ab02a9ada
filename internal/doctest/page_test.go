package doctest

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// page is one Markdown file.
type page struct {
	name  string // slash-separated, from the root
	text  string
	prose []string // lines outside of code blocks; those inside are empty
	code  []block
}

// block is one fenced code block.
type block struct {
	line  int // of its fence
	lang  string
	words []string // behind the language
	text  string
}

func (b *block) has(word string) bool { return slices.Contains(b.words, word) }

// value is what stands behind key= on the fence.
func (b *block) value(key string) string {
	for _, w := range b.words {
		if v, ok := strings.CutPrefix(w, key+"="); ok {
			return v
		}
	}
	return ""
}

// pages are all of the project's.
func pages(t *testing.T) (all []*page) {
	t.Helper()
	project := os.DirFS(root)
	err := fs.WalkDir(project, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || name == "bin" || name == ".git"):
			return fs.SkipDir
		case d.Type().IsRegular() && path.Ext(name) == ".md":
			all = append(all, parse(t, name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 5 {
		t.Fatalf("only %d pages: is the root two directories up?", len(all))
	}
	return all
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(path.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parse(t *testing.T, name string) *page {
	t.Helper()
	p := &page{name: name, text: read(t, name)}
	var open *block
	var indent string
	for i, line := range strings.Split(p.text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		fence, isFence := strings.CutPrefix(trimmed, "```")
		switch {
		case open == nil && isFence:
			words := strings.Fields(fence)
			open = &block{line: i + 1}
			if len(words) > 0 {
				open.lang, open.words = words[0], words[1:]
			}
			indent = line[:len(line)-len(trimmed)]
			line = ""
		case open != nil && isFence:
			p.code = append(p.code, *open)
			open, line = nil, ""
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
			line = ""
		}
		p.prose = append(p.prose, line)
	}
	if open != nil {
		t.Errorf("%s:%d: the code block does not end", name, open.line)
	}
	return p
}

// anchors are the fragments by which links reach headings, as GitHub makes them.
func (p *page) anchors() []string {
	var all []string
	for _, line := range p.prose {
		hashes := len(line) - len(strings.TrimLeft(line, "#"))
		if hashes == 0 || !strings.HasPrefix(line[hashes:], " ") {
			continue
		}
		all = append(all, anchor(line[hashes+1:]))
	}
	return all
}

func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_', r > 0x7f:
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return -1
		}
	}, strings.TrimSpace(heading))
}

func (p *page) hasHeading(text string) bool { return slices.Contains(p.prose, "## "+text) }
