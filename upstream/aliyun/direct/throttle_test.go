package direct

import (
	"testing"

	"pgregory.net/rapid"
)

// Whatever a device says, in any stretch of time it says no more than its rate
// allows, and what one second allows on top.
func TestMessageRate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.IntRange(1, 500).Draw(t, "rate")
		s := &settings{Config: Config{MessageRate: float64(rate)}}
		s.interval = s.messageInterval()
		d := &device{c: &Connector{cfg: s}, state: online}
		now := int64(1_000_000)
		type sent struct{ at, cost int64 }
		var all []sent
		for range 300 {
			now += rapid.Int64Range(0, 300).Draw(t, "wait")
			qos := byte(rapid.IntRange(0, 1).Draw(t, "qos"))
			if !d.mayGo(qos, now) {
				continue
			}
			cost := s.interval
			if qos == 0 {
				cost /= qos0Factor
			}
			all = append(all, sent{now * 1000, cost})
		}
		for i := range all {
			total := int64(0)
			for _, m := range all[i:] {
				if total += m.cost; total > m.at-all[i].at+second {
					t.Fatalf("rate %d: %d µs worth of messages within %d µs", rate, total, m.at-all[i].at)
				}
			}
		}
		d.state = leaving
		if !d.mayGo(1, now) {
			t.Error("a device that leaves has to wait")
		}
	})
}

func TestMessageRateOfTheVendor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		cfg  Config
		want int64 // microseconds
	}{
		{"the product's own host", Config{}, 100_000},
		{"none", Config{MessageRate: -1}, 0},
		{"another", Config{MessageRate: 20}, 50_000},
		{"a host of one's own", Config{Endpoint: "tcp://127.0.0.1:1883"}, 0},
		{"an instance of one's own", Config{Endpoint: "ssl://iot-1.mqtt.iothub.aliyuncs.com:1883"}, 100_000},
		{"tokens of the vendor's", Config{Auth: AuthHTTPS}, 100_000},
		{"tokens of one's own", Config{Auth: AuthHTTPS, AuthEndpoint: "https://127.0.0.1:1/auth/devicename"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := New(test.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if c.cfg.interval != test.want {
				t.Errorf("%d µs, want %d", c.cfg.interval, test.want)
			}
		})
	}
}
