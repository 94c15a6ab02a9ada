package direct

import (
	"fmt"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
)

// codeTooOften is the platform's code for a device that goes online too often
// (developer guide, chapter 10.2).
const codeTooOften = 429

// recent is what is known of a device's last connects.
type recent struct {
	paced int64                  // those within a minute: when they are all forgotten, milliseconds
	no    *upstream.RefusedError // of the platform to the last one, if that was for good
	tried auth.Secret            // secret of the device that was refused
}

// tooMany is what a login is told that comes when there are as many connects as may be:
// that the platform does not let the device in, if that is so. mu is held.
func (d *device) tooMany() *upstream.RefusedError {
	err := &upstream.RefusedError{Code: codeTooOften, Temporary: true}
	sep := ""
	if d.no != nil && d.tried == d.secret {
		err, sep = d.no.Repeat(), "; "
	}
	err.Reason += sep + fmt.Sprintf("the device connected %d times within a minute (connectsPerMinute)", d.c.cfg.ConnectsPerMinute)
	return err
}

const minute = 60_000 // milliseconds

// paces are how a device's connects are spread: some at once, and then one for each
// interval, so that there are never more than limit in a minute.
func paces(limit int) (atOnce, interval int64) {
	atOnce = int64(limit+1) / 2
	return atOnce, minute / max(1, int64(limit)-atOnce)
}

// pace notes a connect at now. paced is when all connects so far are forgotten;
// pace returns the new one.
func pace(paced, now int64, limit int) int64 {
	if limit == 0 {
		return 0
	}
	_, interval := paces(limit)
	return max(paced, now) + interval
}

// earliest is when the next connect may be. Times are milliseconds.
func earliest(paced int64, limit int) int64 {
	if limit == 0 {
		return 0
	}
	atOnce, interval := paces(limit)
	return paced - (atOnce-1)*interval
}
