package gbt26875

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
)

const (
	normal = gbt26875.PartNormal
	fire   = gbt26875.PartFire
	fault  = gbt26875.PartFault
)

// A fire is an event with all that is known of it, and a property.
func TestFire(t *testing.T) {
	t.Parallel()
	x := online(t)
	said := x.tell(parts(x.smoke(2, fire)))
	what := `"systemType":1,"systemName":"fire alarm","systemAddress":1,"partType":40,"partName":"smoke detector","address":"0a000200","zone":10,"point":2,` +
		`"description":"3楼东","state":2,"normal":false,"fire":true,"fault":false,"shielded":false,"supervised":false,"started":false,"feedback":false,"delayed":false,"powerFault":false,` +
		`"time":` + millis(x.Now())
	wants(t, "said", said, `event fire {"source":"part",`+what+"}\n"+`property {"parts":[{`+what+`}]}`)
	x.Send(x.unit(parts(x.smoke(3, fire))))
	if m := x.TakeSaid()[0]; !m.Time.Equal(x.Now().Truncate(time.Second)) {
		t.Errorf("the event is of %v, want the part's time", m.Time)
	}
}

// Events tell what changes; a fire is one every time that the device says so.
func TestPartEvents(t *testing.T) {
	t.Parallel()
	x := online(t)
	for i, step := range []struct {
		state gbt26875.PartBits
		want  string
	}{
		{normal, "event state"}, // nobody knows what it was before
		{normal, ""},
		{fault, "event fault"},
		{fault, ""},
		{fault | gbt26875.PartPowerFault, "event fault"},
		{fire | fault, "event fire, event fault"}, // its power is back
		{fire | fault, "event fire"},
		{fire, "event fire"},
		{fire | fault, "event fire, event fault"},
		{fault, "event state"}, // the fire is over
		{normal, "event state"},
		{normal | gbt26875.PartShielded, "event state"},
		{normal, "event state"},
		{0, "event state"},
	} {
		x.Advance(time.Second)
		want := step.want
		if want != "" {
			want += ", "
		}
		got := kinds(x.tell(parts(x.smoke(2, step.state))))
		wants(t, fmt.Sprintf("step %d, %v", i, step.state.Names()), got, want+"property")
	}
	if s := x.stats(); s.Fires != 4 || s.States != 14 {
		t.Errorf("%+v", s)
	}
}

// Answers to questions are no alarms by themselves, but news in them are.
func TestAnswersTellWhatChanges(t *testing.T) {
	t.Parallel()
	x := online(t)
	wants(t, "a fire", kinds(x.tell(parts(x.smoke(2, fire)))), "event fire, property")
	for n, want := range []string{"event fire, property", "property"} { // part 3 is new
		x.Command(invoke("c", "readPartState", `{"address":"0a000200"}`))
		x.answer(uint16(n+1), parts(x.smoke(2, fire), x.smoke(3, fire)))
		got, _, _ := strings.Cut(kinds(x.said()), ", reply")
		wants(t, "the answer", got, want)
	}
}

// In a frame of many states a fire does not wait behind the others.
func TestFiresGoFirst(t *testing.T) {
	t.Parallel()
	x := online(t)
	all := parts(x.smoke(1, normal), x.smoke(2, fault), x.smoke(3, fire), x.smoke(4, normal), x.smoke(5, fire))
	said := strings.Split(x.tell(all), "\n")
	var order []string
	for _, line := range said {
		_, rest, _ := strings.Cut(line, `"point":`)
		order = append(order, strings.Fields(kinds(line))[len(strings.Fields(kinds(line)))-1]+rest[:1])
	}
	wants(t, "order", strings.Join(order, " "), "fire3 fire5 state1 fault2 state4 property1")
}

