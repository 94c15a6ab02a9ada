package server_test

import (
	"testing"

	"github.com/linkspan/linkspan/server"
)

// A handshake that waits for its device costs no more memory than the budget that
// linkspan's limit of them is made of: 96 KiB each.
func TestTLSHandshakeMemory(t *testing.T) { //nolint:paralleltest // measures memory
	const stalled, budget = 500, 96 << 10
	limits := unlimited()
	limits.Handshake = patience
	b := serveTLSWith(t, server.Config{Loops: 1, MaxHandshakes: stalled, HandshakeCPUs: 1}, limits, nil)
	hello := clientHello(t)
	flood(t, b, 10, hello) // what is made once
	until(t, "the first wait", func() bool { return b.Stats().Handshakes.Running == 10 })
	before := heap()
	flood(t, b, stalled-10, hello)
	until(t, "all wait", func() bool { return b.Stats().Handshakes.Running == stalled })
	each := (int64(heap()) - int64(before)) / (stalled - 10)
	t.Logf("%d bytes of memory for each handshake, both sides' sockets among them", each)
	if each > budget {
		t.Errorf("a handshake that waits takes %d bytes, the budget is %d", each, budget)
	}
}
