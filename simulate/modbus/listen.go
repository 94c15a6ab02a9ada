package modbus

import (
	"net"

	"go.uber.org/zap"
)

// maxAccepted is how many connections the slaves of all lines take at once.
const maxAccepted = 65536

// accept takes connections of masters until the listener is closed.
func (f *Fleet) accept(listener net.Listener, b *bus) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			if f.ctx.Err() == nil {
				f.log.Warn("no further connections are accepted", zap.String("listener", listener.Addr().String()), zap.NamedError("err", err))
			}
			return
		}
		l := f.makeLink(b)
		l.name = conn.RemoteAddr().String()
		f.mu.Lock()
		refused := f.ended || len(f.accepted) >= maxAccepted
		if !refused {
			f.accepted[l] = true
		}
		f.mu.Unlock()
		if refused {
			_ = conn.Close() // nothing was sent
			continue
		}
		f.work.Go(func() { f.serve(l, conn) })
	}
}

// serve answers what one master asks, until its connection ends.
func (f *Fleet) serve(l *link, conn net.Conn) {
	l.mu.Lock()
	if l.gone {
		_ = conn.Close() // nothing was sent
	} else {
		l.attach(f.now(), conn)
		l.schedule()
	}
	l.mu.Unlock()
	l.read(conn)
	l.end()
	f.mu.Lock()
	delete(f.accepted, l)
	f.mu.Unlock()
}
