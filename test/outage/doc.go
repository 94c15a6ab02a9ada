// Package outage kills platforms under load and brings them back, for every kind
// of upstream. The platform is a process of its own, which SIGKILL ends in the
// middle of whatever it does. What was reported as done has to have arrived there,
// in the order of each device; what has not is reported, or arrives later; every
// device is logged in again by itself.
//
//	make outage OUTAGE=1m
package outage
