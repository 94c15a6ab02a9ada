package registration

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

// vector is a packet of testdata, from makers' descriptions.
type vector struct {
	Name   string
	Hex    string
	Expect struct {
		Kind         string
		ID           string
		IDHex        string `json:"idHex"`
		Phone        string
		ReplyHex     string `json:"replyHex"`
		PayloadHex   string `json:"payloadHex"`
		UnescapedHex string `json:"unescapedHex"`
	}
}

func vectors(tb testing.TB, name string) map[string]vector {
	tb.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(text, &all); err != nil {
		tb.Fatal(err)
	}
	byName := map[string]vector{}
	for _, v := range all {
		byName[v.Name] = v
	}
	return byName
}

func (v vector) bytes(tb testing.TB) []byte {
	tb.Helper()
	return unhex(tb, v.Hex)
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func newParser(tb testing.TB, change func(*Config)) *Parser {
	tb.Helper()
	c := DefaultConfig()
	change(&c)
	p, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func form(name string) func(*Config) { return func(c *Config) { c.Form = name } }

func TestVectors(t *testing.T) {
	t.Parallel()
	all := vectors(t, "dtu.json")
	for name, c := range map[string]struct {
		change func(*Config)
		want   string // the name; empty: as the vector says
		left   int    // bytes behind the packet
	}{
		"dtu-fourfaith-register":          {change: form(FormFourFaith), want: "13066668888"},
		"dtu-hongdian-register":           {change: form(FormHongDian)},
		"dtu-hongdian-heartbeat":          {change: form(FormHongDian)},
		"dtu-likong-bridge-login":         {change: form(FormLikong)},
		"dtu-imei15":                      {change: form(FormIMEI)},
		"dtu-imei15-crlf":                 {change: form(FormIMEI), left: 2},
		"dtu-iccid20":                     {change: form(FormICCID)},
		"dtu-imei-bcd8":                   {change: form(FormBCD)},
		"dtu-login-text":                  {change: form(FormText)},
		"dtu-zdjc-text":                   {change: form(FormText)},
		"dtu-prefix-name-nul":             {change: form(FormName), left: 9},
		"dtu-register-then-data-one-read": {change: form(FormIMEI), left: 9},
		"dtu-ascii-that-looks-like-rtu":   {change: form(FormText)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, ok := all[name]
			if !ok {
				t.Fatal("no such vector")
			}
			want := c.want
			if want == "" {
				want = v.Expect.ID
			}
			p, in := newParser(t, c.change), v.bytes(t)
			r, n, err := p.Parse(in, true)
			if err != nil || r.Identity != want || n != len(in)-c.left {
				t.Fatalf("%q, %d bytes, %v; want %q and %d", r.Identity, n, err, want, len(in)-c.left)
			}
			if got := hex.EncodeToString(r.Reply); got != v.Expect.ReplyHex {
				t.Errorf("reply %s, want %s", got, v.Expect.ReplyHex)
			}
			for i := range n { // the same however it comes
				if _, _, err := p.Parse(in[:i], false); err != codec.ErrIncomplete { //nolint:errorlint // never wrapped
					t.Errorf("%d bytes: %v, want ErrIncomplete", i, err)
				}
			}
		})
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	login := func(c *Config) { c.Prefix = "LOGIN:" }
	for name, c := range map[string]struct {
		change       func(*Config)
		in           string
		whole        bool
		want, secret string
		left         int
		wrong        string // in the error
	}{
		"ICCID with letters": {change: form(FormICCID), in: "898604D7192040123456\r\n", want: "898604D7192040123456", left: 2},
		"ICCID with others":  {change: form(FormICCID), in: "898604G7192040123456", wrong: "byte 0x47 is no digit"},
		"prefix":             {change: login, in: "LOGIN:1001", whole: true, want: "1001"},
		"prefix, no pause":   {change: login, in: "LOGIN:1001", wrong: "incomplete"},
		"wrong prefix":       {change: login, in: "LOGOUT", wrong: "prefix"},
		"half a prefix":      {change: login, in: "LOG", wrong: "incomplete"},
		"half and a pause":   {change: login, in: "LOG", whole: true, wrong: "too early"},
		"suffix":             {change: func(c *Config) { c.Prefix, c.Suffix = "$", "#" }, in: "$17#\r\n", want: "17", left: 2},
		"hex suffix":         {change: func(c *Config) { c.Suffix = "hex:0d 0a" }, in: "pump-3\r\n", want: "pump-3"},
		"length":             {change: func(c *Config) { c.Length = 4 }, in: "abcdefg", want: "abcd", left: 3},
		"blanks around":      {change: form(FormText), in: " a1 \r\n", whole: true, want: "a1"},
		"blanks inside":      {change: form(FormText), in: "GET / HTTP/1.1", whole: true, wrong: "blanks"},
		"no text":            {change: form(FormText), in: "\x01\x03", wrong: "0x01"},
		"not UTF-8":          {change: form(FormText), in: "a\xff", whole: true, wrong: "no text"},
		"Chinese":            {change: form(FormText), in: "水泵1号", whole: true, want: "水泵1号"},
		"too long":           {change: form(FormText), in: strings.Repeat("x", 65), whole: true, wrong: "65 bytes"},
		"endless":            {change: form(FormText), in: strings.Repeat("x", 300), wrong: "maxBytes"},
		"empty":              {change: form(FormText), in: "\r\n", whole: true, wrong: "0 bytes"},
		"hex":                {change: func(c *Config) { c.Form, c.Length, c.Prefix = FormHex, 4, "hex:AA" }, in: "\xaa\x00\x12\xab\xcd", want: "0012abcd"},
		"imei with a letter": {change: form(FormIMEI), in: "86123456789012x", wrong: "0x78"},
		"early letter":       {change: form(FormIMEI), in: "8x", wrong: "0x78"},
		"bcd with a letter":  {change: form(FormBCD), in: "\x08\x61\x23\x45\x67\x89\x01\x2a", wrong: "decimal"},
		"json":               {change: func(c *Config) { c.Form, c.Field = FormJSON, "imei" }, in: `{"imei":"8612","v":1}!`, want: "8612", left: 1},
		"json number":        {change: form(FormJSON), in: `{"id": 17}`, want: "17"},
		"half of json":       {change: form(FormJSON), in: `{"id": "1`, wrong: "incomplete"},
		"no json":            {change: form(FormJSON), in: `]`, wrong: "JSON"},
		"json without it":    {change: form(FormJSON), in: `{"sn": 17}`, wrong: `"id"`},
		"likong, other mark": {change: form(FormLikong), in: "\xab", wrong: "AA"},
		"pattern":            {change: func(c *Config) { c.Pattern = `ID=(?P<identity>\w+);PW=(?P<secret>\w+)` }, in: "ID=a7;PW=s3", whole: true, want: "a7", secret: "s3"},
		"pattern fits not":   {change: func(c *Config) { c.Pattern = `[0-9]+` }, in: "12a", whole: true, wrong: "pattern"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, n, err := newParser(t, c.change).Parse([]byte(c.in), c.whole)
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("%q, %v; want an error with %q", r.Identity, err, c.wrong)
				}
				if err != codec.ErrIncomplete && !errors.Is(err, ErrUnknown) { //nolint:errorlint // never wrapped
					t.Errorf("%v does not wrap ErrUnknown", err)
				}
				return
			}
			if err != nil || r.Identity != c.want || r.Secret != c.secret || n != len(c.in)-c.left {
				t.Errorf("%q, %q, %d bytes, %v", r.Identity, r.Secret, n, err)
			}
			if !bytes.Equal(r.Packet, []byte(c.in)[:n]) {
				t.Errorf("packet %q", r.Packet)
			}
		})
	}
}

