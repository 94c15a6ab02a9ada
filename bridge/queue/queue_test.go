package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

func modes(t *testing.T, run func(t *testing.T, mode string)) {
	t.Helper()
	for _, mode := range []string{queue.ModeOn, queue.ModeSpill} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			run(t, mode)
		})
	}
}

// A platform that is away costs devices nothing: they come online, and what they
// say is safe and arrives in its order when the platform is back.
func TestPlatformAway(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		t.Helper()
		c := newCloud(t)
		q, _ := start(t, config(t, mode), c, names{})
		c.set(func() { c.away = true })
		const messages = 600 // more than fit into a device's window
		var devices []*device
		for i := range 3 {
			d := online(t, q, fmt.Sprintf("d%d", i))
			d.store(0, messages)
			devices = append(devices, d)
		}
		if got := q.Stats(); got.Provisional != 3 || got.Waiting != 3*messages || got.Memory > 0 {
			t.Errorf("while the platform is away: %+v", got)
		}
		c.set(func() { c.away = false })
		for _, d := range devices {
			d.store(messages, messages+50)
			c.until(t, "everything", func() bool { return len(c.numbers(d.name)) == messages+50 })
			if got := c.heard(d.name); !slices.Equal(got, upTo(messages+50)) {
				t.Errorf("%s: arrived %v", d.name, got)
			}
			if len(d.lost) > 0 {
				t.Errorf("Lost: %v", <-d.lost)
			}
			if err := await(t, "done", d.publish(number(messages+50))); err != nil {
				t.Errorf("Publish after all: %v", err)
			}
			if got := c.count(d.name); got != messages+51 {
				t.Errorf("%s: %d messages arrived, some twice", d.name, got)
			}
		}
		if got := q.Stats(); got.Waiting != 0 || got.Memory != 0 || got.MemoryBytes != 0 {
			t.Errorf("after all: %+v", got)
		}
	})
}

// A login that takes too long is provisional; what is refused later is lost.
func TestProvisionalLogin(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	cfg := config(t, queue.ModeOn)
	cfg.LoginWait = 20 * time.Millisecond
	q, _ := start(t, cfg, c, names{})
	block := make(chan struct{})
	c.ops <- func() { <-block } // the platform does not answer
	d := online(t, q, "slow")
	d.store(0, 5)
	close(block)
	c.until(t, "the messages", func() bool { return len(c.said["slow"]) == 5 })

	c.set(func() { c.away = true })
	d = online(t, q, "deleted")
	c.set(func() { c.away, c.login = false, func(string) error { return errGoodbye } })
	if cause := await(t, "Lost", d.lost); !errors.Is(cause, auth.ErrDenied) {
		t.Errorf("Lost with %v", cause)
	}
	if err := await(t, "done", d.publish(number(0))); !errors.Is(err, upstream.ErrLoggedOut) {
		t.Errorf("Publish after Lost: %v", err)
	}
	if _, err := login(t, q, "refused at once"); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("Login of a device that is refused: %v", err)
	}
}

// What devices have left behind is said for them, after a restart too, and they are
// logged out behind it.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		t.Helper()
		cfg := config(t, mode)
		c := newCloud(t)
		q, stop := start(t, cfg, c, names{})
		c.set(func() { c.away = true })
		a, b := online(t, q, "a"), online(t, q, "b")
		a.store(0, 300)
		b.store(0, 10)
		a.logout()
		c.set(func() { c.away = false })
		c.until(t, "logout of a behind its messages", func() bool { return len(c.said["a"]) == 300 && c.logouts["a"] == 1 })
		c.set(func() { c.away = true })
		b.store(10, 20)
		a = online(t, q, "a")
		a.store(300, 600)
		stop()

		again := newCloud(t)
		q, _ = start(t, cfg, again, names{})
		again.until(t, "what was left", func() bool {
			return again.logouts["a"] == 1 && len(again.numbers("a")) == 300
		})
		if got := again.heard("a"); got[0] != 300 || !slices.IsSorted(got) {
			t.Errorf("arrived after the restart: %v", got)
		}
		again.until(t, "the other's", func() bool { n := again.numbers("b"); return len(n) > 0 && n[len(n)-1] == 19 })
		if got := q.Stats(); got.Waiting != 0 {
			t.Errorf("after all: %+v", got)
		}
	})
}

