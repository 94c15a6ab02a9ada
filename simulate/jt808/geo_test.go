package jt808_test

import (
	"math"

	wire "github.com/linkspan/linkspan/codec/jt808"
)

// distance is how many metres two reports are apart.
func distance(a, b *wire.Location) float64 {
	rad := func(e6 int32) float64 { return float64(e6) / 1e6 * math.Pi / 180 }
	lat1, lat2 := rad(a.LatitudeE6()), rad(b.LatitudeE6())
	dLat, dLon := lat2-lat1, rad(b.LongitudeE6())-rad(a.LongitudeE6())
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(lat1)*math.Cos(lat2)*math.Pow(math.Sin(dLon/2), 2)
	return 2 * 6_371_008 * math.Asin(math.Sqrt(h))
}
