// Package hmactoken is a credential provider that remembers nothing: devices carry
// tokens that somebody signed who shares a key with it.
//
// A token is text of four parts, without blanks:
//
//	v1.KEYID.EXPIRY.MAC
//
//	KEYID   names the key: 1 to 32 of A-Z a-z 0-9 - _
//	EXPIRY  Unix seconds, in decimal digits without leading zeros; the token is good before
//	MAC     base64url without padding (RFC 4648 section 5), 43 characters, of
//	        HMAC-SHA256(key, "linkspan token v1\n" KEYID "\n" EXPIRY "\n" IDENTITY)
//
// IDENTITY is the device's own name for itself, so a token is of no use to
// another device. Several keys are accepted at the same time, which is how they
// are changed: add the new one, hand out tokens of it, remove the old one.
package hmactoken

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// Key signs tokens.
type Key struct {
	ID     string      `conf:"id,required" doc:"names the key in tokens: 1 to 32 of A-Z a-z 0-9 - _"`
	Secret auth.Secret `conf:"secret,required" doc:"signs tokens; at least 32 bytes of random text"`
}

// Config is the section auth.token.
type Config struct {
	Keys       []Key         `conf:"keys" doc:"the keys whose tokens are good; linkspan auth token signs with the first"`
	Skew       time.Duration `conf:"skew" doc:"how long a token is good beyond its expiry, for clocks that differ"`
	Credential int           `conf:"credential" doc:"which of a device's credentials is the token, counted from 0"`
}

// DefaultConfig has no keys: they have to be written.
func DefaultConfig() Config { return Config{Skew: time.Minute} }

// Limits of keys and of [Config].
const (
	minSecret     = 32 // bytes, as many as the hash has
	maxID         = 32 // bytes
	maxKeys       = 64
	maxSkew       = 24 * time.Hour
	maxCredential = 15
)

// Plugin is the provider "token".
var Plugin = auth.Define("token", DefaultConfig(), func(c Config, _ auth.Host) (auth.Provider, error) { return New(c) })

func init() { auth.Register(Plugin) }

// Errors that tell why a token is refused; all are auth.ErrBadCredentials.
var (
	// ErrMalformed: the credential is no token.
	ErrMalformed = reason("hmactoken: not a token: want v1.KEYID.EXPIRY.MAC")
	// ErrUnknownKey: no key of the configuration signed it.
	ErrUnknownKey = reason("hmactoken: signed with a key that is not in auth.token.keys")
	// ErrBadSignature: it was made for another device, or changed.
	ErrBadSignature = reason("hmactoken: the signature does not fit the device")
	// ErrExpired: its time is over. Give the device a new one.
	ErrExpired = reason("hmactoken: expired")
)

type reason string

func (r reason) Error() string { return string(r) }

// Is makes every reason bad credentials.
func (r reason) Is(target error) bool {
	return target == auth.ErrBadCredentials || target == auth.ErrDenied
}

// Provider checks tokens. Its methods may be called from any goroutine.
type Provider struct {
	cfg   Config
	keys  map[string]Key
	now   func() time.Time
	count auth.Counter
}

// Option gives a [Provider] what it works with.
type Option func(*Provider)

// WithClock makes now the time. It is time.Now otherwise.
func WithClock(now func() time.Time) Option { return func(p *Provider) { p.now = now } }

// New returns a provider. It reports every mistake in cfg at once.
func New(cfg Config, opts ...Option) (*Provider, error) {
	p := &Provider{cfg: cfg, keys: map[string]Key{}, now: time.Now}
	for _, o := range opts {
		o(p)
	}
	var errs []error
	if len(cfg.Keys) == 0 || len(cfg.Keys) > maxKeys {
		errs = append(errs, fmt.Errorf("keys: there are %d, want 1 to %d", len(cfg.Keys), maxKeys))
	}
	for i, k := range cfg.Keys {
		if err := k.validate(); err != nil {
			errs = append(errs, fmt.Errorf("keys.%d: %w", i, err))
		}
		if _, twice := p.keys[k.ID]; twice {
			errs = append(errs, fmt.Errorf("keys.%d: id %q is that of an earlier key", i, k.ID))
		}
		p.keys[k.ID] = k
	}
	if cfg.Skew < 0 || cfg.Skew > maxSkew {
		errs = append(errs, fmt.Errorf("skew is %s, want 0 to %s", cfg.Skew, maxSkew))
	}
	if cfg.Credential < 0 || cfg.Credential > maxCredential {
		errs = append(errs, fmt.Errorf("credential is %d, want 0 to %d", cfg.Credential, maxCredential))
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("hmactoken: configuration: %w", errors.Join(errs...))
	}
	return p, nil
}

