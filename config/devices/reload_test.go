package devices

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// others is a source that cannot be looked at without waiting.
type others map[string]auth.Identity

func (o others) Identity(name string) (auth.Identity, error) {
	id, ok := o[name]
	if !ok {
		return id, ErrUnknown
	}
	return id, nil
}

func (o others) Name(id auth.Identity) (string, bool) {
	for name, have := range o {
		if have.ProductKey == id.ProductKey && have.DeviceName == id.DeviceName {
			return name, true
		}
	}
	return "", false
}

func (o others) Len() int { return len(o) }

// A device that another source has told of, and that the file now gives another
// certificate, has changed, though nothing remembers what it was; and a device
// whose certificate the file now gives to another one has lost it.
func TestTheFileOverrulesASourceThatIsNotAsked(t *testing.T) {
	t.Parallel()
	_, path := open(t, "devices.conf", entryOf("f"))
	c, err := Open(Config{File: path}, WithSource(others{"o": id("q", "o", ""), "r": id("q", "r", "")}))
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, entryOf("f", "o")+"n { productKey = q, deviceName = r }\n")
	changes, err := c.Reload()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(changes.Changed)
	if got := fmt.Sprint(changes.Added, changes.Changed, changes.Removed); got != "[] [n o] [r]" {
		t.Errorf("added, changed, removed %s, want [] [n o] [r]", got)
	}
}

// A device that has been online for so long that the server's answer counts no
// more is ended by an entry in the file like any other.
func TestTheFileOverrulesAnAnswerThatIsTooOld(t *testing.T) {
	t.Parallel()
	h, _, clock := asking(t, nil)
	_, path := open(t, "devices.conf", entryOf("f"))
	c, err := Open(Config{File: path}, WithSource(h))
	if err != nil {
		t.Fatal(err)
	}
	c.http = h // as if it were of the configuration
	if _, err = c.Identity("a"); err != nil {
		t.Fatal(err)
	}
	clock.advance(h.cfg.TTL + h.cfg.Stale + time.Second)
	write(t, path, entryOf("f", "a"))
	if changes, err := c.Reload(); err != nil || !slices.Equal(changes.Changed, []string{"a"}) {
		t.Errorf("%+v, %v", changes, err)
	}
}

// A pool that a reload swaps while a device is on its way is searched from its
// beginning.
func TestAPoolThatIsSwappedWhileDevicesCome(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := pooled(t, dir, 2)
	former := c.pool.table()
	wantDevice(t, c, "a", "c0")
	write(t, c.cfg.Pool, "deviceName,deviceSecret,productKey\nc9,s9,p\nc0,s0,p\nc1,s1,p\n")
	if _, err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.bound.bind("b", former, c.file.table()); err != nil { // it had the former pool in its hands
		t.Fatal(err)
	}
	wantDevice(t, c, "d", "c9")
}
