package away_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/away"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// restart is another process with the same disk.
func restart(t *testing.T, d away.Disk, change func(*away.Config)) *world {
	t.Helper()
	return begin(t, func(c *away.Config) {
		c.CommandTime = time.Hour
		if change != nil {
			change(c)
		}
	}, away.WithDisk(d))
}

// onDisk waits until so many commands are on the disk, as other processes see it.
func onDisk(t *testing.T, dir string, want int) {
	t.Helper()
	var ids []string
	for range 500 {
		ids = idsIn(t, dir)
		if len(ids) == want {
			return
		}
		wait(10 * time.Millisecond)
	}
	t.Fatalf("%q are on the disk, want %d", ids, want)
}

func idsIn(t *testing.T, dir string) (ids []string) {
	t.Helper()
	v, err := segment.OpenView(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}()
	for rec, ok := v.Next(); ok; rec, ok = v.Next() {
		e, err := queue.Decode(rec.Payload)
		if err != nil || e.Command == nil {
			t.Fatalf("a record that is no command: %+v, %v", e, err)
		}
		ids = append(ids, e.Command.ID)
	}
	return ids
}

// Commands that wait survive the end of the process, in their order; what was
// delivered does not come again, and what is overdue is told.
func TestCommandsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := away.Disk{Directory: filepath.Join(t.TempDir(), "commands")}
		w := restart(t, d, nil)
		w.online("a", "x").leave()
		w.tell("a1", "a2")
		w.online("b", "x").leave()
		w.tell("b1")
		w.online("b", "x")
		w.online("c", "x").leave()
		w.login().Command(&thing.Command{ID: "c1", Deadline: time.Now().Add(time.Minute)})
		w.tell("c2")
		wait(50 * time.Second) // c1 is overdue in the next process
		w.take()
		w.close()
		synctest.Wait()
		if seen := w.take(); len(seen) != 2 || !slices.Contains(seen, "logout a") || !slices.Contains(seen, "logout c") {
			t.Errorf("the platform saw %q, want logouts of a and c", seen)
		}

		wait(time.Minute)
		w = restart(t, d, nil)
		defer w.close()
		if s := w.Stats(); s.Recovered != 4 || s.Waiting != 4 || s.Stored != 4 {
			t.Errorf("counted %+v, want 4 recovered, which are on the disk", s)
		}
		wait(time.Second)
		w.heard(w.online("b", "y"), "")
		a := w.online("a", "y")
		w.tell("a3")
		w.heard(a, "a1 a2 a3")
		w.want("login b", "login a")
		w.heard(w.online("c", "x"), "c2")
		w.want("login c", "reply c1 timed out")
		onDisk(t, d.Directory, 0)
		if s := w.Stats(); s.Waiting != 0 || s.Stored != 0 {
			t.Errorf("counted %+v, want none that waits and none on the disk", s)
		}
	})
}

// What a command says comes back as it was.
func TestCommandsAreKeptWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := away.Disk{Directory: t.TempDir(), EncryptionKey: auth.Secret(strings.Repeat("5a", 32))}
		w := restart(t, d, nil)
		w.online("a", "x").leave()
		want := &thing.Command{
			ID: "1", Kind: thing.Service, Name: "open", Raw: []byte{0, 1}, Topic: "/t", Deadline: time.Now().Add(time.Minute),
			Fields: []thing.Field{{Name: "door", Value: thing.Float(1)}},
		}
		w.login().Command(want)
		w.close()

		other := d
		other.EncryptionKey = auth.Secret(strings.Repeat("a5", 32))
		c, err := away.New(away.DefaultConfig(), &cloud{}, away.WithDisk(other))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(t.Context(), upstream.Host{Logger: zap.NewNop()}); !errors.Is(err, segment.ErrWrongKey) {
			t.Errorf("with another key: %v, want %v", err, segment.ErrWrongKey)
		}

		var got *thing.Command
		w = restart(t, d, nil)
		w.join(func(_ upstream.Device, cmd *thing.Command) { got = cmd })
		synctest.Wait()
		if got == nil || got.ID != want.ID || got.Kind != want.Kind || got.Name != want.Name || string(got.Raw) != string(want.Raw) ||
			got.Topic != want.Topic || !got.Deadline.Equal(want.Deadline) || len(got.Fields) != 1 || got.Fields[0].Value.Type() != thing.FloatType {
			t.Errorf("got %+v, want %+v", got, want)
		}
		w.close()
	})
}