// A device that comes back while the queue says what it has left takes over.
func TestComesBack(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	q, _ := start(t, config(t, queue.ModeOn), c, names{})
	for round := range 20 {
		c.set(func() { c.away = true })
		d := online(t, q, "d")
		d.store(round*100, round*100+50)
		d.logout()
		c.set(func() { c.away = false })
		d = online(t, q, "d")
		d.store(round*100+50, round*100+100)
		if round%2 == 0 {
			d.logout()
		}
	}
	c.until(t, "everything", func() bool { return len(c.numbers("d")) == 2000 })
	if got := c.heard("d"); !slices.Equal(got, upTo(2000)) {
		t.Errorf("arrived in the order %v", got)
	}
}

// What the platform refuses is dead after some attempts; the others go on.
func TestPoison(t *testing.T) {
	t.Parallel()
	cfg := config(t, queue.ModeOn)
	c := newCloud(t)
	attempts := 0
	c.refuse = func(_ string, m *thing.Message) error {
		v, _ := thing.Get(m.Fields, "n")
		switch n, _ := v.Int(); {
		case n == 7, n == 17:
			attempts++
			return &upstream.RefusedError{Code: 6306, Reason: "wrong type"}
		case n%10 == 3:
			return upstream.ErrUnsupported
		default:
			return nil
		}
	}
	q, stop := start(t, cfg, c, names{})
	d := online(t, q, "d")
	d.store(0, 100)
	c.until(t, "the others", func() bool { return len(c.numbers("d")) == 88 })
	if got := c.heard("d"); !slices.IsSorted(got) || slices.Contains(got, 7) || slices.Contains(got, 17) {
		t.Errorf("arrived: %v", got)
	}
	settled(t, q)
	stop()
	if attempts != 2*cfg.Poison {
		t.Errorf("the poison was tried %d times, want %d", attempts, 2*cfg.Poison)
	}
	if got := q.Stats(); got.Dead["refused"] != 2 || got.Dead["unsupported"] != 10 || got.Waiting != 0 {
		t.Errorf("dead letters: %+v", got)
	}
	causes := map[string]int{}
	for _, e := range dead(t, cfg) {
		causes[e.Cause]++
		if !e.Dead || e.Name != "d" || e.ProductKey != "p" || e.Listener != "l" || e.Message.Kind != thing.Property {
			t.Errorf("dead letter %+v", e)
		}
	}
	if len(causes) != 2 || causes[upstream.ErrUnsupported.Error()] != 10 {
		t.Errorf("causes of dead letters: %v", causes)
	}
}

// dead are the dead letters.
func dead(tb testing.TB, cfg queue.Config) (list []queue.Entry) {
	tb.Helper()
	l, err := segment.Open(cfg.Dead.Directory, segment.DefaultConfig())
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	r := l.NewReader()
	for rec, ok := r.Next(); ok; rec, ok = r.Next() {
		e, err := queue.Decode(rec.Payload)
		if err != nil {
			tb.Errorf("dead letter %x: %v", rec.Payload, err)
		}
		list = append(list, e)
	}
	return list
}

// Who waits for the platform hears what it says.
func TestWaitsForPlatform(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		t.Helper()
		cfg := config(t, mode)
		c := newCloud(t)
		q, stop := start(t, cfg, c, names{})
		d := online(t, q, "d")
		c.set(func() { c.away = true })
		first, second := d.publish(number(0)), d.publish(number(1))
		d.store(2, 2)
		c.set(func() {
			c.away = false
			c.refuse = func(_ string, m *thing.Message) error {
				if v, _ := thing.Get(m.Fields, "n"); v.String() == "1" {
					return errGoodbye
				}
				return nil
			}
		})
		if err := await(t, "done", first); err != nil {
			t.Errorf("Publish while the platform is away: %v", err)
		}
		if err := await(t, "done", second); !errors.Is(err, auth.ErrDenied) {
			t.Errorf("Publish of what is refused: %v", err)
		}
		stop()
		if got := q.Stats(); got.Waiting != 0 || len(dead(t, cfg)) != 0 {
			t.Errorf("after all: %+v", got)
		}
	})
}

