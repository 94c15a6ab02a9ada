package modbus

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const maxPacket = 256

// parsePacket is the bytes of a registration or heartbeat of the modem that is
// called id.
func parsePacket(text, id string) ([]byte, error) {
	var out []byte
	for rest := text; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "{id}"):
			out, rest = append(out, id...), rest[len("{id}"):]
		case strings.HasPrefix(rest, "{bcd}"):
			packed, err := packBCD(id)
			if err != nil {
				return nil, err
			}
			out, rest = append(out, packed...), rest[len("{bcd}"):]
		case rest[0] == '\\':
			b, n, err := escape(rest)
			if err != nil {
				return nil, err
			}
			out, rest = append(out, b), rest[n:]
		default:
			out, rest = append(out, rest[0]), rest[1:]
		}
	}
	if len(out) > maxPacket {
		return nil, fmt.Errorf("%d bytes, want %d at most", len(out), maxPacket)
	}
	return out, nil
}

// escape reads the escape at the front of text, of n bytes.
func escape(text string) (b byte, n int, err error) {
	if len(text) >= 2 {
		if i := strings.IndexByte(`rn0\`, text[1]); i >= 0 {
			return "\r\n\x00\\"[i], 2, nil
		}
		if text[1] == 'x' && len(text) >= 4 {
			v, err := strconv.ParseUint(text[2:4], 16, 8)
			if err == nil {
				return byte(v), 4, nil
			}
		}
	}
	return 0, 0, fmt.Errorf(`%q, want one of the escapes \r \n \0 \\ \xFF`, text)
}

// packBCD is a decimal number with two digits to a byte; one of an odd length
// begins with 0.
func packBCD(digits string) ([]byte, error) {
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	var out []byte
	for i := 0; i < len(digits); i += 2 {
		hi, lo := digits[i]-'0', digits[i+1]-'0'
		if hi > 9 || lo > 9 {
			return nil, errors.New("{bcd} needs an id of decimal digits")
		}
		out = append(out, hi<<4|lo)
	}
	return out, nil
}

// countID is id with i added to the digits at its end, which keep their number
// where that is enough.
func countID(id string, i int) string {
	digits := len(id)
	for digits > 0 && id[digits-1] >= '0' && id[digits-1] <= '9' && len(id)-digits < 18 {
		digits--
	}
	if digits == len(id) {
		if i == 0 {
			return id
		}
		return id + "-" + strconv.Itoa(i+1)
	}
	n, err := strconv.ParseUint(id[digits:], 10, 64)
	if err != nil { // 18 digits fit
		return id + "-" + strconv.Itoa(i+1)
	}
	return id[:digits] + fmt.Sprintf("%0*d", len(id)-digits, n+uint64(i)) //nolint:gosec // an index
}