// Each way to be done with a command takes it off the disk.
func TestCommandsThatAreDoneWith(t *testing.T) {
	t.Parallel()
	for name, done := range map[string]func(w *world){
		"delivered": func(w *world) { w.online("a", "x") },
		"expired":   func(*world) { wait(59 * time.Second) },
		"revoked":   func(w *world) { w.Revoke(slices.Values([]string{"a"})) },
		"at once":   nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := away.Disk{Directory: t.TempDir()}
				w := restart(t, d, func(c *away.Config) { c.CommandTime = 30 * time.Second })
				defer w.close()
				w.online("a", "x").leave()
				w.tell("1")
				if done == nil { // while it is on its way to the disk
					w.online("a", "x")
				} else {
					onDisk(t, d.Directory, 1)
					done(w)
				}
				onDisk(t, d.Directory, 0)
				if s := w.Stats(); s.Waiting != 0 || s.Stored != 0 {
					t.Errorf("counted %+v", s)
				}
			})
		})
	}
}

// A disk that is full keeps nothing from waiting in memory.
func TestCommandsOnAFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := restart(t, away.Disk{Directory: t.TempDir(), MinFree: 1 << 50}, nil)
		w.online("a", "x").leave()
		w.tell("1", "2")
		wait(time.Second)
		if s := w.Stats(); s.Unstored != 2 || s.Waiting != 2 || s.Stored != 0 {
			t.Errorf("counted %+v, want 2 in memory alone", s)
		}
		a := w.online("a", "x")
		w.heard(a, "1 2")
		a.leave()
		w.tell("3")
		wait(time.Second)
		w.take()
		w.close() // the platform is told of what does not wait on the disk
		w.want("reply 3 offline", "logout a")
	})
}

// Damaged files keep no command waiting that can be read, and nothing from starting.
func TestDamagedCommands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := away.Disk{Directory: t.TempDir()}
		w := restart(t, d, nil)
		w.online("a", "x").leave()
		w.tell("first", "middle", "last")
		w.close()
		files, err := filepath.Glob(filepath.Join(d.Directory, "*.seg"))
		if err != nil || len(files) != 1 {
			t.Fatalf("the log is in %q, %v", files, err)
		}
		content, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		broken := strings.Replace(string(content), "middle", "muddle", 1)
		if err = os.WriteFile(files[0], []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := segment.Open(d.Directory, segment.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(l.Append([]byte("no command"), 0, nil), l.Close()); err != nil {
			t.Fatal(err)
		}

		w = restart(t, d, nil)
		defer w.close()
		if s := w.Stats(); s.Recovered != 2 || s.Damaged != 2 {
			t.Errorf("counted %+v, want 2 recovered and 2 damaged", s)
		}
		w.heard(w.online("a", "x"), "first last")
	})
}

// What an earlier process has left is held by the limits of this one.
func TestLimitsOfRecovery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := away.Disk{Directory: t.TempDir()}
		w := restart(t, d, nil)
		for _, name := range []string{"a", "b", "c"} {
			w.online(name, "x").leave()
			w.tell(name+"1", name+"2")
		}
		w.close()
		l, err := segment.Open(d.Directory, segment.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		for _, old := range []thing.Command{{ID: "a1"}, {ID: "ancient"}} { // repeated, and long forgotten
			until := now.Add(time.Hour)
			if old.ID == "ancient" {
				until = now.Add(-25 * time.Hour)
			}
			record := queue.AppendCommand(nil, "a", auth.Identity{ProductKey: "pk", DeviceName: "a"}, now, until, &old)
			if err := l.Append(record, 0, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		w = restart(t, d, func(c *away.Config) { c.Commands, c.MaxCommands = 1, 2 })
		defer w.close()
		if s := w.Stats(); s.Recovered != 2 || s.Untold != 6 {
			t.Errorf("counted %+v, want 2 recovered and 6 dropped", s)
		}
		w.heard(w.online("a", "x"), "a1")
		w.heard(w.online("b", "x"), "b1")
		onDisk(t, d.Directory, 0)
	})
}

// With keep = memory nothing is written, and what waits for devices that are logged out
// ends with the process.
func TestCommandsInMemoryAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := away.Disk{Directory: filepath.Join(t.TempDir(), "commands")}
		w := restart(t, d, func(c *away.Config) { c.Keep = away.KeepMemory })
		w.online("a", "x").leave()
		w.tell("1")
		wait(2 * time.Minute)
		w.want("login a", "logout a")
		w.close()
		w.want()
		if s := w.Stats(); s.Untold != 1 {
			t.Errorf("counted %+v, want 1 of which nobody is told", s)
		}
		if _, err := os.Stat(d.Directory); err == nil {
			t.Error("something was written")
		}
	})
}

// failing is a connector that does not start.
type failing struct{ *cloud }

var errFailing = errors.New("failing")

func (failing) Start(context.Context, upstream.Host) error { return errFailing }

// A connector that does not start leaves the disk to the next one.
func TestFailedStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := away.Disk{Directory: t.TempDir()}
		c, err := away.New(away.DefaultConfig(), failing{&cloud{}}, away.WithDisk(d))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(t.Context(), upstream.Host{Logger: zap.NewNop()}); !errors.Is(err, errFailing) {
			t.Errorf("Start: %v, want %v", err, errFailing)
		}
		restart(t, d, nil).close()
	})
}
