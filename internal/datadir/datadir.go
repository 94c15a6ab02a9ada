// Package datadir is the one directory in which a linkspan process keeps what
// outlives it. It holds a file VERSION, a file lock that keeps a second
// process out, and a directory for each room that keeps something.
package datadir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/internal/filelock"
)

// Version is the format of the directory that this program writes.
const Version = 1

// The directories of a data directory.
const (
	Queue    = "queue"    // records that wait for the platform
	Dead     = "dead"     // records that the platform will never take
	Commands = "commands" // commands that wait for their device
	Secrets  = "secrets"  // what platforms gave out once
)

const (
	versionFile = "VERSION"
	lockFile    = "lock"
)

// The conditions that callers can tell apart.
var (
	// ErrLocked: another process has the directory, or the file, open. Stop it, or
	// give this one a directory of its own.
	ErrLocked = errors.New("datadir: in use by another process")
	// ErrVersion: a newer version of linkspan wrote the directory. Use that version.
	ErrVersion = errors.New("datadir: written by a newer version of linkspan")
	// ErrForeign: the directory has files in it, and none that says they are
	// linkspan's. Name another directory.
	ErrForeign = errors.New("datadir: not a data directory of linkspan")
)

// Config says where the directory is.
type Config struct {
	Directory string `conf:"directory" doc:"where linkspan keeps what outlives it: the queue, dead letters, commands that wait, secrets; one process at a time"`
}

// DefaultConfig is ./data.
func DefaultConfig() Config { return Config{Directory: "./data"} }

// Upgrade brings a directory of one version to the next. It may be called again
// after it was interrupted.
type Upgrade func(dir string) error

// upgrades are the steps there are, by the version they begin with.
var upgrades = map[int]Upgrade{}

// Dir is an open data directory. Its methods may be called from any goroutine.
type Dir struct {
	path string
	lock io.Closer
}

// Open opens the directory, which is made when there is none, with rights for
// its owner alone, and keeps other processes out until Close. A directory of an
// older version is upgraded. It is ErrLocked, ErrVersion, ErrForeign, or an error of
// the system.
func Open(path string) (*Dir, error) { return open(path, Version, upgrades) }

func open(path string, current int, steps map[int]Upgrade) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("datadir: %w", err)
	}
	if _, err := versionOf(path, current); err != nil {
		return nil, err
	}
	lock, err := LockFile(filepath.Join(path, lockFile))
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: lock}
	version, err := versionOf(path, current) // again: another process may just have made it
	if err == nil && version == 0 {
		err = d.write(current)
	}
	for ; err == nil && version > 0 && version < current; version++ {
		if step, ok := steps[version]; ok {
			err = step(path)
		}
		if err == nil {
			err = d.write(version + 1)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("datadir: %s: %w", path, err), lock.Close())
	}
	return d, nil
}

// Path is the directory itself.
func (d *Dir) Path() string { return d.path }

// Sub is a directory in it, which is made when there is none.
func (d *Dir) Sub(name string) (string, error) {
	path := filepath.Join(d.path, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", fmt.Errorf("datadir: %w", err)
	}
	return path, nil
}

// Close lets other processes in.
func (d *Dir) Close() error { return d.lock.Close() }

// Check says whether the directory is one of linkspan's that this version can
// read. It neither locks nor changes it.
func Check(path string) error {
	version, err := versionOf(path, Version)
	if err == nil && version == 0 {
		err = fmt.Errorf("%w: %s has no file %s", ErrForeign, path, versionFile)
	}
	return err
}

// Usable says why Open of the directory cannot succeed, as far as that can be seen
// without making or locking anything. What only its owner may see it does not know.
func Usable(path string) error {
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case err == nil && !info.IsDir():
			return fmt.Errorf("datadir: %s is not a directory", at)
		case err == nil && at == filepath.Clean(path):
			if _, err = versionOf(path, Version); errors.Is(err, fs.ErrPermission) {
				err = nil
			}
			return err
		case err == nil || at == filepath.Dir(at):
			return nil
		}
	}
}

// versionOf is 0 for an empty directory.
func versionOf(path string, current int) (int, error) {
	text, err := os.ReadFile(filepath.Join(path, versionFile)) //nolint:gosec // the configuration's path
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, foreign(path)
	case err != nil:
		return 0, fmt.Errorf("datadir: %w", err)
	}
	version, err := strconv.Atoi(strings.TrimSpace(string(bytes.TrimPrefix(text, []byte("linkspan data ")))))
	switch {
	case err != nil || version < 1:
		return 0, fmt.Errorf("%w: %s says %.40q", ErrForeign, filepath.Join(path, versionFile), text)
	case version > current:
		return 0, fmt.Errorf("%w: %s has version %d, this one knows up to %d", ErrVersion, path, version, current)
	default:
		return version, nil
	}
}

// foreign refuses directories that others keep files in. What a process leaves
// that ended before it could write the version is no such file.
func foreign(path string) error {
	all, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("datadir: %w", err)
	}
	ours := []string{lockFile, versionFile + ".tmp", Queue, Dead, Commands, Secrets}
	for _, e := range all {
		if !slices.Contains(ours, e.Name()) && e.Name() != "lost+found" {
			return fmt.Errorf("%w: %s holds %s and no file %s", ErrForeign, path, e.Name(), versionFile)
		}
	}
	return nil
}

// write puts the version down.
func (d *Dir) write(version int) error {
	tmp := filepath.Join(d.path, versionFile+".tmp")
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // the configuration's path
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "linkspan data %d\n", version)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, filepath.Join(d.path, versionFile))
	}
	if err == nil {
		err = SyncDir(d.path)
	}
	return err
}

// LockFile opens the file, which is made when there is none, and locks it until it is closed or
// the process ends. It does not wait: a file that is locked is ErrLocked. The file
// stays when it is closed.
func LockFile(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the configuration's path
	if err != nil {
		return nil, fmt.Errorf("datadir: %w", err)
	}
	if err = filelock.Try(f); err != nil {
		if errors.Is(err, filelock.ErrLocked) {
			err = ErrLocked
		}
		return nil, errors.Join(fmt.Errorf("%w: %s", err, path), f.Close())
	}
	return &Lock{f}, nil
}

// Lock is a file that is locked.
type Lock struct{ f *os.File }

// Close lets others have the file.
func (l *Lock) Close() error { return errors.Join(filelock.Unlock(l.f), l.f.Close()) }