func TestSystemEvents(t *testing.T) {
	t.Parallel()
	x := online(t)
	tell := func(bits ...gbt26875.SystemBits) string {
		x.Advance(time.Second)
		u := &gbt26875.SystemStates{}
		for i, b := range bits {
			u.Objects = append(u.Objects, gbt26875.SystemState{System: gbt26875.System{Type: 1, Address: uint8(i)}, State: b, Time: x.at()})
		}
		return kinds(x.tell(u))
	}
	wants(t, "at first", tell(gbt26875.SystemNormal), "event state, property")
	wants(t, "the same", tell(gbt26875.SystemNormal), "property")
	wants(t, "a fire in the second", tell(gbt26875.SystemNormal|gbt26875.SystemMainsFault, gbt26875.SystemFire), "event fire, event fault, property")
	wants(t, "it goes on", tell(gbt26875.SystemNormal|gbt26875.SystemMainsFault, gbt26875.SystemFire), "event fire, property")
	wants(t, "it is over", tell(gbt26875.SystemNormal|gbt26875.SystemMainsFault, gbt26875.SystemReset), "event state, property")
}

// The device's own state is its heartbeat as well: what lasts is no event again.
func TestDeviceEvents(t *testing.T) {
	t.Parallel()
	x := online(t)
	for i, step := range []struct {
		state gbt26875.DeviceBits
		want  string
	}{
		{gbt26875.DeviceNormal, "event state"},
		{gbt26875.DeviceNormal, ""},
		{gbt26875.DeviceNormal | gbt26875.DeviceFire, "event fire"},
		{gbt26875.DeviceNormal | gbt26875.DeviceFire, ""},
		{gbt26875.DeviceNormal | gbt26875.DeviceFire | gbt26875.DeviceLineFault, "event fault"},
		{gbt26875.DeviceNormal, "event state"},
	} {
		x.Advance(20 * time.Second)
		want := step.want
		if want != "" {
			want += ", "
		}
		wants(t, fmt.Sprintf("step %d", i), kinds(x.tell(x.own(step.state))), want+"property")
	}
	x.Advance(time.Second)
	wants(t, "property", x.tell(x.own(gbt26875.DeviceNormal)),
		`property {"state":1,"normal":true,"fire":false,"fault":false,"mainsFault":false,"backupFault":false,"linkFault":false,"lineFault":false,"time":`+millis(x.Now())+`}`)
}

// There is a limit to what is remembered; what is beyond is an event every time.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	x := online(t, func(c *Config) { c.MaxParts = 2 })
	for n := range 3 {
		x.Advance(time.Second)
		panelState := &gbt26875.SystemStates{Objects: []gbt26875.SystemState{{System: firePanel, State: 1, Time: x.at()}}}
		said := kinds(x.tell(parts(x.smoke(1, fault), x.smoke(2, fault), x.smoke(3, fault))))
		want := "event fault, event fault, event fault, property"
		if n > 0 {
			want = "event fault, property"
		}
		wants(t, "parts", said, want)
		wants(t, "systems", kinds(x.tell(panelState)), "event state, property")
	}
	if s := x.stats(); s.Forgotten != 6 || s.Faults != 5 {
		t.Errorf("%+v", s)
	}
}

// A wrong clock loses nothing: the time of receipt counts, and what the clock
// showed is told.
func TestWrongClocks(t *testing.T) {
	t.Parallel()
	x := online(t)
	for text, label := range map[string]gbt26875.Time{
		"000000000000":        {},
		"2000-01-01 00:00:00": gbt26875.NewTime(time.Date(2000, 1, 1, 0, 0, 0, 0, china)),
		"2026-01-02 11:15:05": gbt26875.NewTime(x.Now().Add(11 * time.Minute).In(china)),
		"ffffff051f02":        {255, 255, 255, 5, 31, 2},
	} {
		o := x.smoke(2, fire)
		o.Time = label
		x.Send(x.unit(parts(o)))
		m := x.Said[0]
		if !m.Time.Equal(x.Now()) {
			t.Errorf("%s: the event is of %v, want the time of receipt", text, m.Time)
		}
		if said := x.said(); strings.Count(said, fmt.Sprintf(`"time":%d,"deviceTime":%q}`, x.Now().UnixMilli(), text)) != 2 || kinds(said) != "event fire, property" {
			t.Errorf("%s: said %s", text, said)
		}
	}
	o := x.smoke(2, fire)
	o.Time = gbt26875.NewTime(x.Now().Add(-29 * 24 * time.Hour).In(china)) // kept while there was no network
	x.Send(x.unit(parts(o)))
	if m := x.Said[0]; !m.Time.Equal(x.Now().Add(-29 * 24 * time.Hour).Truncate(time.Second)) {
		t.Errorf("an old fire is of %v", m.Time)
	}
	if s := x.stats(); s.WrongClocks != 4 {
		t.Errorf("%+v", s)
	}
}

