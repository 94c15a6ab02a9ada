package platform

import (
	"errors"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/platform/api"
)

// disk takes so many bytes and no more.
type disk struct {
	text strings.Builder
	room int
}

var errFull = errors.New("no space left")

// Write implements io.Writer.
func (d *disk) Write(b []byte) (int, error) {
	n := min(len(b), d.room)
	d.room -= n
	d.text.Write(b[:n])
	if n < len(b) {
		return n, errFull
	}
	return n, nil
}

// Close implements io.Closer.
func (*disk) Close() error { return nil }

// A disk that is full for a while costs the messages of that time, and none behind;
// it is told once, not for each.
func TestReceivedOnAFullDisk(t *testing.T) {
	t.Parallel()
	core, logged := observer.New(zapcore.DebugLevel)
	d := &disk{room: 30}
	r := &received{log: zap.New(core), file: d}
	note := func() { r.note(&api.Message{Kind: api.KindProperty, DeviceName: "truck-1"}) }
	for range 5 {
		note()
	}
	d.room = 1 << 20
	note()
	note()
	lines := strings.Split(strings.TrimSuffix(d.text.String(), "\n"), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[1], "}") || lines[1] != lines[2] {
		t.Errorf("lines %q, want what was left of one, and two", lines)
	}
	if n := logged.FilterLevelExact(zapcore.ErrorLevel).Len(); n != 1 {
		t.Errorf("%d errors logged for one full disk", n)
	}
}
