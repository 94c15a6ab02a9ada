package mqtt

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/thing"
)

// rendering is a payload of one's own: JSON with ${placeholders}. Each is the
// JSON of a value, or inside of a JSON string the text of it.
type rendering []piece

type piece struct {
	text   string // of a literal
	word   string // of a placeholder
	field  string // of ${fields.name}: the name
	quoted bool   // the placeholder is inside of a string
}

// words are the placeholders of payloads, besides ${fields.name}.
var words = []string{"productKey", "deviceName", "kind", "name", "id", "time", "timestamp", "fields", "raw", "state", "code", "text"}

var errNoJSON = errors.New("makes no JSON: look at quotes, commas and brackets; ${...} is a whole value, or text inside of quotes")

func parseRendering(text string) (r rendering, err error) {
	quoted := false
	rest := text
	for {
		before, after, found := strings.Cut(rest, "${")
		if before != "" {
			r = append(r, piece{text: before})
			quoted = endsQuoted(before, quoted)
		}
		if !found {
			break
		}
		word, tail, closed := strings.Cut(after, "}")
		if !closed {
			return nil, fmt.Errorf("%q: ${ without }", text)
		}
		p := piece{word: word, quoted: quoted}
		if name, isField := strings.CutPrefix(word, "fields."); isField && name != "" {
			p.word, p.field = "field", name
		} else if !slices.Contains(words, word) {
			return nil, fmt.Errorf("${%s} is no placeholder here, want one of %s, fields.NAME", word, strings.Join(words, ", "))
		}
		r = append(r, p)
		rest = tail
	}
	d := newDevice(values{productKey: `p"`, deviceName: "d"}, nil)
	sample := r.append(nil, d, &thing.Message{Kind: thing.Event, Name: `n"`, Fields: []thing.Field{{Name: "f", Value: thing.String(`"`)}}})
	if !json.Valid(sample) {
		return nil, errNoJSON
	}
	return r, nil
}

// endsQuoted says whether one is inside of a JSON string behind text, when one
// was or was not in front of it.
func endsQuoted(text string, quoted bool) bool {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == '\\' && quoted:
			i++
		}
	}
	return quoted
}

func (r rendering) append(dst []byte, d *device, m *thing.Message) []byte {
	for i := range r {
		p := &r[i]
		switch {
		case p.word == "":
			dst = append(dst, p.text...)
		case p.quoted:
			at := len(dst)
			dst = unquote(p.append(dst, d, m), at)
		default:
			dst = p.append(dst, d, m)
		}
	}
	return dst
}

// unquote makes the JSON value from at on the inside of a JSON string: the text of
// a string, nothing of null, and the JSON of others.
func unquote(dst []byte, at int) []byte {
	value := dst[at:]
	switch {
	case string(value) == "null":
		return dst[:at]
	case value[0] == '"':
		return append(dst[:at], value[1:len(value)-1]...)
	case value[0] == '{' || value[0] == '[':
		return appendInside(dst[:at], string(value))
	default:
		return dst
	}
}

// append appends the JSON value of a placeholder.
func (p *piece) append(dst []byte, d *device, m *thing.Message) []byte {
	switch p.word {
	case "productKey":
		return thing.AppendString(dst, d.product())
	case "deviceName":
		return thing.AppendString(dst, d.device())
	case "kind":
		return thing.AppendString(dst, m.Kind.String())
	case "name":
		return thing.AppendString(dst, m.Name)
	case "id":
		return thing.AppendString(dst, m.ID)
	case "time":
		return thing.AppendInt(dst, timeOf(m).UnixMilli())
	case "timestamp":
		dst = append(dst, '"')
		dst = timeOf(m).UTC().AppendFormat(dst, time.RFC3339Nano)
		return append(dst, '"')
	case "fields":
		return thing.AppendFields(dst, m.Fields)
	case "raw":
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, m.Raw)
		return append(dst, '"')
	case "state":
		return thing.AppendString(dst, stateName(m.State))
	case "code":
		return thing.AppendInt(dst, int64(m.Code))
	case "text":
		return thing.AppendString(dst, m.Text)
	default: // a field
		v, _ := thing.Get(m.Fields, p.field)
		return v.AppendJSON(dst)
	}
}
