package jt808

// AVAttributes is message 0x1003, what sound and pictures the terminal can send:
// the answer to 0x9003 (JT/T 1078). It is not answered.
type AVAttributes struct {
	AudioCodec    uint8  `json:"audio_enc"`       // code of JT/T 1078: 6 G.711A, 7 G.711U, 8 G.726, 19 AAC, 26 ADPCM, ...
	AudioChannels uint8  `json:"audio_channels"`  // of input
	AudioRate     uint8  `json:"audio_rate"`      // 0 8 kHz, 1 22.05 kHz, 2 44.1 kHz, 3 48 kHz
	AudioBits     uint8  `json:"audio_bits"`      // of a sample: 0 8, 1 16, 2 32
	AudioFrameLen uint16 `json:"audio_frame_len"` // bytes of a frame
	AudioOut      uint8  `json:"audio_out"`       // 1: sound can be played
	VideoCodec    uint8  `json:"video_enc"`       // code of JT/T 1078: 98 H.264, 99 H.265, 100 AVS, 101 SVAC
	MaxAudio      uint8  `json:"max_audio"`       // channels of sound
	MaxVideo      uint8  `json:"max_video"`       // channels of video
	Tail          Hex    `json:"tail,omitempty"`  // bytes behind the last field
}

// ID is 0x1003.
func (*AVAttributes) ID() ID { return IDAVAttributes }

// AppendBody appends the ten bytes of the attributes.
func (b *AVAttributes) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.bytes([]byte{b.AudioCodec, b.AudioChannels, b.AudioRate, b.AudioBits})
	w.u16(b.AudioFrameLen)
	w.bytes([]byte{b.AudioOut, b.VideoCodec, b.MaxAudio, b.MaxVideo})
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the attributes; it wants ten bytes.
func (b *AVAttributes) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = AVAttributes{
		AudioCodec: r.u8(), AudioChannels: r.u8(), AudioRate: r.u8(), AudioBits: r.u8(),
		AudioFrameLen: r.u16(), AudioOut: r.u8(), VideoCodec: r.u8(), MaxAudio: r.u8(), MaxVideo: r.u8(),
		Tail: r.tail(),
	}
	return r.err()
}

// PassengerFlow is message 0x1005: how many passengers got on and off (JT/T
// 1078). The platform answers with 0x8001.
type PassengerFlow struct {
	Start BCDTime `json:"start"`          // counted from here on
	End   BCDTime `json:"end"`            // counted to here
	On    uint16  `json:"on"`             // passengers who got on
	Off   uint16  `json:"off"`            // passengers who got off
	Tail  Hex     `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x1005.
func (*PassengerFlow) ID() ID { return IDPassengerFlow }

// AppendBody appends the sixteen bytes of the report.
func (b *PassengerFlow) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.time(b.Start)
	w.time(b.End)
	w.u16(b.On)
	w.u16(b.Off)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the report; it wants sixteen bytes.
func (b *PassengerFlow) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = PassengerFlow{Start: r.time(), End: r.time(), On: r.u16(), Off: r.u16(), Tail: r.tail()}
	return r.err()
}

// MediaServer is where a terminal is to send sound and pictures to.
type MediaServer struct {
	Host string `json:"ip"`  // address, at most 255 bytes
	TCP  uint16 `json:"tcp"` // port; 0: not TCP
	UDP  uint16 `json:"udp"` // port; 0: not UDP
}

func (r *reader) mediaServer() MediaServer {
	return MediaServer{Host: r.text8(), TCP: r.u16(), UDP: r.u16()}
}

func (w *writer) mediaServer(s *MediaServer) {
	w.text8(s.Host, "server address")
	w.u16(s.TCP)
	w.u16(s.UDP)
}

// LiveRequest is message 0x9101: the terminal is to send live sound and pictures
// (JT/T 1078). It answers with 0x0001 and opens another connection, to the
// server, for them.
type LiveRequest struct {
	MediaServer
	Channel  uint8 `json:"channel"`        // logical channel of JT/T 1076
	DataType uint8 `json:"data_type"`      // 0 sound and pictures, 1 pictures, 2 talk, 3 listen, 4 broadcast, 5 transparent
	Stream   uint8 `json:"stream"`         // 0 main, 1 sub
	Tail     Hex   `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x9101.
func (*LiveRequest) ID() ID { return IDLiveRequest }

// AppendBody appends the request.
func (b *LiveRequest) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.mediaServer(&b.MediaServer)
	w.bytes([]byte{b.Channel, b.DataType, b.Stream})
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the request; it wants eight bytes and the address.
func (b *LiveRequest) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = LiveRequest{
		MediaServer: r.mediaServer(),
		Channel:     r.u8(), DataType: r.u8(), Stream: r.u8(), Tail: r.tail(),
	}
	return r.err()
}

