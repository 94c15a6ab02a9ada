package segment

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/linkspan/linkspan/auth"
)

// Each segment is encrypted with a key of its own, which is derived from the
// configured one and the segment's random salt; within it, a record's nonce is its
// index. A segment is never written to again after its process has ended or
// a write to it has failed, so that no nonce is used twice with one key.

// keyID tells keys apart and says nothing about them.
type keyID [8]byte

// keys are those of the configuration.
type keys struct {
	current *masterKey // nil: new segments are not encrypted
	all     []*masterKey
}

type masterKey struct {
	id     keyID
	secret []byte
}

func newKeys(current auth.Secret, former []auth.Secret) (*keys, error) {
	k := &keys{}
	var errs []error
	add := func(name string, text auth.Secret) *masterKey {
		m, err := newMasterKey(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %w", name, err))
			return nil
		}
		k.all = append(k.all, m)
		return m
	}
	if current != "" {
		k.current = add("encryptionKey", current)
	}
	for i, text := range former {
		add(fmt.Sprintf("formerKeys.%d", i), text)
	}
	return k, errors.Join(errs...)
}

var errBadKey = errors.New("is no key: want 32 bytes as 64 hexadecimal digits or in base64, as `openssl rand -hex 32` writes")

func newMasterKey(text auth.Secret) (*masterKey, error) {
	plain := strings.TrimSpace(text.Reveal())
	secret, err := hex.DecodeString(plain)
	if err != nil || len(secret) != 32 {
		if secret, err = base64.StdEncoding.DecodeString(plain); err != nil || len(secret) != 32 {
			return nil, errBadKey
		}
	}
	id, err := hkdf.Key(sha256.New, secret, nil, "linkspan queue key id", len(keyID{}))
	if err != nil {
		return nil, err
	}
	return &masterKey{id: keyID(id), secret: secret}, nil
}

// find is the key that a segment is encrypted with.
func (k *keys) find(id keyID) (*masterKey, bool) {
	for _, m := range k.all {
		if m.id == id {
			return m, true
		}
	}
	return nil, false
}

// aead is the cipher of a segment; nil when it is not encrypted.
func (k *keys) aead(h *header) (cipher.AEAD, error) {
	if !h.encrypted() {
		return nil, nil //nolint:nilnil // no cipher is what there is
	}
	m, ok := k.find(h.key)
	if !ok {
		return nil, fmt.Errorf("%w, whose id is %x", ErrWrongKey, h.key)
	}
	secret, err := hkdf.Key(sha256.New, m.secret, h.salt[:], "linkspan queue segment", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// sealer encrypts and decrypts the records of one segment. It is one goroutine's.
type sealer struct {
	aead  cipher.AEAD
	nonce [12]byte
}

func (s *sealer) number(index uint32) []byte {
	binary.LittleEndian.PutUint32(s.nonce[:], index)
	return s.nonce[:]
}

// seal appends the record to out: 24 bytes with its fields, and the payload.
func (s *sealer) seal(out, record []byte, index uint32) []byte {
	out = append(out, record[:recordSize]...)
	return s.aead.Seal(out, s.number(index), record[recordSize:], out[len(out)-recordSize+8:])
}

// open appends the payload of a record to dst.
func (s *sealer) open(dst []byte, r *stored) ([]byte, error) {
	return s.aead.Open(dst, s.number(r.index), r.body(), r.raw[8:recordSize])
}
