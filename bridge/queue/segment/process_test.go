package segment

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const childEnv = "LINKSPAN_SEGMENT_TEST_CHILD"

// child is what the test binary is when a test starts it as another process: it
// appends to the log and says on standard output what is stored, until it is killed.
func child() bool {
	dir := os.Getenv(childEnv)
	if dir == "" {
		return false
	}
	l, err := Open(dir, processConfig())
	if err != nil {
		fmt.Fprintln(os.Stdout, "error:", err)
		return true
	}
	stored := make(chan string, 1<<16)
	go func() {
		for i := 0; ; i++ {
			payload := fmt.Sprintf("%d-%d-%s", os.Getpid(), i, strings.Repeat("x", i*37%500))
			for errors.Is(l.Append([]byte(payload), 0, func(_ Position, err error) {
				if err == nil {
					stored <- payload
				}
			}), ErrOverloaded) {
				<-time.After(time.Millisecond)
			}
		}
	}()
	w := bufio.NewWriter(os.Stdout)
	for payload := range stored {
		if _, err = w.WriteString(payload + "\n"); err == nil && len(stored) == 0 {
			err = w.Flush()
		}
		if err != nil {
			return true
		}
	}
	return true
}

func processConfig() Config {
	c := small()
	c.MaxBytes, c.SegmentSize, c.MaxPending = 1<<30, 1<<20, 256<<10
	return c
}

// What a killed process has said to be stored is there, in order.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for round := range 6 {
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		out, pipeErr := cmd.StdoutPipe()
		if pipeErr != nil {
			t.Fatal(pipeErr)
		}
		if err = cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if strings.HasPrefix(lines.Text(), "error:") {
				t.Fatal(lines.Text())
			}
			told = append(told, lines.Text())
			if n == 700+round*371 {
				if err = cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if last := len(told) - 1; len(told) > 0 && !strings.Contains(told[last], "-") {
			told = told[:last] // half a line
		}
		_ = cmd.Wait()
	}
	l, err := Open(dir, processConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, l)
	got, _ := all(l)
	next := 0
	for i, want := range told {
		at := slices.Index(got[next:], want)
		if at < 0 && strings.HasPrefix(got[min(next, len(got)-1)], want) {
			continue // the line was cut by the kill
		}
		if at < 0 {
			t.Fatalf("record %d of %d that was stored is not there, or out of order: %.30q", i, len(told), want)
		}
		next += at + 1
	}
	t.Logf("%d records told, %d there, %d bytes of torn tails", len(told), len(got), l.Stats().DamagedBytes)
}

// Not parallel: a process that another test starts has this one's lock for a moment.
func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(dir, small())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Open(dir, small()); !errors.Is(err, ErrLocked) {
		t.Errorf("a second Open is %v, want ErrLocked", err)
	}
	if _, err = Purge(dir, false); !errors.Is(err, ErrLocked) {
		t.Errorf("Purge of an open log is %v, want ErrLocked", err)
	}
	put(t, l, "one", 0)
	v, err := OpenView(dir)
	if err != nil {
		t.Fatal(err)
	}
	if rec, ok := v.Next(); !ok || string(rec.Payload) != "one" {
		t.Errorf("a view beside it reads %q", rec.Payload)
	}
	if err = v.Close(); err != nil {
		t.Error(err)
	}
	mustClose(t, l)
	if l, err = Open(dir, small()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	if n, purgeErr := Purge(dir, false); n != 1 || purgeErr != nil {
		t.Errorf("Purge is %d, %v", n, purgeErr)
	}
	if l, err = Open(dir, small()); err != nil {
		t.Fatal(err)
	}
	wantRecords(t, l, nil)
	mustClose(t, l)
}

func TestDirectoryThatCannotBe(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, small()); err == nil {
		t.Error("a file is opened as a directory")
	}
	if _, err := Purge(filepath.Join(file, "none"), false); err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("a directory that cannot be is purged with %v", err)
	}
	if _, err := OpenView(filepath.Join(file, "none")); err == nil {
		t.Error("a view of a directory that is not there opens")
	}
}

func TestNewerVersion(t *testing.T) {
	t.Parallel()
	d, _, _ := written(t, small(), 10)
	data := d.files[segmentPath(1)].data
	for _, at := range []int{0, copyAt} {
		h := data[at : at+headerSize]
		h[8] = formatVersion + 1
		mendHeader(h)
	}
	if _, err := Open("q", small(), withDisk(d.disk())); !errors.Is(err, ErrVersion) {
		t.Errorf("Open is %v, want ErrVersion", err)
	}
	if d.files[segmentPath(1)] == nil {
		t.Error("the file of a newer version is gone")
	}
}
