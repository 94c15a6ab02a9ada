package jt808

import (
	"math"
	"sort"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
)

// drive is how a vehicle moves: along a route, faster and slower, with stops, so
// that speed, position, direction, mileage and fuel belong together.
type drive struct {
	route  *route
	along  float64 // m from the route's begin
	metres float64 // odometer
	speed  float64 // m/s
	cruise float64 // m/s that it goes for
	until  int64   // when it chooses another speed
	fuel   float64 // l
	at     int64   // when it was there
	alarm  jt808.Alarm
	left   int // reports that alarm stays for
	locked bool
	signal uint8
	inView uint8
}

const (
	tank         = 120.0 // l
	accelerate   = 1.2   // m/s2
	brake        = 2.0   // m/s2
	litresPer100 = 18.0
	limit        = 80 / 3.6 // m/s, above which is overspeed
)

func (d *drive) init(t *terminal) {
	d.route = &routes[t.rng.Uint64()%uint64(len(routes))]
	d.along = t.random() * d.route.length
	d.metres = math.Floor(t.random() * 200_000_000)
	d.fuel = tank * (0.3 + 0.7*t.random())
	d.cruise = min(d.route.cruise, 0.98*limit)
	d.speed = d.cruise * t.random()
	d.signal, d.inView = uint8(15+t.rng.Uint64()%16), uint8(8+t.rng.Uint64()%10) //nolint:gosec // small
}

// report moves the vehicle to now and says where it is.
func (d *drive) report(t *terminal, now int64) report {
	for left := min(float64(now-d.at)/1e9, 600); left > 0; left -= 10 {
		d.move(t, min(left, 10))
	}
	if now >= d.until {
		d.choose(t, now)
	}
	d.at = now
	d.alarms(t)
	lat, lon, up := d.route.at(d.along)
	r := report{
		unix: t.fleet.start.Add(time.Duration(now)).Unix(), alarm: d.alarm,
		latitude: int32(math.Round(lat * 1e6)), longitude: int32(math.Round(lon * 1e6)),
		mileage: uint32(d.metres / 100), altitude: int16(up), speed: uint16(d.speed * 36),
		direction: uint16(d.direction()), fuel: uint16(d.fuel * 10), strength: d.signal, inView: d.inView, //nolint:gosec // in range
		status: jt808.StatusACC | jt808.StatusLocated | jt808.StatusGPS | jt808.StatusBeiDou,
	}
	if d.locked && t.version != jt808.V2011 {
		r.status |= jt808.StatusDoorLocked
	}
	if d.speed > 0.5 && t.version == jt808.V2019 {
		r.status |= jt808.StatusMoving
	}
	if d.cruise < d.speed-0.5 {
		r.signals |= 1 << 4 // brake
	}
	if hour := (r.unix/3600 + 8) % 24; hour < 7 || hour >= 18 {
		r.signals |= 1 // low beam
	}
	return r
}

// move drives for some seconds, at most ten.
func (d *drive) move(t *terminal, seconds float64) {
	before := d.speed
	target := d.cruise * d.route.bend(d.along)
	if d.speed < target {
		d.speed = min(d.speed+accelerate*seconds, target)
	} else {
		d.speed = max(d.speed-brake*seconds, target)
	}
	driven := (before + d.speed) / 2 * seconds
	d.metres += driven
	d.along = math.Mod(d.along+driven, d.route.length)
	d.fuel -= driven * litresPer100 / 100_000
	if d.fuel < tank*0.08 && d.speed < 1 || d.fuel < 1 {
		d.fuel = tank
	}
	if t.chance(seconds / 30) {
		d.signal = uint8(15 + t.rng.Uint64()%16) //nolint:gosec // small
		d.inView = uint8(8 + t.rng.Uint64()%10)  //nolint:gosec // small
	}
}

