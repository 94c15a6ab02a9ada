package config

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/linkspan/linkspan/config/hocon"
)

const masked = "******"

// secretKey matches keys whose values are not printed even when nobody has
// decoded them.
var secretKey = regexp.MustCompile(`(?i)secret|passw|passphrase|token|accesskey|privatekey|credential`)

// Write prints the section, resolved, as HOCON. Secrets are masked: what was
// decoded into a secret, and what has a name such as deviceSecret. With origins,
// each key is followed by a comment that tells where its value comes from.
func (t *Tree) Write(w io.Writer, origins bool) error {
	p := printer{all: t.all, origins: origins}
	t.all.mu.Lock()
	if t.value.Kind() == hocon.Object {
		p.fields(t.value, t.path, "")
	} else {
		p.value(t.value, t.path, "", false)
		p.b.WriteByte('\n')
	}
	t.all.mu.Unlock()
	_, err := io.WriteString(w, p.b.String())
	if err != nil {
		return fmt.Errorf("config: write: %w", err)
	}
	return nil
}

// String is the section as [Tree.Write] prints it, without origins.
func (t *Tree) String() string {
	var b strings.Builder
	_ = t.Write(&b, false) // a strings.Builder takes everything
	return b.String()
}

type printer struct {
	all     *shared
	origins bool
	b       strings.Builder
}

func (p *printer) fields(v *hocon.Value, path []string, indent string) {
	for _, f := range v.Fields() {
		sub := append(path[:len(path):len(path)], f.Key)
		p.b.WriteString(indent + hocon.FormatPath([]string{f.Key}))
		if f.Value.Kind() == hocon.Object {
			p.b.WriteByte(' ')
		} else {
			p.b.WriteString(" = ")
		}
		p.value(f.Value, sub, indent, secretKey.MatchString(f.Key))
		if k := f.Value.Kind(); p.origins && k != hocon.Object {
			p.b.WriteString(" # " + f.Value.Pos().String())
		}
		p.b.WriteByte('\n')
	}
}

func (p *printer) value(v *hocon.Value, path []string, indent string, secret bool) {
	secret = secret || p.all.secret[hocon.FormatPath(path)]
	switch v.Kind() {
	case hocon.Object:
		p.b.WriteString("{\n")
		p.fields(v, path, indent+"  ")
		p.b.WriteString(indent + "}")
	case hocon.Array:
		p.b.WriteByte('[')
		for i, e := range v.Elems() {
			if i > 0 {
				p.b.WriteString(", ")
			}
			p.value(e, append(path[:len(path):len(path)], indexOf(v, e, i)), indent+"  ", secret)
		}
		p.b.WriteByte(']')
	case hocon.String, hocon.Number:
		if secret && v.Text() != "" {
			p.b.WriteString(`"` + masked + `"`)
			return
		}
		if v.Kind() == hocon.Number {
			p.b.WriteString(v.Text())
			return
		}
		p.b.WriteString(quote(v.Text()))
	default:
		p.b.WriteString(v.Text())
	}
}

func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a strings.Builder takes everything
	return strings.TrimSuffix(b.String(), "\n")
}
