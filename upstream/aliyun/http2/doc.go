// Package http2 connects devices to the Alibaba Cloud IoT platform over HTTP/2, as
// sub-devices behind a gateway device: the connector of package aliyun with the
// platform's message channel below it instead of MQTT. What that package says of
// sessions, commands, errors and lost connections holds here too.
//
//	up, err := http2.New(http2.Config{ProductKey: pk, DeviceName: dn, DeviceSecret: secret})
//
// # What is different
//
// Requests of HTTP/2 may overtake one another. A device has one message on its
// way at a time: the next is sent when the platform has answered the one before,
// so that the order of a device's messages holds; messages of different devices
// share the connection without waiting for one another. A message is done with
// nil when the response to its request says so, at either quality of service.
//
// What the platform says is acknowledged when it was taken in; what was not is
// sent again by the platform.
//
// When the platform sends GOAWAY, messages that it has not looked at wait for the
// next connection, and those that it has are waited for.
package http2
