package server_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/server/keystore"
)

func TestTLSCarriesMessages(t *testing.T) {
	t.Parallel()
	b := serveTLS(t, unlimited(), nil)
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			c := b.secure(t, b.clientWith(v.version, v.suite))
			id := strings.ReplaceAll(v.name, " ", "")
			c.send("HELLO %s\n", id)
			c.want("OK")
			for i := range 100 {
				c.send("SAY %d\nECHO %d\n", i, i)
			}
			for range 200 {
				c.line()
			}
			if n := len(b.heard(id)); n != 100 {
				t.Errorf("%d messages, want 100", n)
			}
			for _, n := range []int{1, 1200, 16384, 16385, 70_000} {
				c.send("ECHO %s\n", strings.Repeat("y", n))
				c.want(strings.Repeat("y", n))
			}
		})
	}
}

// What a device sends right behind its handshake is not lost.
func TestTLSPipelined(t *testing.T) {
	t.Parallel()
	b := serveTLS(t, unlimited(), nil)
	for i := range 20 {
		c := b.secure(t, b.client())
		c.send("HELLO p%d\nSAY a\n", i)
		c.want("OK", "ACK a")
	}
	until(t, "handshakes counted", func() bool { return b.Stats().TLS[0].Handshakes == 20 })
}

func TestTLSCloseNotify(t *testing.T) {
	t.Parallel()
	b := serveTLS(t, unlimited(), nil)
	t.Run("of the device", func(t *testing.T) {
		c := b.secure(t, b.client())
		c.send("ECHO a\n")
		c.want("a")
		if err := c.Conn.(*tls.Conn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if line, err := c.r.ReadString('\n'); line != "" || !errors.Is(err, io.EOF) {
			t.Errorf("got %q and %v, want close_notify", line, err)
		}
		b.wantEnd(t, server.CausePeerClosed)
	})
	t.Run("of the adapter", func(t *testing.T) {
		c := b.secure(t, b.client())
		c.send("BYE\n")
		c.want("BYE")
		if _, err := c.r.ReadByte(); !errors.Is(err, io.EOF) { // and not io.ErrUnexpectedEOF
			t.Errorf("got %v, want close_notify", err)
		}
		b.wantEnd(t, server.CauseProtocol, errBye)
	})
	t.Run("none", func(t *testing.T) {
		c := b.secure(t, b.client())
		c.send("ECHO a\n")
		c.want("a")
		_ = c.Conn.(*tls.Conn).NetConn().Close()
		b.wantEnd(t, server.CausePeerClosed)
	})
}

// A device that does not use TLS ends at once, without a handshake.
func TestTLSPlainDevice(t *testing.T) {
	t.Parallel()
	b := serveTLS(t, unlimited(), nil)
	c := b.dial(t)
	c.send("HELLO plain\n")
	if _, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want a clean end", err)
	}
	until(t, "the end is counted", func() bool { return b.stats().Closed["tls"] == 1 })
	if n := b.Stats().Handshakes.Running; n != 0 {
		t.Errorf("%d handshakes under way", n)
	}
}

func TestTLSVersions(t *testing.T) {
	t.Parallel()
	b := serveTLS(t, unlimited(), func(_ *authority, c *server.TLSConfig) { c.MinVersion = server.TLS13 })
	if _, err := b.trySecure(t, b.clientWith(tls.VersionTLS12, 0)); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.2: got %v, want an alert about the version", err)
	}
	b.secure(t, b.clientWith(tls.VersionTLS13, 0)).send("ECHO a\n")
	until(t, "failure counted", func() bool { return b.Stats().TLS[0].Failed == 1 && b.stats().Closed["tls"] == 1 })
}

func TestTLSClientCertificates(t *testing.T) {
	t.Parallel()
	foreign := newAuthority(t, "authority") // of the same name
	for _, mode := range []string{server.ClientAuthRequired, server.ClientAuthOptional, server.ClientAuthNone} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := serveTLS(t, unlimited(), func(a *authority, c *server.TLSConfig) {
				c.ClientAuth, c.ClientCA = mode, []string{a.file()}
			})
			good, forged := b.issue("d1"), foreign.issue("d1")
			for name, with := range map[string]*tls.Certificate{"none": nil, "good": &good, "foreign": &forged} {
				wanted := name == "good" || mode == server.ClientAuthNone || mode == server.ClientAuthOptional && name == "none"
				for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
					config := b.clientWith(version, 0)
					if with != nil {
						config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return with, nil }
					}
					c, err := b.trySecure(t, config) // TLS 1.3 tells a refusal only afterwards
					if err == nil {
						_, _ = c.Write([]byte("ECHO a\n"))
						_, err = c.r.ReadString('\n')
					}
					var alert tls.AlertError
					switch {
					case wanted && err != nil:
						t.Errorf("certificate %s, %x: %v", name, version, err)
					case !wanted && !errors.As(err, &alert) && !strings.Contains(err.Error(), "tls:"):
						t.Errorf("certificate %s, %x: got %v, want an alert", name, version, err)
					}
				}
			}
		})
	}
}

