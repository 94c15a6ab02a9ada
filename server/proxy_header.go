package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"strconv"
	"strings"
)

// The PROXY protocol, versions 1 and 2, as haproxy's proxy-protocol.txt (revision
// of 2020/03/05) describes it.
const (
	proxyV1Signature = "PROXY "
	proxyV2Signature = "\r\n\r\n\x00\r\nQUIT\n"

	maxProxyV1    = 107 // bytes of a header of version 1, its CRLF included (section 2.1)
	proxyV2Fixed  = 16  // bytes in front of the addresses of version 2 (section 2.2)
	maxProxyV2    = proxyV2Fixed + 1<<16 - 1
	leastMaxProxy = 536 // what every receiver has to take (section 2.2)

	proxyLocal   = 0 // commands of version 2
	proxyProxied = 1

	proxyInet  = 1 // address families of version 2
	proxyInet6 = 2
	proxyUnix  = 3

	proxyCRC = 0x03 // PP2_TYPE_CRC32C
)

// proxyLengths is how long the addresses of each family are in version 2.
var proxyLengths = [...]int{proxyInet: 12, proxyInet6: 36, proxyUnix: 216}

var (
	// errProxyShort says that the header goes on.
	errProxyShort = errors.New("the PROXY header is incomplete")
	// errProxyAbsent says that what has arrived does not begin like a header.
	errProxyAbsent = errors.New("no PROXY header where one is required")
	// errProxyMalformed is what wrong headers are.
	errProxyMalformed = errors.New("malformed PROXY header")
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errProxyMalformed, fmt.Sprintf(format, args...))
}

// parseProxy reads the header at the start of in, of most bytes at the most. size
// is its length; source is who connected to the balancer, not valid when the
// header does not tell: the connection is the balancer's own (a health check), or
// of no address family that is known here. The error is errProxyShort,
// errProxyAbsent or an errProxyMalformed.
func parseProxy(in []byte, most int) (source netip.AddrPort, size int, err error) {
	switch {
	case begins(in, proxyV2Signature):
		return parseProxyV2(in, most)
	case begins(in, proxyV1Signature):
		return parseProxyV1(in)
	default:
		return source, 0, errProxyAbsent
	}
}

// begins says whether in begins with signature, or may do so yet.
func begins(in []byte, signature string) bool {
	n := min(len(in), len(signature))
	return string(in[:n]) == signature[:n]
}

// parseProxyV1 reads PROXY TCP4 SOURCE DESTINATION SOURCEPORT DESTINATIONPORT CRLF.
func parseProxyV1(in []byte) (source netip.AddrPort, size int, err error) {
	end := bytes.Index(in[:min(len(in), maxProxyV1)], []byte("\r\n"))
	switch {
	case end >= 0:
	case len(in) < maxProxyV1:
		return source, 0, errProxyShort
	default:
		return source, 0, malformed("no end of line within %d bytes", maxProxyV1)
	}
	size = end + 2
	rest := string(in[len(proxyV1Signature):end])
	family, rest, _ := strings.Cut(rest, " ")
	if family == "UNKNOWN" {
		return source, size, nil // whatever follows
	}
	if family != "TCP4" && family != "TCP6" {
		return source, 0, malformed("protocol %.16q is not TCP4, TCP6 or UNKNOWN", family)
	}
	fields := strings.Split(rest, " ")
	if len(fields) != 4 {
		return source, 0, malformed("want two addresses and two ports behind %s", family)
	}
	source, err = proxyV1Address(family, fields[0], fields[2])
	if err == nil {
		_, err = proxyV1Address(family, fields[1], fields[3])
	}
	if err != nil {
		return netip.AddrPort{}, 0, err
	}
	return source, size, nil
}

func proxyV1Address(family, address, port string) (netip.AddrPort, error) {
	at, err := netip.ParseAddr(address)
	if err != nil || at.Zone() != "" || at.Is4() != (family == "TCP4") {
		return netip.AddrPort{}, malformed("%.48q is no address of %s", address, family)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || len(port) > 1 && port[0] == '0' {
		return netip.AddrPort{}, malformed("%.8q is no port", port)
	}
	return netip.AddrPortFrom(at.Unmap(), uint16(n)), nil
}

// parseProxyV2 reads the binary form: signature, version and command, family and
// transport, length of what follows; addresses; further fields, of which only the
// checksum matters here.
func parseProxyV2(in []byte, most int) (source netip.AddrPort, size int, err error) {
	if len(in) < proxyV2Fixed {
		return source, 0, errProxyShort
	}
	version, command := in[12]>>4, in[12]&0x0f
	family, transport := in[13]>>4, in[13]&0x0f
	size = proxyV2Fixed + int(binary.BigEndian.Uint16(in[14:]))
	switch {
	case version != 2:
		return source, 0, malformed("version %d, want 2", version)
	case command != proxyLocal && command != proxyProxied:
		return source, 0, malformed("unknown command %d", command)
	case size > most:
		return source, 0, malformed("%d bytes, maxHeader is %d", size, most)
	case len(in) < size:
		return source, 0, errProxyShort
	}
	header, fields := in[:size], 0
	if command == proxyProxied {
		if source, fields, err = proxyV2Address(header, family, transport); err != nil {
			return netip.AddrPort{}, 0, err
		}
	}
	if command == proxyProxied && fields > 0 { // behind addresses of an unknown length there may be anything
		if err := checkProxyFields(header, fields); err != nil {
			return netip.AddrPort{}, 0, err
		}
	}
	return source, size, nil
}

// proxyV2Address reads the source; fields is where the further fields begin, 0
// when nobody knows.
func proxyV2Address(header []byte, family, transport byte) (source netip.AddrPort, fields int, err error) {
	if family > proxyUnix || transport > 2 {
		return source, 0, malformed("unknown family and transport 0x%02x", header[13])
	}
	if family == 0 || transport == 0 {
		return source, 0, nil
	}
	body := header[proxyV2Fixed:]
	length := proxyLengths[family]
	if len(body) < length {
		return source, 0, malformed("%d bytes of addresses, want %d", len(body), length)
	}
	fields = proxyV2Fixed + length
	switch family {
	case proxyInet:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(body)), binary.BigEndian.Uint16(body[8:])), fields, nil
	case proxyInet6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(body)).Unmap(), binary.BigEndian.Uint16(body[32:])), fields, nil
	default: // a process of the balancer's own machine
		return source, fields, nil
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkProxyFields walks over the further fields, from header[at:], and checks the
// checksum if there is one.
func checkProxyFields(header []byte, at int) error {
	for at < len(header) {
		if len(header)-at < 3 {
			return malformed("%d bytes behind the last field", len(header)-at)
		}
		kind, length := header[at], int(binary.BigEndian.Uint16(header[at+1:]))
		at += 3
		if length > len(header)-at {
			return malformed("a field of %d bytes where %d are left", length, len(header)-at)
		}
		if kind == proxyCRC {
			if length != 4 {
				return malformed("a checksum of %d bytes", length)
			}
			sum := crc32.Update(0, castagnoli, header[:at])
			sum = crc32.Update(sum, castagnoli, make([]byte, 4))
			sum = crc32.Update(sum, castagnoli, header[at+4:])
			if sum != binary.BigEndian.Uint32(header[at:]) {
				return malformed("the checksum is wrong")
			}
		}
		at += length
	}
	return nil
}
