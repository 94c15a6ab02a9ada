package doctest

import (
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^()\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	all := pages(t)
	byName := map[string]*page{}
	for _, p := range all {
		byName[p.name] = p
	}
	for _, p := range all {
		for i, line := range p.prose {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				if problem := follow(byName, p, m[1]); problem != "" {
					t.Errorf("%s:%d: link %s: %s", p.name, i+1, m[1], problem)
				}
			}
		}
	}
}

// follow says what is wrong with a link; others' sites are not visited.
func follow(pages map[string]*page, from *page, target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return err.Error()
	}
	if u.Scheme != "" {
		return ""
	}
	name := from.name
	if u.Path != "" {
		name = path.Join(path.Dir(from.name), u.Path)
		if strings.HasPrefix(name, "..") {
			return "leads out of the project"
		}
		if _, err := os.Stat(path.Join(root, name)); err != nil {
			return "there is no such file"
		}
	}
	if p := pages[name]; u.Fragment != "" && p != nil && !slices.Contains(p.anchors(), u.Fragment) {
		return "the page has no such heading"
	}
	return ""
}

// Every page can be found from the index.
func TestTheIndexHasEveryPage(t *testing.T) {
	t.Parallel()
	var index *page
	all := pages(t)
	for _, p := range all {
		if p.name == "docs/README.md" {
			index = p
		}
	}
	if index == nil {
		t.Fatal("there is no docs/README.md")
	}
	for _, p := range all {
		if rel, inDocs := strings.CutPrefix(p.name, "docs/"); inDocs && p != index && !strings.Contains(index.text, "("+rel+")") {
			t.Errorf("docs/README.md has no link to %s", rel)
		}
	}
}

// Readers of any protocol's or platform's page find the same things at the same
// places.
func TestPluginPagesHaveTheSameHeadings(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, p := range pages(t) {
		if dir := path.Dir(p.name); dir != "docs/protocols" && dir != "docs/platforms" {
			continue
		}
		seen++
		for _, heading := range []string{"Name", "What it does", "Configuration", "Commands", "Limits", "Metrics", "Examples"} {
			if !p.hasHeading(heading) {
				t.Errorf("%s has no heading %q", p.name, heading)
			}
		}
	}
	if seen < 2 {
		t.Errorf("%d pages of protocols and platforms", seen)
	}
}
