package doctest

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	metricName = regexp.MustCompile(`linkspan_[a-z0-9_]+`)
	limitKey   = regexp.MustCompile("`([a-z][A-Za-z0-9]*(?:\\.[A-Za-z0-9-]+)+)`")
)

// Metrics that a page names are in the table, or begin as some there do.
func TestNamedMetricsExist(t *testing.T) {
	t.Parallel()
	have := metricName.FindAllString(read(t, operations), -1)
	err := fs.WalkDir(os.DirFS(root), "docs", func(name string, e fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".md" || name == operations || name == "docs/write-a-codec.md" { // which has metrics of its own
			return err
		}
		for _, metric := range metricName.FindAllString(read(t, name), -1) {
			if strings.HasPrefix(metric, "linkspan_platform") || strings.HasPrefix(metric, "linkspan_simulate") {
				continue // of other programs
			}
			known := false
			for _, h := range have {
				known = known || h == metric || strings.HasSuffix(metric, "_") && strings.HasPrefix(h, metric)
			}
			if !known {
				t.Errorf("%s names %s, which %s does not have", name, metric, operations)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The limits that docs/security.md names are keys of the configuration.
func TestLimitsAreKeys(t *testing.T) {
	t.Parallel()
	reference, page := read(t, "docs/configuration-reference.md"), read(t, "docs/security.md")
	_, limits, found := strings.Cut(page, "## Limits against abuse")
	limits, _, _ = strings.Cut(limits, "## Secrets")
	rows, named := 0, 0
	for line := range strings.Lines(limits) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 {
			continue
		}
		rows++
		for _, key := range limitKey.FindAllStringSubmatch(cells[2], -1) {
			named++
			if !strings.Contains(reference, "| `"+key[1]+"` |") && !strings.Contains(reference, "."+key[1]+"` |") {
				t.Errorf("docs/security.md names the limit %s, which is no key", key[1])
			}
		}
	}
	if !found || rows < 40 || named < 30 {
		t.Errorf("%d rows with %d limits: the tables are not where they were", rows, named)
	}
}
