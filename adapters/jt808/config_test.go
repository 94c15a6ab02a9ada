package jt808

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/linkspan/linkspan/protocol"
)

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	if err := c.validate(); err != nil {
		t.Error(err)
	}
	p, ok := protocol.Default[Name]
	if !ok || p.Config != any(DefaultConfig()) || p.Stats == nil {
		t.Errorf("the plugin is %+v", p)
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	c := Config{Authentication: Authentication{Key: "short", Lifetime: -1}, Zone: "Mars", Commands: Commands{Timeout: -time.Second, Retries: 11}}
	_, err := Plugin.New(c)
	if err == nil {
		t.Fatal("no error")
	}
	for _, key := range []string{
		"ack:", "authentication.policy:", "authentication.key:", "authentication.lifetime:", "authentication.attempts:", "zone:",
		"textEncoding:", "logout:", "unknown:", "maxInflated:", "packages:", "packages.acknowledge:", "commands.timeout:",
		"commands.retries:", "commands.most:", "commands.maxBody:", "multimedia.maxFile:", "multimedia.maxQueue:",
	} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("the error does not name %s", key)
		}
	}
	if strings.Contains(err.Error(), "short\"") || strings.Contains(err.Error(), ": short") {
		t.Errorf("the error tells the key: %v", err)
	}
}

// An idle connection holds the adapter and who it speaks to.
func TestIdleConnectionsAreSmall(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(adapter{}) + unsafe.Sizeof(origin{}); size > 256 {
		t.Errorf("an idle connection holds %d bytes", size)
	}
}
