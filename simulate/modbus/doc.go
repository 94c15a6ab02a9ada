// Package modbus is a fleet of simulated Modbus lines: modems (DTUs) that dial a
// bridge, say who they are and send heartbeats, with slaves behind them that
// answer as a bus in the field does, slowly, damaged, late or not at all; or
// slaves of Modbus TCP that wait for the bridge to dial them.
//
//	cfg := modbus.DefaultConfig()
//	cfg.Target, cfg.Lines = "127.0.0.1:7620", 1000
//	fleet, err := modbus.New(cfg)
//	...
//	err = fleet.Run(ctx) // until ctx ends
//	fmt.Println(fleet.Report())
//
// It shares the codec with the bridge, and nothing else, so that it can find the
// bridge's mistakes.
//
// What slaves hold is an image: a CSV file that gives units, areas, addresses,
// types and values, which may drift; without one register n holds n. What is
// written stays written, in memory shared by nobody else.
//
// Each connection has one goroutine, which reads requests and answers them; a few
// others do what is due later: connecting, heartbeats, late answers.
package modbus
