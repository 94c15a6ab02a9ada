package jt808

// AreaAction is what messages 0x8600 and 0x8602 do with the areas the terminal
// holds.
type AreaAction uint8

// What can be done with areas.
const (
	AreaUpdate AreaAction = 0 // replace all of them
	AreaAppend AreaAction = 1 // add to them
	AreaChange AreaAction = 2 // change those with these ids
)

// AreaAttr says in bits what holds in an area or on a route.
type AreaAttr uint16

// The bits of an area's attributes. Those from AreaNoDoors on are new in 2013.
// Routes have AreaTimed and AreaEnterDriver to AreaLeavePlatform only.
const (
	AreaTimed         AreaAttr = 1 << 0  // holds from Start to End only
	AreaSpeed         AreaAttr = 1 << 1  // speed is limited
	AreaEnterDriver   AreaAttr = 1 << 2  // entering alarms the driver
	AreaEnterPlatform AreaAttr = 1 << 3  // entering alarms the platform
	AreaLeaveDriver   AreaAttr = 1 << 4  // leaving alarms the driver
	AreaLeavePlatform AreaAttr = 1 << 5  // leaving alarms the platform
	AreaSouth         AreaAttr = 1 << 6  // latitudes are south; otherwise north
	AreaWest          AreaAttr = 1 << 7  // longitudes are west; otherwise east
	AreaNoDoors       AreaAttr = 1 << 8  // doors must stay closed
	AreaRadioOff      AreaAttr = 1 << 14 // the terminal switches its radio off inside
	AreaGNSS          AreaAttr = 1 << 15 // the terminal collects GNSS details inside
)

// AreaLimits is what an area has if its attributes say so.
type AreaLimits struct {
	Start         BCDTime `json:"start"`           // with AreaTimed; a date of zeros: daily
	End           BCDTime `json:"end"`             // with AreaTimed; a date of zeros: daily
	MaxSpeed      uint16  `json:"max_speed"`       // km/h, with AreaSpeed
	OverspeedTime uint8   `json:"overspeed_s"`     // s above MaxSpeed that make an alarm, with AreaSpeed
	NightMaxSpeed uint16  `json:"night_max_speed"` // km/h, with AreaSpeed, 2019 only

	// HasNight is set by ParseBody where NightMaxSpeed was there, so that its 0 is
	// told from none. AppendBody does not look at it.
	HasNight bool `json:"-"`
}

func (l *AreaLimits) readTimes(r *reader, attr AreaAttr) {
	if attr&AreaTimed != 0 {
		l.Start, l.End = r.time(), r.time()
	}
}

func (l *AreaLimits) readSpeed(r *reader, attr AreaAttr) {
	if attr&AreaSpeed != 0 {
		l.MaxSpeed, l.OverspeedTime = r.u16(), r.u8()
	}
}

func (l *AreaLimits) readNightSpeed(r *reader, attr AreaAttr, v Version) {
	if v == V2019 && attr&AreaSpeed != 0 {
		l.NightMaxSpeed, l.HasNight = r.u16(), true
	}
}

func (w *writer) areaTimes(l *AreaLimits, attr AreaAttr) {
	if attr&AreaTimed != 0 {
		w.time(l.Start)
		w.time(l.End)
	}
}

func (w *writer) areaSpeed(l *AreaLimits, attr AreaAttr) {
	if attr&AreaSpeed != 0 {
		w.u16(l.MaxSpeed)
		w.u8(l.OverspeedTime)
	}
}

func (w *writer) areaNightSpeed(l *AreaLimits, attr AreaAttr, v Version) {
	if v == V2019 && attr&AreaSpeed != 0 {
		w.u16(l.NightMaxSpeed)
	}
}

// areaName reads the name that areas and routes have since 2019.
func (r *reader) areaName(v Version) string {
	if v != V2019 {
		return ""
	}
	return r.text16()
}

func (w *writer) areaName(name string, v Version) {
	if v == V2019 {
		w.text16(name, "name")
	}
}

// areaEnd reads what stands behind the shape of circles and rectangles: the
// limits, and then the name.
func (r *reader) areaEnd(l *AreaLimits, attr AreaAttr, v Version) (name string) {
	l.readTimes(r, attr)
	l.readSpeed(r, attr)
	l.readNightSpeed(r, attr, v)
	return r.areaName(v)
}

func (w *writer) areaEnd(l *AreaLimits, attr AreaAttr, name string, v Version) {
	w.areaTimes(l, attr)
	w.areaSpeed(l, attr)
	w.areaNightSpeed(l, attr, v)
	w.areaName(name, v)
}

// Circle is a circular area.
type Circle struct {
	ID        uint32   `json:"id"`      // of the area, among circles
	Attr      AreaAttr `json:"attr"`    // bits
	Latitude  uint32   `json:"lat_raw"` // of the centre, 1e-6 degrees, south with AreaSouth
	Longitude uint32   `json:"lon_raw"` // of the centre, 1e-6 degrees, west with AreaWest
	Radius    uint32   `json:"radius"`  // m
	AreaLimits
	Name string `json:"name,omitempty"` // at most 65535 bytes of GBK, 2019 only
}

func readCircle(r *reader, v Version) Circle {
	c := Circle{ID: r.u32(), Attr: AreaAttr(r.u16()), Latitude: r.u32(), Longitude: r.u32(), Radius: r.u32()}
	c.Name = r.areaEnd(&c.AreaLimits, c.Attr, v)
	return c
}

// SetCircles is message 0x8600: the platform sets circular areas (JT/T 808). The
// terminal answers with 0x0001.
type SetCircles struct {
	Action AreaAction `json:"action"`          // what to do with the areas
	Total  uint8      `json:"total,omitempty"` // of all packets; only in the layout of the 2011 draft, otherwise 0
	Items  []Circle   `json:"items"`           // at most 255
}

