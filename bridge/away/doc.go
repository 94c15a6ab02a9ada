// Package away keeps devices logged in at their platform for a moment after their
// connection has broken, and what the platform tells them until they are back.
//
// Mobile networks break connections that come back within seconds. A [Connector],
// which stands between a bridge and the platform's own, does not tell the platform
// of that: a device that is back in time finds its login as it was, and commands
// that came meanwhile, in their order. So a flapping device costs the platform
// nothing.
//
// Commands wait for longer than their device is held, in memory or on the disk
// ([WithDisk]), where they outlive the process. What a device cannot be told in time is
// reported as such, by its next login if it is logged out then.
//
// A device that says goodbye, is taken offline, or was removed is logged out at
// once, also while it is away ([Connector.Revoke]): only sessions that end with session.ErrDisconnected or
// session.ErrHeartbeatTimeout leave their device away.
package away