// What devices have left that are unknown, or may not log in, is dead.
func TestDeadDevices(t *testing.T) {
	t.Parallel()
	cfg := config(t, queue.ModeOn)
	c := newCloud(t)
	c.away = true
	q, stop := start(t, cfg, c, names{})
	for _, name := range []string{"unknown", "refused", "fine"} {
		online(t, q, name).store(0, 400)
	}
	stop()
	c = newCloud(t)
	c.login = func(name string) error {
		if name == "refused" {
			return errGoodbye
		}
		return nil
	}
	q, stop = start(t, cfg, c, lookup(func(name string) (auth.Identity, error) {
		if name == "unknown" {
			return auth.Identity{}, fmt.Errorf("file: %w", auth.ErrUnknownDevice)
		}
		return names{}.Identity(name)
	}))
	c.until(t, "the fine one's", func() bool { return len(c.numbers("fine")) == 400 })
	settled(t, q)
	stop()
	if got := q.Stats(); got.Dead["unknown device"] != 400 || got.Dead["login refused"] != 400 {
		t.Errorf("dead letters: %+v", got.Dead)
	}
	count := map[string]int{}
	for _, e := range dead(t, cfg) {
		count[e.Name]++
	}
	if count["unknown"] != 400 || count["refused"] != 400 || len(count) != 2 {
		t.Errorf("dead letters of %v", count)
	}
}

type lookup func(string) (auth.Identity, error)

func (f lookup) Identity(name string) (auth.Identity, error) { return f(name) }

// settled waits until nothing waits any more.
func settled(tb testing.TB, q *queue.Connector) {
	tb.Helper()
	late := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for q.Stats().Waiting > 0 {
		select {
		case <-tick.C:
		case <-late:
			tb.Fatalf("messages wait for ever: %+v", q.Stats())
		}
	}
}

// Devices that are stuck hold up nobody else, and take no memory.
func TestStuck(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		t.Helper()
		cfg := config(t, mode)
		cfg.Window = queue.WindowConfig{Records: 100, Bytes: 1 << 20, Device: 10}
		c := newCloud(t)
		c.refuse = func(name string, _ *thing.Message) error {
			if strings.HasPrefix(name, "stuck") {
				return upstream.ErrTimeout
			}
			return nil
		}
		q, _ := start(t, cfg, c, names{})
		for i := range 20 {
			online(t, q, fmt.Sprintf("stuck%d", i)).store(0, 100)
		}
		for i := range 5 {
			d := online(t, q, fmt.Sprintf("fine%d", i))
			d.store(0, 300)
			c.until(t, "what the fine say", func() bool { return len(c.numbers(d.name)) == 300 })
		}
		if got := q.Stats(); got.Memory > 100 || got.Waiting < 2000 {
			t.Errorf("while some are stuck: %+v", got)
		}
		c.set(func() { c.refuse = nil })
		for i := range 20 {
			name := fmt.Sprintf("stuck%d", i)
			c.until(t, "what the stuck say", func() bool { return len(c.numbers(name)) == 100 })
		}
		settled(t, q)
		if got := q.Stats(); got.Memory != 0 || got.MemoryBytes != 0 {
			t.Errorf("after all: %+v", got)
		}
	})
}

