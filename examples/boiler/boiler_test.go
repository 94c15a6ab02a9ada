package boiler

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/codectest"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/thing"
)

// Frames as in the maker's document: hexadecimal digits.
const (
	login    = "aa55 01 07 0002 6231 002f" // of b1
	loggedIn = "aa55 81 07 0001 00 009f"
	values   = "aa55 02 08 0004 0265 01f4 d615" // 61.3 and 50.0 degrees
	keep62   = "aa55 03 01 0002 026c dfd4"
)

func frame(tb testing.TB, text string) []byte {
	tb.Helper()
	p, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func made(tb testing.TB, f Frame) []byte {
	tb.Helper()
	p, err := Append(nil, f)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestChecksum(t *testing.T) {
	t.Parallel()
	if got := checksum([]byte("123456789")); got != 0x906e { // the check value of CRC-16/IBM-SDLC
		t.Errorf("got %#04x", got)
	}
}

func TestCodec(t *testing.T) {
	t.Parallel()
	codectest.Suite[Frame]{
		New:      NewDecoder,
		Encoder:  codec.AppendFunc[Frame](Append),
		Frames:   [][]byte{frame(t, login), frame(t, values), frame(t, keep62)},
		Want:     []string{"{Type:1 Number:7 Payload:[98 49]}", "{Type:2 Number:8 Payload:[2 101 1 244]}", "{Type:3 Number:1 Payload:[2 108]}"},
		Garbage:  [][]byte{{0x00}, {0xaa}, []byte("AT+CSQ\r\n")},
		MaxFrame: maxFrame,
		Endless:  [][]byte{frame(t, "aa55 01 01 ffff")},
	}.Run(t)
}

func FuzzCodec(f *testing.F) {
	codectest.Fuzz(f, NewDecoder, frame(f, login), frame(f, values), frame(f, "aa55 01 01 ffff"))
}

func TestReports(t *testing.T) {
	t.Parallel()
	d := protocoltest.Connect(t, Plugin, nil)
	d.HoldPublishes = true
	d.Send(append(frame(t, login), frame(t, values)...))
	if got := d.Take(); !bytes.Equal(got, frame(t, loggedIn)) {
		t.Errorf("before the platform has it: %x", got)
	}
	d.ReleasePublishes(nil)
	if got := d.Take(); !bytes.Equal(got, made(t, Frame{Values | Answer, 8, []byte{0}})) {
		t.Errorf("after: %x", got)
	}
	if len(d.Said) != 1 || fmt.Sprint(d.Said[0].Fields) != "[{flow 61.3} {return 50.0}]" {
		t.Errorf("said %+v", d.Said)
	}
	if s := Plugin.Stats().(Stats); s.Reports == 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	d := protocoltest.Connect(t, Plugin, nil)
	d.Send(frame(t, values))
	if !d.Closed || !errors.Is(d.Cause, errNoLogin) {
		t.Errorf("closed %t, cause %v", d.Closed, d.Cause)
	}
	d = protocoltest.Connect(t, Plugin, nil)
	d.Refuse = errors.New("unknown device")
	d.Send(frame(t, login))
	if got := d.Take(); !d.Closed || !bytes.Equal(got, made(t, Frame{Login | Answer, 7, []byte{1}})) {
		t.Errorf("closed %t, sent %x", d.Closed, got)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	keep := func(v thing.Value) thing.Command {
		return thing.Command{ID: "a", Kind: thing.SetProperties, Fields: []thing.Field{{Name: "keep", Value: v}}}
	}
	for name, test := range map[string]struct {
		command thing.Command
		sent    string // to the boiler
		answer  []byte // of the boiler; none: it says nothing
		state   thing.State
		code    int
	}{
		"done":        {keep(thing.Int(62)), keep62, []byte{0}, thing.Done, 0},
		"refused":     {keep(thing.Int(62)), keep62, []byte{3}, thing.Refused, 3},
		"timed out":   {keep(thing.Int(62)), keep62, nil, thing.TimedOut, 0},
		"too hot":     {keep(thing.Int(91)), "", nil, thing.Invalid, 0},
		"no number":   {keep(thing.String("warm")), "", nil, thing.Invalid, 0},
		"unsupported": {thing.Command{ID: "a", Kind: thing.Service, Name: "explode"}, "", nil, thing.Unsupported, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := protocoltest.Connect(t, Plugin, nil)
			d.Send(frame(t, login))
			d.Take()
			d.Command(&test.command)
			if got := d.Take(); !bytes.Equal(got, frame(t, test.sent)) {
				t.Errorf("the boiler was sent %x, want %s", got, test.sent)
			}
			d.Send(made(t, Frame{Keep | Answer, 99, []byte{0}})) // to nothing
			if test.answer != nil {
				d.Send(made(t, Frame{Keep | Answer, 1, test.answer}))
			}
			d.Advance(time.Minute)
			if len(d.Said) != 1 || d.Said[0].State != test.state || d.Said[0].Code != test.code || d.Said[0].ID != "a" {
				t.Errorf("replies %+v, want %v with code %d", d.Said, test.state, test.code)
			}
			if d.Timers() != 0 {
				t.Error("a timer is left")
			}
		})
	}
}

func TestABoilerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	d := protocoltest.Connect(t, Plugin, nil)
	d.Send(frame(t, login))
	for range maxPending + 1 {
		d.Command(&thing.Command{ID: "a", Kind: thing.SetProperties, Fields: []thing.Field{{Name: "keep", Value: thing.Int(20)}}})
	}
	if len(d.Said) != 1 || d.Said[0].State != thing.Failed {
		t.Errorf("replies %+v, want one that fails", d.Said)
	}
	if d.Timers() != maxPending {
		t.Errorf("%d timers, want %d", d.Timers(), maxPending)
	}
}

// BenchmarkReceived is one report: its frame decoded, reported and answered.
func BenchmarkReceived(b *testing.B) {
	d := protocoltest.Connect(b, Plugin, nil)
	d.Send(frame(b, login))
	report := frame(b, values)
	b.ReportAllocs()
	for b.Loop() {
		d.Send(report)
		d.Take()
		d.TakeSaid()
	}
}
