package direct

import (
	"net/url"
	"strings"
)

// The vendor's limit on the messages of a device in a second at QoS 1; at QoS 0 it
// is three times as much.
const (
	vendorRate = 10
	qos0Factor = 3
)

const second = 1_000_000 // microseconds

// messageInterval is what messageRate means.
func (s *settings) messageInterval() int64 {
	rate := s.MessageRate
	where := s.endpointOf("")
	if tokens, err := url.Parse(s.tokens); s.endpoint == nil && s.tokens != "" && err == nil {
		where = tokens // whoever answers there says where
	}
	if rate == 0 && strings.HasSuffix(where.Hostname(), ".aliyuncs.com") {
		rate = vendorRate
	}
	if rate <= 0 {
		return 0
	}
	return int64(second / rate)
}

// mayGo counts a message of the device, if it may go now: a device may be ahead of
// its rate by what it may say in one second. What a device that leaves has still to
// say goes at once. ms is the time; tick tries again. mu is held.
func (d *device) mayGo(qos byte, ms int64) bool {
	step := d.c.cfg.interval
	if step == 0 || d.state == leaving {
		return true
	}
	if qos == 0 {
		step /= qos0Factor
	}
	now := ms * 1000
	paid := max(d.paid, now)
	if paid+step > now+second {
		if !d.slowed {
			d.c.counts.slowed.Add(1)
		}
		d.slowed = true
		return false
	}
	d.paid, d.slowed = paid+step, false
	return true
}
