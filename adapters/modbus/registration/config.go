package registration

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Config is how DTUs say who they are.
type Config struct {
	Form     string        `conf:"form" doc:"of the registration packet: text, imei, iccid, bcd, hex, json, name, likong, fourfaith or hongdian; address: there is none, a DTU is called by its IP address; read: there is none, a register of a unit is read (read); identification: likewise, with function 43/14"`
	When     string        `conf:"when" doc:"once: after connecting; always: before all that comes; both"`
	Prefix   string        `conf:"prefix" doc:"what stands before the name, such as LOGIN:; hex:AA55 for bytes"`
	Suffix   string        `conf:"suffix" doc:"what stands behind the name, such as # or hex:0D0A"`
	Length   int           `conf:"length" doc:"bytes of the name; 0: as the form says, and any for text"`
	Pattern  string        `conf:"pattern" doc:"regular expression (RE2) that the whole name has to match. A group named identity is then the name, and one named secret is what a local check of credentials gets"`
	Field    string        `conf:"field" doc:"of json: the field that holds the name"`
	Reply    string        `conf:"reply" doc:"what is sent back, such as OK or hex:01; fourfaith and hongdian: as their protocols say"`
	Escape   string        `conf:"escape" doc:"of fourfaith, which way data is escaped: both, up (from the DTU) or none"`
	Timeout  time.Duration `conf:"timeout" doc:"a connection whose name is not known after so long is closed"`
	Pause    time.Duration `conf:"pause" doc:"silence that ends a text without length and suffix"`
	MaxBytes int           `conf:"maxBytes" doc:"most bytes of a registration packet"`
	Read     Read          `conf:"read" doc:"of form read and identification"`
}

// Read is what is asked for the name of a DTU that sends no registration.
type Read struct {
	Unit      int    `conf:"unit" doc:"the unit that is asked"`
	Address   string `conf:"address" doc:"of form read: where the name is, such as 40001"`
	Type      string `conf:"type" doc:"of form read: string, or another type of points"`
	Registers int    `conf:"registers" doc:"of form read: registers of a string"`
	Object    int    `conf:"object" doc:"of form identification: the object, 0 vendor, 1 product code, 4 product name, 128 and above the maker's own"`
}

// The forms that have no packet.
const (
	FormAddress        = "address"
	FormRead           = "read"
	FormIdentification = "identification"
)

// The forms of packets.
const (
	FormText      = "text"
	FormIMEI      = "imei"
	FormICCID     = "iccid"
	FormBCD       = "bcd"
	FormHex       = "hex"
	FormJSON      = "json"
	FormName      = "name"
	FormLikong    = "likong"
	FormFourFaith = "fourfaith"
	FormHongDian  = "hongdian"
)

var forms = []string{
	FormText, FormIMEI, FormICCID, FormBCD, FormHex, FormJSON, FormName, FormLikong, FormFourFaith, FormHongDian,
	FormAddress, FormRead, FormIdentification,
}

// When packets come.
const (
	WhenOnce   = "once"
	WhenAlways = "always"
	WhenBoth   = "both"
)

// Which way data is escaped.
const (
	escapeBoth = "both"
	escapeUp   = "up"
	escapeNone = "none"
)

// DefaultConfig is the configuration of someone who wrote nothing.
func DefaultConfig() Config {
	return Config{
		Form: FormText, When: WhenOnce, Field: "id", Escape: escapeBoth,
		Timeout: 30 * time.Second, Pause: 500 * time.Millisecond, MaxBytes: 256,
		Read: Read{Unit: 1, Type: "string", Registers: 8},
	}
}

// Packet says whether DTUs send a registration.
func (c *Config) Packet() bool {
	return c.Form != FormAddress && c.Form != FormRead && c.Form != FormIdentification
}

// sized are the lengths of names in forms that have one.
var sized = map[string]int{FormIMEI: 15, FormICCID: 20, FormBCD: 8}

// validate reports all that makes no sense in c.
func (c *Config) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(slices.Contains(forms, c.Form), "form: %q, must be one of %s", c.Form, strings.Join(forms, ", "))
	check(c.When == WhenOnce || c.When == WhenAlways || c.When == WhenBoth, "when: %q, must be once, always or both", c.When)
	check(c.Timeout >= time.Second && c.Timeout <= time.Hour, "timeout: %v, must be from 1s to 1h", c.Timeout)
	check(c.Pause >= 10*time.Millisecond && c.Pause <= time.Minute, "pause: %v, must be from 10ms to 1m", c.Pause)
	check(c.MaxBytes >= 1 && c.MaxBytes <= 4096, "maxBytes: %d, must be from 1 to 4096", c.MaxBytes)
	check(c.Length >= 0 && c.Length <= MaxIdentity*2, "length: %d, must be from 0 to %d", c.Length, MaxIdentity*2)
	check(c.Form != FormHex || c.Length > 0 && c.Length <= MaxIdentity/2, "length: %d, hex needs how many bytes there are, 1 to %d", c.Length, MaxIdentity/2)
	check(c.Form != FormJSON || c.Field != "", "field: json needs the field that holds the name")
	check(c.Escape == escapeBoth || c.Escape == escapeUp || c.Escape == escapeNone, "escape: %q, must be both, up or none", c.Escape)
	check(c.Form != FormRead || c.Read.Address != "", "read.address: is required with form = read, such as 40001")
	check(c.Read.Unit >= 0 && c.Read.Unit <= 255, "read.unit: %d, must be from 0 to 255", c.Read.Unit)
	check(c.Read.Object >= 0 && c.Read.Object <= 255, "read.object: %d, must be from 0 to 255", c.Read.Object)
	for _, b := range [][2]string{{"prefix", c.Prefix}, {"suffix", c.Suffix}, {"reply", c.Reply}} {
		if _, err := Bytes(b[1]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", b[0], err))
		}
	}
	if c.Pattern != "" {
		if _, err := regexp.Compile(c.Pattern); err != nil {
			errs = append(errs, fmt.Errorf("pattern: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Bytes reads a text as configurations have it: itself, or, behind hex:, bytes in
// hexadecimal digits, perhaps with blanks between them.
func Bytes(text string) ([]byte, error) {
	digits, isHex := strings.CutPrefix(text, "hex:")
	if !isHex {
		return []byte(text), nil
	}
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		return nil, fmt.Errorf("%q is not hex: and an even number of hexadecimal digits", text)
	}
	return b, nil
}
