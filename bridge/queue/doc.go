// Package queue keeps what devices say on linkspan's own disk until their platform
// has it. Its [Connector] stands in front of another one:
//
//	q, err := queue.New(cfg, connector, devices)
//	b, err := bridge.New(bridge.DefaultConfig(), q, devices)
//
// # What is kept
//
// With mode = on every message is appended to a log (package segment) and then
// forwarded. With mode = spill a message goes straight to the platform as long as
// that is there and nothing of its device is stored; a message that the platform
// could not be given for now is appended then. A message that is content to be
// safe ([upstream.Storer]) is done when it is in the log; one that is not is done when
// the platform has it, also when that takes an hour.
//
// A reply to a command goes straight in both modes, ahead of what is stored, for
// somebody waits for it; it is stored when it cannot be told now, and its done keeps no
// order with others.
//
// # What holds
//
// Messages of one device reach the connector in the order in which the device said
// them. A message that failed together with later ones that did not (a platform may
// answer one in time and not another) is sent again behind those. A message whose done
// was called with nil reaches the platform at least once, whatever happens to linkspan,
// the network or the platform; after a crash or a lost connection some come twice.
//
// # How it is forwarded
//
// Of each device the queue knows how many of its records are stored and where
// the first one is that is not in memory. Records of devices that are ready for more
// are read in passes over the log, others are passed over: neither a device that is
// stuck nor a million stored records need memory, and no device waits for another
// one. What is appended while nothing of its device is stored takes a short cut past
// the disk.
//
// # Devices
//
// While the platform is away devices still come online: a login that fails for now,
// or takes longer than loginWait, is admitted provisionally and tried again behind the
// device's back. A refusal that comes later ends the device's session. A device that the
// platform has lately refused for good waits for the platform's answer instead. Devices that
// have gone, or have not come back since linkspan started, are logged in by the
// queue itself when they have something stored, and logged out when it is said. Their
// identities are looked up by name: secrets are never written.
//
// # What cannot be delivered
//
// A stored message that the platform refuses for good, or whose device may not log
// in, goes to a log of dead letters.
package queue
