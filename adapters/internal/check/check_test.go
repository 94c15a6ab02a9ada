package check_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/linkspan/linkspan/adapters/internal/check"
)

func TestList(t *testing.T) {
	t.Parallel()
	var l check.List
	l.Word("mode", "strict", "lenient", "strict")
	l.That(true, "most", 1, "at least 1")
	l.Of("zone", nil)
	if err := l.Err(); err != nil {
		t.Errorf("nothing is wrong: %v", err)
	}
	l.Word("mode", "odd", "lenient", "strict")
	l.That(false, "most", 0, "at least 1")
	l.Of("file", fs.ErrNotExist)
	err := l.Err()
	if want := "mode: \"odd\", must be lenient or strict\nmost: 0, must be at least 1\nfile: file does not exist"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("the cause is lost")
	}
}
