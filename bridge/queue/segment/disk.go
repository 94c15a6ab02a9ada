package segment

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/linkspan/linkspan/internal/datadir"
)

// file is what the log needs of an open file. Reading and writing go side by side.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	durable
}

type durable interface {
	Sync() error
	Truncate(size int64) error
}

// entry is a file of a directory.
type entry struct {
	name string
	size int64
}

// disk is the file system, so that tests can have one that fails.
type disk struct {
	makeDir func(dir string) error
	create  func(path string) (file, error) // to read and write; there must be none
	open    func(path string, write bool) (file, error)
	rename  func(from, to string) error
	remove  func(path string) error
	list    func(dir string) ([]entry, error)
	syncDir func(dir string) error
	free    func(dir string) (int64, error)
	lock    func(path string) (io.Closer, error)
}

// system is the file system of the machine.
func system() disk {
	return disk{
		makeDir: func(dir string) error { return os.MkdirAll(dir, 0o700) },
		create: func(path string) (file, error) {
			return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the path is the configuration's
		},
		open: func(path string, write bool) (file, error) {
			mode := os.O_RDONLY
			if write {
				mode = os.O_RDWR
			}
			return os.OpenFile(path, mode, 0) //nolint:gosec // the path is the configuration's
		},
		rename:  os.Rename,
		remove:  os.Remove,
		list:    listDir,
		syncDir: datadir.SyncDir,
		free:    datadir.Free,
		lock:    func(path string) (io.Closer, error) { return datadir.LockFile(path) },
	}
}

// listDir is the plain files of a directory, by name.
func listDir(dir string) ([]entry, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []entry
	for _, e := range all {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, entry{name: e.Name(), size: info.Size()})
	}
	return files, nil
}

// readAll reads a small file whole.
func (d *disk) readAll(dir, name string, limit int64) ([]byte, error) {
	f, err := d.open(filepath.Join(dir, name), false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.NewSectionReader(f, 0, limit))
}

// writeAll makes a file of that content in place of an older one, at once: a
// reader sees the older one or this.
func (d *disk) writeAll(dir, name string, content []byte, sync bool) error {
	path, tmp := filepath.Join(dir, name), filepath.Join(dir, name+tmpSuffix)
	if err := d.remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.create(tmp)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content, 0)
	if err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.rename(tmp, path)
	}
	if err == nil && sync {
		err = d.syncDir(dir)
	}
	return err
}
