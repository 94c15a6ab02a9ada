package jt808

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding"
)

func TestText(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ wire, want, again string }{
		"ASCII":                     {"414243", "ABC", "414243"},
		"GBK":                       {"bea9413132333435", "京A12345", "bea9413132333435"},
		"GBK that is UTF-8 by luck": {"d2bb", "一", "d2bb"}, // valid UTF-8 of two bytes
		"GB18030 of four bytes":     {"9439da33", "💩", "9439da33"},
		"UTF-8":                     {"e4baac413132333435", "京A12345", "bea9413132333435"},
		"UTF-8 of four bytes":       {"f09f92a9", "💩", "9439da33"},
		"NUL in front and behind":   {"000041bea90000", "A京", "41bea9"},
		"NUL inside":                {"410042", "A\x00B", "410042"},
		"only NUL":                  {"00000000", "", ""},
		"half a character":          {"41be", "A\uFFFD", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := decodeText(unhex(t, test.wire))
			if got != test.want {
				t.Errorf("read %q, want %q", got, test.want)
			}
			if strings.ContainsRune(got, '\uFFFD') {
				return
			}
			if b, err := appendText([]byte("x"), got); err != nil || string(b) != "x"+string(unhex(t, test.again)) {
				t.Errorf("written %x, %v, want 78%s", b, err, test.again)
			}
		})
	}
	if _, err := appendText(nil, "\xff\xfe"); !errors.Is(err, encoding.ErrInvalidUTF8) {
		t.Errorf("text that is no UTF-8: %v", err)
	}
}

func TestBCDTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 3, 7, 7, 30, 45, 0, time.UTC)
	if b := NewBCDTime(at); b.String() != "240307153045" {
		t.Errorf("%v is %v", at, b)
	}
	if b := NewBCDTimeIn(at, time.UTC); b.String() != "240307073045" {
		t.Errorf("%v is %v in UTC", at, b)
	}
	for digits, want := range map[string]string{
		"240307153045": "2024-03-07T07:30:45Z",
		"000101000000": "1999-12-31T16:00:00Z",
		"240229000000": "2024-02-28T16:00:00Z",
		"991231235959": "2099-12-31T15:59:59Z",
		"000000000000": "", "240230120000": "", "230229120000": "", "240431000000": "", "24ff29235959": "", "2a0307153045": "",
		"241307153045": "", "240300153045": "", "240307243045": "", "240307156045": "", "240307153060": "",
	} {
		var b BCDTime
		copy(b[:], unhex(t, digits))
		got, ok := b.Time()
		if ok != (want != "") || ok && got.Format(time.RFC3339) != want {
			t.Errorf("%s is %v, %v, want %q", digits, got, ok, want)
		}
		if ok && (NewBCDTime(got) != b || b.IsZero()) {
			t.Errorf("%s became %v", digits, NewBCDTime(got))
		}
		if !ok {
			want = digits
		}
		if text, err := json.Marshal(b); err != nil || string(text) != `"`+want+`"` {
			t.Errorf("%s is %s in JSON", digits, text)
		}
	}
}

// TestEveryDay compares with the standard library's calendar.
func TestEveryDay(t *testing.T) {
	t.Parallel()
	for year := range 100 {
		for month := range 14 {
			for day := range 33 {
				b := BCDTime{bcd(year), bcd(month), bcd(day), 0x23, 0x59, 0x58}
				want := time.Date(2000+year, time.Month(month), day, 23, 59, 58, 0, zone)
				exists := want.Year() == 2000+year && want.Month() == time.Month(month) && want.Day() == day
				if got, ok := b.Time(); ok != exists || ok && !got.Equal(want) {
					t.Fatalf("%v is %v, %v, want %v", b, got, ok, want)
				}
				if got, ok := b.TimeIn(time.UTC); ok != exists || ok && !got.Equal(want.Add(8*time.Hour)) {
					t.Fatalf("%v is %v, %v in UTC, want %v", b, got, ok, want)
				}
			}
		}
	}
}

// TestChangesOfClocks compares with the standard library where clocks are put forward and
// back.
func TestChangesOfClocks(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"} {
		in, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2027; at = at.Add(17 * time.Minute) {
			b := NewBCDTimeIn(at, time.UTC) // what a clock may show there, in hours that there are twice or not at all, too
			want := time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), 0, 0, in)
			if got, ok := b.TimeIn(in); !ok || !got.Equal(want) {
				t.Fatalf("%v is %v in %s, want %v", b, got, name, want)
			}
		}
	}
}

