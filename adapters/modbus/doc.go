// Package modbus is linkspan as a Modbus master: it polls the slaves behind DTUs,
// modems that carry serial lines over TCP and connect to it, all on one port, and
// slaves of Modbus TCP that it connects to itself. The wire is package
// codec/modbus; what registers mean is package profile, and how DTUs say who they
// are package registration.
//
// A connection is a line. It has a name, from the DTU's registration, its address
// or the target that was dialled, and one to many units. Each unit is a device of
// its own at the platform, or the line is one device with all of them.
// docs/protocols/modbus.md tells operators every key and result.
//
// On a line one request is under way at a time. Commands come first, then the
// poll that is due first; a unit that does not answer is asked less and less
// often, and goes offline. A line has one timer and no goroutine. What lines of
// one listener share, profiles with their requests and the counters, does not
// grow with them.
//
// One adapter serves one connection, on its loop, and needs no locks.
package modbus