// choose chooses the speed for the next while: a traffic light, or about what is
// usual on the route.
func (d *drive) choose(t *terminal, now int64) {
	if d.cruise > 0 && t.chance(0.15) {
		d.cruise = 0
		d.until = now + int64((10+50*t.random())*1e9)
		return
	}
	d.cruise = min(d.route.cruise*(0.6+0.55*t.random()), 0.98*limit)
	d.until = now + int64((20+100*t.random())*1e9)
}

// alarms lets alarms begin and end.
func (d *drive) alarms(t *terminal) {
	if d.alarm &^= jt808.AlarmOverspeed; d.speed > limit {
		d.alarm |= jt808.AlarmOverspeed
	}
	if d.left > 0 {
		if d.left--; d.left == 0 {
			d.alarm &^= jt808.AlarmFatigue | jt808.AlarmPowerLow
		}
	}
	if !t.chance(t.fleet.cfg.Alarms) {
		return
	}
	d.left = 2 + int(t.rng.Uint64()%4) //nolint:gosec // small
	switch t.rng.Uint64() % 4 {
	case 0:
		d.alarm |= jt808.AlarmSOS // until it is acknowledged
	case 1:
		d.alarm |= jt808.AlarmFatigue
	case 2:
		d.alarm |= jt808.AlarmPowerLow
	default: // overspeed, once it is that fast
		d.cruise = limit * (1.1 + 0.2*t.random())
		d.until = d.at + int64((20+20*t.random())*1e9)
	}
}

// answered ends the alarms of an acknowledged report that last until then.
func (d *drive) answered(a jt808.Alarm) { d.alarm &^= a & jt808.AlarmsToAnswer }

func (d *drive) position() (lat, lon float64) {
	lat, lon, _ = d.route.at(d.along)
	return lat, lon
}

func (d *drive) direction() int { return d.route.direction(d.along) }

// route is a closed loop of straight legs.
type route struct {
	name   string
	cruise float64 // m/s
	points []point
	length float64
}

// point is a corner of a route, and the leg to the next one.
type point struct {
	lat, lon, up float64 // degrees, m
	from         float64 // m from the route's begin
	leg          float64 // m to the next point
	heading      float64 // degrees from north
}

// leg is the leg at along m.
func (r *route) leg(along float64) (p, next *point, part float64) {
	i := sort.Search(len(r.points), func(i int) bool { return r.points[i].from > along }) - 1
	p, next = &r.points[i], &r.points[(i+1)%len(r.points)]
	return p, next, min((along-p.from)/p.leg, 1)
}

// at is where along m is.
func (r *route) at(along float64) (lat, lon, up float64) {
	p, q, part := r.leg(along)
	return p.lat + (q.lat-p.lat)*part, p.lon + (q.lon-p.lon)*part, p.up + (q.up-p.up)*part
}

func (r *route) direction(along float64) int {
	p, _, _ := r.leg(along)
	return int(math.Round(p.heading)) % 360
}

// bend is how much of its speed a vehicle keeps there: less before a sharp corner.
func (r *route) bend(along float64) float64 {
	p, q, part := r.leg(along)
	if (1-part)*p.leg > 60 {
		return 1
	}
	turn := math.Abs(math.Mod(q.heading-p.heading+540, 360) - 180)
	return max(1-turn/150, 0.25)
}

const metresPerDegree = 111_195.0

// newRoute measures a loop through these corners: latitude, longitude, altitude.
func newRoute(name string, kmh float64, corners ...[3]float64) route {
	r := route{name: name, cruise: kmh / 3.6, points: make([]point, len(corners))}
	for i, c := range corners {
		next := corners[(i+1)%len(corners)]
		north := (next[0] - c[0]) * metresPerDegree
		east := (next[1] - c[1]) * metresPerDegree * math.Cos((c[0]+next[0])/2*math.Pi/180)
		heading := math.Mod(math.Atan2(east, north)*180/math.Pi+360, 360)
		r.points[i] = point{lat: c[0], lon: c[1], up: c[2], from: r.length, leg: math.Hypot(north, east), heading: heading}
		r.length += r.points[i].leg
	}
	return r
}
