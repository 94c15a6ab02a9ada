package server

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"
)

// v2 is a header of version 2: version and command, family and transport,
// addresses, further fields.
func v2(command, family byte, addresses string, fields ...string) string {
	body := addresses + strings.Join(fields, "")
	header := []byte("\r\n\r\n\x00\r\nQUIT\n")
	header = append(header, command, family)
	header = binary.BigEndian.AppendUint16(header, uint16(len(body)))
	return string(header) + body
}

// field is a type, a length and a value.
func field(kind byte, value string) string {
	return string(binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(value)))) + value
}

// summed puts the right checksum into the last field of header, which has to be
// one.
func summed(header string) string {
	b := []byte(header)
	binary.BigEndian.PutUint32(b[len(b)-4:], 0)
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return string(b)
}

const (
	inet  = "\xc0\x00\x02\x01" + "\xc6\x33\x64\x02" + "\xdc\x04" + "\x1d\xbb" // 192.0.2.1:56324 to 198.51.100.2:7611
	inet6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + "\xdc\x04" + "\x1d\xbb"
)

// headers are headers that are right, with what they say.
var headers = map[string]struct{ header, source string }{
	"v1, the specification's example": {"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "192.168.0.1:56324"},
	"v1, the longest TCP4":            {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535"},
	"v1, the longest TCP6": {
		"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	},
	"v1, IPv4 in IPv6":         {"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n", "192.0.2.1:1"},
	"v1, the shortest unknown": {"PROXY UNKNOWN\r\n", ""},
	"v1, the longest": {
		"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "",
	},
	"v2, TCP over IPv4":            {v2(0x21, 0x11, inet), "192.0.2.1:56324"},
	"v2, UDP over IPv4":            {v2(0x21, 0x12, inet), "192.0.2.1:56324"},
	"v2, TCP over IPv6":            {v2(0x21, 0x21, inet6), "[2001:db8::1]:56324"},
	"v2, UNIX":                     {v2(0x21, 0x31, strings.Repeat("\x00", 216)), ""},
	"v2, local, nothing behind":    {v2(0x20, 0x00, ""), ""},
	"v2, local, addresses":         {v2(0x20, 0x11, inet), ""},
	"v2, local, anything":          {v2(0x20, 0xff, "anything"), ""},
	"v2, unspecified, anything":    {v2(0x21, 0x00, "anything"), ""},
	"v2, known family only":        {v2(0x21, 0x10, inet), ""},
	"v2, fields":                   {v2(0x21, 0x11, inet, field(0x02, "device.example"), field(0x04, "\x00\x00"), field(0xea, "\x01vpce-08d2bf15fac5001c9")), "192.0.2.1:56324"},
	"v2, a checksum":               {summed(v2(0x21, 0x11, inet, field(0x03, "\x00\x00\x00\x00"))), "192.0.2.1:56324"},
	"v2, a checksum behind fields": {summed(v2(0x21, 0x21, inet6, field(0x02, "a"), field(0x03, "\x00\x00\x00\x00"))), "[2001:db8::1]:56324"},
	"v2, as long as may be":        {v2(0x21, 0x11, inet, field(0x04, strings.Repeat("\x00", 4096-16-12-3))), "192.0.2.1:56324"},
}

// TestHeaders reads right headers, cut at every byte and with data behind.
func TestHeaders(t *testing.T) {
	t.Parallel()
	for name, c := range headers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want netip.AddrPort
			if c.source != "" {
				want = netip.MustParseAddrPort(c.source)
			}
			for _, behind := range []string{"", "GET / HTTP/1.1\r\n", c.header, "\x7e\x00\x02"} {
				source, size, err := parseProxy([]byte(c.header+behind), 4096)
				if err != nil || size != len(c.header) || source != want {
					t.Errorf("with %q behind: %v, %d bytes, %v", behind, source, size, err)
				}
			}
			for n := range len(c.header) {
				if _, _, err := parseProxy([]byte(c.header[:n]), 4096); !errors.Is(err, errProxyShort) {
					t.Fatalf("%q: %v", c.header[:n], err)
				}
			}
		})
	}
}

