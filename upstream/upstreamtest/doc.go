// Package upstreamtest is the conformance suite of connectors: what the
// contract in package upstream promises, run against a connector and its
// platform.
//
// A connector's test describes its [Platform] and calls [Run]:
//
//	func TestConformance(t *testing.T) {
//		upstreamtest.Run(t, func(t testing.TB) *upstreamtest.Platform { ... })
//	}
//
// Run asks for a fresh platform for each of its subtests, and leaves out those
// that the platform has no means for.
package upstreamtest
