package devices

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func entryOf(names ...string) string {
	var b strings.Builder
	for _, n := range names {
		b.WriteString(n + " { productKey = p, deviceName = " + n + " }\n")
	}
	return b.String()
}

// wantDue looks twice, as Watch does, and says what the second look wants.
func wantDue(t *testing.T, c *Catalog, want bool, when string) {
	t.Helper()
	if c.due() {
		t.Errorf("%s: due before it has come to rest", when)
	}
	if got := c.due(); got != want {
		t.Errorf("%s: due %v, want %v", when, got, want)
	}
}

func TestWhatIsWatched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, included, absent := filepath.Join(dir, "devices.conf"), filepath.Join(dir, "more.conf"), filepath.Join(dir, "later.conf")
	write(t, included, entryOf("m"))
	write(t, path, entryOf("a")+"include \"more.conf\"\ninclude \"later.conf\"\n")
	c, err := Open(Config{File: path})
	if err != nil {
		t.Fatal(err)
	}
	wantDue(t, c, false, "nothing happened")
	for _, change := range []struct {
		what  string
		f     func()
		added string
	}{
		{"written in place", func() { write(t, path, entryOf("a", "b")+"include \"more.conf\"\ninclude \"later.conf\"\n") }, "b"},
		{"an included file", func() { write(t, included, entryOf("m", "n")) }, "n"},
		{"an included file that did not exist", func() { write(t, absent, entryOf("l")) }, "l"},
		{"renamed, of the same size and time", func() {
			info, err := os.Stat(included)
			if err != nil {
				t.Fatal(err)
			}
			write(t, included+"~", entryOf("m", "o"))
			if err := errors.Join(os.Chtimes(included+"~", time.Time{}, info.ModTime()), os.Rename(included+"~", included)); err != nil {
				t.Fatal(err)
			}
		}, "o"},
	} {
		change.f()
		wantDue(t, c, true, change.what)
		changes, err := c.read(false)
		if err != nil || !reflect.DeepEqual(changes.Added, []string{change.added}) {
			t.Errorf("%s: %+v, %v", change.what, changes, err)
		}
		wantDue(t, c, false, change.what+" and loaded")
	}
}

// As Kubernetes updates a volume: the files are links by way of a link that is
// swapped.
func TestSwappedLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, names := range [][]string{{"a", "b"}, {"a", "c"}} {
		v := filepath.Join(dir, "..v"+string(rune('1'+i)))
		if err := os.Mkdir(v, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(v, "devices.conf"), entryOf(names...))
	}
	link := func(to, name string) {
		if err := errors.Join(os.Symlink(to, filepath.Join(dir, name+".new")), os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	link("..v1", "..data")
	link("..data/devices.conf", "devices.conf")
	for _, path := range []string{dir, filepath.Join(dir, "devices.conf")} {
		link("..v1", "..data")
		c, err := Open(Config{File: path})
		if err != nil || c.Len() != 2 {
			t.Fatal(err)
		}
		link("..v2", "..data")
		wantDue(t, c, true, "swapped")
		if changes, err := c.read(false); err != nil || !reflect.DeepEqual(changes, Changes{Added: []string{"c"}, Removed: []string{"b"}}) {
			t.Errorf("%+v, %v", changes, err)
		}
	}
}

func TestWatchedDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.conf"), entryOf("a"))
	c, err := Open(Config{File: dir})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "b.csv"), "identity,productKey,deviceName\nb,p,b\n")
	wantDue(t, c, true, "a new file")
	if changes, err := c.read(false); err != nil || !reflect.DeepEqual(changes, Changes{Added: []string{"b"}}) {
		t.Errorf("%+v, %v", changes, err)
	}
	if err := os.Remove(filepath.Join(dir, "a.conf")); err != nil {
		t.Fatal(err)
	}
	wantDue(t, c, true, "a file less")
	if changes, err := c.read(false); err != nil || !reflect.DeepEqual(changes, Changes{Removed: []string{"a"}}) {
		t.Errorf("%+v, %v", changes, err)
	}
}

// A file that could not be read is read once somebody has given the right to.
func TestAFileThatMayBeReadLater(t *testing.T) {
	t.Parallel()
	c, path := open(t, "devices.csv", "identity,productKey,deviceName\na,p,a\n")
	write(t, path, "no header, as if it could not be read\n") // root can read everything
	wantDue(t, c, true, "changed")
	if _, err := c.read(false); err == nil {
		t.Fatal("a file without a header was loaded")
	}
	wantDue(t, c, false, "tried before")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if !c.due() {
		t.Error("not due, with another mode")
	}
	if _, err := c.read(false); err == nil {
		t.Fatal("a file without a header was loaded")
	}
	wantDue(t, c, false, "tried with this mode")
}

// A file on its way takes nobody away.
func TestHalfWrittenFiles(t *testing.T) {
	t.Parallel()
	f, path := open(t, "devices.conf", entryOf("a", "b", "c"))
	for _, half := range []string{"", "# nothing yet\n"} {
		write(t, path, half)
		if f.due() {
			t.Error("due while it is written")
		}
		if !f.due() {
			t.Error("not due when it rests")
		}
		if _, err := f.read(false); !errors.Is(err, ErrEmptied) || f.Len() != 3 {
			t.Errorf("error %v, want ErrEmptied; %d devices", err, f.Len())
		}
		wantDue(t, f, false, "tried before")
	}
	write(t, path, entryOf("a")+"b { productKey = p, devi")
	wantDue(t, f, true, "torn")
	if changes, err := f.read(false); err != nil || !reflect.DeepEqual(changes.Kept, []string{"b", "c"}) || changes.Removed != nil {
		t.Errorf("%+v, %v", changes, err)
	}
	write(t, path, entryOf("a"))
	if f.due() {
		t.Error("due while it is written")
	}
	write(t, path, entryOf("a", "b"))
	wantDue(t, f, true, "grew between two looks")
	write(t, path, "")
	if changes, err := f.Reload(); err != nil || len(changes.Removed) != 3 {
		t.Errorf("by hand: %+v, %v", changes, err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(dir, "devices.conf")
		write(t, path, entryOf("a"))
		c, err := Open(Config{File: path, Watch: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		type told struct {
			changes Changes
			err     error
		}
		heard := make(chan told, 1)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.Watch(ctx, func(changes Changes, err error) { heard <- told{changes, err} })
		}()
		write(t, path, entryOf("a", "b"))
		began := time.Now()
		if got := <-heard; got.err != nil || !reflect.DeepEqual(got.changes.Added, []string{"b"}) || time.Since(began) != 10*time.Second {
			t.Errorf("after %s: %+v", time.Since(began), got)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if got := <-heard; !errors.Is(got.err, os.ErrNotExist) || c.Len() != 2 {
			t.Errorf("%+v, %d devices", got, c.Len())
		}
		if s := c.Stats(); s.Failed != 1 || s.Reloads != 1 {
			t.Errorf("%+v", s)
		}
		cancel()
		<-ended
		c.cfg.Watch = 0
		c.Watch(t.Context(), nil) // returns
	})
}
