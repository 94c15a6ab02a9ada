// Package check collects what makes no sense in a configuration, so that whoever wrote it
// learns of all mistakes at once.
package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// List is mistakes. The zero List has none. It may be used by one goroutine at a time.
type List struct{ errs []error }

// Word demands that the value of a key is one of some words.
func (l *List) Word(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		l.errs = append(l.errs, fmt.Errorf("%s: %q, must be %s", key, value, strings.Join(allowed, " or ")))
	}
}

// That demands that the value of a key is what is wanted: whether it is, ok says.
func (l *List) That(ok bool, key string, value any, want string) {
	if !ok {
		l.errs = append(l.errs, fmt.Errorf("%s: %v, must be %s", key, value, want))
	}
}

// Of takes over what somebody else found at a key, if err is not nil.
func (l *List) Of(key string, err error) {
	if err != nil {
		l.errs = append(l.errs, fmt.Errorf("%s: %w", key, err))
	}
}

// Err is all of them joined; nil if there are none.
func (l *List) Err() error { return errors.Join(l.errs...) }
