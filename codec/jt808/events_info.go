package jt808

// MenuAction is what messages 0x8301, 0x8303 and 0x8401 do with a list that the
// terminal holds.
type MenuAction uint8

// What can be done with a list. MenuDeleteSome is for the events of 0x8301 only.
const (
	MenuDeleteAll  MenuAction = 0 // empty it; no items follow
	MenuUpdate     MenuAction = 1 // replace all of it
	MenuAppend     MenuAction = 2 // add to it
	MenuChange     MenuAction = 3 // change the items with these ids
	MenuDeleteSome MenuAction = 4 // delete the items with these ids, which have no text then
)

// Event is one of the events that a driver can report by a key.
type Event struct {
	ID      uint8  `json:"id"`      // what message 0x0301 says
	Content string `json:"content"` // at most 255 bytes of GBK
}

// SetEvents is message 0x8301: the platform sets the events that a driver can
// report (JT/T 808; not in 2019). The terminal answers with 0x0001.
type SetEvents struct {
	Action MenuAction `json:"type"`             // what to do with the list
	Total  uint8      `json:"total,omitempty"`  // of all packets; only in the layout of the 2011 draft, otherwise 0
	Events []Event    `json:"events,omitempty"` // at most 255
}

// ID is 0x8301.
func (*SetEvents) ID() ID { return IDSetEvents }

// AppendBody appends the events; for MenuDeleteAll without events the action alone.
func (b *SetEvents) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return appendMenu(dst, b.Action, b.Total, b.Events, "events", func(w *writer, e *Event) {
		w.u8(e.ID)
		w.text8(e.Content, "event")
	})
}

// ParseBody reads events to the body's end.
func (b *SetEvents) ParseBody(body []byte, v Version) (err error) {
	b.Action, b.Total, b.Events, err = parseMenu(body, v, func(r *reader) Event {
		return Event{ID: r.u8(), Content: r.text8()}
	})
	return err
}

// EventReport is message 0x0301: the driver reports one of the events of 0x8301
// (JT/T 808; not in 2019, but still sent). The platform answers with 0x8001.
type EventReport struct {
	EventID uint8 `json:"event_id"`       // of the event
	Tail    Hex   `json:"tail,omitempty"` // bytes behind the id
}

// ID is 0x0301.
func (*EventReport) ID() ID { return IDEventReport }

// AppendBody appends the event's id.
func (b *EventReport) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return append(append(dst, b.EventID), b.Tail...), nil
}

// ParseBody reads the event's id; it wants one byte.
func (b *EventReport) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = EventReport{EventID: r.u8(), Tail: r.tail()}
	return r.err()
}

// InfoItem is one kind of information that a driver can order.
type InfoItem struct {
	Type uint8  `json:"type"` // what messages 0x0303 and 0x8304 say
	Name string `json:"name"` // at most 65535 bytes of GBK
}

// SetInfoMenu is message 0x8303: the platform sets the menu of information on
// demand (JT/T 808; not in 2019). The terminal answers with 0x0001.
type SetInfoMenu struct {
	Action MenuAction `json:"type"`            // what to do with the menu
	Total  uint8      `json:"total,omitempty"` // of all packets; only in the layout of the 2011 draft, otherwise 0
	Items  []InfoItem `json:"items,omitempty"` // at most 255
}

// ID is 0x8303.
func (*SetInfoMenu) ID() ID { return IDSetInfoMenu }

// AppendBody appends the items, whose lengths are WORDs; for MenuDeleteAll
// without items the action alone.
func (b *SetInfoMenu) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return appendMenu(dst, b.Action, b.Total, b.Items, "items", func(w *writer, item *InfoItem) {
		w.u8(item.Type)
		w.text16(item.Name, "name")
	})
}

// ParseBody reads items to the body's end.
func (b *SetInfoMenu) ParseBody(body []byte, v Version) (err error) {
	b.Action, b.Total, b.Items, err = parseMenu(body, v, func(r *reader) InfoItem {
		return InfoItem{Type: r.u8(), Name: r.text16()}
	})
	return err
}

// InfoRequest is message 0x0303: the driver orders information or cancels it
// (JT/T 808; not in 2019). The platform answers with 0x8001.
type InfoRequest struct {
	Type uint8 `json:"type"`           // kind of information, of 0x8303
	Flag uint8 `json:"flag"`           // 0 cancel, 1 order
	Tail Hex   `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x0303.
func (*InfoRequest) ID() ID { return IDInfoRequest }

// AppendBody appends the two bytes of the request.
func (b *InfoRequest) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return append(append(dst, b.Type, b.Flag), b.Tail...), nil
}

// ParseBody reads the request; it wants two bytes.
func (b *InfoRequest) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = InfoRequest{Type: r.u8(), Flag: r.u8(), Tail: r.tail()}
	return r.err()
}

// Info is message 0x8304, information that was ordered (JT/T 808; not in 2019).
// The terminal answers with 0x0001.
type Info struct {
	Type    uint8  `json:"type"`             // kind of information, of 0x8303
	Total   uint16 `json:"total,omitempty"`  // number of packets; only in the layout of the 2011 draft, otherwise 0
	Packet  uint16 `json:"packet,omitempty"` // number of this packet, from 1; only if Total is not 0
	Content string `json:"content"`          // at most 65535 bytes of GBK
	Tail    Hex    `json:"tail,omitempty"`   // bytes behind the content
}

// ID is 0x8304.
func (*Info) ID() ID { return IDInfo }

// AppendBody appends the information with its length, or with Total and Packet
// instead if Total is not 0.
func (b *Info) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u8(b.Type)
	if b.Total != 0 {
		w.u16(b.Total)
		w.u16(b.Packet)
		w.text(b.Content)
		return w.done()
	}
	w.text16(b.Content, "information")
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the information. It has the layout of the 2011 draft when its
// length is not that of the content, and a packet number that is at most the
// number of packets follows.
func (b *Info) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	*b = Info{Type: r.u8()}
	draft := r
	total, packet := draft.u16(), draft.u16()
	if v != V2019 && draft.failed == nil && int(total) != r.len()-2 && packet >= 1 && packet <= total {
		b.Total, b.Packet, b.Content = total, packet, draft.textRest()
		return nil
	}
	b.Content = r.text16()
	b.Tail = r.tail()
	return r.err()
}
