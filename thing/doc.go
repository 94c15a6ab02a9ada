// Package thing is what devices say and are told, in no platform's and no
// protocol's words.
//
// A device says a [Message]: properties it has, an event that happened, the
// reply to a command, or bytes that nobody between it and the platform
// understands. It is told a [Command]. Both carry [Field] values, which hold
// numbers without boxing them, so that a message made of reused slices costs no
// allocation on its way.
//
//	m := thing.Message{Kind: thing.Property, Time: at, Fields: []thing.Field{
//		{Name: "latitude", Value: thing.Decimal(31234567, 6)},
//		{Name: "speed", Value: thing.Decimal(605, 1)},
//	}}
//	json := thing.AppendFields(nil, m.Fields) // {"latitude":31.234567,"speed":60.5}
//
// The package is a leaf: it knows no sockets, no platforms and no other package
// of linkspan.
package thing
