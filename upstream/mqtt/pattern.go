package mqtt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// level is one level of a pattern: a text, or a placeholder between two texts,
// or a wildcard.
type level struct {
	before, after string
	field         field
	any, rest     bool // + and #
}

// pattern is a template of topics that devices are told something under. It
// makes the filters of subscriptions, and reads back of a topic what its
// placeholders stood for.
type pattern []level

var (
	errWildcardPlace = errors.New("a wildcard has to be a whole level, and # the last")
	errTwoInOne      = errors.New("one level has two placeholders, so that nobody could tell them apart")
)

// parsePattern reads a pattern. Wildcards are taken where they may be.
func parsePattern(text string, wildcards bool, allowed ...field) (p pattern, err error) {
	whole, err := parseTemplate(text, allowed...)
	if err != nil {
		return nil, err
	}
	plain := strings.NewReplacer("+", "x", "#", "x").Replace(text)
	if !wildcards && plain != text {
		return nil, fmt.Errorf("%q has a wildcard: write placeholders", text)
	}
	if err := checkTopic(plain); err != nil {
		return nil, err
	}
	for _, f := range allowed {
		if n := len(slices.DeleteFunc(slices.Clone(whole), func(p part) bool { return p.field != f })); n > 1 {
			return nil, fmt.Errorf("%q has ${%s} twice", text, fieldNames[f])
		}
	}
	words := strings.Split(text, "/")
	for i, word := range words {
		l, err := parseLevel(word, allowed)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		if l.rest && i < len(words)-1 {
			return nil, fmt.Errorf("%q: %w", text, errWildcardPlace)
		}
		p = append(p, l)
	}
	return p, nil
}

func parseLevel(word string, allowed []field) (l level, err error) {
	switch {
	case word == "+":
		return level{any: true}, nil
	case word == "#":
		return level{rest: true}, nil
	case strings.ContainsAny(word, "+#"):
		return l, errWildcardPlace
	}
	t, err := parseTemplate(word, allowed...)
	for _, p := range t {
		switch {
		case p.field == literal && l.field == literal:
			l.before = p.text
		case p.field == literal:
			l.after = p.text
		case l.field != literal:
			return l, errTwoInOne
		default:
			l.field = p.field
		}
	}
	return l, err
}

func (p pattern) has(f field) bool {
	return slices.ContainsFunc(p, func(l level) bool { return l.field == f })
}

// filter is what is subscribed: with v for one device, with nil for all.
func (p pattern) filter(v *values) string {
	words := make([]string, 0, len(p))
	for _, l := range p {
		switch {
		case l.rest:
			words = append(words, "#")
		case l.any:
			words = append(words, "+")
		case l.field == literal:
			words = append(words, l.before)
		case v != nil && v[l.field] != "":
			words = append(words, l.before+v[l.field]+l.after)
		default:
			words = append(words, "+")
		}
	}
	return strings.Join(words, "/")
}

// match says whether topic is one of p's, and what the placeholders stand for.
func (p pattern) match(topic string, v *values) bool {
	for i, l := range p {
		if l.rest {
			return true
		}
		word, rest, more := strings.Cut(topic, "/")
		if !l.match(word, v) {
			return false
		}
		if topic = rest; !more {
			return i == len(p)-1 || i == len(p)-2 && p[i+1].rest // a/# is a, too
		}
	}
	return false
}

func (l *level) match(word string, v *values) bool {
	switch {
	case l.any:
		return true
	case l.field == literal:
		return word == l.before
	}
	word, begins := strings.CutPrefix(word, l.before)
	word, ends := strings.CutSuffix(word, l.after)
	v[l.field] = word
	return begins && ends && word != ""
}