func TestZone(t *testing.T) {
	t.Parallel()
	x := online(t, func(c *Config) { c.Clock.Zone, c.Clock.Format = "UTC", formatBinary })
	o := x.smoke(2, fire)
	o.Time = gbt26875.NewTime(x.Now().UTC())
	x.Send(x.unit(parts(o)))
	if m := x.Said[0]; !m.Time.Equal(x.Now()) {
		t.Errorf("the event is of %v, want %v", m.Time, x.Now())
	}
}

func TestPartAddresses(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		partZonePoint: `"address":"0a000200","zone":10,"point":2,"description"`,
		partPointZone: `"address":"0a000200","zone":2,"point":10,"description"`,
		partNumber:    `"address":"0a000200","number":131082,"description"`,
		partDigits:    `"address":"0a000200","description"`,
	} {
		x := online(t, func(c *Config) { c.PartAddress = word })
		if said := x.tell(parts(x.smoke(2, fire))); !strings.Contains(said, want) {
			t.Errorf("%s: said %s", word, said)
		}
		input := map[string]string{
			partZonePoint: `{"zone":10,"point":2}`, partPointZone: `{"zone":2,"point":10}`, partNumber: `{"number":131082}`, partDigits: `{"address":"0a 00 02 00"}`,
		}[word]
		x.heard()
		x.Command(invoke("c", "readPartState", input))
		wants(t, word, x.heard(), "request 1 3e0101010a000200")
	}
}

// What devices tell of themselves, their systems and parts are properties.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	x := online(t)
	for _, c := range serviceCases(x) {
		if c.answer == nil {
			continue
		}
		x.Advance(time.Second)
		said := x.tell(c.answer)
		switch c.answer.Type() { // the others are properties alone
		case gbt26875.TypeSystemOperation:
			wants(t, c.name, strings.Split(said, `,"time"`)[0], `event operation {"source":"system","systemType":1,"systemName":"fire alarm","systemAddress":1,"operations":["reset","silence"],"operator":7`)
		case gbt26875.TypeDeviceOperation:
			wants(t, c.name, strings.Split(said, `,"time"`)[0], `event operation {"source":"device","operations":["postAnswer"],"operator":1`)
		case gbt26875.TypeDeviceTime, gbt26875.TypeSystemTime: // the clock of linkspan goes on
			if !strings.HasPrefix(said, "property {") || !strings.Contains(said, `"clockOffset":`) {
				t.Errorf("%s: said %s", c.name, said)
			}
		default:
			lines := strings.Split(said, "\n")
			wants(t, c.name, lines[len(lines)-1], "property "+c.want)
		}
	}
	none := &gbt26875.DeviceTimes{Objects: []gbt26875.DeviceTime{{}}}
	wants(t, "no time", x.tell(none), `property {"deviceTime":"000000000000"}`)
	odd := &gbt26875.PartAnalogs{Objects: []gbt26875.PartAnalog{{Part: gbt26875.Part{Type: 200}, Analog: 130, Value: 7, Time: x.at()}}}
	wants(t, "a maker's own", x.tell(odd), `property {"analogs":[{"systemType":0,"systemName":"general","systemAddress":0,"partType":200,"address":"00000000","zone":0,"point":0,"type":130,"value":7,"time":`+millis(x.Now())+`}]}`)
}
