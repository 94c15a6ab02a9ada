// Package server listens for devices and runs their connections on event loops.
// It is the only package that knows gnet.
//
// A [Server] has any number of listeners and few loops, which all listeners
// share. Each connection belongs to one loop for its whole life; everything of
// it (decoder, adapter, timers, output) runs there, one call at a time, and
// nothing of it may block. There is no goroutine, no timer object and no buffer
// for a connection that is idle.
//
//	s, err := server.New(server.DefaultConfig(), []server.Listener{{
//		Name: "terminals", Address: ":7611", Protocol: "jt808",
//		Open: open, Host: &protocol.Host{Uplink: bridge, Listener: "terminals"},
//		Limits: server.DefaultLimits(),
//	}}, server.WithLogger(log))
//	...
//	if err := s.Start(ctx); err != nil { ... } // listens when it returns
//	defer s.Close(ctx)
//
// # How a connection ends
//
// Whatever ends a connection has a [Cause]; its adapter gets it in a
// [*CloseError]. Each connection's end is counted under its cause and logged
// once. The table of causes is in the comment of [Cause].
//
// # What stands in front of the protocol
//
// A connection may begin with a header of the PROXY protocol, by which a load
// balancer tells the device's address ([Listener.Proxy]), and be encrypted
// ([Listener.TLS]). Both are done before the protocol begins, and Limits.Handshake
// bounds them.
//
// # The end of a server
//
// [Server.Drain] takes no more connections and messages, while acknowledgements
// still leave; [Server.Close] ends what there is.
//
// # Where connections come from
//
// The server accepts connections itself, with the standard library, and hands
// them to gnet's loops afterwards. gnet's own acceptor would end the whole
// engine when the process runs out of file descriptors, and could neither stop
// listening while connections are served nor refuse before a loop is burdened.
package server
