package e2e

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/platform/api"
)

// TestPositions goes the main way: a terminal of each edition registers,
// authenticates and reports; when it has its answer, the platform has the
// values.
func TestPositions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, v := range []jt808.Version{jt808.V2011, jt808.V2013, jt808.V2019} {
		phone := fmt.Sprintf("1380013800%d", i)
		t.Run(v.String(), func(t *testing.T) {
			x := w.online(phone, v)
			if err := x.report(1234, patience); err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]string{
				"latitude": "22.54433", "longitude": "114.056631", "altitude": "35", "speed": "60.5", "direction": "271",
				"positioned": "true", "acc": "true", "mileage": "123.4", "fuel": "41.1", "signalStrength": "24", "satellites": "11",
				"manufacturer": `"LNKSP"`, "plate": `"粤B12345"`, "plateColor": "2",
			} {
				if got := w.property(phone, name); !sameJSON(got, want) {
					t.Errorf("property %s is %s at the platform, want %s", name, got, want)
				}
			}
			d := w.device(phone)
			if want := time.Date(2026, 3, 1, 4, 5, 6, 0, time.UTC); !d.Properties["latitude"].Time.Equal(want) {
				t.Errorf("the position is of %s at the platform, want the terminal's %s", d.Properties["latitude"].Time, want)
			}
			if !d.Online || d.Gateway != gatewayProduct+"/"+gatewayName || d.Counters.Refused > 0 {
				t.Errorf("the platform sees %+v", d)
			}
		})
	}
}

// sameJSON says whether two JSON scalars are the same; numbers may be written
// with zeros behind.
func sameJSON(a, b string) bool {
	var x, y float64
	if _, err := fmt.Sscanf(a, "%g", &x); err == nil {
		_, err = fmt.Sscanf(b, "%g", &y)
		return err == nil && x == y
	}
	return a == b
}

// TestBatch sends the reports of a time without a network in one message.
func TestBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.online("13800138000", jt808.V2013)
	batch := jt808.Batch{Kind: jt808.BatchBacklog}
	for n := 1; n <= 5; n++ {
		batch.Locations = append(batch.Locations, *location(n))
	}
	serial, err := x.send(&batch)
	w.must(err)
	if result, err := x.answerTo(jt808.IDBatch, serial, patience); err != nil || result != jt808.ResultOK {
		t.Fatalf("answered with %v, %v", result, err)
	}
	await(t, "the watch", func() bool { return w.seen.has("13800138000", 5) })
	if got := w.seen.first("13800138000"); !slices.Equal(got, []int{1, 2, 3, 4, 5}) {
		t.Errorf("the platform got reports %v", got)
	}
}

// TestAlarm reports one alarm for as long as it lasts: one event.
func TestAlarm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.online("13800138000", jt808.V2013)
	for n := 1; n <= 3; n++ {
		l := location(n)
		l.Alarm = jt808.AlarmSOS
		serial, err := x.send(l)
		w.must(err)
		if _, err := x.answerTo(jt808.IDLocation, serial, patience); err != nil {
			t.Fatal(err)
		}
	}
	d := w.device("13800138000")
	if d.Counters.Events != 1 || len(d.Events) != 1 {
		t.Fatalf("the platform has %d events of one alarm: %+v", d.Counters.Events, d.Events)
	}
	t.Logf("event %s %s", d.Events[0].Name, d.Events[0].Value)
}

// TestDelivered freezes the platform: as long as it takes nothing, the terminal
// gets no answer.
func TestDelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.online("13800138000", jt808.V2013)
	frozen, thawed := true, false
	w.must(w.platform.SetFaults(api.Faults{Frozen: &frozen}))
	serial, err := x.send(location(1))
	w.must(err)
	if _, early := x.answerTo(jt808.IDLocation, serial, 300*time.Millisecond); early == nil {
		t.Fatal("a report was acknowledged that the platform does not have")
	}
	// It is the platform alone that does not answer: a heartbeat is acknowledged.
	heartbeat, err := x.send(&jt808.Heartbeat{})
	w.must(err)
	if result, err := x.answerTo(jt808.IDHeartbeat, heartbeat, patience); err != nil || result != jt808.ResultOK {
		t.Fatalf("a heartbeat is answered with %v, %v", result, err)
	}
	w.must(w.platform.SetFaults(api.Faults{Frozen: &thawed}))
	if result, err := x.answerTo(jt808.IDLocation, serial, patience); err != nil || result != jt808.ResultOK {
		t.Fatalf("answered with %v, %v", result, err)
	}
	if got := w.property("13800138000", "mileage"); !sameJSON(got, "0.1") {
		t.Errorf("acknowledged, but the platform has mileage %q", got)
	}
}

