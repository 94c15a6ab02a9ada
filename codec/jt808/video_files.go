package jt808

// RecordingFilter says which stored sound and pictures are meant.
type RecordingFilter struct {
	Channel uint8         `json:"channel"` // logical channel; 0 in a query: all
	Start   BCDTime       `json:"start"`   // from here on; zeros: any time
	End     BCDTime       `json:"end"`     // to here; zeros: any time
	Alarm   RecordedAlarm `json:"alarm"`   // bits: 0-31 the alarm word of JT/T 808, 32-63 that of JT/T 1078; 0: any
	Media   uint8         `json:"media"`   // 0 sound and pictures, 1 sound, 2 pictures, 3 pictures or either
	Stream  uint8         `json:"stream"`  // 0 all, 1 main, 2 sub
	Storage uint8         `json:"storage"` // 0 all, 1 main, 2 backup
}

// RecordedAlarm is the alarms that a recording was made for, as 64 bits.
type RecordedAlarm [8]byte

// MarshalText is the bits as sixteen hexadecimal digits.
func (a RecordedAlarm) MarshalText() ([]byte, error) { return Hex(a[:]).MarshalText() }

func (r *reader) recordingFilter() RecordingFilter {
	f := RecordingFilter{Channel: r.u8(), Start: r.time(), End: r.time()}
	r.fixed(f.Alarm[:])
	f.Media, f.Stream, f.Storage = r.u8(), r.u8(), r.u8()
	return f
}

func (w *writer) recordingFilter(f *RecordingFilter) {
	w.u8(f.Channel)
	w.time(f.Start)
	w.time(f.End)
	w.bytes(f.Alarm[:])
	w.bytes([]byte{f.Media, f.Stream, f.Storage})
}

// QueryAVResources is message 0x9205: the platform asks for stored sound and
// pictures (JT/T 1078). The terminal answers with 0x1205.
type QueryAVResources struct {
	RecordingFilter
	Tail Hex `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x9205.
func (*QueryAVResources) ID() ID { return IDQueryAVResources }

// AppendBody appends the 24 bytes of the query.
func (b *QueryAVResources) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.recordingFilter(&b.RecordingFilter)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the query; it wants 24 bytes.
func (b *QueryAVResources) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = QueryAVResources{RecordingFilter: r.recordingFilter(), Tail: r.tail()}
	return r.err()
}

// Recording is stored sound and pictures.
type Recording struct {
	RecordingFilter        // which it is
	Size            uint32 `json:"size"` // bytes
}

// AVResourceList is message 0x1205, the stored sound and pictures: the answer to
// 0x9205, usually in many packets (JT/T 1078). The platform answers each packet
// with 0x8001.
type AVResourceList struct {
	Serial uint16      `json:"ack_serial"`     // serial of the query
	Count  uint32      `json:"count"`          // of recordings, as the terminal says
	Items  []Recording `json:"items"`          // recordings found
	Tail   Hex         `json:"tail,omitempty"` // bytes behind the last recording
}

// ID is 0x1205.
func (*AVResourceList) ID() ID { return IDAVResourceList }

// AppendBody appends the recordings. Count is written as it is.
func (b *AVResourceList) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u16(b.Serial)
	w.u32(b.Count)
	for i := range b.Items {
		w.recordingFilter(&b.Items[i].RecordingFilter)
		w.u32(b.Items[i].Size)
	}
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads recordings to the body's end.
func (b *AVResourceList) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = AVResourceList{Serial: r.u16(), Count: r.u32()}
	b.Items = list(&r, int(b.Count), func(r *reader) Recording {
		return Recording{RecordingFilter: r.recordingFilter(), Size: r.u32()}
	})
	b.Tail = r.tail()
	return r.err()
}

// FileUpload is message 0x9206: the terminal is to upload recordings by FTP (JT/T
// 1078). It answers with 0x0001, and with 0x1206 when it has done it.
type FileUpload struct {
	Host     string `json:"host"`     // address of the FTP server, at most 255 bytes
	Port     uint16 `json:"port"`     // of the FTP server
	User     string `json:"user"`     // at most 255 bytes
	Password string `json:"password"` // at most 255 bytes
	Path     string `json:"path"`     // on the FTP server, at most 255 bytes
	RecordingFilter
	Condition uint8 `json:"condition"`      // bits of networks that may be used: 0 WiFi, 1 LAN, 2 3G or 4G
	Tail      Hex   `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x9206.
func (*FileUpload) ID() ID { return IDFileUpload }

// AppendBody appends the command.
func (b *FileUpload) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.text8(b.Host, "server address")
	w.u16(b.Port)
	w.text8(b.User, "user")
	w.text8(b.Password, "password")
	w.text8(b.Path, "path")
	w.recordingFilter(&b.RecordingFilter)
	w.u8(b.Condition)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the command; it wants 31 bytes and the texts.
func (b *FileUpload) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = FileUpload{
		Host: r.text8(), Port: r.u16(), User: r.text8(), Password: r.text8(), Path: r.text8(),
		RecordingFilter: r.recordingFilter(), Condition: r.u8(), Tail: r.tail(),
	}
	return r.err()
}

// FileUploadControl is message 0x9207: the platform controls an upload (JT/T
// 1078). The terminal answers with 0x0001.
type FileUploadControl struct {
	Serial  uint16 `json:"ack_serial"`     // serial of the 0x9206
	Control uint8  `json:"control"`        // 0 pause, 1 resume, 2 cancel
	Tail    Hex    `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x9207.
func (*FileUploadControl) ID() ID { return IDFileUploadControl }

// AppendBody appends the three bytes of the command.
func (b *FileUploadControl) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u16(b.Serial)
	w.u8(b.Control)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the command; it wants three bytes.
func (b *FileUploadControl) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = FileUploadControl{Serial: r.u16(), Control: r.u8(), Tail: r.tail()}
	return r.err()
}

// FileUploadDone is message 0x1206: an upload is over (JT/T 1078). The platform
// answers with 0x8001.
type FileUploadDone struct {
	Serial uint16 `json:"ack_serial"`     // serial of the 0x9206
	Result uint8  `json:"result"`         // 0 done, 1 failed
	Tail   Hex    `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x1206.
func (*FileUploadDone) ID() ID { return IDFileUploadDone }

// AppendBody appends the three bytes of the result.
func (b *FileUploadDone) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u16(b.Serial)
	w.u8(b.Result)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the result; it wants three bytes.
func (b *FileUploadDone) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = FileUploadDone{Serial: r.u16(), Result: r.u8(), Tail: r.tail()}
	return r.err()
}
