package thing_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/thing"
)

func TestCloneSharesNothingThatAMakerReuses(t *testing.T) {
	t.Parallel()
	m := thing.Message{
		Kind: thing.Property, Name: "n", ID: "7", Time: time.Unix(1, 0), Topic: "t",
		Fields: []thing.Field{{Name: "a", Value: thing.Int(1)}},
		Raw:    []byte("raw"),
	}
	c := m.Clone()
	m.Fields[0] = thing.Field{Name: "b", Value: thing.Int(2)}
	copy(m.Raw, "xxx")
	m.Kind, m.Name = thing.Event, "changed"
	if got := string(thing.AppendFields(nil, c.Fields)); got != `{"a":1}` {
		t.Errorf("the clone's fields are %s", got)
	}
	if string(c.Raw) != "raw" || c.Kind != thing.Property || c.Name != "n" || c.ID != "7" || c.Topic != "t" || !c.Time.Equal(time.Unix(1, 0)) {
		t.Errorf("the clone is %+v", c)
	}
	if empty := (&thing.Message{Kind: thing.Raw}).Clone(); len(empty.Fields) != 0 || len(empty.Raw) != 0 || empty.Kind != thing.Raw {
		t.Errorf("the clone of an empty message is %+v", empty)
	}
}

func TestReplyAnswersItsCommand(t *testing.T) {
	t.Parallel()
	cmd := thing.Command{ID: "42", Kind: thing.Service, Name: "reboot"}
	if got := cmd.Reply(thing.Refused); got.Kind != thing.Reply || got.ID != "42" || got.Name != "reboot" || got.State != thing.Refused {
		t.Errorf("the reply is %+v", got)
	}
}

// Names go into metrics and configurations: each has one, and no two the same.
func TestNames(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	add := func(kind string, s fmt.Stringer, known bool) {
		t.Helper()
		name := s.String()
		key := kind + name
		if name == "" || names[key] {
			t.Errorf("%s %q is empty or there twice", kind, name)
		}
		names[key] = true
		if known == strings.HasPrefix(name, kind+"(") {
			t.Errorf("%s is called %q", kind, name)
		}
	}
	for k := thing.Property; k <= thing.Publication; k++ {
		add("kind", k, true)
	}
	for s := thing.Done; s <= thing.Failed; s++ {
		add("state", s, true)
	}
	for k := thing.SetProperties; k <= thing.Notice; k++ {
		add("command", k, true)
	}
	add("kind", thing.Kind(99), false)
	add("state", thing.State(99), false)
	add("command", thing.CommandKind(99), false)
}

func TestReplyError(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("adapter: %w", &thing.ReplyError{State: thing.Refused, Code: 3, Text: "door is open: close it"})
	var reply *thing.ReplyError
	if !errors.As(err, &reply) || reply.State != thing.Refused {
		t.Errorf("no ReplyError in %v", err)
	}
	if want := "adapter: thing: command refused (code 3): door is open: close it"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if got, want := (&thing.ReplyError{State: thing.Invalid, Text: "no speed"}).Error(), "thing: command invalid: no speed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
