// Package interop tests linkspan against programs of others: clients, brokers
// and tools that know nothing of it, and credentials that openssl has computed.
// What is tested is the built binary, in processes of its own.
//
//	make interop
//
// The tests need these programs; one that is missing is a failure, which names
// the Debian package to install:
//
//	apt-get install mosquitto mosquitto-clients openssl curl socat haproxy default-jre-headless nodejs npm mbpoll libmodbus-dev gcc libc6-dev
//
// Without npm the test of the vendor's SDK for Node.js, which npm fetches, is skipped.
package interop
