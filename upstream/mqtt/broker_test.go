package mqtt_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream/upstreamtest"
)

// testBroker is a broker with an application that hears everything. It may be
// used from any goroutine.
type testBroker struct {
	tb     testing.TB
	server *broker.Server
	addr   string
	events chan upstreamtest.Event
	heard  chan packets.Packet // what no event is made of; nil: not kept

	mu      sync.Mutex
	ln      net.Listener
	away    bool
	conns   map[net.Conn]bool
	denied  map[string]bool   // client identifiers, and parts of filters
	bridges map[string]string // of devices that are online, by productKey/deviceName
	replies map[string]chan thing.Message
	ids     int
	serving sync.WaitGroup
}

// startBroker starts a broker, which ends with the test.
func startBroker(tb testing.TB) *testBroker {
	tb.Helper()
	b := &testBroker{
		tb: tb, events: make(chan upstreamtest.Event, 100_000), conns: map[net.Conn]bool{}, denied: map[string]bool{},
		bridges: map[string]string{}, replies: map[string]chan thing.Message{},
	}
	caps := broker.NewDefaultServerCapabilities()
	caps.MaximumClientWritesPending = 1 << 16
	b.server = broker.New(&broker.Options{InlineClient: true, Capabilities: caps, Logger: slog.New(slog.DiscardHandler)})
	if err := b.server.AddHook(&hook{b: b}, nil); err != nil {
		tb.Fatal(err)
	}
	if err := b.server.Serve(); err != nil {
		tb.Fatal(err)
	}
	if err := b.server.Subscribe("#", 1, b.hear); err != nil {
		tb.Fatal(err)
	}
	b.listen("127.0.0.1:0")
	tb.Cleanup(func() {
		b.cut()
		_ = b.server.Close()
		b.serving.Wait()
	})
	return b
}

func (b *testBroker) url() string { return "tcp://" + b.addr }

func (b *testBroker) listen(addr string) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		b.tb.Error(err)
		return
	}
	b.mu.Lock()
	b.ln, b.addr, b.away = ln, ln.Addr().String(), false
	b.mu.Unlock()
	b.serve(ln)
}

// serve takes connections until ln is closed, which is at the end of the test if
// not before.
func (b *testBroker) serve(ln net.Listener) {
	b.tb.Cleanup(func() { _ = ln.Close() })
	b.serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			if b.away {
				_ = c.Close()
			}
			b.conns[c] = true
			b.mu.Unlock()
			b.serving.Go(func() {
				_ = b.server.EstablishConnection("test", c)
				_ = c.Close()
				b.mu.Lock()
				delete(b.conns, c)
				b.mu.Unlock()
			})
		}
	})
}

// cut ends all connections, and lets none be made until restore.
func (b *testBroker) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = true
	_ = b.ln.Close()
	for c := range b.conns {
		_ = c.Close()
	}
}

func (b *testBroker) restore() { b.listen(b.addr) }

// deny refuses connections of that client, and subscriptions with that text.
func (b *testBroker) deny(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.denied[text] = true
}

func (b *testBroker) isDenied(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for d := range b.denied {
		if strings.Contains(text, d) {
			return true
		}
	}
	return false
}

// kick ends a client's connection. Its end is what the broker notices: a client that it
// is told to stop may be stopped without its will.
func (b *testBroker) kick(client string) error {
	cl, ok := b.server.Clients.Get(client)
	if !ok {
		return fmt.Errorf("no client %s", client)
	}
	return cl.Net.Conn.Close()
}

// hook is what the broker asks.
type hook struct {
	broker.HookBase
	b *testBroker
}

func (h *hook) ID() string { return "test" }

func (h *hook) Provides(m byte) bool {
	return bytes.Contains([]byte{broker.OnConnectAuthenticate, broker.OnACLCheck}, []byte{m})
}

func (h *hook) OnConnectAuthenticate(cl *broker.Client, _ packets.Packet) bool {
	return !h.b.isDenied(cl.ID)
}

func (h *hook) OnACLCheck(_ *broker.Client, topic string, write bool) bool {
	return write || topic == "#" || !h.b.isDenied(topic)
}

// said is a message as the application reads it.
type said struct {
	Type, ProductKey, DeviceName, Name, ID, State, Text, Bridge string
	Online                                                      bool
	Code                                                        int
	Raw                                                         []byte
	Fields                                                      json.RawMessage
	Time                                                        int64
}

