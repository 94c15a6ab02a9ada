package server_test

import (
	"errors"
	"fmt"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

var errBadCode = errors.New("the code is wrong")

// A device that the protocol itself refuses is named in the log, with the reason; so is
// each of a handful.
func TestRefusedDevicesAreNamed(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.WarnLevel)
	b := serve(t, unlimited(), server.WithLogger(zap.New(core)))
	c := b.dial(t)
	for i := range 1000 {
		c.send("DENY m%d\n", i)
	}
	c.send("ECHO done\n")
	c.want("done")
	all := logs.FilterMessageSnippet("login refused").All()
	if len(all) < 10 || len(all) > 900 {
		t.Fatalf("%d of 1000 refusals are in the log, want the first ten and few of the others", len(all))
	}
	for i, line := range all[:10] {
		m := line.ContextMap()
		if line.Level != zap.WarnLevel || m["identity"] != fmt.Sprintf("m%d", i) || m["err"] != errBadCode.Error() ||
			m["listener"] != "test" || m["remote"] != c.LocalAddr().String() {
			t.Errorf("refusal %d is logged at %v as %v", i, line.Level, m)
		}
	}
}

// A frame that nobody can read is a fault of its own kind.
func TestUnsupportedFrames(t *testing.T) {
	t.Parallel()
	b := serve(t, limited(func(l *server.Limits) { l.MaxFaults = 3 }))
	c := b.dial(t)
	c.send("SEALED\nBAD\nSEALED\n")
	b.wantEnd(t, server.CauseFaults, protocol.ErrUnsupported)
	if f := b.stats().Faults; f["unsupported"] != 2 || f["damaged"] != 1 {
		t.Errorf("faults %v", f)
	}
}
