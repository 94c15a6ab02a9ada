package gbt26875

import (
	"strings"
	"testing"
	"time"
)

// All mistakes are told at once.
func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	bad := Config{
		Ack: "soon", Identity: "mac", Mode: "loose", Checksum: "maybe", Unknown: "?", PartAddress: "x", MaxData: 5, MaxParts: -1, Patrol: time.Millisecond,
		Clock:    Clock{Zone: "Mars", Format: "roman", Sync: time.Second},
		Commands: Commands{Retries: 11},
	}
	_, err := New(Name).New(bad)
	if err == nil {
		t.Fatal("it is valid")
	}
	for _, key := range []string{
		"ack", "identity", "attempts", "mode", "checksum", "unknown", "partAddress", "maxData", "maxParts", "patrol",
		"clock.zone", "clock.format", "clock.past", "clock.future", "clock.sync", "commands.timeout", "commands.retries", "commands.most",
	} {
		if !strings.Contains(err.Error(), key+": ") {
			t.Errorf("nothing about %s in %v", key, err)
		}
	}
	if _, err := New(Name).New(DefaultConfig()); err != nil {
		t.Error(err)
	}
}
