package server_test

import (
	"net/netip"
	"testing"

	"github.com/linkspan/linkspan/server"
)

// banning is a guard that refuses every connection.
type banning struct{}

func (banning) Admit(netip.Addr, string) error    { return nil }
func (banning) Outcome(netip.Addr, string, error) {}
func (banning) Denied(netip.Addr, string, error)  {}
func (banning) Banned(from netip.Addr) bool       { return from.IsLoopback() }

// Connections of an address that is banned are refused and counted.
func TestBannedAddress(t *testing.T) {
	t.Parallel()
	b := &bench{cloud: newCloud(t), ends: make(chan error, 8)}
	l := listenerFor(t, b.cloud, b.ends, unlimited())
	l.Host.Guard = banning{}
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	b.Server, b.addr = s, s.Addr("test").String()
	b.wantRefused(t)
	until(t, "the refusal is counted", func() bool { return b.stats().Refused["banned"] == 1 })
}
