package certify

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/linkspan/linkspan/auth"
)

// A secret that the disk does not take is known all the same, and on disk with
// the next one.
func TestDiskThatTakesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets")
	s, err := OpenStore(path)
	if err != nil {
		t.Fatal(err)
	}
	writable := s.file
	if s.file, err = os.Open(path); err != nil {
		t.Fatal(err)
	}
	if err = s.Put(auth.Identity{ProductKey: "pk", DeviceName: "a", DeviceSecret: "1"}); !errors.Is(err, ErrStore) {
		t.Errorf("Put: %v", err)
	}
	if secret, known := s.Get("pk", "a"); !known || secret != "1" {
		t.Errorf("got %q", secret.Reveal())
	}
	_ = s.file.Close()
	s.file = writable
	if err = s.Put(auth.Identity{ProductKey: "pk", DeviceName: "b", DeviceSecret: "2"}); err != nil {
		t.Fatal(err)
	}
	if err = s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenStore(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if secret, known := again.Get("pk", "a"); !known || secret != "1" || again.Len() != 2 {
		t.Errorf("after opening: %q, %d secrets", secret.Reveal(), again.Len())
	}
}
