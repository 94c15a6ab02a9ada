// Package storm has all devices come at once, as they do when a network or a balancer
// has failed: as many connections as the machine can make, to one or more linkspans
// that share an address, each in a process of its own. Meanwhile a few devices of
// another listener log in again and again, and somebody asks for /healthz.
//
// The test fails unless all devices come online, no faster than the configuration
// allows, none is refused or disconnected, the devices of the other listener do not
// have to wait for the storm to be over, /healthz answers, and memory grows by no more
// than so much for each device.
//
//	go test ./test/storm                                # small, on every change
//	make storm                                          # 50,000 devices, three processes
//	go test ./test/storm -v -count 1 -args -devices 15000 -nodes 1 -rate 500
//
// A process has as many connections as its limit of open files allows (ulimit -n), so
// that both devices and linkspans are spread over several.
package storm