// A platform that comes and goes under load: everything arrives, in its order.
func TestFlapping(t *testing.T) {
	t.Parallel()
	for name, window := range map[string]int{queue.ModeOn: 16, queue.ModeSpill: 16, "one by one": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, queue.ModeOn)
			if name == queue.ModeSpill {
				cfg.Mode = name
			}
			cfg.Window = queue.WindowConfig{Records: 64, Bytes: 1 << 20, Device: window}
			c := newCloud(t)
			q, _ := start(t, cfg, c, names{})
			devices, messages := 10, 400
			if window == 1 { // each record needs a pass over the log
				devices, messages = 4, 120
			}
			var running sync.WaitGroup
			for i := range devices {
				running.Go(func() {
					d, err := login(t, q, fmt.Sprintf("d%d", i))
					if err != nil {
						t.Errorf("Login: %v", err)
						return
					}
					for n := 0; n < messages; n += 20 {
						d.store(n, n+20)
						c.set(func() { c.away = n%40 == 0 })
					}
				})
			}
			running.Wait()
			c.set(func() { c.away = false })
			for i := range devices {
				name := fmt.Sprintf("d%d", i)
				c.until(t, "everything", func() bool { return len(c.numbers(name)) == messages })
				if got := c.heard(name); !slices.Equal(got, upTo(messages)) {
					t.Errorf("%s: arrived in the order %v", name, got)
				}
			}
			settled(t, q)
		})
	}
}

// In mode spill nothing is stored while all is well, and again when all is well again.
func TestSpill(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	q, _ := start(t, config(t, queue.ModeSpill), c, names{})
	d := online(t, q, "d")
	c.until(t, "the login", func() bool { return c.handles["d"] != nil })
	d.store(0, 20) // the log is looked through meanwhile
	settled(t, q)
	before := q.Stats()
	d.store(20, 40)
	if got := q.Stats(); got.Stored != before.Stored || got.Direct != before.Direct+20 {
		t.Errorf("stored although all is well: %+v", got)
	}
	c.set(func() { c.away = true })
	d.store(40, 60)
	if got := q.Stats(); got.Spilled == 0 || got.Waiting != 20 {
		t.Errorf("while the platform is away: %+v", got)
	}
	c.set(func() { c.away = false })
	settled(t, q)
	before = q.Stats()
	d.store(60, 80)
	if got := q.Stats(); got.Stored != before.Stored {
		t.Errorf("stored although all is well again: %+v", got)
	}
	if got := c.heard("d"); !slices.Equal(got, upTo(80)) {
		t.Errorf("arrived: %v", got)
	}
}

// Messages that are answered late, with failures among them, keep their order, and
// so does what is said meanwhile.
func TestSpillKeepsOrder(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	q, _ := start(t, config(t, queue.ModeSpill), c, names{})
	d := online(t, q, "d")
	d.store(0, 1)
	settled(t, q)
	c.set(func() { c.hold["d"], c.away = true, true })
	var order []int
	var mu sync.Mutex
	done := make(chan struct{}, 100)
	say := func(n int) {
		d.up.(upstream.Storer).Store(number(n), func(error) {
			mu.Lock()
			order = append(order, n)
			mu.Unlock()
			done <- struct{}{}
		})
	}
	for n := 1; n < 50; n++ {
		say(n)
	}
	c.answer() // they fail, while the device goes on
	for n := 50; n < 100; n++ {
		say(n)
	}
	for range 99 {
		await(t, "done of Store", done)
	}
	c.set(func() { c.away = false })
	if !slices.IsSorted(order) {
		t.Errorf("done in the order %v", order)
	}
	c.until(t, "everything", func() bool { return len(c.numbers("d")) == 100 })
	if got := c.heard("d"); !slices.Equal(got, upTo(100)) {
		t.Errorf("arrived: %v", got)
	}
}

