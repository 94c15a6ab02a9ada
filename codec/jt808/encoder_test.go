package jt808

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestAppendFrameErrors(t *testing.T) {
	t.Parallel()
	good := Header{ID: IDLocation, Version: V2013, Phone: phone(t, "1", V2013)}
	for name, test := range map[string]struct {
		change func(*Frame)
		want   error
	}{
		"body too long":         {func(f *Frame) { f.Body = make([]byte, MaxBody+1) }, ErrTooLong},
		"no phone":              {func(f *Frame) { f.Phone = Phone{} }, ErrPhone},
		"2019 phone in 2013":    {func(f *Frame) { f.Phone = phone(t, "1", V2019) }, ErrPhone},
		"2013 phone in 2019":    {func(f *Frame) { f.Version = V2019 }, ErrPhone},
		"package 0":             {func(f *Frame) { f.Total = 2 }, nil},
		"package above all":     {func(f *Frame) { f.Total, f.Index = 2, 3 }, nil},
		"package of no message": {func(f *Frame) { f.Index = 1 }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &Frame{Header: good}
			test.change(f)
			out, err := AppendFrame([]byte("before"), f)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || string(out) != "before" {
				t.Errorf("%q, %v, want %v", out, err, test.want)
			}
		})
	}
}

func TestAppendPackages(t *testing.T) {
	t.Parallel()
	h := Header{ID: IDUpgrade, Version: V2019, ProtocolVersion: 1, Phone: phone(t, "13800138000", V2019), Serial: 0xFFFE, Total: 9, Index: 9}
	for _, test := range []struct{ body, max, want int }{
		{0, 0, 1}, {1023, 0, 1}, {1024, 0, 2}, {1024, 5000, 2}, {10, 10, 1}, {11, 10, 2}, {100, 10, 10}, {5000, 0, 5},
	} {
		body := []byte(strings.Repeat("~}x", test.body/3+1)[:test.body])
		out, n, err := AppendPackages([]byte("before"), &Frame{Header: h, Body: body}, test.max)
		if err != nil || n != test.want || !bytes.HasPrefix(out, []byte("before~")) {
			t.Fatalf("%d bytes by %d: %d frames, %v, want %d", test.body, test.max, n, err, test.want)
		}
		frames, errs := decodeAll(t, fresh(), out[len("before"):])
		if len(frames) != n || len(errs) != 0 {
			t.Fatalf("%d frames, errors %v", len(frames), errs)
		}
		r := NewReassembler(ReassemblyOptions{})
		for i, f := range frames {
			if f.Serial != h.Serial+uint16(i) || f.ID != h.ID || f.Phone != h.Phone {
				t.Errorf("frame %d: %+v", i, f.Header)
			}
			whole := mustAdd(t, r, f, noon)
			if (whole != nil) != (i == n-1) {
				t.Fatalf("frame %d of %d completes: %v", i, n, whole != nil)
			}
			if whole != nil && (!bytes.Equal(whole.Body, body) || whole.IsPackage()) {
				t.Errorf("%d bytes became %d", len(body), len(whole.Body))
			}
		}
	}
	if out, n, err := AppendPackages([]byte("before"), &Frame{Header: h, Body: make([]byte, 65536)}, 1); !errors.Is(err, ErrTooLong) || n != 0 || string(out) != "before" {
		t.Errorf("65536 packages: %d, %v", n, err)
	}
	h.Phone = Phone{}
	if out, n, err := AppendPackages([]byte("before"), &Frame{Header: h, Body: make([]byte, 2000)}, 0); !errors.Is(err, ErrPhone) || n != 0 || string(out) != "before" {
		t.Errorf("no phone: %d, %v", n, err)
	}
}

func TestAppendMessage(t *testing.T) {
	t.Parallel()
	l := &Location{Status: StatusLocated, Latitude: 1}
	h := Header{Version: V2013, Phone: phone(t, "1", V2013), Serial: 5}
	out, n, err := AppendMessage(nil, h, l)
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
	f := decodeOne(t, out)
	b, err := f.Parse()
	if err != nil || f.ID != IDLocation || !b.(*Location).Equal(l) {
		t.Errorf("%+v, %v", b, err)
	}
	l.Extras = []Extra{{1, make([]byte, 300)}}
	if _, _, err := AppendMessage(nil, h, l); !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), "0x0200") {
		t.Errorf("item of 300 bytes: %v", err)
	}
}

func TestAppendMessageIsAppendFrame(t *testing.T) {
	t.Parallel()
	for _, v := range []Version{V2013, V2019} {
		h := Header{ID: 1, Version: v, ProtocolVersion: 1, Phone: phone(t, "7e7d", v), Serial: 0x7D7E, Total: 5, Index: 2}
		if v == V2013 {
			h.ProtocolVersion = 0
		}
		for _, size := range []int{0, 1, 125, 126, 255, 256, 1000, MaxBody, MaxBody + 1, 3000} {
			body := &Unknown{MessageID: 0x7E7D, Data: bytes.Repeat([]byte{escape, delimiter, 9}, size/3+1)[:size]}
			got, n, err := AppendMessage([]byte("before"), h, body)
			if err != nil {
				t.Fatal(err)
			}
			whole := h
			whole.ID = body.ID()
			want, m, err := AppendPackages([]byte("before"), &Frame{Header: whole, Body: body.Data}, 0)
			if err != nil || n != m || !bytes.Equal(got, want) {
				t.Errorf("%d bytes in %v: %d frames, %v\n %x, want %d\n %x", size, v, n, err, got, m, want)
			}
		}
	}
	if out, n, err := AppendMessage([]byte("before"), Header{Version: V2013}, &Unknown{}); !errors.Is(err, ErrPhone) || n != 0 || string(out) != "before" {
		t.Errorf("no phone: %q, %d, %v", out, n, err)
	}
}

func TestAppendMessageAllocs(t *testing.T) {
	h := Header{Version: V2013, Phone: phone(t, "13800138000", V2013)}
	answer, buf := &PlatformResponse{Request: IDLocation}, make([]byte, 0, 64)
	n := testing.AllocsPerRun(100, func() {
		answer.Serial++
		buf, _, _ = AppendMessage(buf[:0], h, answer)
	})
	if n != 0 {
		t.Errorf("%v allocations for an answer", n)
	}
}

func TestParseOfPackage(t *testing.T) {
	t.Parallel()
	f := packages(t, IDLocation, 1, strings.Repeat("x", 40))[0]
	if b, err := f.Parse(); err == nil {
		t.Errorf("one package was parsed: %+v", b)
	}
	f.Total = 1
	f.Body = make([]byte, basicLen)
	if _, err := f.Parse(); err != nil {
		t.Errorf("the only package: %v", err)
	}
}
