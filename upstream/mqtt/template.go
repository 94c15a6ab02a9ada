package mqtt

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// field is what a ${placeholder} stands for.
type field uint8

const (
	literal field = iota // no placeholder
	productKey
	deviceName
	deviceSecret
	kind
	name
	commandID
	topicOf
	hostName
	number
	clientID
	fieldCount
)

// fieldNames are the placeholders as configurations write them.
var fieldNames = [fieldCount]string{
	productKey: "productKey", deviceName: "deviceName", deviceSecret: "deviceSecret", kind: "kind", name: "name",
	commandID: "id", topicOf: "topic", hostName: "host", number: "n", clientID: "clientId",
}

// values are what placeholders stand for in one case.
type values [fieldCount]string

// part is a piece of a template: a text, or a field.
type part struct {
	text  string
	field field
}

// template is a text with ${placeholders}. "$${" is "${" itself.
type template []part

// parseTemplate reads a template that may have the allowed placeholders.
func parseTemplate(text string, allowed ...field) (t template, err error) {
	plain := func(s string) {
		switch last := len(t) - 1; {
		case s == "":
		case last >= 0 && t[last].field == literal:
			t[last].text += s
		default:
			t = append(t, part{text: s})
		}
	}
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			plain(text)
			return t, nil
		}
		if escaped, ok := strings.CutSuffix(before, "$"); ok {
			plain(escaped + "${")
			text = rest
			continue
		}
		plain(before)
		word, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, fmt.Errorf("%q: ${ without }", text)
		}
		f := field(slices.Index(fieldNames[:], word)) //nolint:gosec // checked below
		if word == "" || !slices.Contains(allowed, f) {
			return nil, fmt.Errorf("${%s} is no placeholder here, want one of %s", word, listed(allowed))
		}
		t = append(t, part{field: f})
		text = after
	}
}

func listed(fields []field) string {
	if len(fields) == 0 {
		return "none"
	}
	words := make([]string, 0, len(fields))
	for _, f := range fields {
		words = append(words, "${"+fieldNames[f]+"}")
	}
	return strings.Join(words, " ")
}

// has says whether t has the placeholder.
func (t template) has(f field) bool {
	return slices.ContainsFunc(t, func(p part) bool { return p.field == f })
}

// with is t with the values in their places.
func (t template) with(v *values) string {
	if len(t) == 1 && t[0].field == literal {
		return t[0].text
	}
	var b strings.Builder
	for _, p := range t {
		if p.field == literal {
			b.WriteString(p.text)
			continue
		}
		b.WriteString(v[p.field])
	}
	return b.String()
}

// checkTopic says what is wrong with a topic that is published to (MQTT 3.1.1,
// section 4.7).
func checkTopic(topic string) error {
	switch {
	case topic == "" || len(topic) > maxTopic:
		return fmt.Errorf("%w: %d bytes, want 1 to %d", ErrTopic, len(topic), maxTopic)
	case strings.ContainsAny(topic, "+#"):
		return fmt.Errorf("%w: %q has a wildcard", ErrTopic, topic)
	case !topicText(topic):
		return fmt.Errorf("%w: %q has control characters, or is no UTF-8", ErrTopic, topic)
	}
	return nil
}

// isLevel says whether s can be one level of a topic.
func isLevel(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsAny(s, "/+#") && topicText(s)
}

// topicText says whether s can be part of a topic: UTF-8 without control
// characters (MQTT 3.1.1, section 1.5.3). A broker closes the connection of
// whoever sends others.
func topicText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
