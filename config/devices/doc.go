// Package devices maps the names that devices call themselves to their
// identities at the platform, and back.
//
// A [Source] knows some devices: a [File] those of a file or a directory of
// files, an [HTTP] those that a server tells of. A [Catalog] is what a [Config]
// describes: a file first, then another source, and at last a policy for devices
// that nobody knows: to reject them, to make an identity of their name
// ([Template]), or to give them an unused certificate of a pool and to remember
// that on disk.
//
// devices.conf is the Java SDK's file: HOCON, one entry for each device.
//
//	// the device's own name; quotes for one with periods or blanks
//	"460011234567890" {
//		productKey = a1Xf9GvQq7B
//		deviceName = truck-17
//		deviceSecret = "..."
//	}
//
// The same entries can stand in .json and .properties files, and in tables
// (.csv, RFC 4180). A bad entry never blocks the others: [Catalog.Mistakes] has
// them all, with file and line.
//
// Files are made for fleets: they are read as streams and kept without a Go
// object per device. [Catalog.Reload] and [Catalog.Watch] swap in what has
// changed, and say which devices are concerned; a file that is damaged, half
// written or gone takes none away.
package devices
