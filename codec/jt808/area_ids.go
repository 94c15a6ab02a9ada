package jt808

import "fmt"

// AreaIDs is the body of the messages that delete areas or routes.
type AreaIDs struct {
	IDs  []uint32 `json:"ids"`            // none: all of the kind; the standard allows 125
	Tail Hex      `json:"tail,omitempty"` // bytes behind the last id
}

// AppendBody appends the ids with their count.
func (b *AreaIDs) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.count8(len(b.IDs), "area ids")
	for _, id := range b.IDs {
		w.u32(id)
	}
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads ids to the body's end.
func (b *AreaIDs) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	ids := list(&r, int(r.u8()), (*reader).u32)
	*b = AreaIDs{IDs: ids, Tail: r.tail()}
	return r.err()
}

// DeleteCircles is message 0x8601: the terminal is to delete circular areas (JT/T
// 808). It answers with 0x0001.
type DeleteCircles struct{ AreaIDs }

// ID is 0x8601.
func (*DeleteCircles) ID() ID { return IDDeleteCircles }

// DeleteRectangles is message 0x8603: the terminal is to delete rectangular areas
// (JT/T 808). It answers with 0x0001.
type DeleteRectangles struct{ AreaIDs }

// ID is 0x8603.
func (*DeleteRectangles) ID() ID { return IDDeleteRectangles }

// DeletePolygons is message 0x8605: the terminal is to delete polygonal areas
// (JT/T 808). It answers with 0x0001.
type DeletePolygons struct{ AreaIDs }

// ID is 0x8605.
func (*DeletePolygons) ID() ID { return IDDeletePolygons }

// DeleteRoutes is message 0x8607: the terminal is to delete routes (JT/T 808). It
// answers with 0x0001.
type DeleteRoutes struct{ AreaIDs }

// ID is 0x8607.
func (*DeleteRoutes) ID() ID { return IDDeleteRoutes }

// AreaType is a kind of area in messages 0x8608 and 0x0608.
type AreaType uint8

// The kinds of areas.
const (
	AreaTypeCircle    AreaType = 1
	AreaTypeRectangle AreaType = 2
	AreaTypePolygon   AreaType = 3
	AreaTypeRoute     AreaType = 4
)

// QueryAreas is message 0x8608: the platform asks for areas or routes (new in
// JT/T 808-2019). The terminal answers with 0x0608.
type QueryAreas struct {
	Type AreaType `json:"type"`           // kind of area
	IDs  []uint32 `json:"ids"`            // none: all of the kind
	Tail Hex      `json:"tail,omitempty"` // bytes behind the last id
}

// ID is 0x8608.
func (*QueryAreas) ID() ID { return IDQueryAreas }

// AppendBody appends the ids with their count.
func (b *QueryAreas) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u8(uint8(b.Type))
	w.count32(len(b.IDs), "area ids")
	for _, id := range b.IDs {
		w.u32(id)
	}
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads ids to the body's end.
func (b *QueryAreas) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = QueryAreas{Type: AreaType(r.u8())}
	b.IDs = list(&r, int(r.u32()), (*reader).u32)
	b.Tail = r.tail()
	return r.err()
}

// AreaQueryResponse is message 0x0608, the areas or routes that the terminal
// holds: the answer to 0x8608 (new in JT/T 808-2019). It is not answered.
type AreaQueryResponse struct {
	Type  AreaType `json:"type"`     // kind of area
	Count uint32   `json:"count"`    // of areas in Data, as the terminal says
	Data  Hex      `json:"data_hex"` // areas in the layout of 0x8600, 0x8602, 0x8604 or 0x8606; see Areas
}

// ID is 0x0608.
func (*AreaQueryResponse) ID() ID { return IDAreaQueryResponse }

// AppendBody appends the answer.
func (b *AreaQueryResponse) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u8(uint8(b.Type))
	w.u32(b.Count)
	w.bytes(b.Data)
	return w.done()
}

// ParseBody reads the answer; it wants five bytes. The areas are not looked into.
func (b *AreaQueryResponse) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = AreaQueryResponse{Type: AreaType(r.u8()), Count: r.u32(), Data: r.bytesRest()}
	return r.err()
}

// Areas is the areas of the answer, in the form of the commands that set them:
// one [*SetCircles] or [*SetRectangles] with all of them, or a [*SetPolygon] or
// [*SetRoute] for each. Circles and rectangles may have the action and count of
// such a command before them, as some terminals send it whole.
func (b *AreaQueryResponse) Areas() ([]Body, error) {
	r := newReader(b.Data)
	var areas []Body
	switch b.Type {
	case AreaTypeCircle:
		set := &SetCircles{}
		set.Action, set.Items = wholeAreas(&r, b.Count, func(r *reader) Circle { return readCircle(r, V2019) })
		areas = append(areas, set)
	case AreaTypeRectangle:
		set := &SetRectangles{}
		set.Action, set.Items = wholeAreas(&r, b.Count, func(r *reader) Rectangle { return readRectangle(r, V2019) })
		areas = append(areas, set)
	case AreaTypePolygon:
		for r.len() > 0 {
			p := &SetPolygon{}
			p.read(&r, V2019)
			areas = append(areas, p)
		}
	case AreaTypeRoute:
		for r.len() > 0 {
			p := &SetRoute{}
			p.read(&r, V2019)
			areas = append(areas, p)
		}
	default:
		r.fail("no such kind of area")
	}
	if err := r.err(); err != nil {
		return nil, fmt.Errorf("jt808: areas of 0x0608: %w", err)
	}
	return areas, nil
}

// wholeAreas reads areas that take up all that is left, without or with the
// action and count of a command before them.
func wholeAreas[T any](r *reader, count uint32, read func(*reader) T) (AreaAction, []T) {
	headed := *r
	items := list(r, uncounted, read)
	if r.failed == nil {
		return AreaUpdate, items
	}
	action, n := headed.u8(), headed.u8()
	others := list(&headed, uncounted, read)
	if headed.failed != nil || int(n) != len(others) || count == 0 {
		return AreaUpdate, nil
	}
	*r = headed
	return AreaAction(action), others
}
