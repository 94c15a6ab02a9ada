// Package protocoltest runs a plugin against a scripted device in memory: no
// sockets, no goroutines, no platform, a clock that the test moves.
//
// It is as asynchronous as a server: nothing that an adapter asks for completes
// before the adapter has returned, logins and publishes can be held back, made
// to fail and released, and the input is overwritten once a decoder has had it.
//
//	d := protocoltest.Connect(t, acme.Plugin, nil)
//	d.Send([]byte("HELLO m1\nTEMP 21.5\n"))
//	d.Command(&thing.Command{ID: "7", Kind: thing.Service, Name: "valve"})
//	if got := string(d.Take()); got != "OK\nDO 7 valve\n" { ... }
//	if len(d.Said) != 1 || d.Said[0].Fields[0].Name != "temperature" { ... }
//
// A panic of the plugin and a decoder that breaks its contract fail the test
// unless [Device.AllowPanics] is set. All methods but [Device.Run] are called
// from the test's goroutine.
package protocoltest
