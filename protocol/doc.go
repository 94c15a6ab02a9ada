// Package protocol is what a device protocol plugin is: a codec, and an adapter
// that turns the codec's messages into [thing.Message] and [thing.Command] into
// the codec's messages. It knows no sockets and no platforms, so that plugins
// are tested in memory (see protocoltest).
//
// A plugin is a value made by [Define]; an init function puts it into the
// [Default] registry, under the name by which configurations call it:
//
//	var Plugin = protocol.Define("acme.meter", Config{MaxLine: 256}, build)
//
//	func init() { protocol.Register(Plugin) }
//
// Everything of a connection runs on its event loop, one call at a time, and
// must not block: adapters need no locks. Only [Conn.Do] and [Conn.Close] may be
// called from other goroutines. What has to wait takes a function that is called
// once, on the loop, when the waiting is over.
package protocol
