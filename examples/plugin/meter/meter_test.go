package meter_test

import (
	"errors"
	"testing"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/codectest"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/thing"

	"example.com/acme/meter"
)

func newDecoder() codec.Decoder[meter.Message] { return meter.NewDecoder(32) }

func TestCodec(t *testing.T) {
	codectest.Suite[meter.Message]{
		New:      newDecoder,
		Encoder:  codec.AppendFunc[meter.Message](meter.Append),
		Frames:   [][]byte{[]byte("HELLO m1 secret\n"), []byte("TEMP 1 21.5\n"), []byte("BYE\n")},
		Want:     []string{"[HELLO m1 secret]", "[TEMP 1 21.5]", "[BYE]"},
		Garbage:  [][]byte{[]byte("\r\n")},
		MaxFrame: 34,
		Endless:  [][]byte{[]byte("this line is longer than thirty-two bytes")},
	}.Run(t)
}

func FuzzCodec(f *testing.F) { codectest.Fuzz(f, newDecoder, []byte("HELLO m1\n"), []byte("\r\n")) }

func TestDay(t *testing.T) {
	d := protocoltest.Connect(t, meter.Plugin, nil)
	d.Send([]byte("HELLO m1 secret\nTEMP 1 21.5\nTEMP 2 warm\n")) // in one segment
	if got := string(d.Take()); got != "OK\nNAK 2\nACK 1\n" {
		t.Errorf("answers: %q", got)
	}
	if len(d.Online) != 1 || d.Online[0].Identity != "m1" || d.Online[0].Credentials[0] != "secret" {
		t.Errorf("online: %+v", d.Online)
	}
	if len(d.Said) != 1 || d.Said[0].Fields[0].Value.String() != "21.5" {
		t.Errorf("said: %+v", d.Said)
	}
	d.Send([]byte("BYE\n"))
	if !d.Closed || len(d.Offline) != 1 {
		t.Errorf("closed %t, offline %+v", d.Closed, d.Offline)
	}
}

func TestNothingIsAcknowledgedThatThePlatformHasNot(t *testing.T) {
	d := protocoltest.Connect(t, meter.Plugin, nil)
	d.HoldPublishes = true
	d.Send([]byte("HELLO m1\nTEMP 1 21.5\n"))
	if got := string(d.Take()); got != "OK\n" {
		t.Errorf("before the platform has it: %q", got)
	}
	d.ReleasePublishes(errors.New("the platform is away"))
	if got := string(d.Take()); got != "NAK 1\n" {
		t.Errorf("after it failed: %q", got)
	}
}

func TestLoginsThatFail(t *testing.T) {
	d := protocoltest.Connect(t, meter.Plugin, nil)
	d.Refuse = errors.New("unknown device")
	d.Send([]byte("HELLO m2\nTEMP 1 20\n"))
	if got := string(d.Take()); got != "NO\n" || !d.Closed || len(d.Said) != 0 {
		t.Errorf("got %q, closed %t, said %+v", got, d.Closed, d.Said)
	}
}

func TestCommands(t *testing.T) {
	valve := []thing.Field{{Name: "open", Value: thing.Bool(true)}}
	for name, test := range map[string]struct {
		command thing.Command
		sent    string // to the device
		answer  string // of the device
		state   thing.State
		code    int
	}{
		"done":        {thing.Command{ID: "7", Kind: thing.Service, Name: "valve", Fields: valve}, "DO 7 valve open=true\n", "DONE 7\n", thing.Done, 0},
		"refused":     {thing.Command{ID: "7", Kind: thing.Service, Name: "valve"}, "DO 7 valve\n", "FAIL 7 3\n", thing.Refused, 3},
		"unsupported": {thing.Command{ID: "7", Kind: thing.GetProperties}, "", "", thing.Unsupported, 0},
		"not a word":  {thing.Command{ID: "7", Kind: thing.Service, Name: "open valve"}, "", "", thing.Invalid, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := protocoltest.Connect(t, meter.Plugin, nil)
			d.Send([]byte("HELLO m1\n"))
			d.Take()
			d.Command(&test.command)
			if got := string(d.Take()); got != test.sent {
				t.Errorf("the device was sent %q, want %q", got, test.sent)
			}
			d.Send([]byte(test.answer))
			if len(d.Said) != 1 || d.Said[0].ID != "7" || d.Said[0].State != test.state || d.Said[0].Code != test.code {
				t.Errorf("replies: %+v, want %v with code %d", d.Said, test.state, test.code)
			}
		})
	}
}

func TestStrangersAreSentAway(t *testing.T) {
	d := protocoltest.Connect(t, meter.Plugin, nil)
	d.Send([]byte("GET / HTTP/1.1\n"))
	if !d.Closed || len(d.Tried) != 0 {
		t.Errorf("closed %t, logins %+v", d.Closed, d.Tried)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	if _, err := meter.Plugin.New(meter.Config{MaxLine: 1}); err == nil {
		t.Error("no error for maxLine = 1")
	}
}
