// Package bridge is the core SDK: it carries devices to their platform. It
// knows neither device protocols nor platforms. Devices come to it as sessions
// that say things, and leave it through an [upstream.Connector].
//
// Whoever has sockets of their own needs no other package to be a bridge:
//
//	b, err := bridge.New(bridge.DefaultConfig(), connector, devices, bridge.WithDownlink(bridge.DirectDownlink{}))
//	err = b.Start(ctx)
//	defer b.Close(ctx)
//
//	s := session.New("13912345678", conn, session.Heartbeat(time.Minute, 2))
//	err = b.Online(ctx, s)
//	err = b.Publish(ctx, "13912345678", bridge.Message{Topic: "/user/update", Payload: p, QoS: thing.AtLeastOnce})
//	err = b.Offline(ctx, "13912345678")
//
// Event loops use [Bridge.Uplink], whose methods never block.
//
// # What holds
//
// A device goes online in this order: its own credentials are checked (when
// there is an auth.Provider), its platform identity is looked up, its session
// takes over an older one of the same device, the platform logs it in, and only
// then it is online. Whatever comes late from an old session (its end, its
// login's completion) never disturbs a newer one. Each login that succeeded is
// logged out once, each session that was online goes offline once.
//
// Messages of a session keep their order. What is under way is bounded, for
// each session and for all; what the bridge itself refuses (ErrOffline,
// ErrOverloaded, ErrClosed) is refused at once, ahead of what is under way.
//
// Each command of the platform that has an ID gets one final state: the
// device's reply, or that of the bridge when the device has none in time, goes
// offline or cannot be told. It is said by the login that brought the command:
// when that can say nothing any more, because it was superseded before it
// completed or the platform ended it, the platform has been told as much as it
// can be.
package bridge