// A log that is full refuses; what it cannot take goes to a platform that is there.
func TestFull(t *testing.T) {
	t.Parallel()
	cfg := config(t, queue.ModeOn)
	cfg.SegmentSize, cfg.MaxBytes, cfg.MaxRecord = 64<<10, 128<<10, 16<<10
	c := newCloud(t)
	q, _ := start(t, cfg, c, names{})
	c.set(func() { c.login = func(string) error { return upstream.ErrNotConnected } })
	stuck := online(t, q, "stuck")
	var refused error
	for n := 0; refused == nil && n < 10_000; n++ {
		m := number(n)
		m.Fields = append(m.Fields, thing.Field{Name: "pad", Value: thing.String(strings.Repeat("x", 1000))})
		done := make(chan error, 1)
		stuck.up.(upstream.Storer).Store(m, func(err error) { done <- err })
		refused = await(t, "done of Store", done)
	}
	if !errors.Is(refused, upstream.ErrOverloaded) || !errors.Is(refused, segment.ErrFull) {
		t.Fatalf("a full log says %v", refused)
	}
	c.set(func() {
		c.login = nil
		c.refuse = func(name string, _ *thing.Message) error {
			if name == "stuck" {
				return upstream.ErrNotConnected
			}
			return nil
		}
	})
	d := online(t, q, "fine")
	m := number(1)
	m.Raw = make([]byte, 8000)
	if err := await(t, "done", d.publish(m)); err != nil {
		t.Errorf("Publish with a full log: %v", err)
	}
	if got := q.Stats(); got.Bypassed == 0 || got.Refused == 0 {
		t.Errorf("counted: %+v", got)
	}
}

// While nothing can be stored, and nothing of a device is, all that it says at once goes
// straight to the platform, in its order.
func TestNothingCanBeStored(t *testing.T) {
	t.Parallel()
	cfg := config(t, queue.ModeOn)
	cfg.MinFree = 1 << 50
	c := newCloud(t)
	q, _ := start(t, cfg, c, names{})
	d := online(t, q, "d")
	for err := errFault; err != nil; { // until the log has been read, which could have something of the device
		done := make(chan error, 1)
		d.up.(upstream.Storer).Store(number(-1), func(err error) { done <- err })
		err = await(t, "done of Store", done)
	}
	before := q.Stats()
	const rounds, together = 20, 10
	for round := range rounds {
		done := make(chan error, together)
		for n := range together {
			d.up.(upstream.Storer).Store(number(round*together+n), func(err error) { done <- err })
		}
		for range together {
			if err := await(t, "done of Store", done); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
	}
	if got := c.heard("d"); !slices.Equal(got[1:], upTo(rounds*together)) {
		t.Errorf("arrived: %v", got)
	}
	if got := q.Stats(); got.Bypassed-before.Bypassed != rounds*together || got.Refused != before.Refused {
		t.Errorf("counted: %+v", got)
	}
}

// Records that the log drops hold nobody up.
func TestDropped(t *testing.T) {
	t.Parallel()
	cfg := config(t, queue.ModeOn)
	cfg.SegmentSize, cfg.MaxBytes, cfg.MaxRecord, cfg.Full = 64<<10, 128<<10, 16<<10, segment.FullDropOldest
	c := newCloud(t)
	c.away = true
	q, _ := start(t, cfg, c, names{})
	d := online(t, q, "d")
	waits := d.publish(number(-1))
	for n := range 1000 {
		m := number(n)
		m.Raw = make([]byte, 1000)
		d.up.(upstream.Storer).Store(m, upstream.Ignore) // behind one that waits
		late := time.After(patience)
		for q.Stats().Stored < uint64(n+2) {
			select {
			case <-late:
				t.Fatalf("message %d is never stored: %+v", n, q.Stats())
			case <-time.After(50 * time.Microsecond):
			}
		}
	}
	c.set(func() { c.away = false })
	if err := await(t, "done of what was dropped", waits); !errors.Is(err, queue.ErrDropped) {
		t.Errorf("Publish of what was dropped: %v", err)
	}
	settled(t, q)
	got := c.heard("d")
	if len(got) == 0 || got[len(got)-1] != 999 || !slices.IsSorted(got) || len(got) == 1000 {
		t.Errorf("arrived: %v", got)
	}
	if st := q.Stats(); st.Dropped != uint64(1001-len(got)) {
		t.Errorf("%d dropped, and %d arrived of 1001", st.Dropped, len(got))
	}
}

// Replies do not wait behind what is stored.
func TestReplies(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		t.Helper()
		c := newCloud(t)
		c.refuse = func(_ string, m *thing.Message) error {
			if m.Kind != thing.Reply {
				return upstream.ErrTimeout
			}
			return nil
		}
		q, _ := start(t, config(t, mode), c, names{})
		d := online(t, q, "d")
		d.store(0, 100)
		c.handle("d").login.Command(&thing.Command{ID: "1", Kind: thing.Service, Name: "restart"})
		cmd := await(t, "the command", d.commands)
		reply := cmd.Reply(thing.Done)
		if err := await(t, "done of the reply", d.publish(&reply)); err != nil {
			t.Errorf("Publish of a reply: %v", err)
		}
		c.set(func() { c.away = true })
		reply.ID = "2"
		again := d.publish(&reply)
		c.set(func() { c.away, c.refuse = false, nil })
		if err := await(t, "done of the second reply", again); err != nil {
			t.Errorf("Publish of a reply while the platform is away: %v", err)
		}
		c.until(t, "both replies", func() bool { return len(c.replies) == 2 })
	})
}

