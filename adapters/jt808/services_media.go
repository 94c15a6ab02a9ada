package jt808

import "github.com/linkspan/linkspan/codec/jt808"

// shootService makes 0x8801.
func shootService(in *reader, _ *adapter) jt808.Body {
	b := &jt808.Shoot{
		Channel:    in.u8("channel", 1),
		Command:    in.u16("count", 1),
		Interval:   in.u16("interval", 0),
		Resolution: jt808.Resolution(in.u8("resolution", uint8(jt808.Resolution640x480))),
		Quality:    in.u8("quality", 5),
		Brightness: in.u8("brightness", 127),
		Contrast:   in.u8("contrast", 63),
		Saturation: in.u8("saturation", 63),
		Chroma:     in.u8("chroma", 127),
	}
	if in.Bool("video", false) {
		b.Command = jt808.ShootRecord
	}
	if in.Bool("stop", false) {
		b.Command = jt808.ShootStop
	}
	if in.Bool("save", false) {
		b.Save = 1
	}
	return b
}

// mediaFilter reads which stored multimedia is meant.
func mediaFilter(in *reader) jt808.MediaFilter {
	return jt808.MediaFilter{
		Type:    jt808.MediaType(in.One("type", 0, "image", "audio", "video")), //nolint:gosec // below 3
		Channel: in.u8("channel", 0),
		Cause:   jt808.MediaCause(in.u8("cause", 0)),
		Start:   in.at("start"),
		End:     in.at("end"),
	}
}

// searchMediaService makes 0x8802.
func searchMediaService(in *reader, _ *adapter) jt808.Body {
	return &jt808.SearchMedia{MediaFilter: mediaFilter(in)}
}

// uploadMediaService makes 0x8803.
func uploadMediaService(in *reader, _ *adapter) jt808.Body {
	b := &jt808.UploadMedia{MediaFilter: mediaFilter(in)}
	if in.Bool("delete", false) {
		b.Delete = 1
	}
	return b
}

// uploadOneMediaService makes 0x8805.
func uploadOneMediaService(in *reader, _ *adapter) jt808.Body {
	b := &jt808.UploadOneMedia{MediaID: in.needU32("mediaId")}
	if in.Bool("delete", false) {
		b.Delete = 1
	}
	return b
}

// recordService makes 0x8804.
func recordService(in *reader, _ *adapter) jt808.Body {
	b := &jt808.Record{Seconds: in.u16("seconds", 0), Rate: in.u8("rate", 0)}
	if in.Bool("start", true) {
		b.Command = 1
	}
	if in.Bool("save", false) {
		b.Save = 1
	}
	return b
}

// liveRequestService makes 0x9101.
func liveRequestService(in *reader, _ *adapter) jt808.Body {
	return &jt808.LiveRequest{
		MediaServer: jt808.MediaServer{Host: in.NeedText("host"), TCP: in.u16("tcp", 0), UDP: in.u16("udp", 0)},
		Channel:     in.u8("channel", 1),
		DataType:    in.u8("dataType", 0),
		Stream:      in.u8("stream", 0),
	}
}

// liveControlService makes 0x9102.
func liveControlService(in *reader, _ *adapter) jt808.Body {
	return &jt808.LiveControl{
		Channel: in.u8("channel", 1), Command: in.needU8("command"), Close: in.u8("close", 0), Stream: in.u8("stream", 0),
	}
}
