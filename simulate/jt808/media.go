package jt808

import (
	"slices"

	"github.com/linkspan/linkspan/codec/jt808"
)

// mediaItem is a multimedia item that the platform has not confirmed, as it was sent.
type mediaItem struct {
	id     uint32
	first  uint16 // serial of the first package
	frames [][]byte
}

const (
	pictureSize = 2400 // bytes: three packages
	maxMedia    = 8    // items kept to be sent again
	maxShots    = 4    // pictures of one command
)

// shoot takes pictures, as 0x8801 says, and sends them unless they are to be stored.
func (t *terminal) shoot(now int64, w *scratch, serial uint16, b *jt808.Shoot) {
	r := &jt808.ShotResponse{Serial: serial}
	switch {
	case b.Command == jt808.ShootStop || b.Command == jt808.ShootRecord:
	case b.Channel > 4:
		r.Result = jt808.ShotChannel
	default:
		for range min(int(b.Command), maxShots) {
			t.commands.mediaID++
			r.IDs = append(r.IDs, t.commands.mediaID)
		}
	}
	t.put(w, r)
	t.locate(now, w)
	for _, id := range r.IDs {
		t.put(w, &jt808.MediaEvent{MediaID: id, Channel: b.Channel})
		if b.Save == 0 {
			t.upload(w, id, jt808.MediaImage, b.Channel)
		}
	}
}

// upload sends a multimedia item in packages, with w.location if that was filled.
func (t *terminal) upload(w *scratch, id uint32, k jt808.MediaType, channel uint8) {
	data := make(jt808.Hex, pictureSize)
	for i := range data {
		data[i] = byte(t.rng.Uint64())
	}
	copy(data, "\xFF\xD8\xFF\xE0\x00\x10JFIF\x00")
	copy(data[len(data)-2:], "\xFF\xD9")
	m := &jt808.MediaData{MediaID: id, Type: k, Channel: channel, Location: &w.location.body, Data: data}
	item := &mediaItem{id: id, first: t.serial}
	before := len(w.out)
	t.put(w, m)
	item.frames = splitFrames(w.out[before:])
	c := &t.commands
	if c.media = append(c.media, item); len(c.media) > maxMedia {
		c.media = slices.Delete(c.media, 0, 1)
	}
}

// splitFrames copies frames that lie one behind the other.
func splitFrames(wire []byte) (frames [][]byte) {
	for len(wire) > 1 {
		end := slices.Index(wire[1:], 0x7E) + 2
		if end < 2 {
			break
		}
		frames = append(frames, slices.Clone(wire[:end]))
		wire = wire[end:]
	}
	return frames
}

// mediaAnswered takes message 0x8800: the item is complete, or packages are missing.
func (t *terminal) mediaAnswered(w *scratch, b *jt808.MediaResponse) {
	c := &t.commands
	i := slices.IndexFunc(c.media, func(m *mediaItem) bool { return m.id == b.MediaID })
	switch {
	case i < 0:
		t.shard.strayAcks.Add(1)
	case len(b.Packets) == 0:
		c.media = slices.Delete(c.media, i, i+1)
		t.shard.acked[kindMedia].Add(1)
	default:
		t.again(w, c.media[i], b.Packets)
	}
}

// resendPackages takes message 0x8003. Of a batch all packages are sent again.
func (t *terminal) resendPackages(now int64, w *scratch, b *jt808.PlatformResendRequest) {
	for _, m := range t.commands.media {
		if m.first == b.FirstSerial {
			t.again(w, m, b.Packets)
			return
		}
	}
	if i := t.backlog.findPackage(b.FirstSerial); i >= 0 {
		t.repeat(now, w, i)
		return
	}
	t.shard.strayAcks.Add(1)
}

// again sends packages of an item again, as they were.
func (t *terminal) again(w *scratch, m *mediaItem, packages []uint16) {
	for _, n := range packages {
		if n > 0 && int(n) <= len(m.frames) {
			w.out = append(w.out, m.frames[n-1]...)
			t.shard.resent[kindMedia].Add(1)
		}
	}
}
