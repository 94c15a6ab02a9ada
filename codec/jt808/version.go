package jt808

// Version is the edition of JT/T 808 whose layouts a message has.
type Version uint8

// The editions. A header tells V2019 from the two before, and not these from
// each other: both have the 12-byte header, so a [Header] says V2013 for them.
// Where bodies differ between 2011 and 2013 the body's length decides.
const (
	V2011 Version = 1 // JT/T 808-2011
	V2013 Version = 2 // JT/T 808-2013
	V2019 Version = 3 // JT/T 808-2019
)

// String is the year: "2011", "2013" or "2019".
func (v Version) String() string {
	switch v {
	case V2011:
		return "2011"
	case V2013:
		return "2013"
	case V2019:
		return "2019"
	}
	return "unknown"
}

// phoneLen is the length of the terminal's phone number or id on the wire.
func (v Version) phoneLen() int {
	if v == V2019 {
		return 10
	}
	return 6
}
