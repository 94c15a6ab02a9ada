// Package auth is who a device is at its platform, and whether it is who it
// says.
//
// An [Identity] is a platform's name for a device, with the secret that proves
// it. A [Provider] checks a device's own credentials locally, before the
// platform is asked; packages below this one are providers, and a [Registry]
// holds them by name. Signatures that several platforms share live here too.
//
// The package is a leaf; it knows no sockets and no other package of linkspan.
package auth

import (
	"errors"
	"fmt"
)

// Identity is a device's name at its platform: the device certificate of the
// Java SDK's DeviceIdentity.
type Identity struct {
	ProductKey   string // of the product the device belongs to
	DeviceName   string // unique in the product
	DeviceSecret Secret // signs the device's logins; may be empty where the platform needs none
}

// String names the device as product/device, without its secret.
func (i Identity) String() string { return i.ProductKey + "/" + i.DeviceName }

// Format prints the identity without its secret, whatever the verb.
func (i Identity) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, fmt.FormatString(f, verb), i.String())
}

// Secret is a text that is not printed: fmt, zap, slog, JSON and XML show ******
// in its place, whatever the verb or encoder.
//
// Two things Go does without asking the type, so do not ask for them: printing
// a struct that holds a secret in an unexported field (give such a struct a
// String method), and JSON of a map whose keys are secrets.
type Secret string

const masked = "******"

// String masks the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return masked
}

// Format masks the secret, whatever the verb.
func (s Secret) Format(f fmt.State, verb rune) { fmt.Fprintf(f, fmt.FormatString(f, verb), s.String()) }

// GoString masks the secret.
func (s Secret) GoString() string { return s.String() }

// MarshalText masks the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal is the secret itself, for the place that signs with it.
func (s Secret) Reveal() string { return string(s) }

// ErrDenied is what every error is, by errors.Is, that says that a device may
// not go online: it is unknown, its credentials are wrong, its platform refuses
// it. Trying the same again is of no use. An error that is not ErrDenied says
// that it could not be found out now.
var ErrDenied = errors.New("auth: the device may not go online")

// Denied returns an error with that text that is also ErrDenied.
func Denied(text string) error { return deniedError(text) }

type deniedError string

func (e deniedError) Error() string        { return string(e) }
func (e deniedError) Is(target error) bool { return target == ErrDenied }

// ErrUnknownDevice says that no platform identity belongs to the device's name.
// Add the device to the device configuration.
var ErrUnknownDevice = Denied("auth: unknown device")
