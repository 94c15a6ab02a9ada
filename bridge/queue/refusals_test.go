package queue

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	var r refusals
	now := time.UnixMilli(1_700_000_000_000)
	no := &upstream.RefusedError{Code: 6287, Reason: "wrong"}
	id := auth.Identity{ProductKey: "p", DeviceName: "d", DeviceSecret: "wrong"}
	is := func(what string, id auth.Identity, at time.Time, want bool) {
		t.Helper()
		got := r.of("d", id, at)
		if (got != nil) != want || got != nil && (got.Code != 6287 || !got.Repeated) {
			t.Errorf("%s: %v", what, got)
		}
	}
	is("nothing is known", id, now, false)
	r.note("d", id, fmt.Errorf("login: %w", no), now)
	is("refused", id, now.Add(refusedFor-1), true)
	is("long ago", id, now.Add(refusedFor), false)
	right := id
	right.DeviceSecret = "right"
	is("as another identity", right, now, false)
	for _, err := range []error{
		upstream.ErrNotConnected, upstream.ErrTimeout, upstream.ErrSuperseded, errors.New("else"),
		&upstream.RefusedError{Code: 429, Temporary: true}, no.Repeat(),
	} {
		r.note("d", id, err, now.Add(refusedFor/2))
		is(err.Error(), id, now.Add(refusedFor-1), true)
		is(err.Error()+", long ago", id, now.Add(refusedFor), false)
	}
	r.note("else", id, no, now.Add(refusedFor/2))
	r.note("else", id, no, now.Add(refusedFor-1))
	is("still", id, now.Add(refusedFor-1), true)
	r.note("d", id, nil, now)
	is("let in", id, now, false)

	r.note("d", id, no, now)
	for i := range maxRefusals / 2 {
		r.note(strconv.Itoa(i), id, no, now)
	}
	is("among others", id, now, true)
	for i := range 3 * maxRefusals {
		r.note(strconv.Itoa(i), id, no, now)
	}
	is("the oldest of too many", id, now, false)
	if n := len(r.young) + len(r.old); n > maxRefusals {
		t.Errorf("%d are remembered", n)
	}
}
