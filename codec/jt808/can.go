package jt808

// CANID is the head of a CAN frame in message 0x0705: bit 31 the channel, bit 30
// a 29-bit id, bit 29 an average, bits 0 to 28 the id.
type CANID uint32

// Channel is the CAN channel: 0 for CAN1, 1 for CAN2.
func (id CANID) Channel() int { return int(id >> 31) }

// Extended reports whether the frame is an extended one, with an id of 29 bits.
func (id CANID) Extended() bool { return id&(1<<30) != 0 }

// Average reports whether the data is the mean over the sampling interval, not a
// frame as it was.
func (id CANID) Average() bool { return id&(1<<29) != 0 }

// Frame is the id that the frame has on the bus.
func (id CANID) Frame() uint32 { return uint32(id) & (1<<29 - 1) }

// CANItem is one CAN frame.
type CANItem struct {
	ID   CANID `json:"id_raw"` // id, channel and kind
	Data Hex   `json:"data"`   // the frame's data, 8 bytes
}

// canDataLen is the length of a frame's data.
const canDataLen = 8

// CANData is message 0x0705, frames from the CAN bus (JT/T 808; 2013
// is the first to have it). The platform answers with 0x8001.
type CANData struct {
	Time  string    `json:"time_bcd"`       // of the first frame, "hhmmssffff": ten digits, the last four in ms
	Items []CANItem `json:"items"`          // at most 65535
	Tail  Hex       `json:"tail,omitempty"` // bytes behind the last frame
}

// ID is 0x0705.
func (*CANData) ID() ID { return IDCANData }

// AppendBody appends the frames with their count.
func (b *CANData) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.count16(len(b.Items), "CAN frames")
	w.bcd(b.Time, 5)
	for _, item := range b.Items {
		w.u32(uint32(item.ID))
		w.bytesFixed(item.Data, canDataLen, "data of a CAN frame")
	}
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads frames to the body's end. Fewer than it says it has are an
// error: they were cut off.
func (b *CANData) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	count := int(r.u16())
	*b = CANData{Time: r.bcd(5)}
	b.Items = list(&r, count, func(r *reader) CANItem {
		return CANItem{ID: CANID(r.u32()), Data: r.clone(canDataLen)}
	})
	if len(b.Items) < count {
		r.short((count - len(b.Items)) * (4 + canDataLen))
	}
	b.Tail = r.tail()
	return r.err()
}
