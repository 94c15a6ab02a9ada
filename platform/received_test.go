package platform_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// What is acknowledged is in the file, behind what was there.
func TestReceived(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "received")
	if err := os.WriteFile(path, []byte(`{"kind":"prop`), 0o600); err != nil { // what a sudden end leaves
		t.Fatal(err)
	}
	p := start(t, func(c *platform.Config) { c.Received = path })
	c, sys := truck(t, p)
	lines := []string{""}
	for i, value := range []string{"1", "2", "3"} {
		c.publish(sys+"thing/event/property/post", 1, `{"id":"`+value+`","params":{"n":`+value+`}}`)
		c.next(sys + "thing/event/property/post_reply")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		if len(lines) != 2+i {
			t.Fatalf("%d messages are acknowledged; lines: %q", i+1, lines)
		}
		var m api.Message
		if err := json.Unmarshal([]byte(lines[1+i]), &m); err != nil {
			t.Fatal(err)
		}
		if m.Kind != api.KindProperty || m.DeviceName != "truck-1" || string(m.Data) != `{"n":`+value+`}` {
			t.Errorf("line %d: %+v", 1+i, m)
		}
	}
	c.publish(sys+"thing/event/property/post", 1, `{"id":"4","params":3}`) // refused
	c.next(sys + "thing/event/property/post_reply")
	if text, err := os.ReadFile(path); err != nil || strings.Count(string(text), "\n") != len(lines) {
		t.Errorf("what was refused is in the file: %q, %v", text, err)
	}
}

func TestReceivedCannotBeWritten(t *testing.T) {
	t.Parallel()
	cfg := platform.DefaultConfig()
	cfg.Received = t.TempDir() // a directory
	if _, err := platform.New(cfg); err == nil || !strings.Contains(err.Error(), "received") {
		t.Fatalf("error %v, want one about received", err)
	}
}
