// Package h2 is a client's end of an HTTP/2 connection (RFC 9113) that carries
// messages both ways: requests with small bodies one way, and streams that the
// server begins the other way, which Go's own client refuses.
//
// A [Conn] speaks over a connection that is there already: TLS with the protocol
// h2, or TCP with prior knowledge. Nothing that it does blocks its callers;
// requests wait for a free stream in a bounded queue. What a peer can make it
// hold is bounded: headers, bodies, streams, and what waits to be written.
package h2