// A device logs in as its certificate says, and as nobody else.
func TestTLSIdentity(t *testing.T) {
	t.Parallel()
	for _, from := range protocol.CertificateNames()[:3] {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			core, logs := observer.New(zapcore.WarnLevel)
			b := serveTLS(t, unlimited(), func(a *authority, c *server.TLSConfig) {
				c.ClientAuth, c.ClientCA, c.Identity = server.ClientAuthRequired, []string{a.file()}, from
			}, server.WithLogger(zap.New(core)))
			names := map[string]string{protocol.CommonName: "cn1", protocol.DNSName: "dns1", protocol.URIName: "urn:imei:1"}
			template := b.issue("cn1", "urn:imei:1")
			if from == protocol.DNSName {
				template = b.issue("dns1")
			}
			config := b.client()
			config.Certificates = []tls.Certificate{template}
			c := b.secure(t, config)
			c.send("HELLO %s\n", names[from])
			c.want("OK")
			c = b.secure(t, config)
			c.send("HELLO another\n")
			c.want("NO")
			b.wantEnd(t, server.CauseProtocol, auth.ErrDenied)
			if n := len(b.heard("another")); n != 0 || b.logged() != 1 {
				t.Errorf("%d logins reached the platform, want 1", b.logged())
			}
			if said := logs.FilterMessage("login refused").FilterField(zap.String("identity", "another")).Len(); said != 1 {
				t.Errorf("the refused login was logged %d times: %v", said, logs.All())
			}
		})
	}
}

func (c *cloud) logged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logins
}

func TestTLSResumption(t *testing.T) {
	t.Parallel()
	for _, tickets := range []bool{true, false} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(tls.VersionName(version), func(t *testing.T) {
				t.Parallel()
				b := serveTLS(t, unlimited(), func(_ *authority, c *server.TLSConfig) { c.Tickets = tickets })
				config := b.clientWith(version, 0)
				config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
				for i := range 3 {
					if i == 2 { // also with the same certificates read again
						if err := b.tls.Reload(); err != nil {
							t.Fatal(err)
						}
					}
					c := b.secure(t, config)
					c.send("ECHO a\n") // the ticket has come when the answer has
					c.want("a")
					if got := c.Conn.(*tls.Conn).ConnectionState().DidResume; got != (tickets && i > 0) {
						t.Errorf("tickets %v, connection %d resumed: %v", tickets, i, got)
					}
				}
				want := uint64(0)
				if tickets {
					want = 2
				}
				if s := b.Stats().TLS[0]; s.Handshakes != 3 || s.Resumed != want {
					t.Errorf("%d handshakes, %d resumed", s.Handshakes, s.Resumed)
				}
			})
		}
	}
}

func TestTLSNames(t *testing.T) {
	t.Parallel()
	b := serveTLS(t, unlimited(), func(a *authority, c *server.TLSConfig) {
		for _, name := range []string{"one.example", "*.two.example"} {
			c.Certificates = append(c.Certificates, keystore.Source{Certificate: a.write(name[2:]+".pem", a.issue(name))})
		}
	})
	for name, want := range map[string]string{"one.example": "one.example", "x.two.example": "*.two.example", "localhost": "localhost", "": "localhost", "other": "localhost"} {
		config := b.client()
		config.ServerName, config.InsecureSkipVerify = name, true
		c := b.secure(t, config)
		if got := c.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName; got != want {
			t.Errorf("name %q got the certificate of %s, want %s", name, got, want)
		}
	}
}

// A device that does not read what it is sent ends, as without TLS.
func TestTLSNotReading(t *testing.T) {
	t.Parallel()
	limits := unlimited()
	limits.MaxOutbound = 64 << 10
	b := serveTLS(t, limits, nil)
	c := b.secure(t, b.client())
	if err := c.Conn.(*tls.Conn).NetConn().(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if _, err := c.Write([]byte("BIG 100000\n")); err != nil {
			break
		}
	}
	b.wantEnd(t, server.CauseNotReading)
}

// The rate of bytes is that of the bytes on the wire: small records do not get
// around it.
func TestTLSBytesRate(t *testing.T) {
	t.Parallel()
	limits := unlimited()
	limits.BytesPerSecond, limits.Burst = 20_000, time.Second
	b := serveTLS(t, limits, nil)
	c := b.secure(t, b.client())
	c.send("ECHO a\n")
	c.want("a")
	for range 2000 { // 1 byte in 23 each
		if _, err := c.Write([]byte("x")); err != nil {
			break
		}
	}
	b.wantEnd(t, server.CauseBytesRate)
}

// What a device has sent before it closed is not lost, though its handshake may
// not have ended by then.
func TestTLSSendAndClose(t *testing.T) {
	t.Parallel()
	b := serveTLS(t, unlimited(), nil)
	const devices = 100
	for i := range devices {
		c := b.secure(t, b.clientWith(versions[i%2].version, 0))
		c.send("ECHO a\n")
		if i%3 > 0 {
			_ = c.Conn.(*tls.Conn).CloseWrite()
		}
		_ = c.Conn.(*tls.Conn).NetConn().(*net.TCPConn).CloseWrite() // closing with a ticket unread would reset the connection
	}
	until(t, "all ended", func() bool { return b.stats().Connections == 0 })
	if s := b.stats(); s.Messages != devices || s.Closed["peer closed"] != devices {
		t.Errorf("%d messages, want %d; ends: %v", s.Messages, devices, s.Closed)
	}
	until(t, "nothing is held", func() bool { return b.Stats().PendingBytes == 0 && b.Stats().Handshakes.Running == 0 })
}

func TestTLSConfigMistakes(t *testing.T) {
	t.Parallel()
	cfg := server.DefaultTLSConfig()
	cfg.ClientAuth, cfg.MinVersion, cfg.Identity, cfg.Reload = "maybe", "1.1", "name", 1
	cfg.ClientCA = []string{"missing.pem"}
	_, err := server.NewTLS(cfg)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"clientAuth", "minVersion", "identity", "reload", "missing.pem", "neither certificate nor keyStoreFile"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not name %s", err, want)
		}
	}
}
