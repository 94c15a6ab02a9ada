package modbus

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// Mode is how PDUs are put into frames.
type Mode uint8

// The three framings. Which one a line speaks is configured: an RTU frame can
// look like the header of Modbus TCP.
//
//	RTU      unit  PDU  CRC(low, high)                            4 to 256 bytes
//	TCP      transaction[2]  0000  length[2]  unit  PDU           8 to 260 bytes
//	ASCII    ":"  hex of ( unit  PDU  LRC )  CR LF                9 to 513 bytes
const (
	RTU   Mode = iota // also over TCP connections
	TCP               // with the MBAP header
	ASCII             // also over TCP connections
)

// Largest frames in bytes.
const (
	MaxRTU   = 256
	MaxTCP   = 260
	MaxASCII = 513
)

const (
	mbapHeader = 7 // transaction, protocol, length, unit
	minMBAP    = 2 // smallest length field: unit and function code
	maxMBAP    = MaxPDU + 1
)

var modeNames = [...]string{RTU: "rtu", TCP: "tcp", ASCII: "ascii"}

// String is "rtu", "tcp" or "ascii".
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// MaxFrame is the largest frame of m in bytes.
func (m Mode) MaxFrame() int {
	switch m {
	case TCP:
		return MaxTCP
	case ASCII:
		return MaxASCII
	default:
		return MaxRTU
	}
}

// ParseMode reads what [Mode.String] writes, in any case.
func ParseMode(s string) (Mode, error) {
	for m, name := range modeNames {
		if strings.EqualFold(s, name) {
			return Mode(m), nil //nolint:gosec // an index of three
		}
	}
	return 0, fmt.Errorf("modbus: mode %q, want rtu, tcp or ascii", s)
}

// AppendFrame returns dst with the frame of pdu behind it. transaction is for
// [TCP] alone: a response has its request's. pdu has 1 to [MaxPDU] bytes, as
// [Request.Append] makes it, and is not part of dst.
func AppendFrame(dst []byte, m Mode, transaction uint16, unit uint8, pdu []byte) []byte {
	switch m {
	case TCP:
		dst = binary.BigEndian.AppendUint16(dst, transaction)
		dst = append(dst, 0, 0)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(pdu)+1)) //nolint:gosec // 254 at most
		return append(append(dst, unit), pdu...)
	case ASCII:
		lrc := LRC(pdu) - unit
		dst = append(dst, ':')
		dst = appendHex(dst, unit)
		for _, b := range pdu {
			dst = appendHex(dst, b)
		}
		return append(appendHex(dst, lrc), '\r', '\n')
	default:
		from := len(dst)
		dst = append(append(dst, unit), pdu...)
		return binary.LittleEndian.AppendUint16(dst, CRC(dst[from:]))
	}
}

const upperHex = "0123456789ABCDEF"

func appendHex(dst []byte, b byte) []byte { return append(dst, upperHex[b>>4], upperHex[b&15]) }

// Frame is a request or response with its address.
type Frame struct {
	Mode        Mode
	Response    bool   // what the PDU is: a response, or a request
	Transaction uint16 // of [TCP]; else 0
	Unit        uint8  // of the slave; 0 is a broadcast on serial lines, the device itself on TCP
	PDU         []byte // function code and data, see [ParseRequest] and [ParseResponse]
}

// Append returns dst with f's bytes behind it. A PDU that is empty or longer
// than [MaxPDU] is an error that wraps [ErrLimit].
func (f Frame) Append(dst []byte) ([]byte, error) {
	if len(f.PDU) < 1 || len(f.PDU) > MaxPDU {
		return dst, fmt.Errorf("%w: a PDU of %d bytes, want 1 to %d", ErrLimit, len(f.PDU), MaxPDU)
	}
	return AppendFrame(dst, f.Mode, f.Transaction, f.Unit, f.PDU), nil
}

// Function is the function of f's PDU, of an exception that of its request.
func (f *Frame) Function() Function {
	if len(f.PDU) == 0 {
		return 0
	}
	return Function(f.PDU[0] &^ exceptionFlag)
}

// String is what f is in short, for logs and tests.
func (f *Frame) String() string {
	kind := "request"
	if f.Response {
		kind = "response"
	}
	s := fmt.Sprintf("%s %s unit %d %s", f.Mode, kind, f.Unit, hex.EncodeToString(f.PDU))
	if f.Mode == TCP {
		s += fmt.Sprintf(" transaction %d", f.Transaction)
	}
	return s
}
