package jt808

import "encoding/json"

// limitsJSON is what JSON has of limits: those that the attributes say there are,
// also if they are 0, which is midnight of a daily time. Embedded beside a struct
// that embeds AreaLimits it hides the fields of the latter.
type limitsJSON struct {
	Start         *BCDTime `json:"start,omitempty"`
	End           *BCDTime `json:"end,omitempty"`
	MaxSpeed      *uint16  `json:"max_speed,omitempty"`
	OverspeedTime *uint8   `json:"overspeed_s,omitempty"`
	NightMaxSpeed *uint16  `json:"night_max_speed,omitempty"`
}

// shown is the limits that are there. The attributes do not tell whether there is
// a night speed, which came in 2019: it is shown if it was read, or is not 0.
func (l *AreaLimits) shown(attr AreaAttr) (s limitsJSON) {
	if attr&AreaTimed != 0 {
		s.Start, s.End = &l.Start, &l.End
	}
	if attr&AreaSpeed != 0 {
		s.MaxSpeed, s.OverspeedTime = &l.MaxSpeed, &l.OverspeedTime
		if l.HasNight || l.NightMaxSpeed != 0 {
			s.NightMaxSpeed = &l.NightMaxSpeed
		}
	}
	return s
}

// MarshalJSON gives the area with the limits that its attributes have.
func (c Circle) MarshalJSON() ([]byte, error) {
	type fields Circle
	return json.Marshal(struct {
		fields
		limitsJSON
		Name string `json:"name,omitempty"`
	}{fields(c), c.shown(c.Attr), c.Name})
}

// MarshalJSON gives the area with the limits that its attributes have.
func (c Rectangle) MarshalJSON() ([]byte, error) {
	type fields Rectangle
	return json.Marshal(struct {
		fields
		limitsJSON
		Name string `json:"name,omitempty"`
	}{fields(c), c.shown(c.Attr), c.Name})
}

// MarshalJSON gives the area with the limits that its attributes have.
func (b SetPolygon) MarshalJSON() ([]byte, error) {
	type fields SetPolygon
	return json.Marshal(struct {
		fields
		limitsJSON
		Points []Point `json:"points"`
		Name   string  `json:"name,omitempty"`
		Tail   Hex     `json:"tail,omitempty"`
	}{fields(b), b.shown(b.Attr), b.Points, b.Name, b.Tail})
}

// MarshalJSON gives the route with the times that its attributes have.
func (b SetRoute) MarshalJSON() ([]byte, error) {
	type fields SetRoute
	limits := AreaLimits{Start: b.Start, End: b.End}
	times := limits.shown(b.Attr & AreaTimed)
	return json.Marshal(struct {
		RouteID uint32   `json:"id"`
		Attr    AreaAttr `json:"attr"`
		Start   *BCDTime `json:"start,omitempty"`
		End     *BCDTime `json:"end,omitempty"`
		fields
	}{b.RouteID, b.Attr, times.Start, times.End, fields(b)})
}

// MarshalJSON gives the point with the limits that its attributes have.
func (p RoutePoint) MarshalJSON() ([]byte, error) {
	type fields RoutePoint
	s := struct {
		fields
		MaxTime       *uint16 `json:"max_time,omitempty"`
		MinTime       *uint16 `json:"min_time,omitempty"`
		MaxSpeed      *uint16 `json:"max_speed,omitempty"`
		OverspeedTime *uint8  `json:"overspeed_s,omitempty"`
		NightMaxSpeed *uint16 `json:"night_max_speed,omitempty"`
	}{fields: fields(p)}
	if p.Attr&PointTimed != 0 {
		s.MaxTime, s.MinTime = &p.MaxTime, &p.MinTime
	}
	if p.Attr&PointSpeed != 0 {
		s.MaxSpeed, s.OverspeedTime = &p.MaxSpeed, &p.OverspeedTime
		if p.HasNight || p.NightMaxSpeed != 0 {
			s.NightMaxSpeed = &p.NightMaxSpeed
		}
	}
	return json.Marshal(s)
}
