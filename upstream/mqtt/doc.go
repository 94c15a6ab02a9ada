// Package mqtt connects devices to any MQTT 3.1.1 broker: what they say is
// published under topics made of their names, and commands come by topics that
// are subscribed for them.
//
// A [Connector] holds one connection for all devices, a pool of connections over
// which the devices are spread, or one for each device. Topics, identifiers and
// credentials are templates; payloads are the JSON of this package, the device's
// bytes as they are, or templates. docs/platforms/mqtt.md has the schema.
//
//	cfg := mqtt.DefaultConfig()
//	cfg.Endpoint = []string{"tcp://127.0.0.1:1883"}
//	up, err := mqtt.New(cfg)
//	err = up.Start(ctx, upstream.Host{Logger: log})
//	up.Login(upstream.Login{Device: meter}, func(d upstream.Device, err error) {
//		d.Publish(&thing.Message{Kind: thing.Property, Fields: fields}, upstream.Ignore)
//	})
//
// # What done means
//
// A message of QoS 1 is done with nil when the broker has acknowledged it
// (PUBACK); one of QoS 0 when the network has taken it. Nothing is reported done
// that was not. MQTT 3.1.1 cannot say no to a message: a broker whose access
// control list forbids it acknowledges it all the same, or ends the connection.
//
// # When the connection is lost
//
// The connector goes from endpoint to endpoint, with growing, jittered pauses. A
// message of QoS 1 that was not acknowledged is sent again before anything newer:
// the broker may get it twice, never out of order. With a session that the broker
// has kept it is the same MQTT message, marked as a duplicate. A message waits for
// no longer than holdTimeout; then it fails, with [upstream.ErrTimeout] when it
// had been sent before, with [upstream.ErrNotConnected] when it certainly had not,
// and with [upstream.ErrOverloaded] when the broker is there and too slow. One of
// QoS 0 never waits: it fails with ErrNotConnected.
//
// # Logins
//
// A device is logged in when its topics are subscribed; then its presence is
// published. After a reconnect this is done again, for no more than loginRate
// devices a second; messages do not wait for it. A login fails with an
// [upstream.RefusedError] when the broker refuses the device's own connection, or
// its subscription. Either ends the login of a device that was online, too.
//
// # Order
//
// The messages of one device are sent in the order of the calls, and done is
// called in the order of the calls, failures included, with one exception: when a
// device goes on publishing while more than queue failures of its connection
// already wait for their turn, done is called at once.
package mqtt
