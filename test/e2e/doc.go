// Package e2e tests linkspan as a whole, in one process: a local platform, the
// connector to it, the bridge, the server and the JT/T 808 adapter, over real
// sockets of the loopback, with terminals that the tests script themselves and
// with a simulated fleet. Nothing is faked and nothing but go test is needed.
package e2e
