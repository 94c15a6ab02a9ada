package protocol_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
)

func connectDatagrams(tb testing.TB, decoder func() codec.Decoder[string], s *script) *protocoltest.Device {
	tb.Helper()
	d := protocoltest.ConnectDatagrams(tb, plugin(decoder, func() protocol.Adapter[string] { return s }), nil)
	d.AllowPanics = true
	return d
}

func newLines() codec.Decoder[string] { return lines{} }

func TestDatagramsKeepTheirBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		in     []string
		got    string // lines
		faults []error
	}{
		{"one message", []string{"a\n"}, "a", nil},
		{"two messages", []string{"a\nb\n", "c\n"}, "a b c", nil},
		{"cut short", []string{"a\nb", "c\n"}, "a c", []error{protocol.ErrCutShort}},
		{"nothing whole", []string{"a", "b", "c\n"}, "c", []error{protocol.ErrCutShort, protocol.ErrCutShort}},
		{"damaged", []string{"a\nBAD\nb\n", "c\n"}, "a b c", []error{&codec.FrameError{}}},
		{"fatal", []string{"a\nDIE\nb\n", "c\n"}, "a c", []error{&codec.FatalError{}}},
		{"panic", []string{"a\nBOOM\nb\n", "c\n"}, "a c", []error{&protocol.PanicError{}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			d := connectDatagrams(t, newLines, &script{received: func(_ *conn, line string) error {
				got = append(got, line)
				return nil
			}})
			for _, in := range c.in {
				d.Send([]byte(in))
			}
			if strings.Join(got, " ") != c.got {
				t.Errorf("received %q, want %q", got, c.got)
			}
			if d.Closed || d.Pending() > 0 {
				t.Errorf("closed %v with %v, %d bytes pending", d.Closed, d.Cause, d.Pending())
			}
			if len(d.Faults) != len(c.faults) {
				t.Fatalf("faults %v, want %v", d.Faults, c.faults)
			}
			for i, want := range c.faults {
				if have := d.Faults[i].Err; !errors.Is(have, want) && fmt.Sprintf("%T", have) != fmt.Sprintf("%T", want) {
					t.Errorf("fault %v, want %v", have, want)
				}
			}
		})
	}
}

// skipping is a framer that remembers what it skips: everything up to a line's
// end, after a line that is too long.
type skipping struct{ skips bool }

func (s *skipping) Decode(in []byte) (string, int, error) {
	for i, b := range in {
		if b != '\n' {
			continue
		}
		if s.skips {
			s.skips = false
			return "", i + 1, &codec.FrameError{Reason: "too long"}
		}
		return string(in[:i]), i + 1, nil
	}
	if s.skips || len(in) > 8 {
		s.skips = true
		return "", len(in), codec.ErrIncomplete
	}
	return "", 0, codec.ErrIncomplete
}

func TestDecoderForgetsBetweenDatagrams(t *testing.T) {
	t.Parallel()
	var got []string
	d := connectDatagrams(t, func() codec.Decoder[string] { return &skipping{} }, &script{received: func(_ *conn, line string) error {
		got = append(got, line)
		return nil
	}})
	d.Send([]byte("0123456789"))
	d.Send([]byte("a\n"))
	d.Send([]byte("b\n0123456789")) // padding, as far as one can tell
	d.Send([]byte("c\n"))
	if fmt.Sprint(got) != "[a b c]" || len(d.Faults) != 1 {
		t.Errorf("received %q, faults %v", got, d.Faults)
	}
}

func TestEachMessageIsADatagram(t *testing.T) {
	t.Parallel()
	d := connectDatagrams(t, newLines, &script{received: func(c *conn, line string) error { return c.Send(line) }})
	d.Send([]byte("a\nb\nc\n"))
	want(t, d, "a\nb\nc\n")
	if d.Writes != 3 {
		t.Errorf("%d writes, want 3", d.Writes)
	}
}

func TestDatagramsWaitBehindALogin(t *testing.T) {
	t.Parallel()
	d := connectDatagrams(t, newLines, &script{received: echo})
	d.HoldLogins = true
	d.Send([]byte("m1\na\n"))
	d.Send([]byte("b"))
	d.Send([]byte("c\n"))
	if d.Pending() != 2+1+2 {
		t.Errorf("%d bytes pending", d.Pending())
	}
	d.ReleaseLogins(nil)
	if got := said(d); got != "m1:a m1:c" || len(d.Faults) != 1 {
		t.Errorf("the platform heard %q, faults %v", got, d.Faults)
	}
}
