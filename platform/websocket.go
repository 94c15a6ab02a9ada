package platform

import (
	"errors"
	"log"
	"net"
	"net/http"
	"slices"

	"go.uber.org/zap"
	"golang.org/x/net/websocket"
)

// errSubprotocol refuses what is no MQTT.
var errSubprotocol = errors.New("platform: want the WebSocket subprotocol mqtt")

// webServer takes MQTT over WebSocket (MQTT 3.1.1, section 6) on every path. Each
// connection is served by the goroutine of its request.
func (p *Platform) webServer(secure bool) *http.Server {
	ws := websocket.Server{
		Handshake: func(c *websocket.Config, _ *http.Request) error {
			if i := slices.IndexFunc(c.Protocol, func(s string) bool { return s == "mqtt" || s == "mqttv3.1" }); i >= 0 {
				c.Protocol = c.Protocol[i : i+1]
				return nil
			}
			p.refused("websocket_subprotocol")
			return errSubprotocol
		},
		Handler: func(c *websocket.Conn) {
			c.PayloadType = websocket.BinaryFrame
			l := newLink(p, webConn{c, c.Request().RemoteAddr})
			l.secure = secure
			if p.addLink(l) {
				p.serve(l)
			}
		},
	}
	return &http.Server{Handler: ws, ReadHeaderTimeout: p.cfg.ConnectTimeout, ErrorLog: debugLog(p.log)}
}

// webConn is a WebSocket as a stream of bytes: packets may begin and end anywhere
// in its messages.
type webConn struct {
	*websocket.Conn
	remote string
}

// RemoteAddr implements net.Conn.
func (c webConn) RemoteAddr() net.Addr { return webAddr(c.remote) }

// LocalAddr implements net.Conn.
func (c webConn) LocalAddr() net.Addr { return webAddr("") }

type webAddr string

// Network implements net.Addr.
func (webAddr) Network() string { return "websocket" }

// String implements net.Addr.
func (a webAddr) String() string { return string(a) }

// debugLog is where a web server's own remarks go.
func debugLog(to *zap.Logger) *log.Logger { //nolint:forbidigo // net/http wants one
	l, err := zap.NewStdLogAt(to, zap.DebugLevel)
	if err != nil { // only for a level that does not exist
		return nil
	}
	return l
}
