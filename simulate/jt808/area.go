package jt808

import (
	"cmp"
	"maps"
	"slices"

	"github.com/linkspan/linkspan/codec/jt808"
)

// areaKey names an area that a terminal holds.
type areaKey struct {
	kind jt808.AreaType
	id   uint32
}

const maxAreas = 96 // of one terminal: 24 of a kind is what the standard wants

// setAreas keeps or deletes areas, as messages 0x8600 to 0x8607 say. Each area is
// kept as a message with it alone.
func (c *commands) setAreas(body jt808.Body) jt808.Result {
	switch b := body.(type) {
	case *jt808.SetCircles:
		c.replace(b.Action, jt808.AreaTypeCircle)
		return keepAreas(c, jt808.AreaTypeCircle, b.Items, func(a jt808.Circle) (uint32, jt808.Body) {
			return a.ID, &jt808.SetCircles{Items: []jt808.Circle{a}}
		})
	case *jt808.SetRectangles:
		c.replace(b.Action, jt808.AreaTypeRectangle)
		return keepAreas(c, jt808.AreaTypeRectangle, b.Items, func(a jt808.Rectangle) (uint32, jt808.Body) {
			return a.ID, &jt808.SetRectangles{Items: []jt808.Rectangle{a}}
		})
	case *jt808.SetPolygon:
		return keepAreas(c, jt808.AreaTypePolygon, []*jt808.SetPolygon{b}, func(a *jt808.SetPolygon) (uint32, jt808.Body) { return a.AreaID, a })
	case *jt808.SetRoute:
		return keepAreas(c, jt808.AreaTypeRoute, []*jt808.SetRoute{b}, func(a *jt808.SetRoute) (uint32, jt808.Body) { return a.RouteID, a })
	case *jt808.DeleteCircles:
		c.delete(jt808.AreaTypeCircle, b.IDs)
	case *jt808.DeleteRectangles:
		c.delete(jt808.AreaTypeRectangle, b.IDs)
	case *jt808.DeletePolygons:
		c.delete(jt808.AreaTypePolygon, b.IDs)
	case *jt808.DeleteRoutes:
		c.delete(jt808.AreaTypeRoute, b.IDs)
	}
	return jt808.ResultOK
}

// replace deletes all areas of a kind if that is what action says.
func (c *commands) replace(action jt808.AreaAction, k jt808.AreaType) {
	if action == jt808.AreaUpdate {
		c.delete(k, nil)
	}
}

// keepAreas keeps areas; it fails when there is no room.
func keepAreas[A any](c *commands, k jt808.AreaType, areas []A, each func(A) (uint32, jt808.Body)) jt808.Result {
	if c.areas == nil {
		c.areas = map[areaKey]jt808.Body{}
	}
	for _, a := range areas {
		id, body := each(a)
		if _, known := c.areas[areaKey{k, id}]; !known && len(c.areas) >= maxAreas {
			return jt808.ResultFailed
		}
		c.areas[areaKey{k, id}] = body
	}
	return jt808.ResultOK
}

// delete deletes the areas of a kind with these ids, all of that kind if there are none.
func (c *commands) delete(k jt808.AreaType, ids []uint32) {
	maps.DeleteFunc(c.areas, func(key areaKey, _ jt808.Body) bool {
		return key.kind == k && (len(ids) == 0 || slices.Contains(ids, key.id))
	})
}

// query is the answer to 0x8608.
func (c *commands) query(q *jt808.QueryAreas, v jt808.Version) *jt808.AreaQueryResponse {
	keys := slices.SortedFunc(maps.Keys(c.areas), func(a, b areaKey) int { return cmp.Compare(a.id, b.id) })
	r := &jt808.AreaQueryResponse{Type: q.Type}
	for _, key := range keys {
		if key.kind != q.Type || len(q.IDs) > 0 && !slices.Contains(q.IDs, key.id) {
			continue
		}
		data, err := c.areas[key].AppendBody(nil, v)
		if err != nil {
			continue // it cannot be said in this edition
		}
		if key.kind == jt808.AreaTypeCircle || key.kind == jt808.AreaTypeRectangle {
			data = data[2:] // action and count
		}
		r.Data = append(r.Data, data...)
		r.Count++
	}
	return r
}
