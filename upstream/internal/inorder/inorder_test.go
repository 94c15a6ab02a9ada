package inorder_test

import (
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/internal/inorder"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wanted, reply bool
		err           error
		breaks        bool
	}{
		"a message that failed for now":      {wanted: true, err: upstream.ErrTimeout, breaks: true},
		"one whose sender wants no order":    {err: upstream.ErrTimeout},
		"one that is refused for good":       {wanted: true, err: auth.ErrDenied},
		"one that has arrived":               {wanted: true},
		"a reply, which is of no order":      {wanted: true, reply: true, err: upstream.ErrTimeout},
		"one for which there was no room":    {wanted: true, err: upstream.ErrOverloaded, breaks: true},
		"one that is refused, but only now":  {wanted: true, err: &upstream.RefusedError{Temporary: true}, breaks: true},
		"one of a login that was superseded": {wanted: true, err: upstream.ErrSuperseded},
	} {
		l := inorder.Login{Wanted: c.wanted}
		if got := l.Breaks(c.reply, c.err); got != c.breaks {
			t.Errorf("%s: it breaks: %v, want %v", name, got, c.breaks)
		}
		if l.Refuses(false) != c.breaks || l.Refuses(true) {
			t.Errorf("%s: further messages are refused: %v, replies: %v", name, l.Refuses(false), l.Refuses(true))
		}
		l.Resume()
		if l.Refuses(false) {
			t.Errorf("%s: messages are refused after Resume", name)
		}
	}
}
