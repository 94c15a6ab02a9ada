package certify

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/linkspan/linkspan/auth"
)

// ErrStore says that the file of secrets cannot be read or written; what is
// wrong is in the error that it is wrapped with.
var ErrStore = errors.New("certify: secrets cannot be kept")

// secretsMode lets nobody but the owner read secrets.
const secretsMode = 0o600

// maxUnsaved bounds what waits for a disk that takes nothing, in bytes.
const maxUnsaved = 4 << 20

// maxSecret is the longest line of the file, in bytes.
const maxSecret = 4096

// Store keeps the secrets of devices in a file, one JSON object with productKey,
// deviceName and deviceSecret in each line; the last line of a device counts. A
// secret that Put has taken is on disk. The file is readable by its owner alone.
// Methods may be called from any goroutine. One process may use a file.
type Store struct {
	path string

	write sync.Mutex // held while the file is written; before mu
	file  *os.File   // guarded by write
	// unsaved is what the disk did not take; guarded by write.
	unsaved []byte

	mu      sync.RWMutex
	secrets map[deviceKey]auth.Secret // guarded by mu
}

type deviceKey struct{ product, device string }

// record is a line of the file.
type record struct {
	ProductKey   string `json:"productKey"`
	DeviceName   string `json:"deviceName"`
	DeviceSecret string `json:"deviceSecret"`
}

// OpenStore reads the secrets of a file, which is made when there is none. Half a
// line, which a crash may leave, and lines that newer ones have replaced are taken
// out, by a new file in the place of the old one.
func OpenStore(path string) (*Store, error) {
	s := &Store{path: path, secrets: map[deviceKey]auth.Secret{}}
	stale, err := s.read()
	if err == nil && stale {
		err = s.rewrite()
	}
	if err == nil {
		s.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, secretsMode) //nolint:gosec // the operator names it
	}
	if err == nil {
		err = s.file.Chmod(secretsMode) // of one that was there before
	}
	if err == nil {
		err = syncDir(path)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, errors.Join(err, s.Close()))
	}
	return s, nil
}

// read reads the file, and says whether it has lines of no use.
func (s *Store) read() (stale bool, err error) {
	f, err := os.Open(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // it was only read
	in := bufio.NewScanner(f)
	in.Buffer(make([]byte, 0, maxSecret), maxSecret)
	in.Split(wholeLines)
	for n := 1; in.Scan(); n++ {
		line := bytes.TrimSpace(in.Bytes())
		if len(line) == 0 {
			continue
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil || r.ProductKey == "" || r.DeviceName == "" || r.DeviceSecret == "" {
			if !bytes.HasSuffix(in.Bytes(), []byte("\n")) {
				return true, nil // what a crash has left of the last line
			}
			return false, fmt.Errorf("%s:%d is no line with productKey, deviceName and deviceSecret; delete it: its device registers again", s.path, n)
		}
		if !bytes.HasSuffix(in.Bytes(), []byte("\n")) {
			stale = true
		}
		k := deviceKey{r.ProductKey, r.DeviceName}
		if _, replaced := s.secrets[k]; replaced {
			stale = true
		}
		s.secrets[k] = auth.Secret(r.DeviceSecret)
	}
	return stale, in.Err()
}

// wholeLines splits lines and leaves their ends on, which tell whether a line is
// whole.
func wholeLines(data []byte, end bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if end && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// rewrite puts a file with what is in memory in the place of the old one.
func (s *Store) rewrite() error {
	f, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*.tmp") // of mode 0600
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	for k, secret := range s.secrets {
		_, _ = out.Write(line(k, secret)) // Flush tells of it
	}
	err = errors.Join(out.Flush(), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// syncDir makes the directory remember the file.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	_ = d.Sync() // some file systems cannot
	return d.Close()
}

// line is the one place where a secret is written.
func line(k deviceKey, secret auth.Secret) []byte {
	text, _ := json.Marshal(record{k.product, k.device, secret.Reveal()}) // of strings: without errors
	return append(text, '\n')
}

// Get is the secret of a device.
func (s *Store) Get(productKey, deviceName string) (auth.Secret, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	secret, ok := s.secrets[deviceKey{productKey, deviceName}]
	return secret, ok
}

// Len is how many secrets there are.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.secrets)
}

// Put keeps the secrets of devices; they are on disk when it returns. The error is
// an [ErrStore]: nothing is taken of devices without names or secret. When the disk
// does not take them, Get knows them all the same, and the next Put tries again.
func (s *Store) Put(devices ...auth.Identity) error {
	var text []byte
	for _, d := range devices {
		l := line(deviceKey{d.ProductKey, d.DeviceName}, d.DeviceSecret)
		if d.ProductKey == "" || d.DeviceName == "" || d.DeviceSecret == "" || len(l) >= maxSecret {
			return fmt.Errorf("%w: %s has no names and secret of reasonable length", ErrStore, d)
		}
		text = append(text, l...)
	}
	s.write.Lock()
	defer s.write.Unlock()
	if s.file == nil {
		return fmt.Errorf("%w: %w", ErrStore, os.ErrClosed)
	}
	s.mu.Lock()
	for _, d := range devices {
		s.secrets[deviceKey{d.ProductKey, d.DeviceName}] = d.DeviceSecret
	}
	s.mu.Unlock()
	text = append(s.unsaved, text...)
	s.unsaved = nil
	if err := s.append(text); err != nil {
		if len(text) <= maxUnsaved {
			s.unsaved = text
		}
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return nil
}

// append adds text to the file; when that fails the file is as before. write is
// held.
func (s *Store) append(text []byte) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if _, err = s.file.Write(text); err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return errors.Join(err, s.file.Truncate(info.Size()))
	}
	return nil
}

// Close closes the file; Get still answers.
func (s *Store) Close() error {
	s.write.Lock()
	defer s.write.Unlock()
	f := s.file
	s.file = nil
	if f == nil {
		return nil
	}
	return f.Close()
}
