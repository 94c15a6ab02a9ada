package registration

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/linkspan/linkspan/codec"
)

// MaxIdentity is how long a DTU's name may be, in bytes.
const MaxIdentity = 64

// ErrUnknown is wrapped by errors about what cannot be a registration of the
// configured form. The peer is a stranger: close the connection.
var ErrUnknown = errors.New("registration: not of the configured form")

// Registration is what a DTU has said about itself.
type Registration struct {
	Identity string // its name
	Secret   string // what the pattern's group secret has matched
	Packet   []byte // the packet as it came; its own memory
	Reply    []byte // what is to be sent back; nil: nothing
}

// Parser finds registrations. It does not change, and may be used from any
// goroutine.
type Parser struct {
	config                Config
	prefix, suffix, reply []byte
	pattern               *regexp.Regexp
}

// New makes a parser, or tells all that is wrong with c.
func New(c Config) (*Parser, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	p := &Parser{config: c}
	p.prefix, _ = Bytes(c.Prefix) // validate has tried them
	p.suffix, _ = Bytes(c.Suffix)
	p.reply, _ = Bytes(c.Reply)
	if c.Pattern != "" {
		p.pattern = regexp.MustCompile(`^(?:` + c.Pattern + `)$`)
	}
	return p, nil
}

// Open says whether only a pause ends a packet.
func (p *Parser) Open() bool {
	return p.config.Form == FormText && p.config.Length == 0 && len(p.suffix) == 0
}

// Parse reads the registration at the front of in, which begins with the first
// byte of the connection; n bytes are done with. whole says that in ends where
// the packet does: a pause came, or what is behind it is known to be something
// else. codec.ErrIncomplete asks for more bytes, or for the pause; any other error
// wraps [ErrUnknown].
func (p *Parser) Parse(in []byte, whole bool) (r Registration, n int, err error) {
	body := in
	if !bytes.HasPrefix(body, p.prefix[:min(len(p.prefix), len(body))]) {
		return r, 0, p.unknown(in, "it does not begin with the prefix")
	}
	if len(body) < len(p.prefix) {
		return r, 0, p.more(in, whole)
	}
	body = body[len(p.prefix):]
	name, size, err := p.name(body, whole)
	if err == nil && p.config.Form != FormText {
		size, err = p.end(body, size)
	}
	switch {
	case err == codec.ErrIncomplete: //nolint:errorlint // ours
		return r, 0, p.more(in, whole)
	case err != nil:
		return r, 0, p.unknown(in, err.Error())
	}
	n = len(p.prefix) + size
	if n > p.config.MaxBytes {
		return r, 0, p.unknown(in, "it is longer than maxBytes")
	}
	r.Identity = name
	if p.pattern != nil {
		if r.Identity, r.Secret, err = p.match(name); err != nil {
			return r, 0, p.unknown(in, err.Error())
		}
	}
	if err := checkIdentity(r.Identity); err != nil {
		return r, 0, p.unknown(in, err.Error())
	}
	r.Packet = bytes.Clone(in[:n])
	r.Reply = p.answer(in[:n])
	return r, n, nil
}

// more says that bytes are missing, if they may still come.
func (p *Parser) more(in []byte, whole bool) error {
	if whole {
		return p.unknown(in, "it ends too early")
	}
	if len(in) > p.config.MaxBytes {
		return p.unknown(in, "it is longer than maxBytes")
	}
	return codec.ErrIncomplete
}

// shown is how many bytes of a stranger's are shown.
const shown = 24

func (p *Parser) unknown(in []byte, why string) error {
	more := ""
	if len(in) > shown {
		in, more = in[:shown], "..."
	}
	return fmt.Errorf("%w %s: %s%s: %s", ErrUnknown, p.config.Form, hex.EncodeToString(in), more, why)
}

