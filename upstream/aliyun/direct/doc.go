// Package direct connects devices to the Alibaba Cloud IoT platform with an MQTT
// connection of their own each, as if there were no bridge: over TCP, TLS,
// WebSocket or both, with a signature or, where the platform wants that, with a
// token got by HTTPS before. Sources: developer guide of the platform, chapters
// 6.1 (MQTT), 6.4 (topics, RRPC), 6.7 and 9 (Alink).
//
// It is for fleets whose devices must not be sub-devices of a gateway, at the
// price of a connection each: memory, keep-alives and the platform's limits on
// connections. Everything else is as in package aliyun, with which it shares the
// platform's language: what done means, the order of messages, commands and their
// IDs, the topics.
//
//	up, err := direct.New(direct.Config{Endpoint: "ssl://host:1883"})
//	err = up.Start(ctx, upstream.Host{Logger: log})
//	up.Login(upstream.Login{Device: meter}, func(d upstream.Device, err error) { ... })
//
// # Connections
//
// A login connects; a logout disconnects behind what was published before it. A
// connection that is lost is made again with growing, jittered pauses, and no
// faster than connectRate over all devices: after an outage a large fleet takes
// its time. A message of QoS 1 that was not acknowledged is kept, in order, and
// sent again; it waits for no longer than holdTimeout. One of QoS 0 never waits.
//
// The platform tells a device nothing when it ends its connection, so a device
// that was kicked connects again. When that happens five times in a row to
// connections younger than reconnectMax, the device is taken to be connected
// elsewhere with the same certificate, and lost with code 427. One that was
// disabled or deleted is refused when it connects again, and lost with that.
//
// # Costs
//
// A connection has two goroutines and no timers: one goroutine of the connector
// looks after the times of all. docs/platforms/aliyun-direct.md has measured
// figures.
package direct
