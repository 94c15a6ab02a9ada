package jt808

// RSAKey is the modulus of an RSA public key, most significant byte first.
type RSAKey [128]byte

// MarshalText is the modulus as hexadecimal digits.
func (k RSAKey) MarshalText() ([]byte, error) { return Hex(k[:]).MarshalText() }

// TerminalKey is message 0x0A00, the terminal's RSA public key (JT/T 808). It is an answer and is not answered.
type TerminalKey struct {
	E    uint32 `json:"e"`              // public exponent
	N    RSAKey `json:"n_hex"`          // modulus
	Tail Hex    `json:"tail,omitempty"` // bytes behind the modulus
}

// ID is 0x0A00.
func (*TerminalKey) ID() ID { return IDTerminalKey }

// AppendBody appends the 132 bytes of the key.
func (b *TerminalKey) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return appendKey(dst, b.E, b.N[:], b.Tail)
}

// ParseBody reads the key; it wants 132 bytes.
func (b *TerminalKey) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = TerminalKey{E: r.u32()}
	r.fixed(b.N[:])
	b.Tail = r.tail()
	return r.err()
}

// PlatformKey is message 0x8A00, the platform's RSA public key (JT/T 808). The terminal answers with 0x0A00.
type PlatformKey struct {
	E    uint32 `json:"e"`              // public exponent
	N    RSAKey `json:"n_hex"`          // modulus
	Tail Hex    `json:"tail,omitempty"` // bytes behind the modulus
}

// ID is 0x8A00.
func (*PlatformKey) ID() ID { return IDPlatformKey }

// AppendBody appends the 132 bytes of the key.
func (b *PlatformKey) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return appendKey(dst, b.E, b.N[:], b.Tail)
}

// ParseBody reads the key; it wants 132 bytes.
func (b *PlatformKey) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = PlatformKey{E: r.u32()}
	r.fixed(b.N[:])
	b.Tail = r.tail()
	return r.err()
}

func appendKey(dst []byte, e uint32, n, tail []byte) ([]byte, error) {
	w := newWriter(dst)
	w.u32(e)
	w.bytes(n)
	w.bytes(tail)
	return w.done()
}
