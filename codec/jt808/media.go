package jt808

// MediaType is what a multimedia item is.
type MediaType uint8

// The types of multimedia.
const (
	MediaImage MediaType = 0
	MediaAudio MediaType = 1
	MediaVideo MediaType = 2
)

// MediaFormat is how a multimedia item is coded.
type MediaFormat uint8

// The formats of multimedia.
const (
	MediaJPEG MediaFormat = 0
	MediaTIF  MediaFormat = 1
	MediaMP3  MediaFormat = 2
	MediaWAV  MediaFormat = 3
	MediaWMV  MediaFormat = 4
)

// MediaCause is the event that a multimedia item was made for.
type MediaCause uint8

// The events that multimedia is made for.
const (
	MediaCommanded   MediaCause = 0 // command of the platform
	MediaTimed       MediaCause = 1 // timer
	MediaRobbery     MediaCause = 2 // robbery alarm
	MediaCollision   MediaCause = 3 // collision or rollover alarm
	MediaDoorOpened  MediaCause = 4 // door opened
	MediaDoorClosed  MediaCause = 5 // door closed
	MediaDoorsMoving MediaCause = 6 // doors closed, speed crossing 20 km/h
	MediaDistance    MediaCause = 7 // distance driven
)

// MediaEvent is message 0x0800: a multimedia item has been made (JT/T 808). The
// platform answers with 0x8001.
type MediaEvent struct {
	MediaID uint32      `json:"media_id"`       // of the item, above 0
	Type    MediaType   `json:"type"`           // what it is
	Format  MediaFormat `json:"format"`         // how it is coded
	Cause   MediaCause  `json:"event"`          // what it was made for
	Channel uint8       `json:"channel"`        // of camera or microphone
	Tail    Hex         `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x0800.
func (*MediaEvent) ID() ID { return IDMediaEvent }

// AppendBody appends the eight bytes of the event.
func (b *MediaEvent) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u32(b.MediaID)
	w.bytes([]byte{byte(b.Type), byte(b.Format), byte(b.Cause), b.Channel})
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the event; it wants eight bytes.
func (b *MediaEvent) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = MediaEvent{
		MediaID: r.u32(), Type: MediaType(r.u8()), Format: MediaFormat(r.u8()),
		Cause: MediaCause(r.u8()), Channel: r.u8(), Tail: r.tail(),
	}
	return r.err()
}

// MediaData is message 0x0801, a multimedia item, usually in many packets (JT/T
// 808). The platform answers with 0x8800.
type MediaData struct {
	MediaID uint32      `json:"media_id"`         // of the item, above 0
	Type    MediaType   `json:"type"`             // what it is
	Format  MediaFormat `json:"format"`           // how it is coded
	Cause   MediaCause  `json:"event"`            // what it was made for
	Channel uint8       `json:"channel"`          // of camera or microphone
	Total   uint32      `json:"total,omitempty"`  // number of packets; only in the layout of the 2011 draft, otherwise 0
	Packet  uint32      `json:"packet,omitempty"` // number of this packet, from 1; only if Total is not 0
	// Location is where it was made, without items; nil if the body has none, as in 2011.
	Location *Location `json:"location,omitempty"`
	Data     Hex       `json:"data_hex"` // the item
}

// ID is 0x0801.
func (*MediaData) ID() ID { return IDMediaData }

// AppendBody appends the item; the location unless it is nil, which it may be
// before 2019 only: then the location goes out as zeros.
func (b *MediaData) AppendBody(dst []byte, v Version) ([]byte, error) {
	w := newWriter(dst)
	w.u32(b.MediaID)
	w.bytes([]byte{byte(b.Type), byte(b.Format), byte(b.Cause), b.Channel})
	switch {
	case b.Location != nil:
		w.basic(b.Location, v)
	case v == V2019:
		w.basic(&Location{}, v)
	case b.Total != 0:
		w.u32(b.Total)
		w.u32(b.Packet)
	}
	w.bytes(b.Data)
	return w.done()
}

// ParseBody reads the item. In 2019 it has a location. Before, media, place and
// time tell whether it has one, whatever the time is: see mediaLayoutOf.
func (b *MediaData) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	*b = MediaData{
		MediaID: r.u32(), Type: MediaType(r.u8()), Format: MediaFormat(r.u8()),
		Cause: MediaCause(r.u8()), Channel: r.u8(),
	}
	if r.failed != nil {
		return r.err()
	}
	layout := mediaLocated
	if v != V2019 {
		layout = mediaLayoutOf(body[r.off:])
	}
	switch layout {
	case mediaLocated:
		b.Location = r.basic(v)
	case mediaPackets:
		b.Total, b.Packet = r.u32(), r.u32()
	default:
	}
	b.Data = r.bytesRest()
	return r.err()
}

// basic reads the basic part of a location, without items.
func (r *reader) basic(v Version) *Location {
	l := new(Location)
	_ = r.body(l, basicLen, v) // the reader keeps the error
	return l
}

// basic writes the basic part of a location, without items.
func (w *writer) basic(l *Location, v Version) {
	w.body(&Location{
		Alarm: l.Alarm, Status: l.Status, Latitude: l.Latitude, Longitude: l.Longitude,
		Altitude: l.Altitude, Speed: l.Speed, Direction: l.Direction, Time: l.Time,
	}, v)
}

// MediaItem is a multimedia item that the terminal has stored.
type MediaItem struct {
	MediaID  uint32     `json:"media_id"` // of the item, above 0; not in 2011
	Type     MediaType  `json:"type"`     // what it is
	Channel  uint8      `json:"channel"`  // of camera or microphone
	Cause    MediaCause `json:"event"`    // what it was made for
	Location Location   `json:"location"` // where it was made, without items
}

// Lengths of an item of message 0x0802.
const (
	mediaItemLen     = 4 + mediaItemLen2011
	mediaItemLen2011 = 3 + basicLen
)

// MediaSearchResponse is message 0x0802, the items that a search found: the
// answer to 0x8802 (JT/T 808). It is not answered.
type MediaSearchResponse struct {
	Serial uint16      `json:"ack_serial"`       // serial of the search
	Total  uint16      `json:"count"`            // of items found, as the terminal says
	NoIDs  bool        `json:"no_ids,omitempty"` // items have no media id: the layout of 2011
	Items  []MediaItem `json:"items"`            // items found
	Tail   Hex         `json:"tail,omitempty"`   // bytes behind the last item
}

// ID is 0x0802.
func (*MediaSearchResponse) ID() ID { return IDMediaSearchResponse }

// AppendBody appends the items. Total is written as it is.
func (b *MediaSearchResponse) AppendBody(dst []byte, v Version) ([]byte, error) {
	w := newWriter(dst)
	w.u16(b.Serial)
	w.u16(b.Total)
	for i := range b.Items {
		item := &b.Items[i]
		if !b.NoIDs {
			w.u32(item.MediaID)
		}
		w.bytes([]byte{byte(item.Type), item.Channel, byte(item.Cause)})
		w.basic(&item.Location, v)
	}
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads items to the body's end. It takes them for those of 2011 when
// their number, or else the body's length, fits those and not the others.
func (b *MediaSearchResponse) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	*b = MediaSearchResponse{Serial: r.u16(), Total: r.u16()}
	left := r.len()
	fits, fits2011 := left%mediaItemLen == 0, left%mediaItemLen2011 == 0
	if fits && fits2011 {
		fits = left/mediaItemLen == int(b.Total)
		fits2011 = left/mediaItemLen2011 == int(b.Total)
	}
	b.NoIDs = v != V2019 && fits2011 && !fits
	b.Items = list(&r, int(b.Total), func(r *reader) MediaItem {
		var item MediaItem
		if !b.NoIDs {
			item.MediaID = r.u32()
		}
		item.Type, item.Channel, item.Cause = MediaType(r.u8()), r.u8(), MediaCause(r.u8())
		item.Location = *r.basic(v)
		return item
	})
	b.Tail = r.tail()
	return r.err()
}

// ShotResult is how a camera command ended.
type ShotResult uint8

// The results of a camera command.
const (
	ShotDone    ShotResult = 0
	ShotFailed  ShotResult = 1
	ShotChannel ShotResult = 2 // the channel is not supported
)

// ShotResponse is message 0x0805, what a 0x8801 came to (JT/T 808; 2013 is the
// first to have it). It is not answered.
type ShotResponse struct {
	Serial uint16     `json:"ack_serial"`     // serial of the command
	Result ShotResult `json:"result"`         // how it ended
	IDs    []uint32   `json:"ids,omitempty"`  // media ids, at most 65535; only if Result is 0
	Tail   Hex        `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x0805.
func (*ShotResponse) ID() ID { return IDShotResponse }

// AppendBody appends the response; the ids only if the result is 0.
func (b *ShotResponse) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u16(b.Serial)
	w.u8(uint8(b.Result))
	if b.Result == ShotDone {
		w.count16(len(b.IDs), "media ids")
		for _, id := range b.IDs {
			w.u32(id)
		}
	}
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the response, and ids to the body's end if the result is 0.
func (b *ShotResponse) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = ShotResponse{Serial: r.u16(), Result: ShotResult(r.u8())}
	if b.Result == ShotDone {
		b.IDs = list(&r, int(r.u16()), (*reader).u32)
	}
	b.Tail = r.tail()
	return r.err()
}
