package queue

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
)

func TestCommandRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := messages().Draw(t, "command")
		want := &thing.Command{
			ID: m.ID, Kind: thing.CommandKind(m.Kind), Name: m.Name, Fields: m.Fields, Raw: m.Raw, Topic: m.Topic, Deadline: m.Time,
		}
		name := rapid.String().Draw(t, "name")
		id := auth.Identity{ProductKey: rapid.String().Draw(t, "product"), DeviceName: rapid.String().Draw(t, "device"), DeviceSecret: "secret"}
		stored := time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "stored"))
		until := time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "until"))
		record := AppendCommand(nil, name, id, stored, until, want)
		e, err := Decode(record)
		if err != nil || e.Command == nil {
			t.Fatalf("got %+v, %v", e, err)
		}
		got := e.Command
		if got.ID != want.ID || got.Kind != want.Kind || got.Name != want.Name || !sameFields(got.Fields, want.Fields) ||
			string(got.Raw) != string(want.Raw) || got.Topic != want.Topic || !got.Deadline.Equal(want.Deadline) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		if e.Name != name || e.ProductKey != id.ProductKey || e.DeviceName != id.DeviceName || !e.Stored.Equal(stored) || !e.Until.Equal(until) ||
			e.Dead || !sameMessage(e.Message, thing.Message{}) {
			t.Fatalf("got %+v", e)
		}
		var said thing.Message
		if _, ok := (words{}).message(record, &said); ok {
			t.Fatal("a command is forwarded as a message")
		}
	})
}

// The layout is what is on disks: it does not change within a version.
func TestCommandLayout(t *testing.T) {
	t.Parallel()
	cmd := &thing.Command{ID: "7", Kind: thing.Service, Name: "s", Deadline: time.Unix(1, 0).UTC()}
	got := hex.EncodeToString(AppendCommand(nil, "n", auth.Identity{ProductKey: "p", DeviceName: "d", DeviceSecret: "x"}, time.UnixMilli(5), time.UnixMilli(6), cmd))
	want := strings.Join([]string{
		"41", "000000000006", "01", "00000000", "000000000005", "016e", "00", "0170", "0164", "03", "00", "07", "0173", "0137", "02" + "00" + "00",
	}, "")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
