package server_test

import (
	"bufio"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/linkspan/linkspan/server"
)

// dripping writes byte by byte, after a prefix.
type dripping struct {
	net.Conn
	prefix string
}

func (d *dripping) Write(p []byte) (int, error) {
	all := append([]byte(d.prefix), p...)
	d.prefix = ""
	for i := range all {
		if _, err := d.Conn.Write(all[i : i+1]); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// together writes a prefix and what comes first behind it at once.
type together struct {
	net.Conn
	prefix string
}

func (w *together) Write(p []byte) (int, error) {
	all := append([]byte(w.prefix), p...)
	w.prefix = ""
	if _, err := w.Conn.Write(all); err != nil {
		return 0, err
	}
	return len(p), nil
}

// TestStages sends PROXY headers and TLS, and neither, to listeners that take
// them, in one piece and byte by byte.
func TestStages(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "stages")
	encryption, err := server.NewTLS(a.config())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		proxy            string
		tls, plainToo    bool
		header           string
		encrypted        bool
		wantOwn, refused bool
	}{
		"PROXY, then TLS":                {proxy: server.ProxyRequired, tls: true, header: headerV2, encrypted: true},
		"PROXY, then plain":              {proxy: server.ProxyRequired, header: headerV1},
		"PROXY, then either: TLS":        {proxy: server.ProxyRequired, tls: true, plainToo: true, header: headerV1, encrypted: true},
		"PROXY, then either: plain":      {proxy: server.ProxyRequired, tls: true, plainToo: true, header: headerV2},
		"perhaps PROXY, then TLS: PROXY": {proxy: server.ProxyOptional, tls: true, header: headerV2, encrypted: true},
		"perhaps PROXY, then TLS: TLS":   {proxy: server.ProxyOptional, tls: true, encrypted: true, wantOwn: true},
		"anything: plain":                {proxy: server.ProxyOptional, tls: true, plainToo: true, wantOwn: true},
		"either: TLS":                    {proxy: server.ProxyOff, tls: true, plainToo: true, encrypted: true, wantOwn: true},
		"either: plain":                  {proxy: server.ProxyOff, tls: true, plainToo: true, wantOwn: true},
		"TLS: plain":                     {proxy: server.ProxyOff, tls: true, refused: true},
		"PROXY, then TLS: no header":     {proxy: server.ProxyRequired, tls: true, encrypted: true, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := serveWho(t, func(l *server.Listener) {
				l.Proxy = behind(c.proxy, "127.0.0.1")
				l.PlainToo = c.plainToo
				if c.tls {
					l.TLS = encryption
				}
			})
			for _, drip := range []bool{false, true} {
				raw := b.dial(t).Conn
				var link net.Conn = &together{raw, c.header}
				if drip {
					link = &dripping{raw, c.header}
				}
				if c.encrypted {
					link = tls.Client(link, a.client())
				}
				d := &client{Conn: link, t: t, r: bufio.NewReader(link)}
				_, err := link.Write([]byte("a\n"))
				switch {
				case c.refused:
					d.wantClosed()
					continue
				case err != nil:
					t.Fatal(err)
				case c.wantOwn:
					d.want(raw.LocalAddr().String() + " a")
				default:
					d.want(device + " a")
				}
				_ = link.Close()
				b.wantEnd(t, server.CausePeerClosed)
			}
			until(t, "nothing to be held", func() bool { return b.Server.Stats().PendingBytes == 0 })
		})
	}
}

// TestHalfAHello waits for the second byte of what may be TLS, and not for ever.
func TestHalfAHello(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "half")
	encryption, err := server.NewTLS(a.config())
	if err != nil {
		t.Fatal(err)
	}
	b := serveWho(t, func(l *server.Listener) {
		l.TLS, l.PlainToo = encryption, true
		l.Limits.Handshake = 200 * time.Millisecond
	})
	d := b.dial(t)
	d.send("\x16")
	d.wantClosed()
	if s := b.stats(); s.Closed["handshake"] != 1 || b.Server.Stats().PendingBytes != 0 {
		t.Errorf("%+v", s)
	}
	plain := b.dial(t)
	plain.send("\x16")
	plain.send("\n")
	plain.want(plain.LocalAddr().String() + " \x16")
}
