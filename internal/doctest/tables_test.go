package doctest

import (
	"flag"
	"fmt"
	"os"
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/adapters/jt808"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

var update = flag.Bool("update", false, "write generated tables anew")

const operations = "docs/operations.md"

func TestCausesAreExplained(t *testing.T) {
	t.Parallel()
	text := read(t, operations)
	for c := server.CausePeerClosed; ; c++ {
		name := c.String()
		if strings.HasPrefix(name, "cause(") {
			break
		}
		if !strings.Contains(text, "\n| `"+name+"` |") {
			t.Errorf("%s does not explain the cause %q", operations, name)
		}
	}
}

// The table of metrics is made of the tags of the rooms' snapshots.
func TestMetricsAreListed(t *testing.T) { //nolint:paralleltest // may write the page
	var b strings.Builder
	b.WriteString("| Metric | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n")
	for _, stats := range []reflect.Type{
		reflect.TypeFor[server.Stats](), reflect.TypeFor[bridge.Stats](), reflect.TypeOf(new(session.Memory).Stats).Out(0),
		reflect.TypeFor[aliyun.Stats](), reflect.TypeFor[jt808.Stats](),
	} {
		metrics(&b, stats, nil)
	}
	const begin, end = "<!-- metrics: go test ./internal/doctest -update -->\n", "<!-- end of metrics -->"
	text := read(t, operations)
	before, rest, ok := strings.Cut(text, begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table: %s ... %s", operations, begin, end)
	}
	if have == b.String() {
		return
	}
	if !*update {
		t.Errorf("the table of metrics on %s is out of date: go test ./internal/doctest -update", operations)
		return
	}
	if err := os.WriteFile(path.Join(root, operations), []byte(before+begin+b.String()+end+after), 0o644); err != nil { //nolint:gosec // a page
		t.Fatal(err)
	}
}

func metrics(b *strings.Builder, t reflect.Type, labels []string) {
	for f := range t.Fields() {
		if label := f.Tag.Get("label"); label != "" && f.Type.Kind() == reflect.String {
			labels = append(labels, label)
		}
	}
	for f := range t.Fields() {
		name := f.Tag.Get("metric")
		switch {
		case f.Type.Kind() == reflect.Slice:
			metrics(b, f.Type.Elem(), labels)
		case f.Type.Kind() == reflect.Struct:
			metrics(b, f.Type, labels)
		case name != "":
			all := labels
			if l := f.Tag.Get("label"); l != "" {
				all = append(labels[:len(labels):len(labels)], l)
			}
			kind := "gauge"
			if strings.HasSuffix(name, "_total") {
				kind = "counter"
			}
			fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, kind, strings.Join(all, ", "), f.Tag.Get("doc"))
		}
	}
}
