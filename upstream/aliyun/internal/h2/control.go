package h2

import (
	"errors"

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
		if err := s.Valid(); err != nil {
			code := http2.ErrCodeProtocol
			if known := http2.ConnectionError(0); errors.As(err, &known) {
				code = http2.ErrCode(known)
			}
			return breaks(code, "setting %v is %d", s.ID, s.Val)
		}
		switch s.ID { //nolint:exhaustive // the others are not for a client, or do no harm
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
	r := s.request
	var cause error = &StreamError{Code: f.ErrCode}
	if r != nil && f.ErrCode == http2.ErrCodeRefusedStream && !s.header { // it was not looked at
		cause = ErrRefused
		switch r.refusals++; {
		case c.goAway != nil:
			cause = ErrUnprocessed
		case r.refusals < maxRefusals && int64(c.nextID)+2*int64(c.pending.n) <= maxStream:
			s.request, r.stream = nil, nil
			c.pending.push(r)
			r = nil
		}
	}
	c.remove(s)
	err := c.drained()
	c.mu.Unlock()
	if r != nil {
		r.Done(Message{}, cause)
	}
	return err
}

// goingAway takes no more requests, tells those that the server will not look at,
// and waits for the others (RFC 9113, section 6.8).
func (c *Conn) goingAway(f *http2.GoAwayFrame) error {
	c.mu.Lock()
	c.leave(&GoAwayError{f.ErrCode, string(f.DebugData()[:min(len(f.DebugData()), 256)])})
	dones := c.refusePending(ErrUnprocessed)
	for id, s := range c.streams {
		if s.pushed || id <= f.LastStreamID {
			continue
		}
		if r := s.request; r != nil {
			dones = append(dones, func() { r.Done(Message{}, ErrUnprocessed) })
		}
		c.remove(s)
	}
	err := c.drained()
	c.mu.Unlock()
	for _, done := range dones {
		done()
	}
	return err
}