func (k Key) validate() error {
	var errs []error
	if k.ID == "" || len(k.ID) > maxID || strings.ContainsFunc(k.ID, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) {
		errs = append(errs, fmt.Errorf("id is %q, want 1 to %d of A-Z a-z 0-9 - _", k.ID, maxID))
	}
	if len(k.Secret) < minSecret {
		errs = append(errs, fmt.Errorf("secret has %d bytes, want at least %d", len(k.Secret), minSecret))
	}
	return errors.Join(errs...)
}

// Sign makes a token for that device, good until expiry, which is cut to whole
// seconds. It fails for a key that New would refuse, for an empty identity and
// for an expiry before 1970.
func (k Key) Sign(identity string, expiry time.Time) (string, error) {
	if err := k.validate(); err != nil {
		return "", fmt.Errorf("hmactoken: key: %w", err)
	}
	if identity == "" {
		return "", errors.New("hmactoken: the identity is empty")
	}
	if expiry.Unix() <= 0 {
		return "", fmt.Errorf("hmactoken: expiry %s is before 1970", expiry)
	}
	seconds := strconv.FormatInt(expiry.Unix(), 10)
	return "v1." + k.ID + "." + seconds + "." + base64.RawURLEncoding.EncodeToString(k.mac(nil, seconds, identity)), nil
}

func (k Key) mac(dst []byte, expiry, identity string) []byte {
	m := hmac.New(sha256.New, []byte(k.Secret))
	m.Write([]byte("linkspan token v1\n" + k.ID + "\n" + expiry + "\n" + identity))
	return m.Sum(dst)
}

// Authenticate implements [auth.Provider].
func (p *Provider) Authenticate(_ context.Context, identity string, credentials []string) error {
	return p.count.Count(p.check(identity, credentials))
}

// maxToken is the longest that a token can be.
const maxToken = len("v1.") + maxID + len(".") + 19 + len(".") + 43

func (p *Provider) check(identity string, credentials []string) error {
	text, err := auth.Credential(credentials, p.cfg.Credential)
	if err != nil {
		return err
	}
	if len(text) > maxToken {
		return ErrMalformed
	}
	rest, ok := strings.CutPrefix(text, "v1.")
	id, rest, ok2 := strings.Cut(rest, ".")
	digits, mac, ok3 := strings.Cut(rest, ".")
	if !ok || !ok2 || !ok3 {
		return ErrMalformed
	}
	expiry, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || expiry <= 0 || strconv.FormatInt(expiry, 10) != digits {
		return ErrMalformed
	}
	var given [sha256.Size]byte
	if len(mac) != strictBase64.EncodedLen(len(given)) {
		return ErrMalformed
	}
	if n, e := strictBase64.Decode(given[:], []byte(mac)); e != nil || n != len(given) { // fewer when there are line breaks in it
		return ErrMalformed
	}
	key, ok := p.keys[id]
	if !ok {
		return fmt.Errorf("%w: %q", ErrUnknownKey, id)
	}
	var want [sha256.Size]byte
	if !hmac.Equal(given[:], key.mac(want[:0], digits, identity)) {
		return ErrBadSignature
	}
	if p.now().Add(-p.cfg.Skew).Unix() >= expiry {
		return fmt.Errorf("%w on %s", ErrExpired, time.Unix(expiry, 0).UTC().Format(time.RFC3339))
	}
	return nil
}

// strictBase64 takes one spelling of each value only.
var strictBase64 = base64.RawURLEncoding.Strict()

// Stats is what happened so far.
func (p *Provider) Stats() auth.Stats { return p.count.Stats() }
