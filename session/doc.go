// Package session is one device being online.
//
// A [Session] is one time online of one device: it begins when the device has
// said who it is and ends when its connection ends, its heartbeats stop, or a
// newer session of the same device takes it over. Sessions carry an epoch that
// grows with each new session of a manager, so that what comes late from an old
// one can be told from what the present one does.
//
// A [Manager] holds the sessions by the device's own name for itself, a
// [Directory] finds them; [Memory] is both, and the one in the box. What happens
// to sessions is told to a [Listener].
//
//	m, err := session.NewMemory(session.DefaultConfig(), session.WithListener(l))
//	m.Start()
//	defer m.Stop()
//	s := session.New("13912345678", conn, session.Heartbeat(30*time.Second, 2))
//	old, err := m.Open(s)                // Created; old was taken over
//	m.Activate(s)                        // Online; heartbeats are expected from now on
//	s.Touch(time.Now().UnixMilli())      // whenever the device says something
//	m.Close(s, io.EOF)                   // Offline
package session
