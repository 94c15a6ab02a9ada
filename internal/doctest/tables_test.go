package doctest

import (
	"flag"
	"fmt"
	"os"
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/adapters/gbt26875"
	"github.com/linkspan/linkspan/adapters/jt808"
	"github.com/linkspan/linkspan/adapters/modbus"
	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/auth/attempts"
	"github.com/linkspan/linkspan/auth/httpauth"
	"github.com/linkspan/linkspan/auth/static"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/bridge/away"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/config/devices"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/direct"
	"github.com/linkspan/linkspan/upstream/aliyun/http2"
	"github.com/linkspan/linkspan/upstream/mqtt"
	"github.com/linkspan/linkspan/upstream/route"
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

// Pages of platforms have every key and every cause.
func TestPlatformPagesAreComplete(t *testing.T) {
	t.Parallel()
	cfg := aliyun.DefaultConfig()
	cfg.ProductKey, cfg.DeviceName, cfg.DeviceSecret = "pk", "dn", "secret"
	up, err := aliyun.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"docs/platforms/aliyun.md": nil, "docs/platforms/local.md": nil}
	for cause := range up.Stats().Errors {
		want["docs/platforms/aliyun.md"] = append(want["docs/platforms/aliyun.md"], cause)
	}
	other := mqtt.DefaultConfig()
	other.Endpoint = []string{"tcp://127.0.0.1:1883"}
	broker, err := mqtt.New(other)
	if err != nil {
		t.Fatal(err)
	}
	for cause := range broker.Stats().Errors {
		want["docs/platforms/mqtt.md"] = append(want["docs/platforms/mqtt.md"], cause)
	}
	each, err := direct.New(direct.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	for cause := range each.Stats().Errors {
		want["docs/platforms/aliyun-direct.md"] = append(want["docs/platforms/aliyun-direct.md"], cause)
	}
	for f := range reflect.TypeFor[platform.Config]().Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("conf"), ",")
		want["docs/platforms/local.md"] = append(want["docs/platforms/local.md"], key)
	}
	for page, words := range want {
		text := read(t, page)
		if len(words) < 5 {
			t.Errorf("%s: only %q to look for", page, words)
		}
		for _, w := range words {
			if !strings.Contains(text, "`"+w+"`") {
				t.Errorf("%s lacks %s", page, w)
			}
		}
	}
}

// The table of metrics is made of the tags of the rooms' snapshots.
func TestMetricsAreListed(t *testing.T) { //nolint:paralleltest // may write the page
	var b strings.Builder
	b.WriteString("| Metric | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n")
	for _, stats := range []reflect.Type{
		reflect.TypeFor[server.Stats](), reflect.TypeFor[bridge.Stats](), reflect.TypeOf(new(session.Memory).Stats).Out(0), reflect.TypeFor[devices.Stats](),
		reflect.TypeFor[queue.Stats](), reflect.TypeFor[away.Stats](), reflect.TypeFor[attempts.Stats](),
		reflect.TypeFor[auth.Stats](), reflect.TypeFor[static.Stats](), reflect.TypeFor[httpauth.Stats](),
		reflect.TypeFor[aliyun.Stats](), reflect.TypeFor[direct.Stats](), reflect.TypeFor[http2.Stats](), reflect.TypeFor[mqtt.Stats](), reflect.TypeFor[route.Stats](), reflect.TypeFor[jt808.Stats](), reflect.TypeFor[gbt26875.Stats](), reflect.TypeFor[modbus.Stats](),
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
	if have != b.String() {
		generated(t, operations, before+begin+b.String()+end+after)
	}
}

// generated wants a file to be as it was made, or makes it.
func generated(t *testing.T, name, want string) {
	t.Helper()
	if read(t, name) == want {
		return
	}
	if !*update {
		t.Errorf("%s is out of date: go test ./internal/doctest -update", name)
		return
	}
	if err := os.WriteFile(path.Join(root, name), []byte(want), 0o644); err != nil {
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
		case strings.Contains(b.String(), "| `"+name+"` |"): // several rooms count it
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
