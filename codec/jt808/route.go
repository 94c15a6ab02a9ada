package jt808

// PointAttr says in bits what holds on the section of a route that begins at a
// point.
type PointAttr uint8

// The bits of a point's attributes.
const (
	PointTimed PointAttr = 1 << 0 // the time on the section is limited
	PointSpeed PointAttr = 1 << 1 // speed is limited
	PointSouth PointAttr = 1 << 2 // the latitude is south; otherwise north
	PointWest  PointAttr = 1 << 3 // the longitude is west; otherwise east
)

// RoutePoint is a point of a route and the section that begins there.
type RoutePoint struct {
	ID            uint32    `json:"point_id"`        // of the point
	Section       uint32    `json:"segment_id"`      // id of the section
	Latitude      uint32    `json:"lat_raw"`         // 1e-6 degrees, south with PointSouth
	Longitude     uint32    `json:"lon_raw"`         // 1e-6 degrees, west with PointWest
	Width         uint8     `json:"width"`           // of the section, m
	Attr          PointAttr `json:"attr"`            // bits
	MaxTime       uint16    `json:"max_time"`        // s on the section, with PointTimed
	MinTime       uint16    `json:"min_time"`        // s on the section, with PointTimed
	MaxSpeed      uint16    `json:"max_speed"`       // km/h, with PointSpeed
	OverspeedTime uint8     `json:"overspeed_s"`     // s above MaxSpeed that make an alarm, with PointSpeed
	NightMaxSpeed uint16    `json:"night_max_speed"` // km/h, with PointSpeed, 2019 only

	// HasNight is set by ParseBody where NightMaxSpeed was there, so that its 0 is
	// told from none. AppendBody does not look at it.
	HasNight bool `json:"-"`
}

// SetRoute is message 0x8606: the platform sets one route (JT/T 808). The
// terminal answers with 0x0001.
type SetRoute struct {
	RouteID uint32       `json:"id"`             // of the route
	Attr    AreaAttr     `json:"attr"`           // bits: AreaTimed, AreaEnterDriver to AreaLeavePlatform
	Start   BCDTime      `json:"start"`          // with AreaTimed; a date of zeros: daily
	End     BCDTime      `json:"end"`            // with AreaTimed; a date of zeros: daily
	Points  []RoutePoint `json:"points"`         // in their order, at most 65535
	Name    string       `json:"name,omitempty"` // at most 65535 bytes of GBK, 2019 only
	Tail    Hex          `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x8606.
func (*SetRoute) ID() ID { return IDSetRoute }

// AppendBody appends the route. Limits go out as the attributes say; name and
// night speeds in 2019 only.
func (b *SetRoute) AppendBody(dst []byte, v Version) ([]byte, error) {
	w := newWriter(dst)
	w.u32(b.RouteID)
	w.u16(uint16(b.Attr))
	w.areaTimes(&AreaLimits{Start: b.Start, End: b.End}, b.Attr)
	w.count16(len(b.Points), "points")
	for i := range b.Points {
		w.routePoint(&b.Points[i], v)
	}
	w.areaName(b.Name, v)
	w.bytes(b.Tail)
	return w.done()
}

func (w *writer) routePoint(p *RoutePoint, v Version) {
	w.u32(p.ID)
	w.u32(p.Section)
	w.u32(p.Latitude)
	w.u32(p.Longitude)
	w.u8(p.Width)
	w.u8(uint8(p.Attr))
	if p.Attr&PointTimed != 0 {
		w.u16(p.MaxTime)
		w.u16(p.MinTime)
	}
	if p.Attr&PointSpeed != 0 {
		w.u16(p.MaxSpeed)
		w.u8(p.OverspeedTime)
		if v == V2019 {
			w.u16(p.NightMaxSpeed)
		}
	}
}

// ParseBody reads the route; all of its points have to be there.
func (b *SetRoute) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	b.read(&r, v)
	b.Tail = r.tail()
	return r.err()
}

func (b *SetRoute) read(r *reader, v Version) {
	*b = SetRoute{RouteID: r.u32(), Attr: AreaAttr(r.u16())}
	if b.Attr&AreaTimed != 0 {
		b.Start, b.End = r.time(), r.time()
	}
	for n := int(r.u16()); n > 0 && r.failed == nil; n-- {
		b.Points = append(b.Points, readRoutePoint(r, v))
	}
	b.Name = r.areaName(v)
}

func readRoutePoint(r *reader, v Version) RoutePoint {
	p := RoutePoint{
		ID: r.u32(), Section: r.u32(), Latitude: r.u32(), Longitude: r.u32(),
		Width: r.u8(), Attr: PointAttr(r.u8()),
	}
	if p.Attr&PointTimed != 0 {
		p.MaxTime, p.MinTime = r.u16(), r.u16()
	}
	if p.Attr&PointSpeed != 0 {
		p.MaxSpeed, p.OverspeedTime = r.u16(), r.u8()
		if v == V2019 {
			p.NightMaxSpeed, p.HasNight = r.u16(), true
		}
	}
	return p
}
