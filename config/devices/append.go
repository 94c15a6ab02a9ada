package devices

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config/hocon"
	"github.com/linkspan/linkspan/internal/filelock"
)

// bindingsHead is the beginning of a file of bindings.
const bindingsHead = "# Which device has which certificate of the pool: one line each, written when the device came for the first time.\n" +
	"# To free a certificate, delete its line and reload. Whatever is written here by hand has to end with a line break.\n"

// bindingLine is an entry as devices files have them, on one line. Its closing
// brace tells whether all of it was written.
func bindingLine(name string, id auth.Identity) []byte {
	var b bytes.Buffer
	quote := func(s string) {
		text, _ := json.Marshal(s) // of a string: without errors
		b.Write(text)
	}
	quote(name)
	b.WriteString(" { productKey = ")
	quote(id.ProductKey)
	b.WriteString(", deviceName = ")
	quote(id.DeviceName)
	b.WriteString(", deviceSecret = ")
	quote(id.DeviceSecret.Reveal())
	b.WriteString(" }\n")
	return b.Bytes()
}

// openLocked opens a file for reading and writing, makes it if there is none,
// and locks it.
func openLocked(path string) (*os.File, error) {
	for {
		f, made, err := openOrMake(path)
		if err != nil {
			return nil, err
		}
		err = filelock.Lock(f)
		if err == nil && made {
			err = begin(f)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		// While this one waited for the lock, somebody may have put another
		// file in its place.
		here, hereErr := f.Stat()
		there, thereErr := os.Stat(path)
		if hereErr == nil && thereErr == nil && os.SameFile(here, there) {
			return f, nil
		}
		if err = errors.Join(hereErr, f.Close()); err != nil {
			return nil, err
		}
	}
}

func openOrMake(path string) (f *os.File, made bool, err error) {
	f, err = os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the operator names it
	if !errors.Is(err, os.ErrNotExist) {
		return f, false, err
	}
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names it
	return f, true, err
}

// begin writes the head of a new file, and makes the directory remember it.
func begin(f *os.File) error {
	if info, err := f.Stat(); err != nil || info.Size() > 0 {
		return err // another process was faster
	}
	if _, err := f.WriteAt([]byte(bindingsHead), 0); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	_ = dir.Sync() // some file systems cannot
	return nil
}

// appendLine adds line to f, waits until the disk has it, and says what f looks
// like then. When that fails, f is as before.
func appendLine(f *os.File, line []byte) (os.FileInfo, error) {
	size, err := mendTail(f)
	if err != nil {
		return nil, err
	}
	var info os.FileInfo
	if _, err = f.WriteAt(line, size); err == nil {
		err = f.Sync()
	}
	if err == nil {
		info, err = f.Stat()
	}
	if err != nil {
		return nil, errors.Join(err, f.Truncate(size))
	}
	return info, nil
}

// maxTail is what the end of the file is searched for: longer than any line.
const maxTail = 64 << 10

// mendTail makes the file end with a whole line, and says how long it is then.
// What a crash has left of a line goes: no device was told of it. A whole line
// that only lacks its line break stays.
func mendTail(f *os.File) (size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size = info.Size()
	tail := make([]byte, min(size, maxTail))
	if _, err = f.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	tail = tail[bytes.LastIndexByte(tail, '\n')+1:]
	switch {
	case len(tail) == 0:
		return size, nil
	case len(tail) == maxTail:
		return 0, fmt.Errorf("%s: the last line has more than %d bytes: %w", f.Name(), maxTail, errTooLarge)
	case wholeLine(tail):
		_, err = f.WriteAt([]byte{'\n'}, size)
		return size + 1, err
	default:
		size -= int64(len(tail))
		return size, f.Truncate(size)
	}
}

// wholeLine says whether text is an entry or a comment, and not a part of one.
func wholeLine(text []byte) bool {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] == '#' || bytes.HasPrefix(text, []byte("//")) {
		return true
	}
	_, err := hocon.Parse("tail", text, hocon.Options{NoIncludes: true})
	return err == nil && text[len(text)-1] == '}'
}