// LiveControl is message 0x9102: the platform controls live sound and pictures
// (JT/T 1078). The terminal answers with 0x0001.
type LiveControl struct {
	Channel uint8 `json:"channel"`        // logical channel
	Command uint8 `json:"command"`        // 0 close, 1 switch the stream, 2 pause, 3 resume, 4 end a talk
	Close   uint8 `json:"close"`          // with command 0: 0 everything, 1 sound, 2 pictures
	Stream  uint8 `json:"stream"`         // with command 1: 0 main, 1 sub
	Tail    Hex   `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x9102.
func (*LiveControl) ID() ID { return IDLiveControl }

// AppendBody appends the four bytes of the command.
func (b *LiveControl) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return append(append(dst, b.Channel, b.Command, b.Close, b.Stream), b.Tail...), nil
}

// ParseBody reads the command; it wants four bytes.
func (b *LiveControl) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = LiveControl{Channel: r.u8(), Command: r.u8(), Close: r.u8(), Stream: r.u8(), Tail: r.tail()}
	return r.err()
}

// LiveStatus is message 0x9105: how much of the live sound and pictures gets lost
// (JT/T 1078). It is not answered.
type LiveStatus struct {
	Channel uint8 `json:"channel"`        // logical channel
	Loss    uint8 `json:"loss"`           // packets lost, percent
	Tail    Hex   `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x9105.
func (*LiveStatus) ID() ID { return IDLiveStatus }

// AppendBody appends the two bytes of the status.
func (b *LiveStatus) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return append(append(dst, b.Channel, b.Loss), b.Tail...), nil
}

// ParseBody reads the status; it wants two bytes.
func (b *LiveStatus) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = LiveStatus{Channel: r.u8(), Loss: r.u8(), Tail: r.tail()}
	return r.err()
}

// PlaybackRequest is message 0x9201: the terminal is to play stored sound and
// pictures (JT/T 1078). It answers with 0x1205 and opens another connection, to
// the server, for them.
type PlaybackRequest struct {
	MediaServer
	Channel uint8   `json:"channel"`        // logical channel
	Media   uint8   `json:"media"`          // 0 sound and pictures, 1 sound, 2 pictures, 3 either
	Stream  uint8   `json:"stream"`         // 0 main or sub, 1 main, 2 sub
	Storage uint8   `json:"storage"`        // 0 main or backup, 1 main, 2 backup
	Mode    uint8   `json:"mode"`           // 0 normal, 1 fast, 2 back by key frames, 3 key frames, 4 one picture
	Speed   uint8   `json:"speed"`          // with modes 1 and 2: 1 once, 2 twice, 3 4, 4 8, 5 16 times
	Start   BCDTime `json:"start"`          // from here on; with mode 4: the picture
	End     BCDTime `json:"end"`            // to here; zeros: to the end
	Tail    Hex     `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x9201.
func (*PlaybackRequest) ID() ID { return IDPlaybackRequest }

// AppendBody appends the request.
func (b *PlaybackRequest) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.mediaServer(&b.MediaServer)
	w.bytes([]byte{b.Channel, b.Media, b.Stream, b.Storage, b.Mode, b.Speed})
	w.time(b.Start)
	w.time(b.End)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the request; it wants 23 bytes and the address.
func (b *PlaybackRequest) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = PlaybackRequest{
		MediaServer: r.mediaServer(),
		Channel:     r.u8(), Media: r.u8(), Stream: r.u8(), Storage: r.u8(), Mode: r.u8(), Speed: r.u8(),
		Start: r.time(), End: r.time(), Tail: r.tail(),
	}
	return r.err()
}

// PlaybackControl is message 0x9202: the platform controls a playback (JT/T
// 1078). The terminal answers with 0x0001.
type PlaybackControl struct {
	Channel uint8   `json:"channel"`        // logical channel
	Control uint8   `json:"control"`        // 0 start, 1 pause, 2 end, 3 fast, 4 back, 5 go to Time, 6 key frames
	Speed   uint8   `json:"speed"`          // with controls 3 and 4: 1 once, 2 twice, 3 4, 4 8, 5 16 times
	Time    BCDTime `json:"time"`           // with control 5
	Tail    Hex     `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x9202.
func (*PlaybackControl) ID() ID { return IDPlaybackControl }

// AppendBody appends the nine bytes of the command.
func (b *PlaybackControl) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.bytes([]byte{b.Channel, b.Control, b.Speed})
	w.time(b.Time)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the command; it wants nine bytes.
func (b *PlaybackControl) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = PlaybackControl{Channel: r.u8(), Control: r.u8(), Speed: r.u8(), Time: r.time(), Tail: r.tail()}
	return r.err()
}
