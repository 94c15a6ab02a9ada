package server_test

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

// who answers each line with the device's address and the line.
type who struct{ ends chan<- error }

func (w who) Received(c *protocol.Conn[string], line string) error {
	return c.Send(c.Remote().String() + " " + line)
}

func (w who) Closed(_ *protocol.Conn[string], cause error) { w.ends <- cause }

// serveProxied is a server behind balancers, as they are configured there.
func serveProxied(t *testing.T, proxy server.ProxyConfig, limits server.Limits, opts ...server.Option) *bench {
	t.Helper()
	return serveWho(t, func(l *server.Listener) { l.Proxy, l.Limits = proxy, limits }, opts...)
}

// serveWho is a server whose listener is unlimited but for what change does.
func serveWho(t *testing.T, change func(*server.Listener), opts ...server.Option) *bench {
	t.Helper()
	b := &bench{cloud: newCloud(t), ends: make(chan error, 1<<10)}
	l := listenerFor(t, b.cloud, b.ends, unlimited())
	change(&l)
	plugin := protocol.Define("who", struct{}{}, func(struct{}) (protocol.Protocol[string], error) {
		return protocol.Protocol[string]{
			Decoder: func() codec.Decoder[string] { return chatDecoder{} },
			Encoder: codec.AppendFunc[string](func(dst []byte, line string) ([]byte, error) { return append(append(dst, line...), '\n'), nil }),
			Adapter: func() protocol.Adapter[string] { return who{b.ends} },
		}, nil
	})
	var err error
	if l.Open, err = plugin.New(plugin.Config); err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Config{Loops: 2}, []server.Listener{l}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	b.Server, b.addr = s, s.Addr("test").String()
	return b
}

func behind(mode string, trusted ...string) server.ProxyConfig {
	return server.ProxyConfig{Mode: mode, Trusted: trusted}
}

const (
	headerV1    = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 7611\r\n"
	headerV2    = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x1d\xbb"
	headerLocal = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	device      = "192.0.2.1:56324"
)

// TestProxyNamesTheDevice sends headers in one piece and byte by byte. What stands
// behind the header, a second one too, is the protocol's.
func TestProxyNamesTheDevice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode, trusted, sent string
		want                []string // %ADDR is the client's own address
	}{
		"v1":                          {server.ProxyRequired, "127.0.0.0/8", headerV1 + "a\nb\n", []string{device + " a", device + " b"}},
		"v2":                          {server.ProxyRequired, "127.0.0.1", headerV2 + "a\n", []string{device + " a"}},
		"anyone may say it":           {"Required", "any", headerV2 + "a\n", []string{device + " a"}},
		"a second header":             {server.ProxyRequired, "any", headerV1 + headerV1 + "a\n", []string{device + " " + strings.TrimSuffix(headerV1, "\n"), device + " a"}},
		"the balancer's own":          {server.ProxyRequired, "any", headerLocal + "a\n", []string{"%ADDR a"}},
		"unknown":                     {server.ProxyRequired, "any", "PROXY UNKNOWN\r\na\n", []string{"%ADDR a"}},
		"optional, there":             {server.ProxyOptional, "any", headerV2 + "a\n", []string{device + " a"}},
		"optional, not there":         {server.ProxyOptional, "any", "PROXIMITY\n", []string{"%ADDR PROXIMITY"}},
		"optional, source unknown":    {server.ProxyOptional, "203.0.113.0/24", headerV1 + "a\n", []string{"%ADDR " + strings.TrimSuffix(headerV1, "\n"), "%ADDR a"}},
		"nobody has asked for a line": {server.ProxyOff, "", headerV1 + "a\n", []string{"%ADDR " + strings.TrimSuffix(headerV1, "\n"), "%ADDR a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := serveProxied(t, behind(c.mode, strings.Fields(c.trusted)...), unlimited())
			for _, bytewise := range []bool{false, true} {
				d := b.dial(t)
				if !bytewise {
					d.send("%s", c.sent)
				}
				for i := range c.sent {
					if bytewise {
						d.send("%s", c.sent[i:i+1])
					}
				}
				for _, want := range c.want {
					d.want(strings.ReplaceAll(want, "%ADDR", d.LocalAddr().String()))
				}
				_ = d.Close()
				b.wantEnd(t, server.CausePeerClosed)
			}
			until(t, "nothing to be held", func() bool { return b.Server.Stats().PendingBytes == 0 })
		})
	}
}

// TestProxyRequired ends connections that do not begin with a right header, and
// does not even begin those of strangers.
func TestProxyRequired(t *testing.T) {
	t.Parallel()
	b := serveProxied(t, behind(server.ProxyRequired, "127.0.0.1"), unlimited())
	for name, sent := range map[string]string{
		"none":            "a\n",
		"wrong":           "PROXY TCP4 192.0.2.1\r\na\n",
		"wrong at length": headerV2[:14] + "\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			d := b.dial(t)
			d.send("%s", sent)
			d.wantClosed()
		})
	}
	if n := b.stats().Closed["proxy"]; n != 3 {
		t.Errorf("%d connections ended by cause proxy", n)
	}
	if b.stats().Messages != 0 || b.Server.Stats().PendingBytes != 0 {
		t.Errorf("%+v", b.stats())
	}

	stranger := serveProxied(t, behind(server.ProxyRequired, "203.0.113.0/24", "2001:db8::/32"), unlimited())
	stranger.wantRefused(t)
	until(t, "the refusal to be counted", func() bool { return stranger.stats().Refused["proxy"] == 1 })
	if stranger.stats().Accepted != 0 {
		t.Error("a stranger is accepted")
	}
}

