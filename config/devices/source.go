package devices

import (
	"github.com/linkspan/linkspan/auth"
)

// ErrUnknown says that a name belongs to no device. Add the device to the source
// and reload it, or choose another policy for unknown devices. It is
// [auth.ErrUnknownDevice], under the name that fits here.
var ErrUnknown = auth.ErrUnknownDevice

// Source says which devices there are. [File], [HTTP] and [Catalog] are
// sources; yours goes into a catalog with [WithSource]. All methods may be
// called from several goroutines.
type Source interface {
	// Identity is the platform's identity of the device that calls itself name.
	// It is an error that wraps ErrUnknown when there is no such device, and
	// another one when that could not be found out.
	Identity(name string) (auth.Identity, error)
	// Name is the other way round: the name of the device with that product key
	// and device name; the secret does not matter. ok is false when no device is
	// known to have them. It never waits.
	Name(id auth.Identity) (name string, ok bool)
	// Len is how many devices are in memory.
	Len() int
}

// Reloader is a [Source] that can be told to look anew at what it has. A
// [Catalog] passes its own reloads on to it.
type Reloader interface {
	Reload() (Changes, error)
}
