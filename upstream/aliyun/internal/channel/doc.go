// Package channel is the platform's message channel over one HTTP/2 connection:
// what is published, subscribed and acknowledged as requests, and what the
// platform says as streams of its own.
//
// Of the wire only a part is public. [Names] has every path and header that is
// not, or that a gateway may do differently, with a default.
package channel
