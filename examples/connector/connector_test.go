package connector

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/upstreamtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	upstreamtest.Run(t, func(tb testing.TB) *upstreamtest.Platform {
		tb.Helper()
		r, w := io.Pipe()
		tb.Cleanup(func() { _ = r.Close() })
		lines := make(chan string, 1<<16)
		go func() { // ends with the pipe
			for s := bufio.NewScanner(r); s.Scan(); {
				lines <- s.Text()
			}
		}()
		id := func(pk, dn string) auth.Identity { return auth.Identity{ProductKey: pk, DeviceName: dn} }
		return &upstreamtest.Platform{
			Devices: []auth.Identity{id("demo", "a"), id("demo", "b"), id("demo", "c")},
			Unknown: id("other", "x"),
			Kinds:   []thing.Kind{thing.Property, thing.Event, thing.Raw, thing.Publication},
			Topic:   func(auth.Identity) string { return "any" },
			Connector: func(testing.TB) upstream.Connector {
				return newConnector(Config{Products: []string{"demo"}, Queue: 1 << 16}, func() (io.WriteCloser, error) { return w, nil })
			},
			Next: func(ctx context.Context) (upstreamtest.Event, error) {
				select {
				case line := <-lines:
					return event(line)
				case <-ctx.Done():
					return upstreamtest.Event{}, ctx.Err()
				}
			},
		}
	})
}

// event reads a line back.
func event(line string) (e upstreamtest.Event, err error) {
	var l struct {
		Device, Kind, Name, Topic string
		Raw                       []byte
		Fields                    json.RawMessage
	}
	if err = json.Unmarshal([]byte(line), &l); err != nil {
		return e, err
	}
	e.Device.ProductKey, e.Device.DeviceName, _ = strings.Cut(l.Device, "/")
	e.Kind = map[string]upstreamtest.EventKind{"online": upstreamtest.Online, "offline": upstreamtest.Offline}[l.Kind]
	if e.Kind != 0 {
		return e, nil
	}
	e.Kind = upstreamtest.Said
	for kind := thing.Property; kind <= thing.Publication; kind++ {
		if kind.String() == l.Kind {
			e.Message.Kind = kind
		}
	}
	e.Message.Name, e.Message.Topic, e.Message.Raw = l.Name, l.Topic, l.Raw
	e.Message.Fields, err = thing.ParseFields(l.Fields)
	return e, err
}

func TestTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "messages.jsonl")
	up, err := Plugin.New(Config{Path: path, Products: []string{"demo"}, Queue: 8})
	if err != nil {
		t.Fatal(err)
	}
	c := up.(*Connector) //nolint:forcetypeassert // it is what New makes
	if err = c.Start(t.Context(), upstream.Host{}); err != nil {
		t.Fatal(err)
	}
	published := make(chan error, 1)
	c.Login(upstream.Login{Device: auth.Identity{ProductKey: "demo", DeviceName: "m1"}}, func(d upstream.Device, err error) {
		if err != nil {
			published <- err
			return
		}
		d.Publish(&thing.Message{Kind: thing.Property, Fields: []thing.Field{{Name: "temperature", Value: thing.Float(21.5)}}},
			func(err error) { published <- err })
	})
	if err = <-published; err != nil {
		t.Fatal(err)
	}
	if err = c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"device":"demo/m1","kind":"online"}` + "\n" + `{"device":"demo/m1","kind":"property","fields":{"temperature":21.5}}` + "\n" +
		`{"device":"demo/m1","kind":"offline"}` + "\n"
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// full is a disk that is full for a while, in the middle of a line.
type full struct {
	lines bytes.Buffer
	room  int // bytes that fit
}

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	f.room -= n
	f.lines.Write(p[:n])
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (*full) Close() error { return nil }

func TestOrderOfWhatIsSentAgain(t *testing.T) {
	t.Parallel()
	disk := &full{room: 150}
	c := newConnector(Config{Products: []string{"demo"}, Queue: 64}, func() (io.WriteCloser, error) { return disk, nil })
	if err := c.Start(t.Context(), upstream.Host{}); err != nil {
		t.Fatal(err)
	}
	in := make(chan upstream.Device, 1)
	c.Login(upstream.Login{Device: auth.Identity{ProductKey: "demo", DeviceName: "m1"}, InOrder: true},
		func(d upstream.Device, _ error) { in <- d })
	d := <-in
	ended := make(chan error)
	say := func(n int64) {
		d.Publish(&thing.Message{Kind: thing.Property, Fields: []thing.Field{{Name: "n", Value: thing.Int(n)}}},
			func(err error) { ended <- err })
	}
	first := int64(-1)
	for n := range int64(10) { // all are under way when one fails
		say(n)
	}
	for n := range int64(10) {
		switch err := <-ended; {
		case first < 0 && err == nil:
		case !upstream.Temporary(err):
			t.Fatalf("message %d behind message %d, which failed: %v", n, first, err)
		case first < 0:
			first = n
			disk.room = 1 << 20 // between two calls of Write, for done is called between them
		}
	}
	say(10)
	if err := <-ended; !upstream.Temporary(err) {
		t.Errorf("a message before Resume: %v", err)
	}
	upstream.Resume(d)
	for n := first; n < 11; n++ {
		say(n)
		if err := <-ended; err != nil {
			t.Errorf("message %d, again: %v", n, err)
		}
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	for line := range strings.Lines(disk.lines.String()) {
		e, err := event(line)
		if err != nil || e.Kind != upstreamtest.Said {
			continue // the line that was torn; online and offline
		}
		if v, _ := thing.Get(e.Message.Fields, "n"); v.String() != strconv.FormatInt(next, 10) {
			t.Fatalf("message %v, want %d:\n%s", v, next, &disk.lines)
		}
		next++
	}
	if next != 11 || first < 1 {
		t.Errorf("%d messages arrived, want 11, message %d failed first", next, first)
	}
}

// slow is a disk that writes a line when it is told to.
type slow struct {
	full
	begun, may chan struct{}
}

func (s *slow) Write(p []byte) (int, error) {
	s.begun <- struct{}{}
	<-s.may
	return s.full.Write(p)
}

func TestOverload(t *testing.T) {
	t.Parallel()
	disk := &slow{full: full{room: 1 << 20}, begun: make(chan struct{}), may: make(chan struct{})}
	c := newConnector(Config{Products: []string{"demo"}, Queue: 1}, func() (io.WriteCloser, error) { return disk, nil })
	if err := c.Start(t.Context(), upstream.Host{}); err != nil {
		t.Fatal(err)
	}
	in := make(chan upstream.Device, 1)
	c.Login(upstream.Login{Device: auth.Identity{ProductKey: "demo", DeviceName: "m1"}, InOrder: true},
		func(d upstream.Device, _ error) { in <- d })
	<-disk.begun
	disk.may <- struct{}{}
	d := <-in
	var got []string
	told := make(chan struct{}, 8)
	say := func(name string, kind thing.Kind) {
		d.Publish(&thing.Message{Kind: kind, Name: name}, func(err error) {
			got = append(got, fmt.Sprint(name, " ", err))
			told <- struct{}{}
		})
	}
	say("a", thing.Event)
	<-disk.begun // a is being written
	say("b", thing.Event)
	say("c", thing.Event) // no room for it
	say("d", thing.Event)
	say("reply", thing.Reply)
	disk.may <- struct{}{}
	<-disk.begun
	disk.may <- struct{}{}
	for range 5 {
		<-told
	}
	upstream.Resume(d)
	say("c again", thing.Event)
	<-disk.begun
	disk.may <- struct{}{}
	<-told
	want := []string{
		"a <nil>", "b <nil>", "c " + upstream.ErrOverloaded.Error(), "d " + upstream.ErrNotConnected.Error(),
		"reply " + upstream.ErrUnsupported.Error(), "c again <nil>",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	go func() { <-disk.begun; disk.may <- struct{}{} }() // that it is offline
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Behind a line that was torn another one begins, also after a restart.
func TestTornLine(t *testing.T) {
	t.Parallel()
	disk := &full{room: 50}
	c := newConnector(Config{Products: []string{"demo"}, Queue: 8}, func() (io.WriteCloser, error) { return disk, nil })
	if err := c.Start(t.Context(), upstream.Host{}); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	c.Login(upstream.Login{Device: auth.Identity{ProductKey: "demo", DeviceName: "m1"}}, func(d upstream.Device, _ error) {
		d.Publish(&thing.Message{Kind: thing.Property}, func(err error) {
			disk.room = 1 << 20
			failed <- err
		})
	})
	if err := <-failed; !upstream.Temporary(err) {
		t.Fatal(err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	const offline = "\n" + `{"device":"demo/m1","kind":"offline"}` + "\n"
	if !strings.HasSuffix(disk.lines.String(), offline) {
		t.Errorf("%q", disk.lines.String())
	}

	path := filepath.Join(t.TempDir(), "messages.jsonl")
	for text, want := range map[string]string{"": "x\n", "a\n": "a\nx\n", `{"dev`: "{\"dev\nx\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := openFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(w, "x\n")
		got, readErr := os.ReadFile(path)
		if err = errors.Join(err, readErr, w.Close()); err != nil || string(got) != want {
			t.Errorf("%q became %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	_, err := Plugin.New(Config{})
	for _, key := range []string{"path", "products", "queue"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v, want it to name %s", err, key)
		}
	}
}
