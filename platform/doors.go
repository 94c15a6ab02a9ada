package platform

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
)

// door is where MQTT clients connect. It is made by Start and does not change.
type door struct {
	name   string
	ln     net.Listener
	secure bool         // clients say securemode=2
	web    *http.Server // nil: MQTT without WebSocket
	http2  bool         // the messages of MQTT over HTTP/2
}

// openDoors listens wherever the configuration says. mu is held.
func (p *Platform) openDoors(ctx context.Context) error {
	for _, d := range []struct {
		name, key, address string
		secure, web        bool
		http2              bool
	}{
		{"MQTT", "mqttAddress", p.cfg.MQTTAddress, false, false, false},
		{"MQTT over TLS", "tlsAddress", p.cfg.TLSAddress, true, false, false},
		{"MQTT over WebSocket", "wsAddress", p.cfg.WSAddress, false, true, false},
		{"MQTT over WebSocket and TLS", "wssAddress", p.cfg.WSSAddress, true, true, false},
		{"HTTP/2", "http2Address", p.cfg.HTTP2Address, false, false, true},
		{"HTTP/2 over TLS", "http2TlsAddress", p.cfg.HTTP2TLSAddress, true, false, true},
	} {
		if d.address == "" {
			p.doors = append(p.doors, nil)
			continue
		}
		ln, err := listen(ctx, d.name, d.key, d.address)
		if err != nil {
			p.closeDoors()
			return err
		}
		if d.secure {
			cfg := p.tls
			if d.http2 {
				cfg = cfg.Clone()
				cfg.NextProtos = []string{"h2"}
			}
			ln = tls.NewListener(ln, cfg)
		}
		opened := &door{name: d.name, ln: ln, secure: d.secure, http2: d.http2}
		if d.web {
			opened.web = p.webServer(d.secure)
		}
		p.doors = append(p.doors, opened)
	}
	return nil
}

// listen listens on the address of that key. The error says how to mend it.
func listen(ctx context.Context, what, key, address string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("platform: address %s for %s (key %s) is in use; stop the process that has it (ss -ltnp shows it) or choose another: %w", address, what, key, err)
	case err != nil:
		return nil, fmt.Errorf("platform: cannot listen on %s for %s (key %s): %w", address, what, key, err)
	default:
		return ln, nil
	}
}

// serveDoors takes connections until the doors are closed. Close waits for it.
func (p *Platform) serveDoors() {
	for _, d := range p.doors {
		if d == nil {
			continue
		}
		p.wg.Go(func() { // ends with its listener
			if d.web == nil {
				p.accept(d)
			} else if err := d.web.Serve(d.ln); !errors.Is(err, http.ErrServerClosed) {
				p.log.Error("no more connections are taken: " + d.name + ": " + err.Error())
			}
		})
	}
}

// closeDoors lets nobody in any more. Connections that are open stay so.
func (p *Platform) closeDoors() {
	for _, d := range p.doors {
		switch {
		case d == nil:
		case d.web != nil:
			_ = d.web.Close() // and handshakes that are under way
			_ = d.ln.Close()  // when it was never served
		default:
			_ = d.ln.Close()
		}
	}
}

// The places of doors.
const (
	tcpDoor = iota
	tlsDoor
	wsDoor
	wssDoor
	http2Door
	http2TLSDoor
)

// MQTTAddr is where the broker listens for MQTT over TCP, host:port; empty before
// Start.
func (p *Platform) MQTTAddr() string { return p.doorAddr(tcpDoor) }

// TLSAddr is where the broker listens for MQTT over TLS, host:port; empty before
// Start and without a tlsAddress.
func (p *Platform) TLSAddr() string { return p.doorAddr(tlsDoor) }

// WSAddr is where the broker listens for MQTT over WebSocket, host:port; empty
// before Start and without a wsAddress.
func (p *Platform) WSAddr() string { return p.doorAddr(wsDoor) }

// WSSAddr is where the broker listens for MQTT over WebSocket and TLS, host:port;
// empty before Start and without a wssAddress.
func (p *Platform) WSSAddr() string { return p.doorAddr(wssDoor) }

// HTTP2Addr is where the HTTP/2 gateway listens, host:port; empty before Start and
// without an http2Address.
func (p *Platform) HTTP2Addr() string { return p.doorAddr(http2Door) }

// HTTP2TLSAddr is where the HTTP/2 gateway listens for TLS, host:port; empty before
// Start and without an http2TlsAddress.
func (p *Platform) HTTP2TLSAddr() string { return p.doorAddr(http2TLSDoor) }

func (p *Platform) doorAddr(i int) string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if i >= len(p.doors) || p.doors[i] == nil {
		return ""
	}
	return p.doors[i].ln.Addr().String()
}