// reporter reports 1, 2, 3, ... on x until stop is closed, each until it is
// acknowledged, and returns the number of the last that was.
func reporter(x *terminal, stop <-chan struct{}, resend time.Duration) (acknowledged int, err error) {
	for {
		select {
		case <-stop:
			return acknowledged, nil
		default:
		}
		switch err := x.report(acknowledged+1, resend); {
		case err == nil:
			acknowledged++
		case errors.Is(err, errGone):
			return acknowledged, err
		}
	}
}

// TestPlatformRestart ends the platform under load and starts it again with
// nothing in its memory: terminals stay connected, their sessions log in again,
// and every report that was acknowledged has arrived.
func TestPlatformRestart(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"MQTT": false, "HTTP2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platformRestart(t, newWorld(t, func(s *setup) {
				s.platform.MQTTAddress, s.http2 = "127.0.0.77:0", http2 // whose ports nobody takes meanwhile
			}))
		})
	}
}

func platformRestart(t *testing.T, w *world) {
	t.Helper()
	const terminals, restarts = 20, 2
	fleet := make([]*terminal, terminals)
	for i := range fleet {
		fleet[i] = w.online(fmt.Sprintf("138001380%02d", i), jt808.V2013)
	}
	stop, acknowledged := make(chan struct{}), make([]int, terminals)
	var load sync.WaitGroup
	for i, x := range fleet {
		load.Go(func() {
			var err error
			if acknowledged[i], err = reporter(x, stop, time.Second); err != nil {
				t.Errorf("terminal %s: %v", x.digits, err)
			}
		})
	}
	progress := func(what string) { // every terminal gets somewhere after now
		t.Helper()
		had := map[string]int{}
		for _, x := range fleet {
			had[x.digits] = len(w.seen.first(x.digits))
		}
		await(t, what, func() bool {
			return !slices.ContainsFunc(fleet, func(x *terminal) bool { return len(w.seen.first(x.digits)) < had[x.digits]+5 })
		})
	}
	progress("reports of all terminals")
	address := w.platformAddr()
	for range restarts {
		w.stopPlatform()
		time.Sleep(200 * time.Millisecond) // terminals report meanwhile
		w.startPlatform(address)
		progress("reports of all terminals after a restart")
	}
	close(stop)
	load.Wait()
	w.must(w.close())
	for i, x := range fleet {
		w.seen.check(t, x.digits, acknowledged[i])
	}
	if n := w.listener().Accepted; n != terminals {
		t.Errorf("%d connections were made, want %d: terminals lost theirs", n, terminals)
	}
}

// TestShutdown ends everything under load: what was acknowledged has arrived,
// connections are closed, devices are logged out.
func TestShutdown(t *testing.T) {
	t.Parallel()
	const terminals = 30
	w := newWorld(t)
	acknowledged := make([]int, terminals)
	var load sync.WaitGroup
	for i := range acknowledged {
		x := w.online(fmt.Sprintf("138001380%02d", i), jt808.V2019)
		load.Go(func() {
			var err error
			if acknowledged[i], err = reporter(x, nil, patience); !errors.Is(err, errGone) {
				t.Errorf("terminal %s: %v", x.digits, err)
			}
		})
	}
	await(t, "reports", func() bool { return len(w.seen.first("13800138000")) > 20 })
	ctx, cancel := w.deadline()
	defer cancel()
	w.must(w.server.Close(ctx))
	load.Wait()
	w.must(w.bridge.Close(ctx))
	for i := range acknowledged {
		if d := w.device(fmt.Sprintf("138001380%02d", i)); d.Online {
			t.Errorf("%s is still online at the platform", d.DeviceName)
		}
	}
	w.must(w.close())
	for i, n := range acknowledged {
		w.seen.check(t, fmt.Sprintf("138001380%02d", i), n)
	}
}
