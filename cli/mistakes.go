package cli

import (
	"errors"
	"regexp"
	"strings"

	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/config/hocon"
)

// tellUnused warns of sections of plugins other than the chosen one.
func tellUnused(tree *config.Tree, section, key, chosen string, names []string) {
	for _, name := range names {
		path := section + "." + name
		if name == chosen || !tree.Has(path) || tree.Knows(path) {
			continue
		}
		tree.Warn(tree.Errorf(path, "is not used: "+section+"."+key+" is "+chosen, ""))
	}
}

// leaves are the single mistakes in an error, however they were joined, each
// with the words that were put in front of them all.
func leaves(err error, front string) []leaf {
	for e := err; e != nil; e = errors.Unwrap(e) {
		list, ok := e.(interface{ Unwrap() []error })
		if !ok {
			continue
		}
		before, joined := strings.CutSuffix(err.Error(), e.Error())
		var all []leaf
		var texts []string
		for _, one := range list.Unwrap() {
			all = append(all, leaves(one, front+before)...)
			texts = append(texts, one.Error())
		}
		if !joined || strings.Join(texts, "\n") != e.Error() {
			break // several causes of one mistake
		}
		return all
	}
	return []leaf{{err, front + err.Error()}}
}

type leaf struct {
	err  error
	text string
}

// leadingKey is what the texts of rooms begin with when they are about a key.
var leadingKey = regexp.MustCompile(`^([a-z][A-Za-z0-9]*(?:\.[a-zA-Z0-9]+)*)(:? )`)

// placed says where in the configuration the mistakes are that a room found in
// its section. place gives the section, or the key, of a mistake that does not
// begin with a key, and what is left of its text; it may be nil. Words in front
// that only name the room are left out. Where there is no mistake there is no error.
func placed(tree *config.Tree, section string, err error, rooms []string, place func(text string) (path, rest string)) error {
	if err == nil {
		return nil
	}
	var errs []error
	for _, l := range leaves(err, "") {
		if errors.As(l.err, new(*config.Error)) {
			errs = append(errs, l.err) // says it itself
			continue
		}
		if h := (*hocon.Error)(nil); errors.As(l.err, &h) && h.Pos.Line > 0 {
			errs = append(errs, &config.Error{File: h.Pos.File, Line: h.Pos.Line, Column: h.Pos.Column, Key: h.Key, Problem: h.Problem, Hint: h.Hint, Err: l.err})
			continue
		}
		at, text := section, l.text
		for cut := true; cut; {
			cut = false
			for _, room := range rooms {
				if rest, ok := strings.CutPrefix(text, room+": "); ok {
					text, cut = rest, true
				}
			}
		}
		if place != nil {
			at, text = place(text)
		}
		e := keyed(tree, at, text)
		e.Err = l.err
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// keyed is a mistake of the key that the text begins with, or of the section.
func keyed(tree *config.Tree, section, text string) *config.Error {
	if m := leadingKey.FindStringSubmatch(text); m != nil {
		for _, path := range []string{section + "." + m[1], section + ".limits." + m[1]} {
			if tree.Knows(path) || tree.Has(path) {
				return tree.Errorf(path, text[len(m[0]):], "")
			}
		}
	}
	return tree.Errorf(section, text, "")
}
