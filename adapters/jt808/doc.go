// Package jt808 is what linkspan does with terminals of JT/T 808 (2011, 2013
// and 2019) and the control messages of JT/T 1078: vehicles' trackers and
// recorders. The wire is package codec/jt808.
//
// Terminals register and authenticate, or go straight to work where that is
// allowed; their locations become properties, their alarms events, and platforms'
// commands become messages whose answers are awaited and repeated for as the
// standard says. docs/protocols/jt808.md tells operators every name, unit and
// result.
//
// One adapter serves one connection, on its loop, and needs no locks. What all
// connections of a listener share, the counters and the sink for multimedia, may
// be used from any goroutine. An idle connection holds the adapter and who it
// speaks to and no more: what is needed for a while, such as room for packages or
// for commands under way, comes when it is needed and goes with its use.
package jt808
