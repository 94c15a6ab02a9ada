package jt808

import (
	"fmt"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

// media handles a multimedia item: it is kept first, then reported, then
// answered, each when the one before has succeeded.
func (a *adapter) media(c *conn, s *scratch, f *jt808.Frame) {
	var m jt808.MediaData
	if m.ParseBody(f.Body, f.Version) != nil {
		a.malformed(c, s, f)
		return
	}
	data := []byte(m.Data)
	m.Data = nil
	r, o := a.receive(c, f), a.origin
	r.then = func(failed bool) {
		if !failed {
			a.mediaDone(c, o, &m)
		}
	}
	if a.sink == nil || len(data) > a.config.Multimedia.MaxFile {
		if a.sink != nil {
			a.counters.mediaFailed.Add(1) // and will never fit: the terminal is not to send it again
		}
		a.reportMedia(s, r, &m, len(data), "")
		return
	}
	item := &Media{
		Identity: o.identity, ID: m.MediaID, Type: m.Type, Format: m.Format, Cause: m.Cause,
		Channel: m.Channel, Packet: m.Packet, Time: c.Now(), Data: data,
	}
	if m.Location != nil {
		if at, ok := m.Location.Time.TimeIn(a.zone); ok {
			item.Time = at
		}
	}
	size := len(data)
	a.sink.Store(item, func(reference string, err error) {
		c.Do(func() {
			s := borrow()
			defer s.giveBack()
			if err != nil {
				a.counters.mediaFailed.Add(1)
				c.Failed(o.identity, fmt.Errorf("multimedia item %d not kept: %w", m.MediaID, err))
				r.failed = true
				r.complete(s)
				return
			}
			a.counters.mediaStored.Add(1)
			a.reportMedia(s, r, &m, size, reference)
		})
	})
}

// reportMedia reports the event multimedia.
func (a *adapter) reportMedia(s *scratch, r *receipt, m *jt808.MediaData, size int, reference string) {
	fields := append(s.fields[:0],
		number("mediaId", m.MediaID),
		number("type", m.Type),
		number("format", m.Format),
		number("cause", m.Cause),
		number("channel", m.Channel),
		number("size", size),
	)
	if m.Total > 0 {
		fields = append(fields, number("packet", m.Packet), number("packets", m.Total))
	}
	if reference != "" {
		fields = append(fields, words("reference", reference))
	}
	s.message = thing.Message{Kind: thing.Event, Name: "multimedia"}
	if m.Location != nil {
		s.message.Time, fields = a.positionFields(fields, m.Location)
	}
	s.fields = fields
	s.message.Fields = fields
	r.report(&s.message)
	r.complete(s)
}

// mediaDone answers 0x8800: all of it is there.
func (a *adapter) mediaDone(c *conn, o *origin, m *jt808.MediaData) {
	if p := a.packages; p != nil {
		for i := range p.media {
			if p.media[i].id == m.MediaID {
				p.media[i].done = true
			}
		}
	}
	s := borrow()
	defer s.giveBack()
	a.sendBodyTo(c, s, o, &jt808.MediaResponse{MediaID: m.MediaID})
}