// Devices of other protocols that come to the wrong port are refused.
func TestStrangers(t *testing.T) {
	t.Parallel()
	for name, v := range vectors(t, "strangers.json") {
		for _, f := range forms {
			if f == FormAddress || f == FormRead || f == FormIdentification || f == FormName {
				continue // what has no packet; and a name is anything before a zero byte
			}
			p := newParser(t, func(c *Config) { c.Form, c.Length = f, map[string]int{FormHex: 20}[f] })
			if r, _, err := p.Parse(v.bytes(t), true); err == nil {
				t.Errorf("%s is a %s called %s", name, f, r.Identity)
			}
		}
	}
}

func TestMistakesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	c.Form, c.When, c.Prefix, c.Pattern, c.MaxBytes = "morse", "never", "hex:1", "(", 0
	_, err := New(c)
	for _, want := range []string{"form", "when", "prefix", "pattern", "maxBytes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
}

func TestFourFaithEscapes(t *testing.T) {
	t.Parallel()
	all := vectors(t, "dtu.json")
	p := newParser(t, form(FormFourFaith))
	r, _, err := p.Parse(all["dtu-fourfaith-register"].bytes(t), true)
	if err != nil {
		t.Fatal(err)
	}
	v := all["dtu-fourfaith-data-escaped"]
	want := unhex(t, v.Expect.UnescapedHex)
	w := p.Wrap(&r)
	out, n, _, signs := w.Unwrap(nil, append([]byte{0xfe}, v.bytes(t)...))
	if !bytes.Equal(out, want) || n != len(v.bytes(t))+1 || signs != 1 {
		t.Errorf("%x, %d bytes, %d heartbeats; want %x", out, n, signs, want)
	}
	if got := w.Wrap(nil, want); !bytes.Equal(got, v.bytes(t)) {
		t.Errorf("wrapped %x, want %s", got, v.Hex)
	}
	c := DefaultConfig()
	c.Form, c.Escape = FormFourFaith, escapeUp
	p, _ = New(c)
	if got := p.Wrap(&r).Wrap(nil, want); !bytes.Equal(got, want) {
		t.Errorf("escaped down all the same: %x", got)
	}
}

