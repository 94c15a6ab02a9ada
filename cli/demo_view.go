package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// demoView shows what arrives at the platform: as a table that is drawn anew on
// a terminal, as lines elsewhere. Its methods may be called from any goroutine.
type demoView struct {
	out   io.Writer
	table bool
	began time.Time

	mu        sync.Mutex
	devices   map[string]*demoDevice // guarded by mu
	names     []string               // sorted; guarded by mu
	positions int                    // guarded by mu
	answered  int                    // commands that were done; guarded by mu
	failed    int                    // commands that were not; guarded by mu
	drawn     int                    // lines of the table on the screen; guarded by mu
}

// demoDevice is a row of the table.
type demoDevice struct {
	online    bool
	latitude  float64
	longitude float64
	speed     float64
	positions int
	seen      time.Time
	last      string // event or command
}

func newDemoView(out io.Writer, table bool) *demoView {
	return &demoView{out: out, table: table, began: time.Now(), devices: map[string]*demoDevice{}}
}

// run shows messages until ctx ends.
func (v *demoView) run(ctx context.Context, watch *platform.Watch) error {
	var drawAt time.Time
	for {
		m, err := watch.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				err = nil
			}
			v.draw()
			return err
		}
		v.note(m)
		if v.table && time.Since(drawAt) > 200*time.Millisecond {
			v.draw()
			drawAt = time.Now()
		}
	}
}

// position is what the view reads of a property post.
type position struct {
	Latitude  demoNumber `json:"latitude"`
	Longitude demoNumber `json:"longitude"`
	Speed     demoNumber `json:"speed"`
}

// demoNumber is a property that comes as a number, or as {"value": number, "time": ...}.
type demoNumber struct{ value *float64 }

// UnmarshalJSON implements json.Unmarshaler.
func (n *demoNumber) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '{' {
		var timed struct{ Value *float64 }
		err := json.Unmarshal(text, &timed)
		n.value = timed.Value
		return err
	}
	return json.Unmarshal(text, &n.value)
}

func (v *demoView) note(m api.Message) {
	if m.ProductKey != demoProduct {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	d := v.devices[m.DeviceName]
	if d == nil {
		d = &demoDevice{}
		v.devices[m.DeviceName] = d
		v.names = append(v.names, m.DeviceName)
		slices.Sort(v.names)
	}
	var line string
	switch m.Kind {
	case api.KindOnline:
		d.online, d.last = true, "online"
		line = "online"
	case api.KindOffline:
		d.online, d.last = false, "offline: "+m.Cause
		line = d.last
	case api.KindEvent:
		d.last = "event " + m.Name
		line = d.last + " " + string(m.Data)
	case api.KindProperty:
		var p position
		if json.Unmarshal(m.Data, &p) != nil || p.Latitude.value == nil || p.Longitude.value == nil {
			return
		}
		d.latitude, d.longitude = *p.Latitude.value, *p.Longitude.value
		if p.Speed.value != nil {
			d.speed = *p.Speed.value
		}
		d.positions++
		v.positions++
		d.seen = m.Time
		line = fmt.Sprintf("position %.6f, %.6f  %.1f km/h", d.latitude, d.longitude, d.speed)
	default:
		return
	}
	v.line(m.Time, m.DeviceName, line)
}

// line prints one line unless there is a table. v.mu is held.
func (v *demoView) line(at time.Time, device, text string) {
	if !v.table {
		fmt.Fprintf(v.out, "%s  %s  %s\n", at.Local().Format("15:04:05.000"), device, text)
	}
}

// pick is a device that is online, another one each time; "" when there is none.
func (v *demoView) pick(i int) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	for n := range v.names {
		name := v.names[(i+n)%len(v.names)]
		if v.devices[name].online {
			return name
		}
	}
	return ""
}

// commanded notes how a command ended.
func (v *demoView) commanded(device, command string, r api.Result, err error) {
	text := fmt.Sprintf("command %s: %s in %s", command, r.State, time.Duration(r.Latency).Round(100*time.Microsecond))
	if err != nil {
		text = fmt.Sprintf("command %s: %v", command, err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err == nil && r.State == "done" {
		v.answered++
	} else {
		v.failed++
	}
	v.devices[device].last = text
	v.line(time.Now(), device, text)
}

// draw draws the table over the one before.
func (v *demoView) draw() {
	if !v.table {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	const most = 20 // rows that surely fit
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.drawn)
	}
	fmt.Fprintf(&b, "\x1b[2K%-14s %-8s %11s %12s %7s %9s  %s\n", "TERMINAL", "STATE", "LATITUDE", "LONGITUDE", "KM/H", "POSITIONS", "LAST")
	rows := v.names[:min(len(v.names), most)]
	for _, name := range rows {
		d := v.devices[name]
		state := "offline"
		if d.online {
			state = "online"
		}
		fmt.Fprintf(&b, "\x1b[2K%-14s %-8s %11.6f %12.6f %7.1f %9d  %.60s\n", name, state, d.latitude, d.longitude, d.speed, d.positions, d.last)
	}
	v.drawn = len(rows) + 1
	_, _ = io.WriteString(v.out, b.String()) // a terminal that is gone ends the process by itself
}

// summary is the last line.
func (v *demoView) summary() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return fmt.Sprintf("%d positions of %d terminals arrived at the platform in %s; %d commands done, %d not",
		v.positions, len(v.names), time.Since(v.began).Round(time.Second), v.answered, v.failed)
}

// errDemo says that the demonstration did not show what it should.
var errDemo = errors.New("cli: demo")

// check fails unless all terminals were seen and a command was answered.
func (v *demoView) check(terminals int) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var errs []error
	if len(v.names) != terminals {
		errs = append(errs, fmt.Errorf("%w: %d terminals of %d appeared", errDemo, len(v.names), terminals))
	}
	for _, name := range v.names {
		if v.devices[name].positions == 0 {
			errs = append(errs, fmt.Errorf("%w: no position of %s arrived", errDemo, name))
		}
	}
	if v.answered == 0 || v.failed > 0 {
		errs = append(errs, fmt.Errorf("%w: %d commands done, %d not", errDemo, v.answered, v.failed))
	}
	return errors.Join(errs...)
}