func TestWrongHeaders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want error
		says string
	}{
		"another protocol":            {"GET / HTTP/1.1\r\n", errProxyAbsent, ""},
		"almost v1":                   {"PROXYTCP4 ", errProxyAbsent, ""},
		"in lower case":               {"proxy TCP4 ", errProxyAbsent, ""},
		"almost v2":                   {"\r\n\r\n\x00\r\nQUIT\r", errProxyAbsent, ""},
		"v1 without an end":           {"PROXY UNKNOWN " + strings.Repeat("x", 200), errProxyMalformed, "107"},
		"v1 of 108 bytes":             {"PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n", errProxyMalformed, "107"},
		"v1 ended by a line feed":     {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n" + strings.Repeat("x", 107), errProxyMalformed, "107"},
		"v1 of UDP4":                  {"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", errProxyMalformed, "UDP4"},
		"v1 without ports":            {"PROXY TCP4 192.0.2.1 192.0.2.2\r\n", errProxyMalformed, "two ports"},
		"v1 with two spaces":          {"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", errProxyMalformed, ""},
		"v1 with more":                {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", errProxyMalformed, ""},
		"v1, zeros in front":          {"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n", errProxyMalformed, "192.0.2.01"},
		"v1, a port with a zero":      {"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", errProxyMalformed, "01"},
		"v1, a port too high":         {"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", errProxyMalformed, "65536"},
		"v1, a port with a sign":      {"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", errProxyMalformed, "+1"},
		"v1, IPv6 as TCP4":            {"PROXY TCP4 ::1 ::1 1 2\r\n", errProxyMalformed, "::1"},
		"v1, IPv4 as TCP6":            {"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", errProxyMalformed, "192.0.2.1"},
		"v1, a zone":                  {"PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n", errProxyMalformed, "fe80::1%eth0"},
		"v2 of version 1":             {v2(0x11, 0x11, inet), errProxyMalformed, "version 1"},
		"v2 of version 3":             {v2(0x31, 0x11, inet), errProxyMalformed, "version 3"},
		"v2, an unknown command":      {v2(0x22, 0x11, inet), errProxyMalformed, "command 2"},
		"v2, an unknown family":       {v2(0x21, 0x41, inet), errProxyMalformed, "0x41"},
		"v2, an unknown transport":    {v2(0x21, 0x13, inet), errProxyMalformed, "0x13"},
		"v2, too short for IPv4":      {v2(0x21, 0x11, inet[:11]), errProxyMalformed, "11 bytes"},
		"v2, too short for IPv6":      {v2(0x21, 0x21, inet6[:35]), errProxyMalformed, "35 bytes"},
		"v2, too short for UNIX":      {v2(0x21, 0x31, inet6), errProxyMalformed, "216"},
		"v2, too long":                {v2(0x21, 0x11, inet)[:14] + "\xff\xff", errProxyMalformed, "maxHeader"},
		"v2, a field cut":             {v2(0x21, 0x11, inet, field(0x04, "abc")[:5]), errProxyMalformed, "field"},
		"v2, bytes behind the fields": {v2(0x21, 0x11, inet, "\x04\x00"), errProxyMalformed, "2 bytes"},
		"v2, a wrong checksum":        {v2(0x21, 0x11, inet, field(0x03, "\x01\x02\x03\x04")), errProxyMalformed, "checksum"},
		"v2, a short checksum":        {v2(0x21, 0x11, inet, field(0x03, "\x01")), errProxyMalformed, "checksum"},
		"v2, a flipped bit": {
			strings.Replace(summed(v2(0x21, 0x11, inet, field(0x03, "\x00\x00\x00\x00"))), "\xc0\x00\x02\x01", "\xc0\x00\x02\x03", 1),
			errProxyMalformed, "checksum",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, size, err := parseProxy([]byte(c.in), 4096)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || size != 0 && !errors.Is(err, errProxyMalformed) {
				t.Errorf("%d bytes, %v, want %v saying %q", size, err, c.want, c.says)
			}
		})
	}
}

// FuzzProxy checks what must hold of any bytes: a header is read the same however
// much stands behind it, its prefixes are short, and nothing wrong is waited for
// without bounds.
func FuzzProxy(f *testing.F) {
	for _, c := range headers {
		f.Add([]byte(c.header))
	}
	f.Add([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"))
	f.Add([]byte(v2(0x21, 0x11, inet, field(0x03, "\x01\x02\x03\x04"))))
	const most = 600
	f.Fuzz(func(t *testing.T, in []byte) {
		source, size, err := parseProxy(in, most)
		switch {
		case errors.Is(err, errProxyShort):
			if len(in) >= most {
				t.Fatalf("%d bytes are not enough", len(in))
			}
			return
		case err != nil:
			if _, _, again := parseProxy(append(in[:len(in):len(in)], 'x'), most); errors.Is(again, errProxyShort) {
				t.Fatalf("one more byte makes it right: %v", err)
			}
			return
		}
		if size <= 0 || size > min(len(in), most) {
			t.Fatalf("%d bytes of %d", size, len(in))
		}
		if source.IsValid() && (source.Addr().Zone() != "" || source.Addr().Is4In6()) {
			t.Fatalf("source %v", source)
		}
		if again, n, err := parseProxy(in[:size], most); err != nil || n != size || again != source {
			t.Fatalf("alone it is %v of %d bytes, %v; with more %v of %d", again, n, err, source, size)
		}
		for n := range size {
			if _, _, err := parseProxy(in[:n], most); !errors.Is(err, errProxyShort) {
				t.Fatalf("its first %d bytes: %v", n, err)
			}
		}
	})
}

func BenchmarkParseProxy(b *testing.B) {
	for _, name := range []string{"v1, the longest TCP6", "v2, TCP over IPv4", "v2, a checksum"} {
		header := []byte(headers[name].header)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := parseProxy(header, 4096); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
