package cli

import (
	"syscall"
	"testing"
	"time"

	"github.com/linkspan/linkspan/platform/api"
)

// A device that is removed while its connection is broken goes offline at the platform at
// once, and does not stay until it is back in vain.
func TestRemovedWhileAway(t *testing.T) {
	t.Parallel()
	y := startYard(t, "devices.watch = 0, away.hold = 1h", list("100=a", "101=b"))
	d := y.connect("100", "a")
	_ = d.Close()
	for end := time.Now().Add(patience); y.node.reload.away.Stats().Away == 0; {
		if time.Now().After(end) {
			t.Fatal("the device is not away")
		}
		<-time.After(time.Millisecond)
	}
	y.save(list("101=b"))
	y.hup <- syscall.SIGHUP
	if got := y.reloaded(); got["removed"] != int64(1) || got["offline"] != int64(1) {
		t.Errorf("the log says %v", got)
	}
	y.until(api.KindOffline, "a", "")
}
