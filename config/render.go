package config

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/linkspan/linkspan/config/hocon"
)

const masked = "******"

// secretKey matches keys whose values are not printed even when nobody has
// decoded them.
var secretKey = regexp.MustCompile(`(?i)secret|passw|passphrase|pwd|token|accesskey|privatekey|credential|^key$`)

// Write prints what is set in the section as HOCON, resolved, in the order of
// the files; with keys that only the environment sets once they have been
// decoded. Secrets are masked: what was decoded into a secret, and what has a
// name such as deviceSecret. With origins, each key is followed by a comment
// that tells where its value comes from.
func (t *Tree) Write(w io.Writer, origins bool) error {
	t.all.mu.Lock()
	p := printer{all: t.all, origins: origins}
	root := p.ofValue(t.value, t.path, false)
	for path, v := range t.all.fromEnv {
		if below, ok := cutPath(path, t.path); ok && root.section {
			root.at(below).set(p.ofValue(v, splitKnown(path), false))
		}
	}
	t.all.mu.Unlock()
	return p.print(w, root)
}

// String is the section as [Tree.Write] prints it, without origins.
func (t *Tree) String() string {
	var b strings.Builder
	_ = t.Write(&b, false) // a strings.Builder takes everything
	return b.String()
}

// item is a value to be printed.
type item struct {
	key      string
	text     string // of what is neither a section nor a list of items
	origin   string
	remark   bool // it must not be set, but may be shown
	section  bool
	list     bool
	children []*item
}

func (it *item) set(other *item) {
	key := it.key
	*it = *other
	it.key = key
}

// at is the item at path, which is made if there is none.
func (it *item) at(path []string) *item {
	for _, key := range path {
		i := slices.IndexFunc(it.children, func(c *item) bool { return c.key == key })
		if i < 0 {
			it.section = it.section || !it.list
			it.children = append(it.children, &item{key: key})
			i = len(it.children) - 1
		}
		it = it.children[i]
	}
	return it
}

// printer makes items of values and prints them.
type printer struct {
	all     *shared
	origins bool
	b       strings.Builder
}

// ofValue makes items of v, which stands at path.
func (p *printer) ofValue(v *hocon.Value, path []string, secret bool) *item {
	if n := len(path); n > 0 {
		secret = secret || p.all.secret[hocon.FormatPath(path)] || secretKey.MatchString(path[n-1])
	}
	it := &item{}
	below := func(key string, val *hocon.Value) *item {
		c := p.ofValue(val, append(path[:len(path):len(path)], key), secret && v.Kind() == hocon.Array)
		c.key = key
		it.children = append(it.children, c)
		return c
	}
	switch v.Kind() {
	case hocon.Object:
		it.section = true
		for _, f := range v.Fields() {
			below(f.Key, f.Value)
		}
	case hocon.Array:
		texts := make([]string, 0, len(v.Elems()))
		for i, e := range v.Elems() {
			c := below(indexOf(v, e, i), e)
			it.list = it.list || c.section || c.list
			texts = append(texts, c.text)
		}
		if !it.list {
			it.children, it.text = nil, "["+strings.Join(texts, ", ")+"]"
		}
	case hocon.String, hocon.Number:
		switch {
		case secret && v.Text() != "":
			it.text = quote(masked)
		case v.Kind() == hocon.Number:
			it.text = v.Text()
		default:
			it.text = quote(v.Text())
		}
	default:
		it.text = v.Text()
	}
	it.origin = v.Pos().String()
	return it
}

// print writes the items below root, or root itself if it is no section.
func (p *printer) print(w io.Writer, root *item) error {
	if root.section {
		p.fields(root, "")
	} else {
		p.item(root, "")
		p.b.WriteByte('\n')
	}
	if _, err := io.WriteString(w, p.b.String()); err != nil {
		return fmt.Errorf("config: write: %w", err)
	}
	return nil
}

func (p *printer) fields(it *item, indent string) {
	for _, c := range it.children {
		p.b.WriteString(indent)
		if c.remark {
			p.b.WriteString("# ")
		}
		p.b.WriteString(hocon.FormatPath([]string{c.key}))
		if !c.section {
			p.b.WriteString(" =")
		}
		p.b.WriteByte(' ')
		p.item(c, indent)
		if p.origins && c.origin != "" && !c.section && !c.list {
			p.b.WriteString(" # " + c.origin)
		}
		p.b.WriteByte('\n')
	}
}

func (p *printer) item(it *item, indent string) {
	switch {
	case it.section && len(it.children) == 0:
		p.b.WriteString("{}")
	case it.section:
		p.b.WriteString("{\n")
		p.fields(it, indent+"  ")
		p.b.WriteString(indent + "}")
	case it.list:
		p.b.WriteString("[\n")
		for _, c := range it.children {
			p.b.WriteString(indent + "  ")
			p.item(c, indent+"  ")
			p.b.WriteByte('\n')
		}
		p.b.WriteString(indent + "]")
	default:
		p.b.WriteString(it.text)
	}
}

func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a strings.Builder takes everything
	return strings.TrimSuffix(b.String(), "\n")
}

// splitKnown splits a path that FormatPath has made.
func splitKnown(path string) []string {
	parts, _ := splitPath(path) // FormatPath quotes what needs it
	return parts
}

// cutPath takes the parts of prefix off path.
func cutPath(path string, prefix []string) ([]string, bool) {
	parts := splitKnown(path)
	if len(parts) < len(prefix) || !slices.Equal(parts[:len(prefix)], prefix) {
		return nil, false
	}
	return parts[len(prefix):], true
}
