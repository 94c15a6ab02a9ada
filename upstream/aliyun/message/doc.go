// Package message is a client of the platform's message channel over HTTP/2: what
// a device, or an application, publishes and subscribes without a bridge. It is
// the Profile and the MessageClient of the vendor's HTTP/2 SDK (developer guide,
// chapter 5.1) in Go.
//
//	profile := message.DeviceProfile("https://"+pk+".iot-as-http2.cn-shanghai.aliyuncs.com", pk, dn, secret, pk+"."+dn)
//	client, err := message.New(profile)
//	err = client.Connect(ctx, func(d *message.Delivery) message.Action { return message.Commit })
//	err = client.Subscribe(ctx, "/"+pk+"/"+dn+"/get", nil)
//	token := client.Publish("/"+pk+"/"+dn+"/update", []byte("hello"), 1)
//	err = token.Wait(ctx)
//
// # Order and loss
//
// Messages to one topic are sent one after the other, each when the one before it
// was answered; those to different topics do not wait for one another. A message
// of QoS 1 that was not answered when the connection was lost is sent again: the
// platform may get it twice, never out of order. It waits for no longer than
// HoldTimeout; then it fails, with upstream.ErrTimeout when it had been sent and
// with upstream.ErrNotConnected when it certainly had not. A message of QoS 0 is
// sent once, or fails with ErrNotConnected.
//
// A message of the platform's that the listener commits is acknowledged; one that
// it fails comes again later; one that it takes manually waits for
// [Client.Ack].
package message
