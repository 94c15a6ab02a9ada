package platform

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// discard is a connection that takes everything and says nothing.
type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error)      { return len(b), nil }
func (discard) Close() error                     { return nil }
func (discard) SetWriteDeadline(time.Time) error { return nil }
func (discard) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// bench is a platform with a gateway that carries n sub-devices, without
// sockets, and the topics of their property posts.
func bench(b *testing.B, reply string, n int) (*Platform, *link, []string) {
	b.Helper()
	cfg := DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress, cfg.Reply = "127.0.0.1:0", "", reply
	cfg.Devices = []Device{{ProductKey: "pk", DeviceName: "gw", DeviceSecret: "s"}}
	for i := range n {
		cfg.Devices = append(cfg.Devices, Device{ProductKey: "a1truck0001", DeviceName: fmt.Sprintf("truck-%06d", i), DeviceSecret: "s", Gateway: "pk/gw"})
	}
	p, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	if err := p.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = p.Close(context.Background()) })
	l := newLink(p, discard{})
	l.client = p.broker.NewClient(l, "bench", "pk/gw", false)
	l.client.ParseConnect("bench", packets.Packet{
		ProtocolVersion: 4, Connect: packets.ConnectParams{ClientIdentifier: "pk/gw", Keepalive: 60},
	})
	l.dev = p.devices[key{"pk", "gw"}]
	l.busy = true
	topics := make([]string, 0, n)
	p.mu.Lock()
	for i := range n {
		dev := p.devices[key{"a1truck0001", fmt.Sprintf("truck-%06d", i)}]
		p.bring(dev, l, p.now())
		topics = append(topics, "/sys/"+dev.key.product+"/"+dev.key.device+"/thing/event/property/post")
		l.addFilter("/sys/" + dev.name + "/thing/event/+/post_reply")
		l.addFilter("/sys/" + dev.name + "/thing/service/#")
	}
	p.mu.Unlock()
	pk := packets.Packet{Payload: []byte(location)}
	for _, pk.TopicName = range topics { // the first post of a device makes room for its properties
		p.uplink(l, &pk)
	}
	return p, l, topics
}

// location is a post of what a JT/T 808 terminal reports.
const location = `{"id":"1234567","version":"1.0","params":{"alarm":0,"status":3,"latitude":31.230416,"longitude":121.473701,"altitude":15,"speed":60.5,"direction":270,"mileage":12345.6,"fuel":45.5,"signal":28,"satellites":11,"located":true},"method":"thing.event.property.post"}`

// BenchmarkPropertyPost is one location post through the hook: what the
// platform itself costs, without the broker's own reading and writing.
func BenchmarkPropertyPost(b *testing.B) {
	for _, c := range []struct {
		reply   string
		devices int
	}{{ReplyAll, 1}, {ReplyAll, 1_000}, {ReplyAll, 100_000}, {ReplyNone, 1_000}} {
		b.Run(fmt.Sprintf("reply=%s/devices=%d", c.reply, c.devices), func(b *testing.B) {
			_, l, topics := bench(b, c.reply, c.devices)
			h := hook{p: l.p}
			pk := packets.Packet{Payload: []byte(location)}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				pk.TopicName = topics[i%len(topics)]
				i++
				if _, err := h.OnPublish(l.client, pk); err == nil {
					b.Fatal("forwarded")
				}
			}
			if got := l.p.stats.messages[kindProperty].Load(); got == 0 || l.p.stats.refused["publish 520"] != 0 {
				b.Fatalf("%d posts, refused %v", got, l.p.stats.refused)
			}
			if c.reply == ReplyAll && l.p.stats.replies.Load() == 0 {
				b.Fatal("no replies")
			}
		})
	}
}

// BenchmarkSocket is location posts over a loopback connection, written in
// bursts as a connector does, with a reader that takes the replies. Both ends
// share the machine.
func BenchmarkSocket(b *testing.B) {
	for _, reply := range []string{ReplyAll, ReplyNone} {
		b.Run("reply="+reply, func(b *testing.B) {
			p, l, topics := bench(b, reply, 1_000)
			ours, theirs, err := pipe()
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = theirs.Close() }()
			l.Conn = ours
			l.busy = false
			p.wg.Add(1)
			p.mu.Lock()
			p.links[l] = struct{}{}
			p.mu.Unlock()
			go func() {
				defer p.wg.Done()
				_ = l.client.Read(func(cl *mqtt.Client, pk packets.Packet) error {
					return p.broker.InjectPacket(cl, pk)
				})
				_ = l.Close()
			}()
			go func() {
				buf := make([]byte, 64<<10)
				for {
					if _, err := theirs.Read(buf); err != nil {
						return
					}
				}
			}()
			const n = 64
			burst := make([]byte, 0, n*(len(location)+100))
			for i := range n {
				burst = append(burst, publishPacket(topics[i*7%len(topics)], location)...)
			}
			b.ReportAllocs()
			done, before := uint64(0), p.stats.messages[kindProperty].Load()
			for b.Loop() {
				if done%n == 0 {
					if _, err := theirs.Write(burst); err != nil {
						b.Fatal(err)
					}
				}
				done++
			}
			for want := before + (done+n-1)/n*n; p.stats.messages[kindProperty].Load() < want; {
				select { // the tail of the last bursts
				case <-p.closing:
				case <-time.After(time.Millisecond):
				}
			}
		})
	}
}

func publishPacket(topic, payload string) []byte {
	n := 2 + len(topic) + len(payload)
	b := []byte{0x30, byte(n)&0x7f | 0x80, byte(n >> 7), byte(len(topic) >> 8), byte(len(topic))}
	return append(append(b, topic...), payload...)
}

func pipe() (a, b net.Conn, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = ln.Close() }()
	if b, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		return nil, nil, err
	}
	a, err = ln.Accept()
	return a, b, err
}

// The hot path allocates one thing per post: the text of the id in the reply.
func TestPropertyPostAllocations(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Devices = []Device{{ProductKey: "pk", DeviceName: "gw", DeviceSecret: "s"}}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.Background()) //nolint:errcheck // never started
	if p.broker, err = newBroker(p); err != nil {
		t.Fatal(err)
	}
	defer p.broker.Close() //nolint:errcheck // has no listeners
	l := newLink(p, discard{})
	l.client = p.broker.NewClient(l, "test", "pk/gw", false)
	l.dev, l.busy, l.autoSub = p.devices[key{"pk", "gw"}], true, true
	pk := packets.Packet{TopicName: "/sys/pk/gw/thing/event/property/post", Payload: []byte(location)}
	p.uplink(l, &pk)
	if n := testing.AllocsPerRun(1000, func() { p.uplink(l, &pk) }); n > 1 {
		t.Errorf("%v allocations per post", n)
	}
	if p.stats.replies.Load() < 1000 {
		t.Errorf("%d replies", p.stats.replies.Load())
	}
}