// ID is 0x8600.
func (*SetCircles) ID() ID { return IDSetCircles }

// AppendBody appends the areas. Limits go out as their attributes say; names and
// night speeds in 2019 only.
func (b *SetCircles) AppendBody(dst []byte, v Version) ([]byte, error) {
	return appendAreas(dst, b.Action, b.Total, b.Items, "circles", func(w *writer, c *Circle) {
		w.u32(c.ID)
		w.u16(uint16(c.Attr))
		w.u32(c.Latitude)
		w.u32(c.Longitude)
		w.u32(c.Radius)
		w.areaEnd(&c.AreaLimits, c.Attr, c.Name, v)
	})
}

// ParseBody reads areas to the body's end.
func (b *SetCircles) ParseBody(body []byte, v Version) (err error) {
	b.Action, b.Total, b.Items, err = parseAreas(body, v, func(r *reader) Circle { return readCircle(r, v) })
	return err
}

// Rectangle is a rectangular area.
type Rectangle struct {
	ID     uint32   `json:"id"`       // of the area, among rectangles
	Attr   AreaAttr `json:"attr"`     // bits
	Top    uint32   `json:"lat1_raw"` // latitude of the upper left corner, 1e-6 degrees
	Left   uint32   `json:"lon1_raw"` // longitude of the upper left corner, 1e-6 degrees
	Bottom uint32   `json:"lat2_raw"` // latitude of the lower right corner, 1e-6 degrees
	Right  uint32   `json:"lon2_raw"` // longitude of the lower right corner, 1e-6 degrees
	AreaLimits
	Name string `json:"name,omitempty"` // at most 65535 bytes of GBK, 2019 only
}

func readRectangle(r *reader, v Version) Rectangle {
	c := Rectangle{
		ID: r.u32(), Attr: AreaAttr(r.u16()),
		Top: r.u32(), Left: r.u32(), Bottom: r.u32(), Right: r.u32(),
	}
	c.Name = r.areaEnd(&c.AreaLimits, c.Attr, v)
	return c
}

// SetRectangles is message 0x8602: the platform sets rectangular areas (JT/T
// 808). The terminal answers with 0x0001.
type SetRectangles struct {
	Action AreaAction  `json:"action"`          // what to do with the areas
	Total  uint8       `json:"total,omitempty"` // of all packets; only in the layout of the 2011 draft, otherwise 0
	Items  []Rectangle `json:"items"`           // at most 255
}

// ID is 0x8602.
func (*SetRectangles) ID() ID { return IDSetRectangles }

// AppendBody appends the areas. Limits go out as their attributes say; names and
// night speeds in 2019 only.
func (b *SetRectangles) AppendBody(dst []byte, v Version) ([]byte, error) {
	return appendAreas(dst, b.Action, b.Total, b.Items, "rectangles", func(w *writer, c *Rectangle) {
		w.u32(c.ID)
		w.u16(uint16(c.Attr))
		w.u32(c.Top)
		w.u32(c.Left)
		w.u32(c.Bottom)
		w.u32(c.Right)
		w.areaEnd(&c.AreaLimits, c.Attr, c.Name, v)
	})
}

// ParseBody reads areas to the body's end.
func (b *SetRectangles) ParseBody(body []byte, v Version) (err error) {
	b.Action, b.Total, b.Items, err = parseAreas(body, v, func(r *reader) Rectangle { return readRectangle(r, v) })
	return err
}

// Point is a corner of a polygonal area.
type Point struct {
	Latitude  uint32 `json:"lat_raw"` // 1e-6 degrees, south with AreaSouth
	Longitude uint32 `json:"lon_raw"` // 1e-6 degrees, west with AreaWest
}

// SetPolygon is message 0x8604: the platform sets one polygonal area (JT/T 808).
// The terminal answers with 0x0001.
type SetPolygon struct {
	AreaID uint32   `json:"id"`   // of the area, among polygons
	Attr   AreaAttr `json:"attr"` // bits
	AreaLimits
	Points []Point `json:"points"`         // corners in their order, at most 65535
	Name   string  `json:"name,omitempty"` // at most 65535 bytes of GBK, 2019 only
	Tail   Hex     `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x8604.
func (*SetPolygon) ID() ID { return IDSetPolygon }

// AppendBody appends the area. Limits go out as its attributes say; name and
// night speed in 2019 only.
func (b *SetPolygon) AppendBody(dst []byte, v Version) ([]byte, error) {
	w := newWriter(dst)
	w.u32(b.AreaID)
	w.u16(uint16(b.Attr))
	w.areaTimes(&b.AreaLimits, b.Attr)
	w.areaSpeed(&b.AreaLimits, b.Attr)
	w.count16(len(b.Points), "points")
	for _, p := range b.Points {
		w.u32(p.Latitude)
		w.u32(p.Longitude)
	}
	w.areaNightSpeed(&b.AreaLimits, b.Attr, v)
	w.areaName(b.Name, v)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the area; all of its points have to be there.
func (b *SetPolygon) ParseBody(body []byte, v Version) error {
	r := newReader(body)
	b.read(&r, v)
	b.Tail = r.tail()
	return r.err()
}

func (b *SetPolygon) read(r *reader, v Version) {
	*b = SetPolygon{AreaID: r.u32(), Attr: AreaAttr(r.u16())}
	b.readTimes(r, b.Attr)
	b.readSpeed(r, b.Attr)
	n := int(r.u16())
	points := newReader(r.take(n * 8))
	b.Points = list(&points, n, func(r *reader) Point { return Point{r.u32(), r.u32()} })
	b.readNightSpeed(r, b.Attr, v)
	b.Name = r.areaName(v)
}
