package server

// sniffStage waits until it can tell whether a connection begins with TLS, where a
// listener takes plain ones too.
type sniffStage struct{ conn *conn }

// received implements stage.
func (s sniffStage) received(in []byte) {
	c := s.conn
	in = c.gather(in)
	switch encrypted, known := beginsTLS(in); {
	case !known:
		c.keep(in)
	case encrypted:
		c.handOn(in, c.advanceTLS)
	default:
		c.handOn(in, c.advancePlain)
	}
}

// closed implements stage.
func (sniffStage) closed() {}

// beginsTLS says whether in begins with a handshake record of TLS 1.0 to 1.3 (RFC
// 8446, section 5.1); known is false when more is needed to tell.
func beginsTLS(in []byte) (encrypted, known bool) {
	const record = "\x16\x03"
	return begins(in, record), len(in) >= len(record) || !begins(in, record)
}