func TestPhone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		digits   string
		version  Version
		want     string
		stripped string
	}{
		{"13800138000", V2013, "013800138000", "13800138000"},
		{"13800138000", V2019, "00000000013800138000", "13800138000"},
		{"123456789012", V2011, "123456789012", "123456789012"},
		{"0", V2013, "000000000000", "0"},
		{"", V2019, "00000000000000000000", "0"},
		{"7", V2013, "000000000007", "7"},
		{"4eb6fb4afd9e", V2013, "4eb6fb4afd9e", "4eb6fb4afd9e"},
	} {
		p := phone(t, test.digits, test.version)
		if p.String() != test.want || p.Stripped() != test.stripped || 2*p.Len() != len(test.want) || p.IsZero() {
			t.Errorf("%s: %v, %s, %d", test.digits, p, p.Stripped(), p.Len())
		}
		if text, err := json.Marshal(p); err != nil || string(text) != `"`+test.want+`"` {
			t.Errorf("%v is %s in JSON, %v", p, text, err)
		}
		if again := phone(t, p.String(), test.version); again != p {
			t.Errorf("%v parsed again is %v", p, again)
		}
	}
	for _, wrong := range []string{"1234567890123", "12 34", "+8613800000"} {
		if p, err := ParsePhone(wrong, V2013); !errors.Is(err, ErrDigits) || !p.IsZero() {
			t.Errorf("%q: %v, %v", wrong, p, err)
		}
	}
	short, long := phone(t, "13800138000", V2013), phone(t, "13800138000", V2019)
	if p, err := short.In(V2019); p != long || err != nil {
		t.Errorf("%v in 2019: %v, %v", short, p, err)
	}
	if p, err := long.In(V2013); p != short || err != nil {
		t.Errorf("%v in 2013: %v, %v", long, p, err)
	}
	if _, err := phone(t, "1234567890123", V2019).In(V2013); !errors.Is(err, ErrPhone) {
		t.Errorf("13 digits in 2013: %v", err)
	}
	if _, err := (Phone{}).In(V2013); !errors.Is(err, ErrPhone) {
		t.Errorf("no phone in 2013: %v", err)
	}
}

func TestPhoneAllocs(t *testing.T) {
	p := phone(t, "13800138000", V2013)
	n := testing.AllocsPerRun(10, func() {
		var digits [20]byte
		p.AppendStripped(digits[:0])
	})
	if n != 0 {
		t.Errorf("AppendStripped allocates %v times", n)
	}
}

