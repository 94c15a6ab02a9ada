package jt808

import "bytes"

// mediaLayout is what message 0x0801 has before its data.
type mediaLayout uint8

const (
	mediaPlain   mediaLayout = iota // nothing: 2011
	mediaLocated                    // a location: from 2013 on
	mediaPackets                    // number of packets and of this one: the draft of 2011
)

// mediaLayoutOf tells the layouts apart by b, what follows the first eight bytes.
// No field does, so the first of these that is true decides:
//
//   - b begins as a media file does: it is all data.
//   - There are packet numbers, and such a beginning behind them: the draft.
//   - 28 bytes can be a location: behind them a media file begins, or they have a
//     time or zeros for one, or at least a place: terminals send impossible times.
//   - There are packet numbers: the draft.
//
// Otherwise, and where b is too short for a location, it is all data.
func mediaLayoutOf(b []byte) mediaLayout {
	packets := startsWithPackets(b)
	switch {
	case startsMedia(b):
		return mediaPlain
	case packets && startsMedia(b[8:]):
		return mediaPackets
	case len(b) >= basicLen && (startsMedia(b[basicLen:]) || startsWithTime(b) || startsWithPlace(b)):
		return mediaLocated
	case packets:
		return mediaPackets
	}
	return mediaPlain
}

// mediaStarts is how files begin that terminals send: JPEG, TIFF, MP3, WAV and
// AVI, WMV, AMR. None begins with what a latitude can begin with.
var mediaStarts = [...]string{
	"\xFF\xD8", "II*\x00", "MM\x00*", "ID3", "\xFF\xFB", "\xFF\xF3", "\xFF\xF2", "RIFF", "\x30\x26\xB2\x75", "#!AMR",
}

// startsMedia reports whether b begins as a media file does.
func startsMedia(b []byte) bool {
	for _, start := range mediaStarts {
		if bytes.HasPrefix(b, []byte(start)) {
			return true
		}
	}
	return len(b) >= 8 && string(b[4:8]) == "ftyp" // MP4, 3GP: the length of the first box is before it
}

// startsWithTime reports whether b has a time where a location has it, or zeros
// as before the first fix.
func startsWithTime(b []byte) bool {
	t := BCDTime(b[basicLen-6 : basicLen])
	_, ok := t.Time()
	return ok || t.IsZero()
}

// startsWithPlace reports whether b has coordinates and a direction where a
// location has them.
func startsWithPlace(b []byte) bool {
	var l Location
	l.parseBasic((*[basicLen]byte)(b))
	return l.InRange() && l.Direction <= 360
}

// startsWithPackets reports whether b begins with a number of packets and the
// number of one of them, as double words: the first cannot be greater than a
// message can have.
func startsWithPackets(b []byte) bool {
	r := newReader(b)
	total, packet := r.u32(), r.u32()
	return r.failed == nil && total <= 0xFFFF && packet >= 1 && packet <= total
}
