// Package zone reads the time zone of devices' clocks from a configuration.
package zone

import (
	"fmt"
	"time"
)

// Parse reads an offset from UTC or a name of the time zone database.
func Parse(s string) (*time.Location, error) {
	if t, err := time.Parse("Z07:00", s); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(s, offset), nil
	}
	zone, err := time.LoadLocation(s)
	if err != nil || s == "" || s == "Local" {
		return nil, fmt.Errorf("%q, must be an offset such as +08:00 or a name such as Asia/Shanghai", s)
	}
	return zone, nil
}
