package zone_test

import (
	"testing"
	"time"

	"github.com/linkspan/linkspan/adapters/internal/zone"
)

func TestZones(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"+08:00": 8 * 3600, "-03:30": -3*3600 - 1800, "Z": 0, "UTC": 0} {
		z, err := zone.Parse(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, offset := time.Unix(0, 0).In(z).Zone(); offset != want {
			t.Errorf("%s is %d s", name, offset)
		}
	}
	for _, name := range []string{"", "Local", "8", "../x"} {
		if _, err := zone.Parse(name); err == nil {
			t.Errorf("%q is a zone", name)
		}
	}
}
