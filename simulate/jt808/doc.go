// Package jt808 is a fleet of simulated JT/T 808 terminals: vehicles that drive
// along real streets, report where they are, obey commands and lose their
// connections as real ones do, by the tens of thousands in one process.
//
//	cfg := jt808.DefaultConfig()
//	cfg.Target, cfg.Devices = "127.0.0.1:7611", 1000
//	fleet, err := jt808.New(cfg)
//	...
//	err = fleet.Run(ctx) // until ctx ends
//	fmt.Println(fleet.Report())
//
// It shares the codec with the bridge, and nothing else, so that it can find the
// bridge's mistakes.
//
// A terminal registers, authenticates with the code it got, and from then on makes
// a report at its rate, whether it is connected or not. It keeps a report until
// the platform has acknowledged it: what is not acknowledged in time is sent again
// (T(n+1) = T(n) x (n+1), JT/T 808-2019 7), after the last attempt the connection
// is given up, and what has waited goes out in batches (message 0x0704) when
// there is a new one. So at any time, for each terminal,
//
//	Sent == Acked + Refused + Lost + Pending
//
// where Lost are those for which there was no more room (Config.Pending).
//
// Each connection has one goroutine, which reads; a few others, each with a heap
// of times, do what is due and write without ever waiting for a peer. A report
// costs no allocation.
package jt808
