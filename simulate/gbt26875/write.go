package gbt26875

import (
	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/simulate/internal/crew"
)

// scratch is what is needed while something is done for a panel. It belongs to one
// goroutine at a time.
type scratch struct {
	writer  crew.Writer
	out     []byte // frames to be written
	data    []byte // of a report that is being made
	cut     bool   // out ends within a frame: the connection is to be broken off
	systems gbt26875.SystemStates
	parts   gbt26875.PartStates
	analogs gbt26875.PartAnalogs
	device  gbt26875.DeviceStates
}

func newScratch() *scratch { return &scratch{out: make([]byte, 0, 2048)} }

func (w *scratch) reset() {
	if cap(w.out) > 64<<10 {
		w.out = make([]byte, 0, 2048)
	}
	w.out, w.cut = w.out[:0], false
}

// put puts a frame into w. Over UDP each is a datagram of its own, and written
// at once.
func (p *panel) put(now int64, w *scratch, h gbt26875.Header, data []byte) {
	start := len(w.out)
	out, err := gbt26875.AppendFrame(w.out, &gbt26875.Frame{Header: h, Data: data})
	if err != nil {
		panic(err) // the panel has made data that there cannot be
	}
	w.out = out
	p.link.frames++
	if p.fault != FaultNone {
		p.misbehave(now, w, start)
	}
	if p.fleet.cfg.Network == NetworkUDP {
		p.send(now, w)
	}
}

// header is that of a frame of the panel's own.
func (p *panel) header(now int64, c gbt26875.Command) gbt26875.Header {
	h := gbt26875.Header{
		Serial: p.serial, Version: p.version(), Time: p.label(now),
		Source: p.address, Destination: p.fleet.centre, Command: c,
	}
	p.serial++
	return h
}

// version is what the panel writes there: 1.1, but for [FaultVersion].
func (p *panel) version() gbt26875.Version {
	if p.fault != FaultVersion {
		return gbt26875.Version{Main: 1, User: 1}
	}
	if p.number%2 == 0 {
		return gbt26875.Version{Main: 0x10}
	}
	return gbt26875.Version{User: 1}
}

// send writes what was put into w.
func (p *panel) send(now int64, w *scratch) {
	out, cut := w.out, w.cut
	w.out, w.cut = w.out[:0], false
	if len(out) == 0 || p.link.conn == nil {
		return
	}
	if len(p.link.out) > 0 {
		p.keep(now, out)
		return
	}
	n, err := w.writer.Write(p.link.conn, p.link.raw, out)
	switch {
	case err != nil:
		p.shard.closedByPeer.Add(1)
		p.drop(now, err)
		return
	case n < len(out):
		p.shard.stalls.Add(1)
		if p.fleet.cfg.Network == NetworkTCP { // a datagram is simply lost
			p.link.stuck = now
			p.keep(now, out[n:])
		}
	}
	if cut {
		p.shard.broken.Add(1)
		p.drop(now, errHalf)
	}
}

// keep holds what cannot be written yet.
func (p *panel) keep(now int64, rest []byte) {
	if len(p.link.out)+len(rest) > maxOut {
		p.drop(now, errStuck)
		return
	}
	if len(p.link.out) == 0 {
		p.link.flushAt = now + flushEvery
	}
	p.link.out = append(p.link.out, rest...)
}

// flush tries to write what was kept.
func (p *panel) flush(now int64, w *scratch) {
	if now < p.link.flushAt {
		return
	}
	n, err := w.writer.Write(p.link.conn, p.link.raw, p.link.out)
	switch {
	case err != nil:
		p.shard.closedByPeer.Add(1)
		p.drop(now, err)
		return
	case n > 0:
		p.link.stuck = now
		p.link.out = p.link.out[:copy(p.link.out, p.link.out[n:])]
	case now-p.link.stuck > stuckFor:
		p.drop(now, errStuck)
		return
	}
	p.link.flushAt = now + flushEvery
	if len(p.link.out) == 0 {
		p.link.out, p.link.flushAt = nil, never
	}
}
