package static

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/linkspan/linkspan/auth"
)

// Limits bound what checking one secret may cost, whatever the file says.
type Limits struct {
	BcryptCost   int   `conf:"bcryptCost" doc:"highest cost of a bcrypt hash, 4 to 31; each one more doubles the time"`
	ArgonMemory  int64 `conf:"argonMemory,bytes" doc:"most memory that one argon2id hash may take (its m)"`
	ArgonPasses  int   `conf:"argonPasses" doc:"most passes of an argon2id hash (its t)"`
	ArgonThreads int   `conf:"argonThreads" doc:"most threads of an argon2id hash (its p)"`
}

// hash is a hashed secret.
type hash interface {
	// matches says whether secret is the one that was hashed. Its time depends on
	// the hash's cost only.
	matches(secret string) bool
}

// maxSecret is the longest secret that is looked at, in bytes.
const maxSecret = 1024

// ErrHash says that a text is no hash that is understood, or one that costs
// more than [Limits] allow.
var ErrHash = errors.New("static: want a bcrypt hash ($2y$...) or an argon2id one ($argon2id$...); linkspan auth hash makes them")

// parseHash reads a hash: bcrypt as htpasswd -B and most systems write it, or
// argon2id as the PHC string format has it.
func parseHash(text string, l Limits) (hash, error) {
	switch {
	case strings.HasPrefix(text, "$2a$"), strings.HasPrefix(text, "$2b$"), strings.HasPrefix(text, "$2y$"):
		return parseBcrypt(text, l)
	case strings.HasPrefix(text, "$argon2id$"):
		return parseArgon(text, l)
	default:
		return nil, ErrHash
	}
}

// bcryptSize is the length of a bcrypt hash in characters.
const bcryptSize = 60

// maxBcryptSecret is how many bytes of a secret bcrypt looks at.
const maxBcryptSecret = 72

type bcryptHash []byte

func parseBcrypt(text string, l Limits) (hash, error) {
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || len(text) != bcryptSize || !bcryptAlphabet(text[7:]) {
		return nil, fmt.Errorf("%w: the bcrypt hash is damaged", ErrHash)
	}
	if cost < bcrypt.MinCost || cost > l.BcryptCost {
		return nil, fmt.Errorf("%w: bcrypt cost %d, want %d to limits.bcryptCost = %d", ErrHash, cost, bcrypt.MinCost, l.BcryptCost)
	}
	return bcryptHash(text), nil
}

// bcryptAlphabet says whether s is of bcrypt's own base64.
func bcryptAlphabet(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '/'
	})
}

func (h bcryptHash) matches(secret string) bool {
	fits := len(secret) <= maxBcryptSecret // what is behind would not count
	if !fits {
		secret = secret[:maxBcryptSecret]
	}
	return bcrypt.CompareHashAndPassword(h, []byte(secret)) == nil && fits
}

type argonHash struct {
	memory, passes uint32 // memory in KiB
	threads        uint8
	salt, sum      []byte
}

// Lengths of parts of argon2id hashes (RFC 9106 section 3.1 has wider ones).
const (
	minArgonSalt, maxArgonSalt = 8, 64
	minArgonSum, maxArgonSum   = 16, 64
)

// parseArgon reads $argon2id$v=19$m=KIB,t=PASSES,p=THREADS$SALT$SUM.
func parseArgon(text string, l Limits) (hash, error) {
	damaged := fmt.Errorf("%w: want $argon2id$v=19$m=KIB,t=PASSES,p=THREADS$SALT$HASH", ErrHash)
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return nil, damaged
	}
	numbers := strings.Split(parts[3], ",")
	if len(numbers) != 3 {
		return nil, damaged
	}
	var h argonHash
	for i, n := range []struct {
		name string
		bits int
		set  func(uint64)
	}{
		{"m=", 32, func(v uint64) { h.memory = uint32(v) }}, //nolint:gosec // 32 bits
		{"t=", 32, func(v uint64) { h.passes = uint32(v) }}, //nolint:gosec // 32 bits
		{"p=", 8, func(v uint64) { h.threads = uint8(v) }},  //nolint:gosec // 8 bits
	} {
		digits, ok := strings.CutPrefix(numbers[i], n.name)
		value, err := strconv.ParseUint(digits, 10, n.bits)
		if !ok || err != nil {
			return nil, damaged
		}
		n.set(value)
	}
	var err, err2 error
	h.salt, err = base64.RawStdEncoding.DecodeString(parts[4])
	h.sum, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || err2 != nil || len(h.salt) < minArgonSalt || len(h.salt) > maxArgonSalt || len(h.sum) < minArgonSum || len(h.sum) > maxArgonSum {
		return nil, damaged
	}
	if h.threads < 1 || int(h.threads) > l.ArgonThreads || h.passes < 1 || int64(h.passes) > int64(l.ArgonPasses) ||
		h.memory < 8*uint32(h.threads) || int64(h.memory) > l.ArgonMemory/1024 {
		return nil, fmt.Errorf("%w: argon2id %s, want m=%d to %d (limits.argonMemory), t=1 to %d (limits.argonPasses), p=1 to %d (limits.argonThreads)",
			ErrHash, parts[3], 8*uint32(h.threads), l.ArgonMemory/1024, l.ArgonPasses, l.ArgonThreads)
	}
	return &h, nil
}

func (h *argonHash) matches(secret string) bool {
	sum := argon2.IDKey([]byte(secret), h.salt, h.passes, h.memory, h.threads, uint32(len(h.sum))) //nolint:gosec // at most 64
	return subtle.ConstantTimeCompare(sum, h.sum) == 1
}

// ErrSecret says that a secret cannot be hashed.
var ErrSecret = errors.New("static: secret")

// HashBcrypt hashes secret, of 1 to 72 bytes, with bcrypt of that cost, 4 to 31.
func HashBcrypt(secret auth.Secret, cost int) (string, error) {
	if secret == "" || len(secret) > maxBcryptSecret {
		return "", fmt.Errorf("%w has %d bytes, bcrypt takes 1 to %d; use argon2id", ErrSecret, len(secret), maxBcryptSecret)
	}
	if cost < bcrypt.MinCost || cost > bcrypt.MaxCost {
		return "", fmt.Errorf("static: bcrypt cost is %d, want %d to %d", cost, bcrypt.MinCost, bcrypt.MaxCost)
	}
	text, err := bcrypt.GenerateFromPassword([]byte(secret.Reveal()), cost)
	if err != nil {
		return "", fmt.Errorf("static: bcrypt: %w", err)
	}
	return string(text), nil
}

// HashArgon2id hashes secret, of 1 to 1024 bytes, with argon2id (RFC 9106): so
// many KiB of memory, passes and threads.
func HashArgon2id(secret auth.Secret, memory, passes uint32, threads uint8) (string, error) {
	if secret == "" || len(secret) > maxSecret {
		return "", fmt.Errorf("%w has %d bytes, want 1 to %d", ErrSecret, len(secret), maxSecret)
	}
	if threads < 1 || passes < 1 || memory < 8*uint32(threads) || memory > 4<<20 {
		return "", fmt.Errorf("static: argon2id m=%d,t=%d,p=%d: want 1 or more passes and threads, and 8 KiB for each thread to 4 GiB", memory, passes, threads)
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	sum := argon2.IDKey([]byte(secret.Reveal()), salt, passes, memory, threads, 32)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, threads, b64(salt), b64(sum)), nil
}
