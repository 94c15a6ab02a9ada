package components

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/config/devices"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/upstream"
)

// NewBridge returns a bridge that looks devices up in known.
func NewBridge(connector upstream.Connector, known *devices.Catalog, opts ...bridge.Option) (*bridge.Bridge, error) {
	if known.Waits() { // for a server, or a disk
		opts = append(opts, bridge.WithSlowDevices())
	}
	return bridge.New(bridge.DefaultConfig(), connector, known, opts...)
}

// Follow takes devices of b offline whose certificate has changed, or that were
// removed, until ctx ends. told hears of each reload.
func Follow(ctx context.Context, b *bridge.Bridge, known *devices.Catalog, told func(devices.Changes, error)) {
	known.Watch(ctx, func(c devices.Changes, err error) {
		if err == nil {
			b.Revoke(slices.Values(c.Changed), session.ErrRevoked)
			b.Revoke(slices.Values(c.Removed), session.ErrRevoked)
		}
		told(c, err)
	})
}

// listed writes a devices file of names, each of which is its own device name.
func listed(t *testing.T, path string, names ...string) {
	t.Helper()
	var text strings.Builder
	for _, n := range names {
		fmt.Fprintf(&text, "%s { productKey = demo, deviceName = %s }\n", n, n)
	}
	if err := errors.Join(os.WriteFile(path+".new", []byte(text.String()), 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

func TestACatalogOfOnesOwn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "devices.conf")
	listed(t, path, "one", "two")
	known, err := devices.Open(devices.Config{File: path, Watch: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBridge(newCloud(), known)
	if err == nil {
		err = b.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close(context.Background()) }()
	one, two := session.New("one", nil), session.New("two", nil)
	online(t, b, one)
	online(t, b, two)
	ctx, cancel := context.WithCancel(t.Context())
	told, ended := make(chan devices.Changes, 1), make(chan struct{})
	go func() {
		defer close(ended)
		Follow(ctx, b, known, func(c devices.Changes, _ error) { told <- c })
	}()
	listed(t, path, "one")
	if c := <-told; !slices.Equal(c.Removed, []string{"two"}) {
		t.Errorf("%+v", c)
	}
	if one.State() != session.Online || two.State() != session.Closed {
		t.Errorf("one is %s, two is %s", one.State(), two.State())
	}
	cancel()
	<-ended
}

// Fleet is a source of one's own: devices that are their own names.
type Fleet struct{ product string }

// Identity implements devices.Source.
func (f Fleet) Identity(name string) (auth.Identity, error) {
	if len(name) != 11 {
		return auth.Identity{}, fmt.Errorf("fleet: %q: %w", name, devices.ErrUnknown)
	}
	return auth.Identity{ProductKey: f.product, DeviceName: name}, nil
}

// Name implements devices.Source.
func (f Fleet) Name(id auth.Identity) (string, bool) {
	return id.DeviceName, id.ProductKey == f.product && len(id.DeviceName) == 11
}

// Len implements devices.Source: none of them is in memory.
func (f Fleet) Len() int { return 0 }

func TestASourceOfOnesOwn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "devices.conf")
	listed(t, path, "one")
	known, err := devices.Open(devices.Config{File: path}, devices.WithSource(Fleet{"trucks"}))
	if err != nil || !known.Waits() {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"one": "demo/one", "13800138001": "trucks/13800138001", "stranger": "/"} {
		id, err := known.Identity(name)
		if id.String() != want || (want == "/") != errors.Is(err, devices.ErrUnknown) {
			t.Errorf("%s is %s, %v", name, id, err)
		}
		if back, ok := known.Name(id); want != "/" && (!ok || back != name) {
			t.Errorf("%s is called %q", id, back)
		}
	}
}
