// Package mqttlink is one connection of an MQTT 3.1.1 client (OASIS standard
// "MQTT Version 3.1.1"), for connectors that keep their messages themselves.
//
// A [Link] does what belongs to a connection and nothing else: it connects,
// frames packets, keeps alive, acknowledges what it hands on, and ends. What is
// sent, in which order, how much may be in flight and what is sent again over
// the next connection is its [Owner]'s affair: the writer asks the owner for
// packets when the network takes more, so that nothing ever blocks whoever
// publishes, and nothing is queued twice. Qualities of service 0 and 1 only.
//
// A link has two goroutines: one that writes, and the one that calls [Link.Run],
// which reads.
package mqttlink
