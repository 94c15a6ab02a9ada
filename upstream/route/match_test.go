package route

import (
	"path"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "any", true},
		{"*", "", true},
		{"?", "", false},
		{"?", "\u8f66", true},
		{"a*c", "abc", true},
		{"a*c", "abcd", false},
		{"*b*b*", "abab", true},
		{"*b*b*", "ab", false},
		{"a**", "a", true},
		{"jt808-?", "jt808-1", true},
		{"jt808-?", "jt808-10", false},
		{"[a]", "a", false},
		{"[a]", "[a]", true},
	} {
		if got := match(c.pattern, c.text); got != c.want {
			t.Errorf("match(%q, %q) = %v", c.pattern, c.text, got)
		}
	}
}

// The standard library's patterns are the same but for slashes, brackets and
// backslashes.
func FuzzMatch(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("***", "")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if pattern == "" || len(pattern) > 50 || len(text) > 200 || strings.ContainsAny(pattern+text, `/[]\`) {
			t.Skip()
		}
		want, err := path.Match(pattern, text)
		if err != nil {
			t.Skip()
		}
		if got := match(pattern, text); got != want {
			t.Errorf("match(%q, %q) = %v, want %v", pattern, text, got, want)
		}
	})
}
