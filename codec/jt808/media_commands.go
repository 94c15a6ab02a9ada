package jt808

import "encoding/json"

// MediaResponse is message 0x8800, the platform's answer to 0x0801 (JT/T 808): all
// packets are there, or some are missing.
type MediaResponse struct {
	Draft   bool     `json:"draft,omitempty"` // the layout of the 2011 draft, which begins with Serial
	Serial  uint16   `json:"ack_serial"`      // serial of the media data; only with Draft
	MediaID uint32   `json:"media_id"`        // of the item
	Packets []uint16 `json:"ids,omitempty"`   // numbers of the packets that are missing, from 1; none: complete
	Tail    Hex      `json:"tail,omitempty"`  // bytes behind the last number
}

// ID is 0x8800.
func (*MediaResponse) ID() ID { return IDMediaResponse }

// AppendBody appends the answer; the media id alone when nothing is missing.
func (b *MediaResponse) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	if b.Draft {
		w.u16(b.Serial)
	}
	w.u32(b.MediaID)
	if len(b.Packets) > 0 || len(b.Tail) > 0 {
		w.count8(len(b.Packets), "packet numbers")
	}
	for _, p := range b.Packets {
		w.u16(p)
	}
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the answer, and numbers to the body's end. It has the layout
// of the 2011 draft when its length fits that one only.
func (b *MediaResponse) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	*b = MediaResponse{}
	if v != V2019 && !fitsMediaResponse(body) && len(body) > 2 && fitsMediaResponse(body[2:]) {
		b.Draft, b.Serial = true, r.u16()
	}
	b.MediaID = r.u32()
	if r.len() > 0 {
		b.Packets = list(&r, int(r.u8()), (*reader).u16)
	}
	b.Tail = r.tail()
	return r.err()
}

// MarshalJSON gives the serial in the layout of the draft only.
func (b MediaResponse) MarshalJSON() ([]byte, error) {
	type fields MediaResponse
	s := struct {
		Draft  bool    `json:"draft,omitempty"`
		Serial *uint16 `json:"ack_serial,omitempty"`
		fields
	}{Draft: b.Draft, fields: fields(b)}
	if b.Draft {
		s.Serial = &b.Serial
	}
	return json.Marshal(s)
}

// fitsMediaResponse reports whether b is a media id alone, or one with a count
// and as many packet numbers.
func fitsMediaResponse(b []byte) bool {
	return len(b) == 4 || len(b) > 4 && len(b) == 5+2*int(b[4])
}

// Resolution is the size of a picture in message 0x8801. In 2019 0x00 is the
// lowest a terminal has and 0xFF the highest.
type Resolution uint8

// The resolutions.
const (
	Resolution320x240  Resolution = 0x01
	Resolution640x480  Resolution = 0x02
	Resolution800x600  Resolution = 0x03
	Resolution1024x768 Resolution = 0x04
	ResolutionQCIF     Resolution = 0x05 // 176x144
	ResolutionCIF      Resolution = 0x06 // 352x288
	ResolutionHD1      Resolution = 0x07 // 704x288
	ResolutionD1       Resolution = 0x08 // 704x576
)

// What [Shoot.Command] says besides a number of pictures.
const (
	ShootStop   uint16 = 0      // stop shooting
	ShootRecord uint16 = 0xFFFF // record video
)

