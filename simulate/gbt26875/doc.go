// Package gbt26875 is a fleet of simulated fire alarm panels: user information
// transmission devices of GB/T 26875.3 that send the states of what they watch,
// raise fires and faults, answer the centre and misbehave as real ones do, by
// the tens of thousands in one process.
//
//	cfg := gbt26875.DefaultConfig()
//	cfg.Target, cfg.Devices = "127.0.0.1:5200", 1000
//	fleet, err := gbt26875.New(cfg)
//	...
//	err = fleet.Run(ctx) // until ctx ends
//	fmt.Println(fleet.Report())
//
// It shares the codec with the bridge, and nothing else, so that it can find the
// bridge's mistakes.
//
// There is no login: a panel that has connected says what state it is in, and
// from then on sends routine states at its rate and heartbeats. Fires, faults and
// their ends come by chance, by a script or by [Fleet.Raise], connected or not.
// Everything it tells (command 2) it keeps until the centre has confirmed it: what
// is not confirmed in ten seconds is sent again as it was, three times in all;
// after that the connection is given up. What was denied is sent again at
// once, as often. Of a connection that has ended alarms are kept and told again
// on the next one; routine states and heartbeats, which say nothing new, are lost. So at
// any time, for each panel,
//
//	Sent == Acked + Refused + Lost + Pending
//
// Alarms go before everything else that waits to be sent.
//
// Each connection has one goroutine, which reads; a few others, each with a heap
// of times, do what is due and write without ever waiting for a peer.
package gbt26875