// TestProxyLimitsAddresses counts connections by the devices' addresses, not by
// the balancer's.
func TestProxyLimitsAddresses(t *testing.T) {
	t.Parallel()
	b := serveProxied(t, behind(server.ProxyOptional, "any"), limited(func(l *server.Limits) { l.MaxPerAddress = 1 }))
	first := b.dial(t)
	first.send("%sa\n", headerV1)
	first.want(device + " a")

	again := b.dial(t)
	again.send("%sa\n", headerV2)
	again.wantClosed()
	if n := b.stats().Closed["address"]; n != 1 {
		t.Errorf("%d connections ended by cause address", n)
	}

	other := b.dial(t)
	other.send("%sa\n", strings.Replace(headerV1, "192.0.2.1", "192.0.2.2", 1))
	other.want("192.0.2.2:56324 a")

	for _, header := range []string{headerLocal, headerLocal, "PROXY UNKNOWN\r\n", "PROXY TCP4 127.0.0.1 127.0.0.1 %d 7611\r\n", "PROXY TCP4 127.0.0.1 127.0.0.1 %d 7611\r\n"} {
		check := b.dial(t) // health checks are no devices
		port := check.LocalAddr().(*net.TCPAddr).Port
		check.send("%sa\n", strings.ReplaceAll(header, "%d", strconv.Itoa(port)))
		check.want(check.LocalAddr().String() + " a")
	}

	plain := b.dial(t) // a device of the balancer's network
	plain.send("a\n")
	plain.want(plain.LocalAddr().String() + " a")
	twice := b.dial(t)
	twice.send("a\n")
	twice.wantClosed()

	_ = first.Close()
	b.wantEnd(t, server.CausePeerClosed)
	until(t, "the place to be free", func() bool {
		d := b.dial(t)
		d.send("%sa\n", headerV2)
		line, err := d.r.ReadString('\n')
		_ = d.Close()
		return err == nil && line == device+" a\n"
	})
}

// TestProxyHealthChecks connects and leaves as balancers do: nothing is refused,
// and nothing is logged that operators would see.
func TestProxyHealthChecks(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.InfoLevel)
	b := serveProxied(t, behind(server.ProxyRequired, "127.0.0.1"), limited(func(l *server.Limits) { l.FirstMessage = time.Minute }), server.WithLogger(zap.New(core)))
	before := logs.Len()
	for _, sent := range []string{"", headerLocal, headerV2, headerV1[:9]} {
		for _, reset := range []bool{false, true} {
			d := b.dial(t)
			d.send("%s", sent)
			if reset {
				_ = d.Conn.(*net.TCPConn).SetLinger(0)
			}
			_ = d.Close()
		}
	}
	until(t, "the checks to have ended", func() bool {
		s := b.stats()
		return s.Accepted == 8 && s.Closed["peer closed"]+s.Closed["peer reset"] == 8
	})
	for _, line := range logs.All()[before:] {
		t.Errorf("%s %v", line.Message, line.ContextMap())
	}
}

// TestProxySlowHeader gives headers no more time than first messages have.
func TestProxySlowHeader(t *testing.T) {
	t.Parallel()
	b := serveProxied(t, behind(server.ProxyRequired, "any"), limited(func(l *server.Limits) { l.FirstMessage = 100 * time.Millisecond }))
	d := b.dial(t)
	d.send("%s", headerV2[:20])
	until(t, "the header to be held", func() bool { return b.Server.Stats().PendingBytes == 20 || b.stats().Connections == 0 })
	d.wantClosed()
	if s := b.stats(); s.Closed["first message"] != 1 || b.Server.Stats().PendingBytes != 0 {
		t.Errorf("%+v", s)
	}
}

func TestProxyConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		proxy server.ProxyConfig
		says  []string
	}{
		"nobody trusted":     {behind(server.ProxyRequired), []string{"trusted is empty", "any"}},
		"no such mode":       {behind("maybe", "any"), []string{`"maybe"`, "off, optional or required"}},
		"no address":         {behind(server.ProxyOptional, "10.0.0.0/33", "lb.example"), []string{"10.0.0.0/33", "lb.example"}},
		"a header too short": {server.ProxyConfig{Mode: server.ProxyRequired, Trusted: []string{"any"}, MaxHeader: 100}, []string{"maxHeader", "536"}},
		"off":                {server.ProxyConfig{Mode: "OFF", Trusted: []string{"nonsense"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listenerFor(t, newCloud(t), nil, unlimited())
			l.Proxy = c.proxy
			s, err := server.New(server.Config{}, []server.Listener{l})
			if (err == nil) != (c.says == nil) {
				t.Fatal(err)
			}
			for _, says := range c.says {
				if !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), `listener "test"`) {
					t.Errorf("%v lacks %q", err, says)
				}
			}
			if s != nil {
				if err := s.Close(t.Context()); err != nil && !errors.Is(err, t.Context().Err()) {
					t.Error(err)
				}
			}
		})
	}
}
