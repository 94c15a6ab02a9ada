package jt808

import (
	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

// areaAction reads what is to be done with the areas that the terminal holds.
func areaAction(in *reader) jt808.AreaAction {
	return jt808.AreaAction(in.One("action", int(jt808.AreaUpdate), "update", "append", "change")) //nolint:gosec // below 3
}

// flags reads truths as bits of an area's attributes.
func flags(in *reader, names ...bitName) (attr jt808.AreaAttr) {
	for _, b := range names {
		if in.Bool(b.name, false) {
			attr |= b.bit
		}
	}
	return attr
}

type bitName struct {
	name string
	bit  jt808.AreaAttr
}

// crossings reads who is told that an area or route is entered or left.
func crossings(in *reader) jt808.AreaAttr {
	return flags(in, bitName{"enterDriver", jt808.AreaEnterDriver}, bitName{"enterPlatform", jt808.AreaEnterPlatform},
		bitName{"leaveDriver", jt808.AreaLeaveDriver}, bitName{"leavePlatform", jt808.AreaLeavePlatform})
}

// areaAttr reads what happens in an area. Its limits say more: see areaLimits.
func areaAttr(in *reader) jt808.AreaAttr {
	return crossings(in) | flags(in, bitName{"doorsClosed", jt808.AreaNoDoors},
		bitName{"radioOff", jt808.AreaRadioOff}, bitName{"gnssDetails", jt808.AreaGNSS})
}

// period reads when an area holds; always if neither end is given.
func period(in *reader, attr *jt808.AreaAttr) (start, end jt808.BCDTime) {
	if in.Has("start") || in.Has("end") {
		*attr |= jt808.AreaTimed
		in.Need("start")
		in.Need("end")
	}
	return in.at("start"), in.at("end")
}

// areaLimits reads what an area limits.
func areaLimits(in *reader, attr *jt808.AreaAttr) (l jt808.AreaLimits) {
	l.Start, l.End = period(in, attr)
	if in.Has("maxSpeed") {
		*attr |= jt808.AreaSpeed
	}
	l.MaxSpeed = in.u16("maxSpeed", 0)
	l.OverspeedTime = in.u8("overspeedDuration", 0)
	l.NightMaxSpeed = in.u16("nightMaxSpeed", l.MaxSpeed)
	return l
}

// position reads a place. The sign of all of an area's is one: its attributes'.
func position(in *reader, latitude, longitude string) (lat, lon uint32, south, west bool) {
	y, x := in.degrees(latitude, 90), in.degrees(longitude, 180)
	return magnitude(y), magnitude(x), y < 0, x < 0
}

func magnitude(e6 int32) uint32 { return uint32(max(e6, -e6)) } //nolint:gosec // at most 180 degrees

// hemisphere notes the signs of a place in the attributes. All places of an area
// have to have the same.
type hemisphere struct{ seen, south, west bool }

func (h *hemisphere) add(in *reader, south, west bool) {
	if h.seen && (h.south != south || h.west != west) {
		in.Fail("latitude", "an area must not reach across the equator or the meridians of 0 and 180 degrees")
	}
	h.seen, h.south, h.west = true, south, west
}

func (h *hemisphere) attr() (attr jt808.AreaAttr) {
	if h.south {
		attr |= jt808.AreaSouth
	}
	if h.west {
		attr |= jt808.AreaWest
	}
	return attr
}

// setCirclesService makes 0x8600.
func setCirclesService(in *reader, _ *adapter) jt808.Body {
	b := &jt808.SetCircles{Action: areaAction(in)}
	in.items("items", 255, func(in *reader) {
		var h hemisphere
		lat, lon, south, west := position(in, "latitude", "longitude")
		h.add(in, south, west)
		attr := areaAttr(in) | h.attr()
		c := jt808.Circle{ID: in.needU32("id"), Latitude: lat, Longitude: lon, Radius: in.needU32("radius"), Name: in.Text("name")}
		c.AreaLimits = areaLimits(in, &attr)
		c.Attr = attr
		b.Items = append(b.Items, c)
	})
	return b
}

// setRectanglesService makes 0x8602.
func setRectanglesService(in *reader, _ *adapter) jt808.Body {
	b := &jt808.SetRectangles{Action: areaAction(in)}
	in.items("items", 255, func(in *reader) {
		var h hemisphere
		top, left, south, west := position(in, "top", "left")
		h.add(in, south, west)
		bottom, right, south, west := position(in, "bottom", "right")
		h.add(in, south, west)
		attr := areaAttr(in) | h.attr()
		r := jt808.Rectangle{ID: in.needU32("id"), Top: top, Left: left, Bottom: bottom, Right: right, Name: in.Text("name")}
		r.AreaLimits = areaLimits(in, &attr)
		r.Attr = attr
		b.Items = append(b.Items, r)
	})
	return b
}

// maxPoints is how many points a polygon or route may have: the message has a
// limit of its own, Commands.MaxBody.
const maxPoints = 65535

// setPolygonService makes 0x8604.
func setPolygonService(in *reader, _ *adapter) jt808.Body {
	attr := areaAttr(in)
	b := &jt808.SetPolygon{AreaID: in.needU32("id"), Name: in.Text("name")}
	b.AreaLimits = areaLimits(in, &attr)
	var h hemisphere
	in.items("points", maxPoints, func(in *reader) {
		lat, lon, south, west := position(in, "latitude", "longitude")
		h.add(in, south, west)
		b.Points = append(b.Points, jt808.Point{Latitude: lat, Longitude: lon})
	})
	b.Attr = attr | h.attr()
	return b
}

// setRouteService makes 0x8606.
func setRouteService(in *reader, _ *adapter) jt808.Body {
	attr := crossings(in)
	b := &jt808.SetRoute{RouteID: in.needU32("id"), Name: in.Text("name")}
	b.Start, b.End = period(in, &attr)
	b.Attr = attr
	in.items("points", maxPoints, func(in *reader) { b.Points = append(b.Points, routePoint(in)) })
	return b
}

func routePoint(in *reader) jt808.RoutePoint {
	lat, lon, south, west := position(in, "latitude", "longitude")
	p := jt808.RoutePoint{
		ID: in.needU32("id"), Section: in.needU32("section"), Latitude: lat, Longitude: lon,
		Width: in.u8("width", 50), MaxTime: in.u16("maxTime", 0), MinTime: in.u16("minTime", 0),
		MaxSpeed: in.u16("maxSpeed", 0), OverspeedTime: in.u8("overspeedDuration", 0),
	}
	p.NightMaxSpeed = in.u16("nightMaxSpeed", p.MaxSpeed)
	if in.Has("maxTime") || in.Has("minTime") {
		p.Attr |= jt808.PointTimed
	}
	if in.Has("maxSpeed") {
		p.Attr |= jt808.PointSpeed
	}
	if south {
		p.Attr |= jt808.PointSouth
	}
	if west {
		p.Attr |= jt808.PointWest
	}
	return p
}

// deleteService makes one of the messages that delete areas: all if no ids are
// given.
func deleteService(message func(jt808.AreaIDs) jt808.Body) func(*reader, *adapter) jt808.Body {
	const most = 125
	return func(in *reader, _ *adapter) jt808.Body {
		ids := in.numbers("ids")
		if v, ok := in.Get("ids"); ok && v.Type() == thing.ListType && len(v.List()) == 0 { // a list that came out empty is hardly meant to delete all
			in.Fail("ids", "is empty: leave it out to delete all")
		}
		if len(ids) > most {
			in.Fail("ids", "%d, at most %d", len(ids), most)
		}
		return message(jt808.AreaIDs{IDs: ids})
	}
}

// queryAreasService makes 0x8608.
func queryAreasService(in *reader, _ *adapter) jt808.Body {
	in.Need("type")
	i := in.One("type", 0, "circle", "rectangle", "polygon", "route")
	return &jt808.QueryAreas{Type: jt808.AreaType(i + 1), IDs: in.numbers("ids")} //nolint:gosec // below 5
}
