// Package modbus is the configuration of docs/protocols/modbus.md: a bridge that
// polls an energy meter behind a DTU, the table of the meter's points, and what a
// simulated one holds.
package modbus
