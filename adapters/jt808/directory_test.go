package jt808

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec/jt808"
)

// A directory that nothing can be written to is a mistake of the configuration, and
// looking for it leaves nothing behind.
func TestMultimediaDirectoryThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := []string{file, filepath.Join(file, "media")}
	if _, err := os.Stat("/proc/self"); err == nil {
		wrong = append(wrong, "/proc/x")
	}
	for _, directory := range wrong {
		c := DefaultConfig()
		c.Multimedia.Directory = directory
		if _, err := Plugin.New(c); err == nil || !strings.Contains(err.Error(), "multimedia.directory: ") || !strings.Contains(err.Error(), directory) {
			t.Errorf("%s: error %v", directory, err)
		}
	}
	c := DefaultConfig()
	c.Multimedia.Directory = filepath.Join(dir, "new", "media")
	if _, err := Plugin.New(c); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// An item that is not kept is told with its terminal and the cause.
func TestMediaThatIsNotKeptIsTold(t *testing.T) {
	t.Parallel()
	d := &drawer{}
	x := dialVersion(t, jt808.V2013, New("jt808", WithSink(d))).join()
	x.say(picture(x))
	full := errors.New("the disk is full")
	d.release(x, "", full)
	if len(x.Failed) != 1 || x.Failed[0].Identity != digits || !errors.Is(x.Failed[0].Err, full) {
		t.Errorf("told %v", x.Failed)
	}
}