// name finds the name at the front of in, which is behind the prefix; size bytes
// are it and what belongs to its form.
func (p *Parser) name(in []byte, whole bool) (name string, size int, err error) {
	length := p.config.Length
	if length == 0 {
		length = sized[p.config.Form]
	}
	switch p.config.Form {
	case FormText:
		return p.text(in, whole)
	case FormIMEI, FormICCID:
		number := in[:min(len(in), length)]
		wrong := digits(number)
		if p.config.Form == FormICCID { // operators have letters in theirs
			wrong = hexDigits(number)
		}
		if len(in) < length {
			return "", 0, atLeast(wrong)
		}
		return string(number), length, wrong
	case FormBCD:
		return bcd(in, length)
	case FormHex:
		if len(in) < length {
			return "", 0, codec.ErrIncomplete
		}
		return hex.EncodeToString(in[:length]), length, nil
	case FormJSON:
		return p.json(in)
	case FormName:
		end := bytes.IndexByte(in, 0)
		if end < 0 {
			return "", 0, codec.ErrIncomplete
		}
		return string(in[:end]), end + 1, nil
	case FormLikong:
		return likong(in)
	case FormFourFaith:
		return fourFaith(in)
	default:
		return hongDian(in)
	}
}

// atLeast asks for more bytes of what is right so far.
func atLeast(err error) error {
	if err != nil {
		return err
	}
	return codec.ErrIncomplete
}

// end is size and the suffix behind it.
func (p *Parser) end(in []byte, size int) (int, error) {
	rest := in[size:]
	if !bytes.HasPrefix(rest, p.suffix[:min(len(p.suffix), len(rest))]) {
		return 0, errors.New("the suffix is missing")
	}
	if len(rest) < len(p.suffix) {
		return 0, codec.ErrIncomplete
	}
	return size + len(p.suffix), nil
}

// text is a name of any characters.
func (p *Parser) text(in []byte, whole bool) (name string, size int, err error) {
	switch {
	case p.config.Length > 0:
		if len(in) < p.config.Length {
			return "", 0, codec.ErrIncomplete
		}
		size, err = p.end(in, p.config.Length)
		return strings.TrimSpace(string(in[:p.config.Length])), size, err
	case len(p.suffix) > 0:
		end := bytes.Index(in, p.suffix)
		if end < 0 {
			return "", 0, codec.ErrIncomplete
		}
		return strings.TrimSpace(string(in[:end])), end + len(p.suffix), nil
	case whole:
		return strings.TrimSpace(string(in)), len(in), nil
	}
	for _, b := range in { // a stranger need not be waited for
		if b < ' ' && b != '\r' && b != '\n' && b != '\t' || b == 0x7f {
			return "", 0, fmt.Errorf("byte 0x%02x is no text", b)
		}
	}
	return "", 0, codec.ErrIncomplete
}

func digits(in []byte) error {
	for _, b := range in {
		if b < '0' || b > '9' {
			return fmt.Errorf("byte 0x%02x is no digit", b)
		}
	}
	return nil
}

// hexDigits is digits, with A to F among them.
func hexDigits(in []byte) error {
	for _, b := range in {
		if (b < '0' || b > '9') && (b|0x20 < 'a' || b|0x20 > 'f') {
			return fmt.Errorf("byte 0x%02x is no digit", b)
		}
	}
	return nil
}

// bcd is a number of two digits to a byte; a 0 in front is no part of it.
func bcd(in []byte, length int) (name string, size int, err error) {
	if len(in) < length {
		return "", 0, codec.ErrIncomplete
	}
	name = hex.EncodeToString(in[:length])
	if err := digits([]byte(name)); err != nil {
		return "", 0, errors.New("a byte has no two decimal digits")
	}
	return strings.TrimPrefix(name, "0"), length, nil
}

// json is an object; its field is the name.
func (p *Parser) json(in []byte) (name string, size int, err error) {
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	var fields map[string]any
	if err := d.Decode(&fields); err != nil {
		if strings.Contains(err.Error(), "EOF") {
			return "", 0, codec.ErrIncomplete
		}
		return "", 0, fmt.Errorf("no JSON object: %w", err)
	}
	switch v := fields[p.config.Field].(type) {
	case string:
		name = v
	case json.Number:
		name = v.String()
	default:
		return "", 0, fmt.Errorf("it has no text or number %q", p.config.Field)
	}
	return name, int(d.InputOffset()), nil
}