func TestHongDianHeaders(t *testing.T) {
	t.Parallel()
	all := vectors(t, "dtu.json")
	p := newParser(t, form(FormHongDian))
	r, _, err := p.Parse(all["dtu-hongdian-register"].bytes(t), true)
	if err != nil {
		t.Fatal(err)
	}
	w := p.Wrap(&r)
	up, down := all["dtu-hongdian-uplink"], all["dtu-hongdian-downlink"]
	in := append(bytes.Clone(r.Packet), up.bytes(t)...) // a heartbeat first
	for split := range len(in) {
		first, n, reply, signs := w.Unwrap(nil, in[:split])
		reply = bytes.Clone(reply)
		second, n2, reply2, signs2 := w.Unwrap(nil, in[n:])
		if got := hex.EncodeToString(append(first, second...)); got != up.Expect.PayloadHex || n+n2 != len(in) || signs+signs2 != 1 {
			t.Errorf("split at %d: %s, %d bytes, %d heartbeats", split, got, n+n2, signs+signs2)
		}
		if got := hex.EncodeToString(append(reply, reply2...)); got != all["dtu-hongdian-register"].Expect.ReplyHex {
			t.Errorf("split at %d: reply %s", split, got)
		}
	}
	if got := hex.EncodeToString(w.Wrap(nil, unhex(t, down.Expect.PayloadHex))); got != down.Hex {
		t.Errorf("wrapped %s, want %s", got, down.Hex)
	}
}

// FuzzParse holds parsers of all forms to what they promise: no more bytes than
// there are, names that can be names, and one answer however the bytes come.
func FuzzParse(f *testing.F) {
	for _, v := range vectors(f, "dtu.json") {
		for i := range forms {
			f.Add(uint8(i), v.bytes(f))
		}
	}
	f.Add(uint8(5), []byte(`{"id":"7"}`))
	f.Fuzz(func(t *testing.T, which uint8, in []byte) {
		c := DefaultConfig()
		if c.Form = forms[int(which)%len(forms)]; c.Form == FormHex {
			c.Length = 6
		}
		c.Read.Address = "40001"
		if !c.Packet() {
			c.Form = FormText
		}
		p, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		r, n, err := p.Parse(in, true)
		if err != nil {
			if n != 0 || !errors.Is(err, ErrUnknown) {
				t.Errorf("%d bytes and %v", n, err)
			}
			return
		}
		if n < 1 || n > len(in) || !bytes.Equal(r.Packet, in[:n]) {
			t.Fatalf("%d of %d bytes, packet %x", n, len(in), r.Packet)
		}
		if err := checkIdentity(r.Identity); err != nil {
			t.Error(err)
		}
		for i := range n {
			if again, m, err := p.Parse(in[:i], false); err == nil && (again.Identity != r.Identity || m != n) {
				t.Errorf("%q of %d bytes, %q of all", again.Identity, i, r.Identity)
			}
		}
		w := p.Wrap(&r)
		if w == nil {
			return
		}
		if out, n, _, signs := w.Unwrap(nil, w.Wrap(nil, in)); c.Form == FormFourFaith && (!bytes.Equal(out, in) || n < len(in) || signs != 0) {
			t.Errorf("%x became %x", in, out)
		}
	})
}