// hear is the application: it makes events of what is published.
func (b *testBroker) hear(_ *broker.Client, _ packets.Subscription, pk packets.Packet) {
	if strings.HasPrefix(pk.TopicName, "$SYS") || strings.Contains(pk.TopicName, "/down/") {
		return
	}
	words := strings.Split(pk.TopicName, "/")
	var s said
	if json.Unmarshal(pk.Payload, &s) != nil || s.Type == "" {
		kind := thing.Publication
		var id auth.Identity
		switch {
		case words[0] == "linkspan" && words[len(words)-1] == "raw":
			kind, id = thing.Raw, auth.Identity{ProductKey: words[1], DeviceName: words[2]}
		case words[0] == "any":
			id = auth.Identity{ProductKey: words[1], DeviceName: words[2]}
		default:
			b.keep(pk)
			return
		}
		b.tell(upstreamtest.Said, id, thing.Message{Kind: kind, Topic: topicIf(kind == thing.Publication, pk.TopicName), Raw: bytes.Clone(pk.Payload)})
		return
	}
	b.keep(pk)
	id := auth.Identity{ProductKey: s.ProductKey, DeviceName: s.DeviceName}
	fields, _ := thing.ParseFields(s.Fields)
	switch s.Type {
	case "property", "event":
		kind := map[string]thing.Kind{"property": thing.Property, "event": thing.Event}[s.Type]
		b.tell(upstreamtest.Said, id, thing.Message{Kind: kind, Name: s.Name, Fields: fields})
	case "presence":
		b.present(id, s.Online, s.Bridge)
	case "bridge":
		b.bridge(s.Bridge, s.Online)
	case "reply":
		state := thing.Failed
		for st := thing.Done; st <= thing.Failed; st++ {
			if strings.ReplaceAll(st.String(), " o", "O") == s.State {
				state = st
			}
		}
		b.mu.Lock()
		waiting := b.replies[s.ID]
		delete(b.replies, s.ID)
		b.mu.Unlock()
		if waiting != nil {
			waiting <- thing.Message{Kind: thing.Reply, ID: s.ID, Name: s.Name, State: state, Code: s.Code, Text: s.Text, Raw: s.Raw, Fields: fields}
		}
	}
}

func topicIf(is bool, topic string) string {
	if is {
		return topic
	}
	return ""
}

func (b *testBroker) keep(pk packets.Packet) {
	if b.heard == nil {
		return
	}
	select {
	case b.heard <- pk:
	default:
		b.tb.Error("the application hears too slowly")
	}
}

func (b *testBroker) tell(kind upstreamtest.EventKind, id auth.Identity, m thing.Message) {
	select {
	case b.events <- upstreamtest.Event{Kind: kind, Device: id, Message: m}:
	default:
		b.tb.Error("the application hears too slowly")
	}
}

func (b *testBroker) present(id auth.Identity, online bool, bridge string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kind := upstreamtest.Offline
	if online {
		kind = upstreamtest.Online
		b.bridges[id.String()] = bridge
	} else {
		delete(b.bridges, id.String())
	}
	b.tell(kind, id, thing.Message{})
}

// bridge takes all devices of a bridge that has gone for offline, as the page on
// MQTT brokers says.
func (b *testBroker) bridge(name string, online bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for device, bridge := range b.bridges {
		if !online && bridge == name {
			delete(b.bridges, device)
			pk, dn, _ := strings.Cut(device, "/")
			b.tell(upstreamtest.Offline, auth.Identity{ProductKey: pk, DeviceName: dn}, thing.Message{})
		}
	}
}

// next is the next event.
func (b *testBroker) next(ctx context.Context) (upstreamtest.Event, error) {
	select {
	case e := <-b.events:
		return e, nil
	case <-ctx.Done():
		return upstreamtest.Event{}, ctx.Err()
	}
}

// command gives a command as an application does, and waits for the reply.
func (b *testBroker) command(ctx context.Context, id auth.Identity, c *thing.Command) (thing.Message, error) {
	b.mu.Lock()
	b.ids++
	text := strconv.Itoa(b.ids)
	reply := make(chan thing.Message, 1)
	b.replies[text] = reply
	b.mu.Unlock()
	j := map[string]any{"id": text, "type": c.Kind.String()}
	switch c.Kind {
	case thing.GetProperties:
		var names []string
		for _, f := range c.Fields {
			names = append(names, f.Name)
		}
		j["names"] = names
	case thing.RawDown:
		j["raw"] = c.Raw
	case thing.Service:
		j["name"] = c.Name
		fallthrough
	default:
		j["fields"] = json.RawMessage(thing.AppendFields(nil, c.Fields))
	}
	payload, err := json.Marshal(j)
	if err == nil {
		err = b.server.Publish("linkspan/"+id.ProductKey+"/"+id.DeviceName+"/down/command", payload, false, 1)
	}
	if err != nil {
		return thing.Message{}, err
	}
	select {
	case m := <-reply:
		return m, nil
	case <-ctx.Done():
		return thing.Message{}, ctx.Err()
	}
}

// await waits for what has to come.
func await[T any](tb testing.TB, what string, from <-chan T) (v T) {
	tb.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		tb.Fatalf("%s never came", what)
	}
	return v
}

const patience = 20 * time.Second
