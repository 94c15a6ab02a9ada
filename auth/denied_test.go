package auth_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/linkspan/linkspan/auth"
)

func TestDenied(t *testing.T) {
	t.Parallel()
	unknown := auth.Denied("unknown device")
	if unknown.Error() != "unknown device" {
		t.Errorf("text %q", unknown)
	}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"denied":          {unknown, true},
		"wrapped":         {fmt.Errorf("bridge: %w", unknown), true},
		"bad credentials": {auth.ErrBadCredentials, true},
		"anything else":   {errors.New("away"), false},
	} {
		if got := errors.Is(test.err, auth.ErrDenied); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if err := fmt.Errorf("wrapped: %w", auth.ErrBadCredentials); errors.Is(err, unknown) {
		t.Error("two reasons are one")
	}
}
