package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/config/devices"
	"github.com/linkspan/linkspan/internal/datadir"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// awayPlatform takes nothing, so that everything waits in the queue.
type awayPlatform struct{}

func (awayPlatform) Login(_ upstream.Login, done func(upstream.Device, error)) {
	go done(nil, upstream.ErrNotConnected)
}

type noDevices struct{}

func (noDevices) Identity(string) (auth.Identity, error) { return auth.Identity{}, devices.ErrUnknown }

const queueKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// storedQueue is a data directory with messages of two devices that wait.
func storedQueue(t *testing.T, key auth.Secret) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	d, err := datadir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg := queue.DefaultConfig()
	cfg.Mode, cfg.LoginWait, cfg.MinFree, cfg.EncryptionKey = queue.ModeOn, 20*time.Millisecond, 0, key
	cfg.Directory, cfg.Dead.Directory = filepath.Join(dir, datadir.Queue), filepath.Join(dir, datadir.Dead)
	q, err := queue.New(cfg, awayPlatform{}, noDevices{})
	if err != nil {
		t.Fatal(err)
	}
	if err = q.Start(t.Context(), upstream.Host{Logger: zap.NewNop()}); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"13800138001", "13800138002"} {
		type login struct {
			device upstream.Device
			err    error
		}
		in, stored := make(chan login, 1), make(chan error, 3)
		q.Login(upstream.Login{
			Device: auth.Identity{ProductKey: "demo", DeviceName: "truck-" + string(rune('1'+i)), DeviceSecret: "s"}, Name: name, Listener: "jt808",
			Command: func(*thing.Command) {}, Lost: func(error) {},
		}, func(d upstream.Device, err error) { in <- login{d, err} })
		l := <-in
		if l.err != nil {
			t.Fatal(l.err)
		}
		for n := range 2 - i {
			m := thing.Message{Kind: thing.Property, Time: time.UnixMilli(1795270000000), Fields: []thing.Field{{Name: "speed", Value: thing.Int(int64(60 + n))}}}
			l.device.(upstream.Storer).Store(&m, func(err error) { stored <- err })
			if err = <-stored; err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err = errors.Join(q.Close(ctx), d.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestQueueCommands(t *testing.T) {
	t.Parallel()
	dir := storedQueue(t, "")
	out, err := run(t, "", "queue", "stats", "--data", dir, "--devices", "1")
	for _, want := range []string{"records        3\n", "devices        2\n", "  13800138001  2\n"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("stats: %q is not in %q, %v", want, out, err)
		}
	}
	if out, err = run(t, "", "queue", "peek", "--data", dir, "-n", "1"); err != nil || strings.Count(out, "\n") != 1 ||
		!strings.Contains(out, ` 13800138001 (demo/truck-1) property {"speed":60}`) {
		t.Errorf("peek: %q, %v", out, err)
	}
	for _, args := range [][]string{{"peek", "-n", "-1"}, {"export", "-n", "-1"}, {"stats", "--devices", "-1"}} {
		if said, failed := run(t, "", append(append([]string{"queue"}, args...), "--data", dir)...); failed == nil || !strings.Contains(failed.Error(), "is -1") {
			t.Errorf("queue %v: %q, %v; want a refusal", args, said, failed)
		}
	}
	if out, err = run(t, "", "queue", "peek", "--data", dir, "--device", "demo/truck-2"); err != nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, "13800138002") {
		t.Errorf("peek of one device: %q, %v", out, err)
	}
	out, err = run(t, "", "queue", "export", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	lines := objects(t, out)
	if len(lines) != 3 || lines[1]["name"] != "13800138001" || lines[1]["fields"].(map[string]any)["speed"] != 61.0 || lines[2]["deviceName"] != "truck-2" ||
		lines[0]["time"] != "2026-11-21T14:06:40Z" || lines[0]["listener"] != "jt808" || lines[0]["kind"] != "property" {
		t.Errorf("export: %v", lines)
	}
	file := filepath.Join(t.TempDir(), "out.jsonl")
	if _, err = run(t, "", "queue", "export", "--data", dir, "-o", file); err != nil {
		t.Error(err)
	}
	if text, readErr := os.ReadFile(file); string(text) != out {
		t.Errorf("the file holds %q, %v", text, readErr)
	}
	if _, err = run(t, "", "queue", "export", "--data", dir, "-o", file); !errors.Is(err, os.ErrExist) || !strings.Contains(err.Error(), "name another file") {
		t.Errorf("an export over a file is %v", err)
	}
	if out, err = run(t, "", "queue", "stats", "--data", dir, "--dead"); err != nil || !strings.Contains(out, "records    0\n") {
		t.Errorf("dead letters: %q, %v", out, err)
	}
}

func TestQueueByConfiguration(t *testing.T) {
	t.Parallel()
	dir := storedQueue(t, queueKey)
	path := write(t, goodConfig+"data.directory = \""+dir+"\"\n", goodDevices)
	if _, err := run(t, "", "queue", "peek", "-c", path); !errors.Is(err, segment.ErrWrongKey) || !strings.Contains(err.Error(), "queue.encryptionKey") {
		t.Errorf("without the key: %v", err)
	}
	out, err := run(t, "", "queue", "peek", "-c", path, "-D", "queue.formerKeys.0="+queueKey)
	if err != nil || strings.Count(out, "truck-") != 3 {
		t.Errorf("with the key: %q, %v", out, err)
	}
	_, err = run(t, "", "queue", "stats", "-c", path, "-D", "data.directory="+t.TempDir())
	if !errors.Is(err, datadir.ErrForeign) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("another directory: %v", err)
	}
}

func TestQueueOfUnknownRecords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := segment.Open(filepath.Join(dir, datadir.Queue), segment.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if err = errors.Join(l.Append([]byte{0xca, 0xfe}, 0, nil), l.Append([]byte{0xf0, 0x0d}, 0, nil), l.Close()); err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(filepath.Join(dir, "VERSION"), []byte("linkspan data 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, "", "queue", "peek", "--data", dir)
	if err != nil || !strings.Contains(out, "no message: cafe\n") {
		t.Errorf("peek: %q, %v", out, err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, datadir.Queue, "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	text, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)-27] ^= 1 // in the first record
	if err = os.WriteFile(segments[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err = run(t, "", "queue", "peek", "--data", dir); err != nil || !strings.Contains(out, "skipped: "+segments[0]+": bytes 4224 to 4249: damaged\n") || !strings.Contains(out, "f00d") {
		t.Errorf("peek of a damaged queue: %q, %v", out, err)
	}
}

func TestQueuePurge(t *testing.T) {
	t.Parallel()
	dir := storedQueue(t, queueKey) // the key is lost
	if _, err := run(t, "", "queue", "purge", "--data", dir); err == nil || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("purge without --yes is %v", err)
	}
	l, err := segment.Open(filepath.Join(dir, datadir.Queue), func() segment.Config {
		c := segment.DefaultConfig()
		c.EncryptionKey = queueKey
		return c
	}())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = run(t, "", "queue", "purge", "--data", dir, "--yes"); !errors.Is(err, segment.ErrLocked) || !strings.Contains(err.Error(), "stop the bridge") {
		t.Errorf("purge beside a running bridge is %v", err)
	}
	if err = l.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "", "queue", "purge", "--data", dir, "--yes"); err != nil || !strings.HasPrefix(out, "1 files deleted") {
		t.Errorf("purge: %q, %v", out, err)
	}
	if out, err := run(t, "", "queue", "stats", "--data", dir); err != nil || !strings.Contains(out, "records    0\n") {
		t.Errorf("stats after purge: %q, %v", out, err)
	}
}

// What devices and platforms have named does not get at the terminal.
func TestPeekLineIsOneLine(t *testing.T) {
	t.Parallel()
	rec := segment.Record{}
	line := peekLine(&rec, &queue.Entry{
		Name: "a\x1b[2J", ProductKey: "p", DeviceName: "d\nx", Dead: true, Cause: "\u009b31m no",
		Message: thing.Message{Kind: thing.Event, Name: "e\r", Topic: "t\x07", Fields: []thing.Field{{Name: "f\x1b", Value: thing.String("v\x1b\u009b")}}},
	})
	for _, r := range line {
		if !unicode.IsPrint(r) {
			t.Errorf("%q has %q", line, r)
		}
	}
	if line = peekLine(&rec, &queue.Entry{Name: "设备 1", ProductKey: "p", DeviceName: "d"}); !strings.Contains(line, " 设备 1 (p/d) ") {
		t.Errorf("the line is %q", line)
	}
}

func TestPurgeOfNoQueue(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	d, err := datadir.Open(dir)
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err = run(t, "", "queue", "purge", "--data", dir, "--yes"); err == nil || !strings.Contains(err.Error(), "there is no queue") {
		t.Errorf("purge where nothing was ever stored: %v", err)
	}
}
