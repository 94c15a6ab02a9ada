package protocol_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

func TestCommandOutcomes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		command func(*conn, *session.Session, *thing.Command) error
		want    thing.Message
	}{
		"reply later": {
			func(c *conn, s *session.Session, cmd *thing.Command) error {
				c.Reply(s, cmd, thing.Done, []thing.Field{{Name: "x", Value: thing.Int(1)}})
				return nil
			},
			thing.Message{State: thing.Done},
		},
		"error": {
			func(*conn, *session.Session, *thing.Command) error { return errors.New("broken") },
			thing.Message{State: thing.Failed, Text: "broken"},
		},
		"reply error": {
			func(*conn, *session.Session, *thing.Command) error {
				return fmt.Errorf("open: %w", &thing.ReplyError{State: thing.Invalid, Code: 3, Text: "no such valve"})
			},
			thing.Message{State: thing.Invalid, Code: 3, Text: "no such valve"},
		},
		"panic": {
			func(*conn, *session.Session, *thing.Command) error { panic("adapter") },
			thing.Message{State: thing.Failed, Text: "protocol: panic: adapter"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := connect(t, &script{received: echo, command: c.command})
			d.AllowPanics = true
			d.Send([]byte("m1\n"))
			d.Command(&thing.Command{ID: "7", Name: "open"})
			if len(d.Said) != 1 {
				t.Fatalf("platform heard %v, want one reply", d.Said)
			}
			m := d.Said[0]
			if m.Kind != thing.Reply || m.ID != "7" || m.Name != "open" || m.State != c.want.State || m.Code != c.want.Code || m.Text != c.want.Text {
				t.Errorf("reply %+v, want %+v", m.Message, c.want)
			}
			if d.Closed {
				t.Errorf("connection closed: %v", d.Cause)
			}
		})
	}
}

// mute takes no commands.
type mute struct{}

func (mute) Received(c *conn, line string) error { return echo(c, line) }

func TestCommandToAProtocolWithoutAny(t *testing.T) {
	t.Parallel()
	d := protocoltest.Connect(t, plugin(
		func() codec.Decoder[string] { return lines{} },
		func() protocol.Adapter[string] { return mute{} }), nil)
	d.Send([]byte("m1\n"))
	d.Command(&thing.Command{ID: "7"})
	if len(d.Said) != 1 || d.Said[0].State != thing.Unsupported {
		t.Errorf("platform heard %v", d.Said)
	}
}

func TestCommandsAroundTheLogin(t *testing.T) {
	t.Parallel()
	var log []string
	d := connect(t, &script{
		received: func(c *conn, line string) error {
			if line == "off" {
				c.Offline(protocol.ErrClosed)
				return nil
			}
			c.Online(line, nil, func(err error) { log = append(log, fmt.Sprint("online ", err)) })
			return nil
		},
		command: func(_ *conn, _ *session.Session, cmd *thing.Command) error {
			log = append(log, cmd.ID)
			return nil
		},
	})
	d.HoldLogins = true
	d.Send([]byte("m1\n"))
	for i := range 20 { // more than are kept
		d.Command(&thing.Command{ID: strconv.Itoa(i)})
	}
	d.ReleaseLogins(nil)
	if len(log) != 17 || log[0] != "online <nil>" || log[1] != "0" || log[16] != "15" {
		t.Errorf("%v: want the login first, then the first 16 commands in order", log)
	}
	log = nil
	d.Command(&thing.Command{ID: "now"})
	d.Send([]byte("off\n"))
	d.Command(&thing.Command{ID: "late"})
	d.Hangup()
	d.Command(&thing.Command{ID: "too late"})
	if fmt.Sprint(log) != "[now]" {
		t.Errorf("commands %v, want those while online", log)
	}
}
