// Package route carries devices to several platforms: each to one, its primary,
// and if wanted copies of what it says to others.
//
// A [Router] is an [upstream.Connector] in front of connectors. The first of its
// rules that fits a login names the connector that the device is logged in at,
// and those that get copies. The primary alone decides: its answers to logins,
// publications and logouts are the router's, and its commands reach the device.
//
//	r, err := route.New(route.Config{Routes: []route.Rule{
//		{Listener: "yard-*", To: "factory"},
//		{To: "cloud", Copies: []string{"archive"}},
//	}}, map[string]upstream.Connector{"cloud": cloud, "factory": factory, "archive": archive})
//
// # Copies
//
// A device is logged in at its copies once its primary has it, and logged out of
// them when it is logged out there, or lost. What it says goes to each copy in
// its order, whatever the primary makes of it, through a queue of the copy's own
// and on a goroutine of the copy's own: a copy that is away, slow, refuses, or
// does not return from a call, neither delays nor fails anything at the primary.
// What does not fit into the queue is dropped and counted, the newest first; what
// waits for logins that were refused takes no more than half of it.
// Replies to commands go to whoever gave the command.
//
// A login that a copy refuses for now, or that finds it away, is tried again with
// growing, jittered pauses; one that it refuses for good, or ends by itself, is
// given up until the device logs in at its primary again. What waits for a login
// that is tried again is dropped when the device goes offline.
//
// Commands of copies are answered as refused, unless the rule has copyCommands.
package route
