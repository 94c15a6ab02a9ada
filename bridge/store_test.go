package bridge_test

import (
	"testing"

	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// disk is a void that can store.
type disk struct {
	void
	stored, published *int
}

func (d disk) Login(_ upstream.Login, done func(upstream.Device, error)) { done(d, nil) }

func (d disk) Store(_ *thing.Message, done func(error)) {
	*d.stored++
	done(nil)
}

func (d disk) Publish(_ *thing.Message, done func(error)) {
	*d.published++
	done(nil)
}

// A message is stored when nobody waits for it, or its session is content with that;
// whoever else waits waits for the platform.
func TestStore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		opts             []session.Option
		done             func(error)
		stored, platform int
	}{
		{"nobody waits", nil, nil, 1, 0},
		{"who waits for the platform", nil, upstream.Ignore, 0, 1},
		{"a session that is content with the disk", []session.Option{session.Stored()}, upstream.Ignore, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := disk{stored: new(int), published: new(int)}
			b := bridgeTo(t, d)
			s := session.New("a", nil, c.opts...)
			if err := b.Online(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			_ = b.Uplink().Publish(s, &thing.Message{Kind: thing.Raw}, c.done)
			if *d.stored != c.stored || *d.published != c.platform {
				t.Errorf("stored %d, published %d, want %d and %d", *d.stored, *d.published, c.stored, c.platform)
			}
		})
	}
}