// A command for a device that is gone is answered.
func TestCommandOfGuest(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	q, _ := start(t, config(t, queue.ModeOn), c, names{})
	d := online(t, q, "d")
	c.set(func() {
		c.refuse = func(_ string, m *thing.Message) error {
			if m.Kind != thing.Reply {
				return upstream.ErrTimeout
			}
			return nil
		}
	})
	d.store(0, 1)
	d.logout()
	c.handle("d").login.Command(&thing.Command{ID: "1", Kind: thing.Service, Name: "restart"})
	c.until(t, "a reply", func() bool { return len(c.replies) == 1 })
	if r := c.replies[0]; r.State != thing.Offline || r.ID != "1" {
		t.Errorf("the platform was told %+v", r)
	}
	c.set(func() { c.refuse = nil })
	c.until(t, "logout", func() bool { return c.logouts["d"] == 1 })
}

// A login that the platform ends is lost; what is stored is said later.
func TestLost(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	q, _ := start(t, config(t, queue.ModeOn), c, names{})
	d := online(t, q, "d")
	c.set(func() { c.refuse = func(string, *thing.Message) error { return upstream.ErrTimeout } })
	d.store(0, 100)
	c.set(func() { c.refuse = nil })
	c.lose("d", errFault)
	if cause := await(t, "Lost", d.lost); !errors.Is(cause, errFault) {
		t.Errorf("Lost: %v", cause)
	}
	d.mute(t)
	c.until(t, "everything", func() bool { return len(c.numbers("d")) == 100 && c.logouts["d"] == 1 })
	if len(d.lost) > 0 {
		t.Errorf("Lost again: %v", <-d.lost)
	}
}

// mute checks that nothing can be said any more.
func (d *device) mute(t *testing.T) {
	t.Helper()
	if err := await(t, "done", d.publish(number(0))); !errors.Is(err, upstream.ErrLoggedOut) {
		t.Errorf("Publish after Lost: %v", err)
	}
}

// Only what the rules name is stored.
func TestRules(t *testing.T) {
	t.Parallel()
	cfg := config(t, queue.ModeOn)
	cfg.Listeners = []string{"l"}
	cfg.Products = []string{"another", "p"}
	c := newCloud(t)
	q, _ := start(t, cfg, c, names{})
	online(t, q, "d").store(0, 5) // and the log is looked through
	settled(t, q)
	for _, l := range []upstream.Login{
		{Device: auth.Identity{ProductKey: "p", DeviceName: "e"}, Name: "e", Listener: "other"},
		{Device: auth.Identity{ProductKey: "q", DeviceName: "f"}, Name: "f", Listener: "l"},
	} {
		done := make(chan upstream.Device, 1)
		q.Login(l, func(d upstream.Device, _ error) { done <- d })
		if _, ok := await(t, "done of Login", done).(upstream.Storer); ok {
			t.Errorf("%v of listener %s is stored", l.Device, l.Listener)
		}
	}
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	cfg := queue.DefaultConfig()
	cfg.Mode, cfg.Poison, cfg.Retry.Max, cfg.MaxRecord, cfg.Window.Device = "maybe", 0, 0, 0, 0
	_, err := queue.New(cfg, nil, nil)
	for _, want := range []string{"mode is", "poison is", "retry.max is", "maxRecord is", "window.device is", "a connector is required", "directory"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want %q in it", err, want)
		}
	}
}
