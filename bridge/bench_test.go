package bridge_test

import (
	"context"
	"runtime"
	"strconv"
	"testing"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// void takes everything at once.
type void struct{}

func (void) Login(_ upstream.Login, done func(upstream.Device, error)) { done(void{}, nil) }
func (void) Publish(_ *thing.Message, done func(error))                { done(nil) }
func (void) Logout(done func(error))                                   { done(nil) }

// keeper is a void that keeps the logins it was given, as connectors do.
type keeper struct {
	void
	logins []upstream.Login
}

func (k *keeper) Login(l upstream.Login, done func(upstream.Device, error)) {
	k.logins = append(k.logins, l)
	done(void{}, nil)
}

func voidBridge(tb testing.TB) *bridge.Bridge {
	tb.Helper()
	return bridgeTo(tb, void{})
}

func bridgeTo(tb testing.TB, up upstream.Connector) *bridge.Bridge {
	tb.Helper()
	b, err := bridge.New(bridge.DefaultConfig(), up, names{})
	if err != nil {
		tb.Fatal(err)
	}
	if err := b.Start(context.Background()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return b
}

func voidSession(tb testing.TB, b *bridge.Bridge, identity string) *session.Session {
	tb.Helper()
	s := session.New(identity, nil)
	if err := b.Online(context.Background(), s); err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestPublishAllocations(t *testing.T) {
	b := voidBridge(t)
	u, s := b.Uplink(), voidSession(t, b, "a")
	m := &thing.Message{Kind: thing.Raw, Raw: []byte("x")}
	if n := testing.AllocsPerRun(1000, func() { _ = u.Publish(s, m, nil) }); n != 0 {
		t.Errorf("%v allocations without done", n)
	}
	if n := testing.AllocsPerRun(1000, func() { _ = u.Publish(s, m, upstream.Ignore) }); n > 1 {
		t.Errorf("%v allocations with done", n)
	}
}

func BenchmarkPublish(b *testing.B) {
	br := voidBridge(b)
	u, s := br.Uplink(), voidSession(b, br, "a")
	m := &thing.Message{Kind: thing.Raw, Raw: []byte("x")}
	b.Run("no done", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = u.Publish(s, m, nil)
		}
	})
	b.Run("done", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = u.Publish(s, m, upstream.Ignore)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			s := voidSession(b, br, "p"+strconv.FormatUint(br.Stats().Logins, 10))
			for pb.Next() {
				_ = u.Publish(s, m, nil)
			}
		})
	})
}

// BenchmarkOnlineOffline is one device coming and going.
func BenchmarkOnlineOffline(b *testing.B) {
	br := voidBridge(b)
	u := br.Uplink()
	b.ReportAllocs()
	for b.Loop() {
		s := session.New("a", nil)
		u.Online(s, nil, nil)
		u.Offline(s, errCause)
	}
}

// BenchmarkMemory is the heap that the bridge adds to a session that is online.
func BenchmarkMemory(b *testing.B) {
	const count = 200_000
	for b.Loop() {
		up := &keeper{logins: make([]upstream.Login, 0, count)}
		br := bridgeTo(b, up)
		u := br.Uplink()
		all := make([]*session.Session, count)
		for i := range all {
			all[i] = session.New(strconv.Itoa(i), nil)
		}
		empty := heap()
		for _, s := range all {
			u.Online(s, nil, nil)
		}
		full := heap()
		table := tableBytes(b, all)
		b.ReportMetric(float64(full-empty)/count-table, "B/session")
		runtime.KeepAlive(up)
		for _, s := range all {
			u.Offline(s, errCause)
		}
	}
}

// tableBytes is what the session table takes for each session, without the
// sessions themselves.
func tableBytes(b *testing.B, all []*session.Session) float64 {
	b.Helper()
	fresh := make([]*session.Session, len(all))
	for i, s := range all {
		fresh[i] = session.New(s.Identity(), nil)
	}
	before := heap()
	m, err := session.NewMemory(session.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range fresh {
		if _, err := m.Open(s); err != nil {
			b.Fatal(err)
		}
	}
	grown := float64(heap() - before)
	runtime.KeepAlive(m)
	return grown / float64(len(all))
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var st runtime.MemStats
	runtime.ReadMemStats(&st)
	return st.HeapAlloc
}
