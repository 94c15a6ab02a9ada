package jt808

// Status is the status word of a location report (JT/T 808-2013 table 25,
// JT/T 808-2019 table 25).
type Status uint32

const (
	statusSouth = 2
	statusWest  = 3
	statusLoad  = 8
)

// Status bits.
const (
	StatusACC              Status = 1 << 0           // ignition on
	StatusLocated          Status = 1 << 1           // there is a fix
	StatusSouth            Status = 1 << statusSouth // latitude is south
	StatusWest             Status = 1 << statusWest  // longitude is west
	StatusOutOfService     Status = 1 << 4           // vehicle out of service
	StatusEncrypted        Status = 1 << 5           // coordinates encrypted by a security plug-in
	StatusForwardCollision Status = 1 << 6           // 2019: forward collision warning of the brakes
	StatusLaneDeparture    Status = 1 << 7           // 2019: lane departure warning
	StatusFuelCut          Status = 1 << 10          // fuel circuit cut
	StatusPowerCut         Status = 1 << 11          // electric circuit cut
	StatusDoorLocked       Status = 1 << 12          // doors locked
	StatusDoor1Open        Status = 1 << 13          // front door (reserved in 2011, as all above)
	StatusDoor2Open        Status = 1 << 14          // middle door
	StatusDoor3Open        Status = 1 << 15          // back door
	StatusDoor4Open        Status = 1 << 16          // driver's door
	StatusDoor5Open        Status = 1 << 17          // another door
	StatusGPS              Status = 1 << 18          // fix uses GPS
	StatusBeiDou           Status = 1 << 19          // fix uses BeiDou
	StatusGLONASS          Status = 1 << 20          // fix uses GLONASS
	StatusGalileo          Status = 1 << 21          // fix uses Galileo
	StatusMoving           Status = 1 << 22          // 2019: vehicle is moving
)

// Load is how full a vehicle is.
type Load uint8

// Loads (2013 and later).
const (
	LoadEmpty    Load = 0
	LoadHalf     Load = 1
	LoadReserved Load = 2
	LoadFull     Load = 3
)

// String is "empty", "half", "reserved" or "full".
func (l Load) String() string { return [...]string{"empty", "half", "reserved", "full"}[l&3] }

// Has reports whether all bits of b are set.
func (s Status) Has(b Status) bool { return s&b == b }

// ACC reports whether the ignition is on.
func (s Status) ACC() bool { return s&StatusACC != 0 }

// Located reports whether there is a fix. Without one the coordinates are the
// last known or zero; the alarms count all the same.
func (s Status) Located() bool { return s&StatusLocated != 0 }

// South reports whether the latitude is south.
func (s Status) South() bool { return s&StatusSouth != 0 }

// West reports whether the longitude is west.
func (s Status) West() bool { return s&StatusWest != 0 }

// Load is bits 8 and 9: how full the vehicle is (reserved in 2011).
func (s Status) Load() Load { return Load(s >> statusLoad & 3) } //nolint:gosec // two bits

// Names are the names of the bits that are set, from bit 0, as edition v has
// them: "acc", "located"; "bit23" for one that is reserved there. The load counts
// as one name: "load_half", "load_full"; nothing when empty.
func (s Status) Names(v Version) []string {
	load := s.Load()
	all := bitNames(uint32(s)&^(3<<statusLoad), v, statusName)
	if load != LoadEmpty {
		all = append(all, "load_"+load.String())
	}
	return all
}

func statusName(bit int, v Version) string {
	if v == V2011 && bit >= 13 || v != V2019 && (bit == 6 || bit == 7 || bit == 22) {
		return ""
	}
	return statusNames[bit]
}

var statusNames = [32]string{
	0: "acc", 1: "located", 2: "south", 3: "west", 4: "out_of_service", 5: "encrypted", 6: "forward_collision",
	7: "lane_departure", 10: "fuel_cut", 11: "power_cut", 12: "door_locked", 13: "door1_open", 14: "door2_open",
	15: "door3_open", 16: "door4_open", 17: "door5_open", 18: "gps", 19: "beidou", 20: "glonass", 21: "galileo",
	22: "moving",
}
