package protocol

import "github.com/linkspan/linkspan/session"

// Holds says whether s is the session of a device that is online by this
// connection: it is not when somebody else, such as a newer session of the
// device, has ended it. On the loop only.
func (c *Conn[M]) Holds(s *session.Session) bool { return s != nil && c.holds(s) }
