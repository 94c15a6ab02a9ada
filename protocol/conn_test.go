package protocol_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
)

func TestOneWritePerRead(t *testing.T) {
	t.Parallel()
	d := connect(t, &script{received: func(c *conn, line string) error { return c.Send(line) }})
	in := strings.Repeat("hello\n", 500)
	d.Send([]byte(in))
	want(t, d, in)
	if d.Writes != 1 {
		t.Errorf("%d writes, want 1", d.Writes)
	}
}

func TestLargeOutputLeavesInParts(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", 1000)
	d := connect(t, &script{received: func(c *conn, _ string) error {
		for range 200 {
			if err := c.Send(line); err != nil {
				return err
			}
		}
		return nil
	}})
	d.Send([]byte("go\n"))
	want(t, d, strings.Repeat(line+"\n", 200))
	if d.Writes < 2 || d.Writes > 4 {
		t.Errorf("%d writes of 200 kB, want one for each 64 KiB", d.Writes)
	}
}

func TestOutputBeforeAnErrorLeaves(t *testing.T) {
	t.Parallel()
	end := errors.New("end")
	d := connect(t, &script{received: func(c *conn, _ string) error { _ = c.Send("bye"); return end }})
	d.Send([]byte("a\nb\n"))
	want(t, d, "bye\n")
	if !errors.Is(d.Cause, end) {
		t.Errorf("cause %v", d.Cause)
	}
}

func TestNothingIsDecodedAfterClose(t *testing.T) {
	t.Parallel()
	end := errors.New("end")
	var got []string
	d := connect(t, &script{received: func(c *conn, line string) error {
		got = append(got, line)
		if line == "b" {
			_ = c.Send("bye")
			c.Close(end)
			c.Close(io.EOF)
		}
		return nil
	}})
	d.Send([]byte("a\nb\nc\n"))
	want(t, d, "bye\n")
	if fmt.Sprint(got) != "[a b]" || !errors.Is(d.Cause, end) {
		t.Errorf("received %v, cause %v", got, d.Cause)
	}
}

func TestEncodeError(t *testing.T) {
	t.Parallel()
	bad := errors.New("cannot")
	var sendErr error
	p := protocol.Define("lines", struct{}{}, func(struct{}) (protocol.Protocol[string], error) {
		return protocol.Protocol[string]{
			Decoder: func() codec.Decoder[string] { return lines{} },
			Encoder: codec.AppendFunc[string](func(dst []byte, line string) ([]byte, error) {
				if line == "no" {
					return append(dst, "half"...), bad
				}
				return appendLine(dst, line)
			}),
			Adapter: func() protocol.Adapter[string] {
				return &script{received: func(c *conn, _ string) error {
					_ = c.Send("one")
					sendErr = c.Send("no")
					return c.Send("two")
				}}
			},
		}, nil
	})
	d := protocoltest.Connect(t, p, nil)
	d.Send([]byte("x\n"))
	want(t, d, "one\ntwo\n")
	if !errors.Is(sendErr, bad) {
		t.Errorf("Send: %v", sendErr)
	}
}

func TestOpened(t *testing.T) {
	t.Parallel()
	d := connect(t, &script{opened: func(c *conn) error { return c.Send("hello") }})
	want(t, d, "hello\n")
	no := errors.New("no")
	d = connect(t, &script{opened: func(c *conn) error { _ = c.Send("go away"); return no }})
	want(t, d, "go away\n")
	if !errors.Is(d.Cause, no) {
		t.Errorf("cause %v", d.Cause)
	}
}

func TestPanicsCostOneFrame(t *testing.T) {
	t.Parallel()
	boom := func(c *conn, line string) error {
		switch line {
		case "panic":
			panic(io.ErrUnexpectedEOF)
		case "after":
			c.After(time.Second, func() { panic("timer") })
		case "do":
			c.Do(func() { panic("do") })
		case "login":
			c.Online("m1", nil, func(error) { panic("login") })
		case "report":
			return c.Report(text("x"), func(error) { panic("report") })
		}
		return c.Send(line)
	}
	for name, c := range map[string]struct {
		in, out, frame string
		faults         int
	}{
		"adapter":  {"a\npanic\nb\n", "a\nb\n", "panic\n", 1},
		"decoder":  {"a\nBOOM\nb\n", "a\nOOM\nb\n", "B", 1},
		"timer":    {"after\nb\n", "after\nb\n", "", 1},
		"do":       {"do\nb\n", "do\nb\n", "", 1},
		"login":    {"login\nb\n", "login\nb\n", "", 1},
		"callback": {"login\nreport\nreport\nb\n", "login\nb\n", "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := connect(t, &script{received: boom})
			d.AllowPanics = true
			d.Send([]byte(c.in))
			d.Advance(time.Minute)
			want(t, d, c.out)
			if d.Closed || len(d.Faults) != c.faults || string(d.Faults[0].Frame) != c.frame {
				t.Fatalf("closed %v, faults %+v", d.Closed, d.Faults)
			}
			var p *protocol.PanicError
			if !errors.As(d.Faults[0].Err, &p) || len(p.Stack) == 0 {
				t.Errorf("fault %v, want a panic with its stack", d.Faults[0].Err)
			}
		})
	}
}

func TestPanicUnwraps(t *testing.T) {
	t.Parallel()
	d := connect(t, &script{received: func(*conn, string) error { panic(io.ErrUnexpectedEOF) }})
	d.AllowPanics = true
	d.Send([]byte("x\n"))
	if len(d.Faults) != 1 || !errors.Is(d.Faults[0].Err, io.ErrUnexpectedEOF) {
		t.Errorf("faults %v", d.Faults)
	}
}

