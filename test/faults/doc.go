// Package faults proves that what terminals are told is safe is safe. It runs
// linkspan as operators do, the built binary as a platform and as a bridge, with a
// simulated fleet of JT/T 808 terminals whose reports are numbered, and breaks what
// can break: processes are killed (kill -9) at random moments, the network between them
// delays, resets, swallows or stops in one direction, disks are full, slow,
// read-only, failing or damaged.
//
//	make faults                    # all of it, long
//	make build && go test -tags faults ./test/faults -short
//	go test -tags faults ./test/faults -v -run 'TestFaults/kill' -args -rounds 20 -seed 42
//
// The platform writes what it has received to a file before it acknowledges it, so
// that killing it proves nothing against the bridge. The checker compares that file with
// what terminals were told. It fails if anything is missing that was acknowledged, if
// the reports of a terminal first arrive in another order than they were said in, or if
// more arrive again than what the bridge and the terminals had to say again. A damaged disk may
// lose what the bridge says it lost, and nothing else.
//
// Each run prints its seed; -seed repeats its choices. Logs and the table go to
// bin/faults. Faults that need root, strace or namespaces are skipped where there are none.
package faults
