package h2

import (
	"golang.org/x/net/http2"
)

const maxWindow = 1<<31 - 1

// settings takes what the server asks for. Settings that nobody knows are passed
// over (RFC 9113, section 6.5.2).
func (c *Conn) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := f.ForeachSetting(func(s http2.Setting) error {
		if s.Valid() != nil {
			return breaks(http2.ErrCodeProtocol, "setting %v is %d", s.ID, s.Val)
		}
		switch s.ID { //nolint:exhaustive // the others are not for a client
		case http2.SettingMaxConcurrentStreams:
			c.peer.streams = int(min(s.Val, 1<<30))
		case http2.SettingMaxFrameSize:
			c.peer.frame = min(int(s.Val), flushAt)
		case http2.SettingHeaderTableSize:
			c.encoder.SetMaxDynamicTableSizeLimit(min(s.Val, 4096))
		case http2.SettingInitialWindowSize:
			change := int64(s.Val) - c.peer.window
			c.peer.window = int64(s.Val)
			for _, st := range c.streams {
				if st.window += change; st.window > maxWindow {
					return breaks(http2.ErrCodeFlowControl, "the window of stream %d is too large", st.id)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_ = c.framer.WriteSettingsAck()
	c.progress()
	return c.answerFrame()
}

// windowUpdate gives bodies more room.
func (c *Conn) windowUpdate(f *http2.WindowUpdateFrame) error {
	c.mu.Lock()
	n := int64(f.Increment)
	if f.StreamID == 0 {
		defer c.mu.Unlock()
		if c.window += n; c.window > maxWindow {
			return breaks(http2.ErrCodeFlowControl, "the window of the connection is too large")
		}
		c.progress()
		return nil
	}
	s := c.streams[f.StreamID]
	if s == nil {
		defer c.mu.Unlock()
		if c.idle(f.StreamID) {
			return breaks(http2.ErrCodeProtocol, "WINDOW_UPDATE of stream %d, which was never opened", f.StreamID)
		}
		return nil
	}
	if s.window += n; s.window > maxWindow {
		return c.settle(s, breaks(http2.ErrCodeFlowControl, "the window of a stream is too large"), http2.ErrCodeFlowControl)
	}
	c.progress()
	c.mu.Unlock()
	return nil
}

// reset ends a stream that the server does not go on with.
func (c *Conn) reset(f *http2.RSTStreamFrame) error {
	c.mu.Lock()
	s := c.streams[f.StreamID]
	if s == nil {
		defer c.mu.Unlock()
		if f.StreamID == 0 || c.idle(f.StreamID) {
			return breaks(http2.ErrCodeProtocol, "RST_STREAM of stream %d, which was never opened", f.StreamID)
		}
		return nil
	}
	c.remove(s)
	err := c.drained()
	done := s.done
	held := 0
	if s.pushed {
		held = len(s.got.Body)
	}
	c.mu.Unlock()
	_ = c.giveBack(held) // its error is that of the next answer
	if done != nil {
		var cause error = &StreamError{f.ErrCode}
		if f.ErrCode == http2.ErrCodeRefusedStream {
			cause = ErrUnprocessed
		}
		done(Message{}, cause)
	}
	return err
}

// goingAway takes no more requests, tells those that the server will not look at,
// and waits for the others (RFC 9113, section 6.8).
func (c *Conn) goingAway(f *http2.GoAwayFrame) error {
	c.mu.Lock()
	if c.goAway == nil {
		close(c.leaving)
	}
	c.goAway = &GoAwayError{f.ErrCode, string(f.DebugData()[:min(len(f.DebugData()), 256)])}
	dones := c.refusePending(ErrUnprocessed)
	for id, s := range c.streams {
		if s.pushed || id <= f.LastStreamID {
			continue
		}
		c.remove(s)
		if done := s.done; done != nil {
			dones = append(dones, func() { done(Message{}, ErrUnprocessed) })
		}
	}
	err := c.drained()
	c.mu.Unlock()
	for _, done := range dones {
		done()
	}
	return err
}

// drained is the end of a connection that the server has gone away from once
// nothing of it is open. mu is held.
func (c *Conn) drained() error {
	if c.goAway == nil {
		return nil
	}
	for _, s := range c.streams {
		if s.pushed || s.done != nil {
			return nil
		}
	}
	return c.goAway
}
