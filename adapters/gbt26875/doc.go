// Package gbt26875 lets user information transmission devices of GB/T 26875.3-2011
// go online: a device takes the states of fire alarm systems in a building and
// sends them on. Each is known by the source address of its frames. What it sends
// is confirmed when it has arrived as far as the configuration says; states become
// properties, alarms and faults events, and the standard's controls and requests
// are services. docs/protocols/gbt26875.md has all of it.
//
// A fire alarm waits for nothing here: frames are handled as they come, events of
// a frame are reported before its properties and fires before other events, and
// nothing is collected. What a device repeats because no answer came is told by
// its serial number, time and data, and reported once.
//
// The package registers itself as protocol gbt26875. It may be used by any number
// of listeners; an adapter serves one connection, on its loop.
package gbt26875
