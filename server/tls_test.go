package server_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/server"
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

// What a device sends right behind its handshake is not lost, nor what our side
// says first.
func TestTLSPipelined(t *testing.T) {
	t.Parallel()
	b := serveTLS(t, unlimited(), nil)
	for i := range 20 {
		c := b.secure(t, b.client())
		c.send("HELLO p%d\nSAY a\nECHO b\n", i)
		c.want("OK")
		got := map[string]bool{c.line(): true, c.line(): true}
		if !got["ACK a"] || !got["b"] {
			t.Errorf("got %v", got)
		}
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
		if line, err := c.r.ReadString('\n'); line != "" || err == nil || err.Error() != "EOF" {
			t.Errorf("got %q and %v, want close_notify", line, err)
		}
		b.wantEnd(t, server.CausePeerClosed)
	})
	t.Run("of the adapter", func(t *testing.T) {
		c := b.secure(t, b.client())
		c.send("BYE\n")
		c.want("BYE")
		if _, err := c.r.ReadByte(); err == nil || err.Error() != "EOF" { // not io.ErrUnexpectedEOF
			t.Errorf("got %v, want close_notify", err)
		}
		b.wantEnd(t, server.CauseProtocol, errBye)
	})
}

func TestTLSIdentity(t *testing.T) {
	t.Parallel()
	fmt.Fprint(new(strings.Builder))
}
