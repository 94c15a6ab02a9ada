package jt808

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// writable says why nothing can be kept in the directory, which is made with the first
// item if there is none. It tries in the directory, or in the nearest one around it that
// there is, and leaves nothing behind.
func writable(directory string) error {
	at := filepath.Clean(directory)
	info, err := os.Stat(at)
	for errors.Is(err, os.ErrNotExist) && filepath.Dir(at) != at {
		at = filepath.Dir(at)
		info, err = os.Stat(at)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s cannot be used: %w", directory, err)
	case !info.IsDir():
		return fmt.Errorf("%s cannot be used: %s is not a directory", directory, at)
	}
	probe, err := os.MkdirTemp(at, ".probe-*")
	if err == nil {
		err = os.Remove(probe)
	}
	if err != nil {
		return fmt.Errorf("nothing can be written to %s; name a directory that linkspan may write to: %w", directory, err)
	}
	return nil
}