func TestDamagedFrames(t *testing.T) {
	t.Parallel()
	d := connect(t, &script{received: func(c *conn, line string) error { return c.Send(line) }})
	d.Send([]byte("a\nBAD\nb\nBAD\nc"))
	want(t, d, "a\nb\n")
	if len(d.Faults) != 2 || string(d.Faults[1].Frame) != "BAD\n" || d.Closed {
		t.Errorf("faults %v, closed %v", d.Faults, d.Closed)
	}
	d.Send([]byte("\nDIE\nd\n"))
	var fatal *codec.FatalError
	if want(t, d, "c\n"); !errors.As(d.Cause, &fatal) || !errors.Is(d.Cause, protocol.ErrUnsynchronised) || len(d.Faults) != 3 {
		t.Errorf("cause %v, %d faults", d.Cause, len(d.Faults))
	}
}

func TestTooManyFaults(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{"damaged": "BAD\n", "panics": "panic\n", "decoder panics": "BOOM\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := connect(t, &script{received: func(c *conn, line string) error {
				if line == "panic" {
					panic("x")
				}
				return nil
			}})
			d.AllowPanics, d.MaxFaults = true, 5
			d.Send([]byte(strings.Repeat(line, 10)))
			if len(d.Faults) != 5 || !errors.Is(d.Cause, protocoltest.ErrTooManyFaults) {
				t.Errorf("%d faults, cause %v", len(d.Faults), d.Cause)
			}
		})
	}
}

// liar is a decoder that breaks its contract.
type liar struct {
	n   int
	err error
}

func (l liar) Decode([]byte) (string, int, error) { return "", l.n, l.err }

func TestBadDecoder(t *testing.T) {
	t.Parallel()
	damaged := &codec.FrameError{Reason: "x"}
	for name, l := range map[string]liar{
		"message of nothing":      {0, nil},
		"negative":                {-1, nil},
		"too much":                {4, nil},
		"damage of nothing":       {0, damaged},
		"too much and incomplete": {4, codec.ErrIncomplete},
		"negative and incomplete": {-1, codec.ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := protocoltest.Connect(t, plugin(
				func() codec.Decoder[string] { return l },
				func() protocol.Adapter[string] { return &script{} }), nil)
			d.AllowPanics = true
			d.Send([]byte("abc"))
			if !errors.Is(d.Cause, protocol.ErrBadDecoder) || l.err != nil && !errors.Is(d.Cause, l.err) || strings.Contains(fmt.Sprint(d.Cause), "%!") {
				t.Errorf("cause %v", d.Cause)
			}
		})
	}
}

func TestTimers(t *testing.T) {
	t.Parallel()
	var stop func()
	d := connect(t, &script{received: func(c *conn, line string) error {
		switch line {
		case "start":
			stop = c.After(time.Minute, func() { _ = c.Send("due at " + c.Now().Sub(protocoltest.Start).String()) })
		case "stop":
			stop()
		}
		return nil
	}})
	d.Send([]byte("start\n"))
	d.Advance(time.Hour)
	want(t, d, "due at 1m0s\n")
	d.Send([]byte("start\nstop\n"))
	d.Advance(time.Hour)
	want(t, d, "")
	d.Send([]byte("start\n"))
	d.Hangup()
	d.Advance(time.Hour)
	want(t, d, "")
}

func TestCompletionsKeepOrder(t *testing.T) {
	t.Parallel()
	var got []string
	d := connect(t, &script{received: func(c *conn, line string) error {
		if c.Session() == nil {
			c.Online(line, nil, nil)
			return nil
		}
		return c.Report(text(line), func(err error) {
			got = append(got, line)
			_ = c.Send(line)
		})
	}})
	d.HoldPublishes = true
	d.Send([]byte("m1\n1\n2\n3\n4\n"))
	writes := d.Writes
	d.ReleasePublishes(nil)
	want(t, d, "1\n2\n3\n4\n")
	if fmt.Sprint(got) != "[1 2 3 4]" || d.Writes != writes+1 {
		t.Errorf("completed %v in %d writes, want all in one", got, d.Writes-writes)
	}
	d.Send([]byte("5\n"))
	d.Hangup()
	d.ReleasePublishes(nil)
	if fmt.Sprint(got) != "[1 2 3 4 5]" {
		t.Errorf("completed %v: a report's outcome is told also after the end", got)
	}
}

// counting counts how often it is asked.
type counting struct {
	lines
	calls *int
}

func (d counting) Decode(in []byte) (string, int, error) {
	*d.calls++
	return d.lines.Decode(in)
}

func TestNothingNewIsNotDecodedAgain(t *testing.T) {
	t.Parallel()
	calls := 0
	d := protocoltest.Connect(t, plugin(
		func() codec.Decoder[string] { return counting{calls: &calls} },
		func() protocol.Adapter[string] {
			return &script{received: func(c *conn, line string) error {
				for range 10 {
					c.Do(func() { c.Do(func() {}) })
				}
				return c.Send(line)
			}}
		}), nil)
	d.Send([]byte("a\nhalf"))
	if calls != 2 {
		t.Errorf("the decoder was asked %d times, want twice: once for the line, once for the half", calls)
	}
	d.Send([]byte("\n"))
	if want(t, d, "a\nhalf\n"); calls != 3 {
		t.Errorf("the decoder was asked %d times, want 3", calls)
	}
}