func TestPhoneThatIsNoBCD(t *testing.T) {
	t.Parallel()
	if imei, ok := phone(t, "4eb6fb4afd9e", V2013).IMEI(); imei != "865478070102068" || !ok {
		t.Errorf("IMEI %s, %v", imei, ok)
	}
	if imei, ok := phone(t, "013800138000", V2013).IMEI(); ok {
		t.Errorf("IMEI %s of decimal digits", imei)
	}
	if imei, ok := phone(t, "00000000000a", V2013).IMEI(); ok {
		t.Errorf("IMEI %s of a small number", imei)
	}
	if s, ok := phone(t, "00000000313233343536", V2019).ASCII(); s != "123456" || !ok {
		t.Errorf("text %q, %v", s, ok)
	}
	if s, ok := phone(t, "013800138000", V2013).ASCII(); ok {
		t.Errorf("text %q of BCD", s)
	}
	// The example of the GSMA's IMEI allocation guidelines: 49015420323751 has the check digit 8.
	if d := luhn("49015420323751"); d != '8' {
		t.Errorf("check digit %c", d)
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	r := newReader(unhex(t, "01020304050607080910111213141516171802bea9414243"))
	if r.u8() != 1 || r.u16() != 0x0203 || r.u32() != 0x04050607 || r.u64() != 0x0809101112131415 || r.bcd(3) != "161718" ||
		r.text8() != "京" || r.len() != 3 || r.textRest() != "ABC" || r.len() != 0 || r.err() != nil {
		t.Fatalf("reader is wrong: %+v", r)
	}
	if b := r.rest(); len(b) != 0 || r.err() != nil {
		t.Errorf("rest of nothing: %x, %v", b, r.err())
	}
	r.u8()
	var short *ShortBodyError
	if !errors.As(r.err(), &short) || *short != (ShortBodyError{24, 1, 0}) {
		t.Errorf("a byte of nothing: %v", r.err())
	}
	first := r.err()
	if r.u32() != 0 || r.take(1) != nil || r.text(3) != "" || r.len() != 0 || r.clone(0) != nil {
		t.Error("a reader that failed goes on")
	}
	r.fail("again")
	if !errors.Is(r.err(), first) {
		t.Errorf("the first failure is forgotten: %v", r.err())
	}
	if other := newReader([]byte{1}); other.take(-1) != nil || other.err() == nil {
		t.Error("a negative length is taken")
	}
	in := []byte{1, 2, 3}
	r = newReader(in)
	kept := r.cloneRest()
	in[0] = 9
	if kept[0] != 1 {
		t.Error("a clone aliases the body")
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	w := newWriter([]byte("x"))
	w.u8(1)
	w.u16(0x0203)
	w.u32(0x04050607)
	w.u64(0x0809101112131415)
	w.bcd("61718", 3)
	w.text8("京", "plate")
	w.textFixed("AB", 4, "maker")
	w.bytesFixed([]byte{9}, 2, "id")
	w.count8(255, "items")
	w.count16(65535, "items")
	w.count32(7, "items")
	got, err := w.done()
	if want := append([]byte("x"), unhex(t, "010203040506070809101112131415061718"+"02bea9"+"41420000"+"0900"+"ff"+"ffff"+"00000007")...); err != nil || !slices.Equal(got, want) {
		t.Errorf("written\n %x, %v, want\n %x", got, err, want)
	}
	for name, write := range map[string]func(*writer){
		"count8":     func(w *writer) { w.count8(256, "items") },
		"count16":    func(w *writer) { w.count16(65536, "items") },
		"count32":    func(w *writer) { w.count32(-1, "items") },
		"text8":      func(w *writer) { w.text8(strings.Repeat("x", 256), "name") },
		"textFixed":  func(w *writer) { w.textFixed("京A123", 5, "plate") },
		"bytesFixed": func(w *writer) { w.bytesFixed(make([]byte, 3), 2, "id") },
	} {
		w := newWriter([]byte("x"))
		w.u8(1)
		write(&w)
		w.u8(2)
		if got, err := w.done(); !errors.Is(err, ErrTooLong) || string(got) != "x" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, digits := range []string{"12345", "1x"} {
		w := newWriter(nil)
		if w.bcd(digits, 2); w.failed == nil || !errors.Is(w.failed, ErrDigits) {
			t.Errorf("digits %q: %v", digits, w.failed)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	if s := IDTerminalKey.String(); s != "0x0a00" {
		t.Errorf("id %s", s)
	}
	if IDLocation.Name() != "location report" || ID(0x7777).Name() != "" || IDLocation.FromPlatform() || !IDLinkCheck.FromPlatform() {
		t.Error("names")
	}
	seen := map[string]ID{}
	for id, name := range names {
		if other, ok := seen[name]; ok {
			t.Errorf("%v and %v are both %q", id, other, name)
		}
		seen[name] = id
		b := NewBody(id)
		if _, ok := b.(*Unknown); ok || b.ID() != id {
			t.Errorf("%v (%s) has the body %T of %v", id, name, b, b.ID())
		}
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	in := []byte{1, 2, 3}
	b, err := ParseBody(0x7777, V2019, in)
	if err != nil || b.ID() != 0x7777 {
		t.Fatalf("%+v, %v", b, err)
	}
	in[0] = 9
	if out, err := b.AppendBody([]byte("x"), V2019); err != nil || string(out) != "x\x01\x02\x03" {
		t.Errorf("%q, %v", out, err)
	}
	if data, err := json.Marshal(b); err != nil || string(data) != `{"message_id":"0x7777","data":"010203"}` {
		t.Errorf("JSON %s, %v", data, err)
	}
	if V2011.String()+V2013.String()+V2019.String()+Version(9).String() != "201120132019unknown" {
		t.Error("versions")
	}
}
