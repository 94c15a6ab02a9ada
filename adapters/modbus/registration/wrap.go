package registration

import "bytes"

// Wrap is what a modem puts around the bytes of its line.
type Wrap interface {
	// Unwrap appends the line's bytes in in to dst. n bytes of in are done with:
	// the others are the beginning of something. reply is to be sent back as it
	// is; it is valid until the next call. signs are heartbeats and the like, left
	// out of what is appended.
	Unwrap(dst, in []byte) (out []byte, n int, reply []byte, signs int)
	// Wrap appends data for the line to dst.
	Wrap(dst, data []byte) []byte
}

// Wrap is how the modem wraps that has registered so; nil when it does not.
func (p *Parser) Wrap(r *Registration) Wrap {
	switch {
	case p.config.Form == FormFourFaith && p.config.Escape != escapeNone:
		return fourFaithWrap{down: p.config.Escape == escapeBoth}
	case p.config.Form == FormHongDian:
		w := &hongDianWrap{}
		copy(w.packet[:], r.Packet[len(p.prefix):])
		return w
	}
	return nil
}

// fourFaithWrap escapes: FD is FD ED, FE is FD EE. FE alone is a heartbeat.
type fourFaithWrap struct{ down bool }

const (
	ffEscape = 0xfd
	ffBeat   = 0xfe
	ffFD     = 0xed
	ffFE     = 0xee
)

// Unwrap implements Wrap.
func (fourFaithWrap) Unwrap(dst, in []byte) (out []byte, n int, reply []byte, signs int) {
	for n < len(in) {
		switch b := in[n]; {
		case b == ffBeat:
			signs++
		case b != ffEscape:
			dst = append(dst, b)
		case n+1 == len(in):
			return dst, n, nil, signs
		case in[n+1] == ffFD:
			dst = append(dst, ffEscape)
			n++
		case in[n+1] == ffFE:
			dst = append(dst, ffBeat)
			n++
		default: // not escaped after all
			dst = append(dst, b)
		}
		n++
	}
	return dst, n, nil, signs
}

// Wrap implements Wrap.
func (w fourFaithWrap) Wrap(dst, data []byte) []byte {
	if !w.down {
		return append(dst, data...)
	}
	for _, b := range data {
		switch b {
		case ffEscape:
			dst = append(dst, ffEscape, ffFD)
		case ffBeat:
			dst = append(dst, ffEscape, ffFE)
		default:
			dst = append(dst, b)
		}
	}
	return dst
}

// hongDianWrap is the headers of DDP. How much data follows one is not said in
// it: it ends with the next header.
type hongDianWrap struct {
	packet [ddpPacket]byte // the registration
	reply  []byte
}

// Unwrap implements Wrap.
func (w *hongDianWrap) Unwrap(dst, in []byte) (out []byte, n int, reply []byte, signs int) {
	w.reply = w.reply[:0]
	for n < len(in) {
		size, kind, more := w.header(in[n:])
		switch {
		case more:
			return dst, n, w.reply, signs
		case size == 0:
			dst = append(dst, in[n])
			n++
			continue
		case kind == ddpRegister:
			w.reply = appendDDP(w.reply, ddpAccepted, w.packet[:])
			signs++
		}
		n += size
	}
	return dst, n, w.reply, signs
}

// header is how long the header at the front of in is, 0 when there is none;
// more says that it may become one.
func (w *hongDianWrap) header(in []byte) (size int, kind byte, more bool) {
	want := []byte{ddpMark, 0, 0, ddpHeader}
	if len(in) > 1 {
		switch kind = in[1]; kind {
		case ddpData, ddpLogout:
		case ddpRegister:
			want[3] = ddpPacket
		default:
			return 0, 0, false
		}
		want[1] = kind //nolint:gosec // of four bytes
	}
	if front := in[:min(len(in), 4)]; !bytes.HasPrefix(want, front) {
		return 0, 0, false
	}
	id := w.packet[4 : 4+ddpID]
	if len(in) > 4 && !bytes.HasPrefix(id, in[4:min(len(in), 4+ddpID)]) {
		return 0, 0, false
	}
	size = int(want[3]) //nolint:gosec // likewise
	if len(in) < size {
		return 0, 0, true
	}
	if in[size-1] != ddpMark {
		return 0, 0, false
	}
	return size, kind, false
}

// Wrap implements Wrap.
func (w *hongDianWrap) Wrap(dst, data []byte) []byte {
	return append(appendDDP(dst, ddpDown, w.packet[:]), data...)
}
