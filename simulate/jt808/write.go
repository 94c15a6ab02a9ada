package jt808

import (
	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/simulate/internal/crew"
)

// scratch is what is needed while something is done for a terminal. It belongs to
// one goroutine at a time.
type scratch struct {
	writer   crew.Writer
	out      []byte // frames to be written
	cut      bool   // out ends within a frame: the connection is to be broken off
	location locationScratch
	batch    jt808.Batch
	response jt808.PlatformResponse

	locations []*locationScratch // of batch
	chosen    []int              // reports of batch
}

func newScratch() *scratch { return &scratch{out: make([]byte, 0, 1024)} }

func (w *scratch) reset() {
	if cap(w.out) > 64<<10 {
		w.out = make([]byte, 0, 1024)
	}
	w.out, w.cut = w.out[:0], false
}

// header is that of the terminal's next message.
func (t *terminal) header() jt808.Header {
	h := jt808.Header{Version: t.version, Phone: t.phone, Serial: t.serial}
	if t.version == jt808.V2019 {
		h.ProtocolVersion = 1
	}
	return h
}

// put puts a message with a serial number of its own into w, and returns that: of
// several packages the last one's.
func (t *terminal) put(w *scratch, b jt808.Body) (serial uint16) {
	frames := t.putAs(w, b, t.serial)
	t.serial += uint16(frames) //nolint:gosec // at most 65535
	return t.serial - 1
}

// putAs puts a message into w that had its serial number before.
func (t *terminal) putAs(w *scratch, b jt808.Body, serial uint16) (frames int) {
	h := t.header()
	h.Serial = serial
	before := len(w.out)
	out, frames, err := jt808.AppendMessage(w.out, h, b)
	if err != nil {
		panic(err) // the terminal has made a body that there cannot be
	}
	w.out = out
	t.shard.sent[kindOf(b.ID())].Add(1)
	t.link.frames++
	if t.fault != FaultNone {
		t.misbehave(w, before)
	}
	return frames
}
