// Package devices maps the names that devices call themselves to their
// identities at the platform, from files.
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
// A bad entry never blocks the others: [File.Mistakes] has them all, with file
// and line. Substitutions and includes work as everywhere in HOCON. The same
// entries can stand in .json and .properties files.
//
// A [File] is made for fleets: it is read as a stream and kept without a Go
// object per device.
package devices
