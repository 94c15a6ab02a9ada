package upstreamtest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

func order(w *world) {
	t := w.t
	const messages = 400
	devices := w.platform.Devices[:2]
	clients, ledgers := make([]*client, 0, len(devices)), make([]*ledger, 0, len(devices))
	for _, id := range devices {
		clients = append(clients, w.login(id))
		ledgers = append(ledgers, newLedger(messages))
	}
	for n := range messages {
		for i, c := range clients {
			c.device.Publish(number(n), ledgers[i].done(n))
		}
	}
	for i, c := range clients {
		if got := len(ledgers[i].check(w)); got != messages {
			t.Errorf("%d of %d messages acknowledged", got, messages)
		}
		w.until("all messages", func() bool { return len(w.said[nameless(c.id)]) >= messages })
		got := w.numbers(c.id)
		if len(got) != messages || !slices.IsSorted(got) {
			t.Errorf("%d messages of %v arrived in the order %v", len(got), c.id, got)
		}
	}
}

// orderOfFailures publishes what the connector cannot take between what it can.
func orderOfFailures(w *world) {
	t := w.t
	const messages = 100
	c := w.login(w.platform.Devices[0])
	l := newLedger(messages)
	for n := range messages {
		m := number(n)
		if n%3 == 1 {
			m = &thing.Message{Kind: thing.Kind(200)}
		}
		c.device.Publish(m, l.done(n))
	}
	for _, n := range l.check(w) {
		if n%3 == 1 {
			t.Errorf("message %d of a kind that does not exist was acknowledged", n)
		}
	}
	if err := l.results[1][0]; !errors.Is(err, upstream.ErrUnsupported) {
		t.Errorf("Publish of a kind that does not exist: %v, want ErrUnsupported", err)
	}
}

func concurrent(w *world) {
	t := w.t
	const publishers, messages = 8, 50
	c := w.login(w.platform.Devices[0])
	all := make(chan error, publishers*messages)
	var running sync.WaitGroup
	for p := range publishers {
		running.Go(func() {
			for n := range messages {
				c.device.Publish(number(p*messages+n), func(err error) { all <- err })
			}
		})
	}
	running.Wait()
	for range publishers * messages {
		if err := await(w, "done of Publish", all); err != nil {
			t.Fatalf("Publish: %v", err)
		}
	}
	w.until("every message once", func() bool { return len(w.said[nameless(c.id)]) == publishers*messages })
	if got := len(w.numbers(c.id)); got != publishers*messages {
		t.Errorf("%d different messages arrived, want %d", got, publishers*messages)
	}
}

func kinds(w *world) {
	t := w.t
	id := w.platform.Devices[0]
	fields := []thing.Field{
		{Name: "count", Value: thing.Int(-7)},
		{Name: "level", Value: thing.Decimal(605, 1)},
		{Name: "text", Value: thing.String("a \"quoted\" \u4f60\u597d\n")},
		{Name: "on", Value: thing.Bool(true)},
	}
	messages := []thing.Message{
		{Kind: thing.Property, Fields: fields},
		{Kind: thing.Event, Name: "alarm", Fields: fields},
		{Kind: thing.Raw, Raw: []byte{0, 1, 0xfe, 0xff, '"'}},
	}
	if w.platform.Topic != nil {
		messages = append(messages, thing.Message{Kind: thing.Publication, Topic: w.platform.Topic(id), Raw: []byte("as it is")})
	}
	c := w.login(id)
	for _, qos := range []thing.QoS{thing.QoSDefault, thing.AtMostOnce, thing.AtLeastOnce} {
		for _, m := range messages {
			m.QoS = qos
			before := len(w.heard(id))
			err := c.publish(&m)
			if !slices.Contains(w.platform.Kinds, m.Kind) {
				if !errors.Is(err, upstream.ErrUnsupported) {
					t.Errorf("Publish of a %v: %v, want ErrUnsupported", m.Kind, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("Publish of a %v: %v", m.Kind, err)
				continue
			}
			w.until(fmt.Sprintf("a %v", m.Kind), func() bool { return len(w.said[nameless(id)]) > before })
			same(t, w.heard(id)[before], m)
		}
	}
}

// same compares what arrived with what was said.
func same(tb testing.TB, got, want thing.Message) {
	tb.Helper()
	if got.Kind != want.Kind || got.Name != want.Name || got.Topic != want.Topic || string(got.Raw) != string(want.Raw) {
		tb.Errorf("arrived %+v, want %+v", got, want)
	}
	for _, f := range want.Fields {
		v, found := thing.Get(got.Fields, f.Name)
		if !found || v.String() != f.Value.String() {
			tb.Errorf("%v: %s arrived as %v, want %v", got.Kind, f.Name, v, f.Value)
		}
	}
}

// notKept changes a message as soon as Publish returns.
func notKept(w *world) {
	t := w.t
	const messages = 100
	c := w.login(w.platform.Devices[0])
	l := newLedger(messages)
	m := number(0)
	for n := range messages {
		m.Fields[0].Value = thing.Int(int64(n))
		c.device.Publish(m, l.done(n))
		m.Fields[0].Value = thing.Int(-1)
	}
	l.check(w)
	w.until("all messages", func() bool { return len(w.said[nameless(c.id)]) >= messages })
	if got := w.numbers(c.id); len(got) != messages || slices.Contains(got, -1) {
		t.Errorf("arrived: %v", got)
	}
}
