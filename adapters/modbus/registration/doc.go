// Package registration is how DTUs, modems that carry serial lines over TCP, say
// who they are, and what they put around the bytes of their lines.
//
// A [Parser] finds the registration packet at the front of what a connection has
// sent. A [Wrap] takes off what a modem puts around data, and puts it on.
//
// The forms are those that makers document; which one a listener's modems use is
// configured ([Config]), for most of them cannot be told apart.
//
//	text            all that comes until a pause, or between prefix and suffix
//	imei, iccid     15, 20 ASCII digits
//	bcd             8 bytes, the digits of an IMEI behind a 0
//	hex             length bytes, whose hexadecimal digits are the name
//	json            an object with a field that is the name
//	name            a name and a zero byte, before data
//	likong          AA 01, 11 digits, 0D
//	fourfaith       id[4] phone[11] 00 address[4] 00; data is escaped
//	hongdian        7B 01 00 16 id[11] address[4] port[2] 7B; data is wrapped
//
// The package knows no sockets and no clock. A Parser may be used by any number
// of goroutines; a Wrap belongs to one connection.
package registration
