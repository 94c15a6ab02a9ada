package chinese

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// hanzi is the 6763 hanzi of GB2312.
func hanzi(tb testing.TB) (all []rune) {
	tb.Helper()
	for row := byte(0xB0); row <= 0xF7; row++ {
		for cell := byte(0xA1); cell <= 0xFE; cell++ {
			if row == 0xD7 && cell > 0xF9 {
				break // five places that have none
			}
			s := gbk(tb, []byte{row, cell})
			r, _ := utf8.DecodeRuneInString(s)
			all = append(all, r)
		}
	}
	if len(all) != 6763 {
		tb.Fatalf("%d hanzi", len(all))
	}
	return all
}

// gbk reads b as GBK, whatever it looks like.
func gbk(tb testing.TB, b []byte) string {
	tb.Helper()
	s, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
	if err != nil {
		tb.Fatal(err)
	}
	return string(s)
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ wire, want string }{
		{"\xf2\xab\xb0\xb2", "颢安"},                // UTF-8 of U+ABC32, which nobody has assigned
		{"\xf2\xab\xa1\xa3", "颢。"},                // the same with punctuation
		{"\xf1\xa1\xb0\x84", "瘛皠"},                // the same, a character of GBK that GB2312 lacks
		{"\xe6\xa6\xb2\xe6\xb5\xb8", "姒叉蹈"},       // UTF-8 of 榲浸
		{"A\xe6\xa6\xb2\xe6\xb5\xb8-1", "A姒叉蹈-1"}, // the same among ASCII
		{"\xf0\x9f\x92\xa9", "💩"},                 // GBK of 馃挬
		{"\xf0\xa0\xae\xb7", "𠮷"},                 // GBK of 馉ò
		{"\xbe\xa9A12345", "京A12345"},
		{"京A12345", "京A12345"},
		{"豫", "豫"},
		{"陆", "陆"},
		{"  鲁B 88888 \x00", "鲁B 88888"},
		{"abc", "abc"},
		{"", ""},
	} {
		if got := Decode([]byte(tt.wire), " \x00"); got != tt.want {
			t.Errorf("%x is %q, want %q", tt.wire, got, tt.want)
		}
	}
}

// A char is a character in UTF-8.
type char struct {
	utf8  string
	known bool // GB2312 has it
}

func (c char) one() int {
	if c.known {
		return 1
	}
	return 0
}

// charsOf is all characters whose UTF-8 has so many bytes and can be part of
// GB2312, which has no bytes 80 to A0.
func charsOf(tb testing.TB, size int) (all []char) {
	tb.Helper()
	for r := rune(0x800); r <= utf8.MaxRune; r++ {
		s := string(r)
		if len(s) != size || !utf8.ValidRune(r) || slices.Min([]byte(s)) < 0xA1 {
			continue
		}
		again, err := simplifiedchinese.GB18030.NewEncoder().String(s)
		all = append(all, char{s, err == nil && isGB2312([]byte(again))})
	}
	return all
}

// Two hanzi of GB2312 are four bytes, UTF-8 at most of one character of four: GB2312
// has none of those.
func TestPairs(t *testing.T) {
	t.Parallel()
	ambiguous := 0
	for _, r := range charsOf(t, 4) {
		if !isGB2312([]byte(r.utf8)) {
			continue
		}
		ambiguous++
		if got, want := Decode([]byte(r.utf8), ""), gbk(t, []byte(r.utf8)); got != want {
			t.Fatalf("%x is %q, want %q", r.utf8, got, want)
		}
	}
	t.Logf("%d pairs are valid UTF-8", ambiguous)
	if ambiguous == 0 {
		t.Error("no pair is valid UTF-8")
	}
}

// Three hanzi of GB2312 are six bytes, UTF-8 at most of two characters of three. Which
// first and which second characters these can be does not depend on the other.
func TestTriples(t *testing.T) {
	t.Parallel()
	const all = 6763 * 6763 * 6763
	var first, second []char
	var knownFirst, knownSecond int
	for _, c := range charsOf(t, 3) {
		if c.utf8[0] >= 0xB0 && c.utf8[2] >= 0xB0 { // two bytes and the first of the next hanzi
			first = append(first, c)
			knownFirst += c.one()
		}
		if c.utf8[1] >= 0xB0 { // the second byte of a hanzi and a whole one
			second = append(second, c)
			knownSecond += c.one()
		}
	}
	wrong := knownFirst * knownSecond
	t.Logf("of %d triples %d are valid UTF-8, and %d are taken for it", all, len(first)*len(second), wrong)
	if share := float64(wrong) / all; share > 3e-6 || wrong == 0 {
		t.Errorf("%g of all triples are taken for UTF-8", share)
	}
	for i, n := 0, len(first)*len(second); i < n; i += 499 { // of 55 million
		p, q := first[i/len(second)], second[i%len(second)]
		b := []byte(p.utf8 + q.utf8)
		if want := p.known && q.known; looksUTF8(b) != want {
			t.Fatalf("%x, %q or %q: UTF-8 is %v, want %v", b, b, gbk(t, b), !want, want)
		}
	}
}

func TestTextsAtRandom(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2)) // the same in every run
	all := hanzi(t)
	for _, c := range all {
		if got := Decode([]byte(string(c)), ""); got != string(c) {
			t.Fatalf("UTF-8 %c is %q", c, got)
		}
	}
	wrong := 0
	const texts = 150_000
	for range texts {
		var text []rune
		for range 1 + r.IntN(8) {
			c := all[r.IntN(len(all))]
			if r.IntN(4) == 0 {
				c = []rune("AZaz09 -.，。（）１Ａ")[r.IntN(15)]
			}
			text = append(text, c)
		}
		want := string(text)
		if got := Decode([]byte(want), ""); got != want {
			t.Fatalf("UTF-8 %x, %q, is %q", want, want, got)
		}
		b, err := Append(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		if Decode(b, "") != want {
			wrong++
		}
	}
	t.Logf("%d of %d texts of GB2312 are taken for UTF-8", wrong, texts)
	if wrong > 1 {
		t.Errorf("%d of %d texts of GB2312 are taken for UTF-8", wrong, texts)
	}
}

// UTF-8 of characters that GB2312 lacks is mostly no GB2312 either.
func TestRareCharacters(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"张堃", "李喆", "王玥", "赵祎", "刘珺", "朱镕", "陳昇", "東京都", "臺北", "고속도로", "ひらがな", "😀👍🏻", "𠮷野家"} {
		if got := Decode([]byte(name), ""); got != name {
			t.Errorf("%q is %q", name, got)
		}
	}
	r := rand.New(rand.NewPCG(3, 4)) // the same in every run
	known := map[rune]bool{}
	for _, c := range hanzi(t) {
		known[c] = true
	}
	wrong := 0
	const names = 100_000
	for range names {
		var text []rune
		for len(text) < 2 {
			if c := '\u4E00' + r.Int32N(0x9FA6-0x4E00); !known[c] {
				text = append(text, c)
			}
		}
		if Decode([]byte(string(text)), "") != string(text) {
			wrong++
		}
	}
	t.Logf("%d of %d names of two rare hanzi in UTF-8 are taken for GBK", wrong, names)
	if wrong > names/20 {
		t.Errorf("%d of %d names of two rare hanzi in UTF-8 are taken for GBK", wrong, names)
	}
}
