// Package aliyun connects devices to the Alibaba Cloud IoT platform over MQTT,
// as sub-devices behind a gateway device, and to everything that speaks like it.
//
// A [Connector] holds one MQTT connection for each gateway it is configured
// with. A device that logs in is assigned to a gateway by its name, the next
// one being taken when that is full, and is brought online by a login message
// through the gateway's connection; its properties, events, replies and raw
// bytes travel under its own topics. Sources: developer guide of the platform,
// chapters 6.1 (MQTT), 9 (Alink) and 10 (sub-devices, error codes).
//
//	up, err := aliyun.New(aliyun.Config{ProductKey: pk, DeviceName: dn, DeviceSecret: secret})
//	err = up.Start(ctx, upstream.Host{Logger: log})
//	up.Login(upstream.Login{Device: meter}, func(d upstream.Device, err error) {
//		d.Publish(&thing.Message{Kind: thing.Property, Fields: fields}, upstream.Ignore)
//	})
//
// # What done means
//
// A message of QoS 1 is done with nil when the platform has acknowledged it
// (PUBACK), or, with confirm "reply", when it has answered with code 200. One of
// QoS 0 is done with nil when it was written to the connection. Nothing is
// reported done that was not.
//
// # When the connection is lost
//
// The connector reconnects with growing, jittered pauses, and logs every device
// in again in batches at no more than loginRate devices a second. A message of
// QoS 1 that was not acknowledged is kept, in order, and sent again (as a new
// MQTT message) once its own device is logged in again: the platform may get it
// twice, never out of order. It waits for no longer than holdTimeout; then it
// fails, with [upstream.ErrTimeout] when it had been sent before and with
// [upstream.ErrNotConnected] when it certainly had not. The same holds for
// messages that are published meanwhile. A message of QoS 0 never waits: it
// fails with ErrNotConnected.
//
// # Sessions of devices
//
// The platform ends the session of a device that was disabled (522), deleted
// (521) or connected elsewhere (427): its login is lost with that code, and its
// messages fail. A session that has gone otherwise (520) is made again, at once
// or, when it did not last, with growing pauses, and what was not acknowledged is
// sent again; what the broker had acknowledged before it noticed is gone, unless
// confirm is "reply". The table of codes and what is done about each is in
// codes.go.
//
// A login that its gateway is too full for (428) goes on at the next gateway, as
// long as there is one, with what the device has still to say. A first login that
// is refused for now (429, 500) fails with a temporary [upstream.RefusedError]; one
// after a reconnect is tried again with growing pauses. No device is asked for more
// often than loginsPerMinute, nor, after 429, before a pause of its own is over. A
// login that waits for the connection fails with ErrNotConnected after
// requestTimeout. A logout is sent behind the messages of its device and does not
// wait for their acknowledgements, which still come.
//
// # Secrets
//
// A device that comes without a secret gets one, when register.by says so: through
// its gateway, or by its product's secret (package certify). It is on disk before
// it is used. A gateway device without a secret gets it in the same way, or is
// looked up, or created, by the account's API (package pop).
//
// # Commands
//
// Commands come from thing/service/property/set and get, thing/service/{name},
// thing/model/down_raw and, when they carry an Alink request, from rrpc/request;
// everything else that names a device becomes a [thing.Notice] under its topic,
// and what is under /broadcast a broadcast. Commands that come while a device
// logs in, such as those that the platform kept for it, are handed over behind done
// of the login; more than 64 are dropped. A command's ID is opaque: it says where
// the reply goes. Its outcome becomes one of the guide's common codes on
// devices: done 200, invalid 460, failed 400, refused 100000 and the device's own
// code (which is also data.deviceCode), timed out 109001, offline 109002,
// superseded 109003, unsupported 109004.
//
// # Order
//
// The messages of one device are sent in the order of the calls, and done is
// called in the order of the calls, failures included. There is one exception:
// when a device goes on publishing while more than queue failures of its gateway
// already wait for their turn, done is called at once.
package aliyun
