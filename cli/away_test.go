package cli

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/internal/datadir"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/thing"
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

// Commands wait on the disk when there is a data directory, unless the configuration
// says otherwise.
func TestWhereCommandsWait(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ away, disk bool }{
		"":                                   {},
		"data.directory = d":                 {},
		"away.hold = 1m":                     {away: true},
		"away.hold = 1m, data.directory = d": {away: true, disk: true},
		"away.hold = 1m, queue.mode = on":    {away: true, disk: true},
		"away { hold = 1m, keep = disk }":    {away: true, disk: true},
		"away.keep = disk":                   {},
		"away { hold = 1m, keep = memory }, data.directory = d": {away: true},
		"away { hold = 1m, keep = hold }, data.directory = d":   {away: true},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			tree, err := config.Parse("a.conf", text)
			if err != nil {
				t.Fatal(err)
			}
			s := defaultSettings()
			if err = tree.Decode("", &s); err != nil {
				t.Fatal(err)
			}
			inUse := secretsDir(tree, s.Data, s.Queue.Mode, "") != ""
			_, stats, disk, err := withAway(tree, s, "", inUse, awayPlatform{})
			if err != nil || (len(stats) > 0) != want.away || disk != want.disk {
				t.Errorf("away %v, on the disk %v, %v; want %+v", len(stats) > 0, disk, err, want)
			}
		})
	}
}

// Commands that wait can be looked at, and thrown away.
func TestQueueOfCommands(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	d, err := datadir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := segment.Open(filepath.Join(dir, datadir.Commands), segment.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	id := auth.Identity{ProductKey: "demo", DeviceName: "truck-1"}
	cmd := &thing.Command{ID: "77", Kind: thing.Service, Name: "lock", Fields: []thing.Field{{Name: "door", Value: thing.Int(2)}}, Deadline: now.Add(time.Minute)}
	if err = errors.Join(l.Append(queue.AppendCommand(nil, "13800138001", id, now, now.Add(time.Hour), cmd), 0, nil), l.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, "", "queue", "stats", "--commands", "--data", dir, "--devices", "1")
	if err != nil || !strings.Contains(out, "records        1\n") || !strings.Contains(out, "  13800138001  1\n") || strings.Contains(out, "unknown") {
		t.Errorf("stats: %q, %v", out, err)
	}
	out, err = run(t, "", "queue", "peek", "--commands", "--data", dir)
	if want := `13800138001 (demo/truck-1) service lock {"door":2} [command 77 until ` + now.Add(time.Hour).UTC().Format(time.RFC3339) + "]\n"; err != nil || !strings.HasSuffix(out, want) {
		t.Errorf("peek: %q, %v, want %q", out, err, want)
	}
	out, err = run(t, "", "queue", "export", "--commands", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	x := objects(t, out)[0]
	for key, want := range map[string]any{"kind": "service", "identifier": "lock", "id": "77", "deviceName": "truck-1"} {
		if x[key] != want {
			t.Errorf("%s is %v, want %v", key, x[key], want)
		}
	}
	if x["until"] == nil || x["deadline"] == nil || x["time"] != nil || x["qos"] != nil {
		t.Errorf("exported %v", x)
	}
	if out, err = run(t, "", "queue", "purge", "--commands", "--yes", "--data", dir); err != nil || !strings.Contains(out, "1 files deleted") {
		t.Errorf("purge: %q, %v", out, err)
	}
	if _, err = run(t, "", "queue", "stats", "--commands", "--dead", "--data", dir); err == nil {
		t.Error("dead letters that are commands")
	}
}
