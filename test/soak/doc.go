// Package soak runs linkspan for long and under load, as operators do: the
// built binary as a platform and as a bridge, in processes of their own, and a
// simulated fleet of JT/T 808 terminals with reports, disconnects and commands
// in the process of the test.
//
//	make soak              # 20,000 terminals for an hour
//	make soak SOAK=12h
//	go test -tags soak ./test/soak -run TestSoak -timeout 0 -v -args -for 5m -devices 2000
//
// It fails unless every report that a terminal was told is delivered has
// arrived at the platform, every command had an end, the bridge's goroutines,
// descriptors, memory and disk stay flat after the warm-up, it has let go of
// everything when the fleet is gone, and all processes end in order. Samples,
// their plots and the result are written to bin/soak. Messages go through the
// durable queue and are acknowledged when they are stored, unless -queue=false.
package soak