// Shoot is message 0x8801: the terminal is to take pictures or video at once
// (JT/T 808). It answers with 0x0805, in 2011 with 0x0001.
type Shoot struct {
	Channel    uint8      `json:"channel"`        // of the camera, above 0
	Command    uint16     `json:"command"`        // number of pictures, or ShootStop or ShootRecord
	Interval   uint16     `json:"interval"`       // s between pictures, or of video; 0: as fast as can be, without end
	Save       uint8      `json:"save"`           // 1 save, 0 upload at once
	Resolution Resolution `json:"resolution"`     // the next one the terminal has is taken
	Quality    uint8      `json:"quality"`        // 1 (best) to 10
	Brightness uint8      `json:"brightness"`     // 0 to 255
	Contrast   uint8      `json:"contrast"`       // 0 to 127
	Saturation uint8      `json:"saturation"`     // 0 to 127
	Chroma     uint8      `json:"chroma"`         // 0 to 255
	Tail       Hex        `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x8801.
func (*Shoot) ID() ID { return IDShoot }

// AppendBody appends the twelve bytes of the command.
func (b *Shoot) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u8(b.Channel)
	w.u16(b.Command)
	w.u16(b.Interval)
	w.bytes([]byte{
		b.Save, byte(b.Resolution), b.Quality, b.Brightness, b.Contrast, b.Saturation, b.Chroma,
	})
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the command; it wants twelve bytes.
func (b *Shoot) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = Shoot{
		Channel: r.u8(), Command: r.u16(), Interval: r.u16(),
		Save: r.u8(), Resolution: Resolution(r.u8()), Quality: r.u8(),
		Brightness: r.u8(), Contrast: r.u8(), Saturation: r.u8(), Chroma: r.u8(),
		Tail: r.tail(),
	}
	return r.err()
}

// MediaFilter says which stored multimedia is meant.
type MediaFilter struct {
	Type    MediaType  `json:"type"`    // what it is
	Channel uint8      `json:"channel"` // of camera or microphone; 0: all
	Cause   MediaCause `json:"event"`   // what it was made for
	Start   BCDTime    `json:"start"`   // made from here on; zeros: any time
	End     BCDTime    `json:"end"`     // made to here; zeros: any time
}

func (r *reader) mediaFilter() MediaFilter {
	return MediaFilter{
		Type: MediaType(r.u8()), Channel: r.u8(), Cause: MediaCause(r.u8()), Start: r.time(), End: r.time(),
	}
}

func (w *writer) mediaFilter(f *MediaFilter) {
	w.bytes([]byte{byte(f.Type), f.Channel, byte(f.Cause)})
	w.time(f.Start)
	w.time(f.End)
}

// SearchMedia is message 0x8802: the platform looks for stored multimedia (JT/T
// 808). The terminal answers with 0x0802.
type SearchMedia struct {
	MediaFilter
	Tail Hex `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x8802.
func (*SearchMedia) ID() ID { return IDSearchMedia }

// AppendBody appends the fifteen bytes of the search.
func (b *SearchMedia) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.mediaFilter(&b.MediaFilter)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the search; it wants fifteen bytes.
func (b *SearchMedia) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = SearchMedia{MediaFilter: r.mediaFilter(), Tail: r.tail()}
	return r.err()
}

// UploadMedia is message 0x8803: the terminal is to send stored multimedia (JT/T
// 808). It answers with 0x0001 and sends 0x0801.
type UploadMedia struct {
	MediaFilter
	Delete uint8 `json:"delete"`         // 0 keep, 1 delete when sent
	Tail   Hex   `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x8803.
func (*UploadMedia) ID() ID { return IDUploadMedia }

// AppendBody appends the sixteen bytes of the command.
func (b *UploadMedia) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.mediaFilter(&b.MediaFilter)
	w.u8(b.Delete)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the command; it wants sixteen bytes.
func (b *UploadMedia) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = UploadMedia{MediaFilter: r.mediaFilter(), Delete: r.u8(), Tail: r.tail()}
	return r.err()
}

// Record is message 0x8804: the terminal is to record sound, or to stop (JT/T
// 808). It answers with 0x0001.
type Record struct {
	Command uint8  `json:"command"`        // 0 stop, 1 start
	Seconds uint16 `json:"seconds"`        // s; 0: without end
	Save    uint8  `json:"save"`           // 1 save, 0 upload at once
	Rate    uint8  `json:"rate"`           // samples a second: 0 8000, 1 11025, 2 23000, 3 32000
	Tail    Hex    `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x8804.
func (*Record) ID() ID { return IDRecord }

// AppendBody appends the five bytes of the command.
func (b *Record) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u8(b.Command)
	w.u16(b.Seconds)
	w.u8(b.Save)
	w.u8(b.Rate)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the command; it wants five bytes.
func (b *Record) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = Record{Command: r.u8(), Seconds: r.u16(), Save: r.u8(), Rate: r.u8(), Tail: r.tail()}
	return r.err()
}

// UploadOneMedia is message 0x8805: the terminal is to send one stored item (JT/T
// 808; 2013 is the first to have it). It answers with 0x0001 and sends 0x0801.
type UploadOneMedia struct {
	MediaID uint32 `json:"media_id"`       // of the item, above 0
	Delete  uint8  `json:"delete"`         // 0 keep, 1 delete when sent
	Tail    Hex    `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x8805.
func (*UploadOneMedia) ID() ID { return IDUploadOneMedia }

// AppendBody appends the five bytes of the command.
func (b *UploadOneMedia) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u32(b.MediaID)
	w.u8(b.Delete)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the command; it wants five bytes.
func (b *UploadOneMedia) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = UploadOneMedia{MediaID: r.u32(), Delete: r.u8(), Tail: r.tail()}
	return r.err()
}
