package cli

import (
	"bytes"
	"encoding/hex"
	"errors"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/jt808"
)

// errUnfinished is what is left of a stream that ends inside a frame.
var errUnfinished = errors.New("the stream ends inside a frame: its closing 7e is missing")

// errNoFrame and errNoDelimiter are streams without any frame.
var (
	errNoFrame     = errors.New("no frame: there is nothing between these delimiters")
	errNoDelimiter = errors.New("no frame: none of these bytes is the delimiter 7e")
)

func newJT808Decoder() streamDecoder {
	parts := longMessages{}
	return func(stream []byte) []decoded {
		options := jt808.DefaultOptions()
		options.AllowEncrypted = true // their headers can be shown
		frames := jt808.NewDecoder(options)
		var all []decoded
		rest := stream
		for len(rest) > 0 {
			frame, n, err := frames.Decode(rest)
			used := rest[:n]
			rest = rest[n:]
			if err == codec.ErrIncomplete {
				break
			}
			if err != nil {
				all = append(all, failed(err, wire(used)))
				continue
			}
			all = append(all, decodeJT808(frame, parts, used))
		}
		switch {
		case len(bytes.Trim(rest, "\x7e")) > 0:
			all = append(all, failed(errUnfinished, rest))
		case len(all) == 0 && bytes.IndexByte(stream, 0x7e) < 0:
			all = append(all, failed(errNoDelimiter, stream))
		case len(all) == 0:
			all = append(all, failed(errNoFrame, stream))
		}
		return all
	}
}

// wire is the frame among the bytes that a decoder is done with, without noise
// before it, its delimiters restored: the one that opened it may have closed the
// frame before.
func wire(used []byte) []byte {
	used = bytes.TrimRight(used, "\x7e")
	used = used[bytes.LastIndexByte(used, 0x7e)+1:]
	return append(append([]byte{0x7e}, used...), 0x7e)
}

// decodeJT808 is one frame's envelope. The body of a message in several packages
// is shown with the package that completes it, whatever their order.
func decodeJT808(f *jt808.Frame, parts longMessages, used []byte) decoded {
	serial := int(f.Serial)
	d := decoded{
		OK: true, Protocol: "jt808", Version: f.Version.String(), ID: f.ID.String(), Name: f.ID.Name(),
		Phone: f.Phone.String(), Serial: &serial,
	}
	if f.IsPackage() {
		d.Package = &packageOf{Total: int(f.Total), Index: int(f.Index)}
	}
	body := f.Body
	if f.Encryption != 0 {
		d.Body = encryptedBody{Encryption: f.Encryption, Data: hex.EncodeToString(body)}
		return d
	}
	if f.IsPackage() {
		whole, err := parts.add(f)
		if err != nil {
			return failed(err, wire(used))
		}
		if whole == nil {
			d.Body = map[string]string{"data": hex.EncodeToString(f.Body)}
			return d
		}
		body = whole.Body
	}
	b, err := jt808.ParseBody(f.ID, f.Version, body)
	if err != nil {
		return failed(err, wire(used))
	}
	if r, ok := b.(*jt808.Register); ok { // headers of 2011 and 2013 are the same
		d.Version = r.Layout.String()
	}
	d.Body = b
	return d
}

// encryptedBody is a body that cannot be shown without the terminal's key.
type encryptedBody struct {
	Encryption uint8  `json:"encryption"` // the header's method: 1 RSA
	Data       string `json:"data"`
}

// longMessages puts the messages of each terminal together, as the server does, but for
// time: there is none between the frames of a recording.
type longMessages map[jt808.Phone]*jt808.Reassembler

// maxTerminals is how many terminals' incomplete messages are held.
const maxTerminals = 1024

// add is the message that f completes, nil if it completes none.
func (m longMessages) add(f *jt808.Frame) (whole *jt808.Frame, err error) {
	r := m[f.Phone]
	if r == nil {
		if len(m) == maxTerminals {
			clear(m) // the others have waited long
		}
		const largest = 0xFFFF * (jt808.MaxBody + 64) // of as many packages as there can be
		r = jt808.NewReassembler(jt808.ReassemblyOptions{MaxBytes: 2 * largest, MaxMessages: 1024})
		m[f.Phone] = r
	}
	return r.Add(f, time.Time{})
}