// likong is AA 01, 11 digits, 0D.
func likong(in []byte) (name string, size int, err error) {
	const total = 14
	if len(in) > 0 && in[0] != 0xaa {
		return "", 0, errors.New("it does not begin with AA")
	}
	if len(in) < total {
		return "", 0, codec.ErrIncomplete
	}
	if in[total-1] != 0x0d {
		return "", 0, errors.New("it does not end with 0D")
	}
	return string(in[2 : total-1]), total, digits(in[2 : total-1])
}

// fourFaith is id[4], phone[11], 00, address[4], 00. The phone is the name or,
// where there is none, the id.
func fourFaith(in []byte) (name string, size int, err error) {
	const total = 21
	if len(in) < total {
		return "", 0, codec.ErrIncomplete
	}
	if in[15] != 0 || in[20] != 0 {
		return "", 0, errors.New("the zero bytes behind phone and address are missing")
	}
	if phone := in[4:15]; digits(phone) == nil {
		return string(phone), total, nil
	}
	return hex.EncodeToString(in[:4]), total, nil
}

// DDP, HongDian's protocol: 7B, type, length of the header or packet as a word,
// the id of 11 characters, then as the type says, and 7B.
const (
	ddpMark     = 0x7b
	ddpRegister = 0x01
	ddpLogout   = 0x02
	ddpData     = 0x09
	ddpDown     = 0x89
	ddpAccepted = 0x81
	ddpHeader   = 16 // of data, of an answer
	ddpPacket   = 22 // of a registration
	ddpID       = 11
)

func hongDian(in []byte) (name string, size int, err error) {
	if len(in) > 0 && in[0] != ddpMark || len(in) > 1 && in[1] != ddpRegister {
		return "", 0, errors.New("it does not begin with 7B 01")
	}
	if len(in) < ddpPacket {
		return "", 0, codec.ErrIncomplete
	}
	if binary.BigEndian.Uint16(in[2:]) != ddpPacket || in[ddpPacket-1] != ddpMark {
		return "", 0, errors.New("its length is not 22, or it does not end with 7B")
	}
	return strings.TrimRight(string(in[4:4+ddpID]), "\x00 "), ddpPacket, nil
}

// appendDDP appends a header of that type with the id of a packet.
func appendDDP(dst []byte, kind byte, packet []byte) []byte {
	dst = append(dst, ddpMark, kind, 0, ddpHeader)
	return append(append(dst, packet[4:4+ddpID]...), ddpMark)
}

// match takes a name apart.
func (p *Parser) match(name string) (identity, secret string, err error) {
	m := p.pattern.FindStringSubmatch(name)
	if m == nil {
		return "", "", errors.New("the name does not match pattern")
	}
	identity = name
	if i := p.pattern.SubexpIndex("identity"); i >= 0 {
		identity = m[i]
	}
	if i := p.pattern.SubexpIndex("secret"); i >= 0 {
		secret = m[i]
	}
	return identity, secret, nil
}

// checkIdentity refuses what cannot be the name of a device.
func checkIdentity(name string) error {
	if name == "" || len(name) > MaxIdentity {
		return fmt.Errorf("the name has %d bytes, want 1 to %d", len(name), MaxIdentity)
	}
	for _, r := range name {
		if r <= ' ' || r == 0x7f || r == '\ufffd' {
			return errors.New("the name is no text without blanks")
		}
	}
	return nil
}

// answer is what is sent back for a packet.
func (p *Parser) answer(packet []byte) []byte {
	switch {
	case len(p.reply) > 0:
		return p.reply
	case p.config.Form == FormHongDian:
		return appendDDP(nil, ddpAccepted, packet[len(p.prefix):])
	}
	return nil
}

// Named is the registration of a DTU whose name was not in a packet, but read
// otherwise. An error wraps [ErrUnknown].
func (p *Parser) Named(name string) (Registration, error) {
	r := Registration{Identity: strings.TrimSpace(name)}
	if p.pattern != nil {
		var err error
		if r.Identity, r.Secret, err = p.match(r.Identity); err != nil {
			return Registration{}, p.unknown([]byte(name), err.Error())
		}
	}
	if err := checkIdentity(r.Identity); err != nil {
		return Registration{}, p.unknown([]byte(name), err.Error())
	}
	return r, nil
}
