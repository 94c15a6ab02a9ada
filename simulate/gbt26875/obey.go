package gbt26875

import (
	"fmt"
	"slices"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
)

// Command is a control or a request of the centre, as a panel got it; see
// [WithCommands].
type Command struct {
	Panel   int              // from 1
	Address string           // the panel's, 12 hexadecimal digits as on the wire
	Unit    gbt26875.Unit    // what it is told or asked; nil: the frame has no data
	Answer  gbt26875.Command // confirm, answer or deny
	Clock   time.Time        // what the panel's clock shows behind it
	Serial  uint16           // of the frame: repetitions have the same
}

// operation is what somebody did at the panel.
type operation struct {
	bits gbt26875.OperationBits
	time gbt26875.Time
}

const (
	maxOperations = 8 // remembered at each panel
	operator      = 1 // number of the only person there is
)

// The version that panels and their systems tell.
const (
	versionMajor = 2
	versionMinor = 6
)

// handle takes one frame of the centre.
func (p *panel) handle(now int64, w *scratch, f *gbt26875.Frame) {
	if f.Destination != p.address {
		p.shard.strayFrames.Add(1)
		return
	}
	switch f.Command {
	case gbt26875.CommandConfirm, gbt26875.CommandDeny:
		p.answered(now, w, f)
	case gbt26875.CommandControl, gbt26875.CommandRequest:
		p.obey(now, w, f)
	default:
		p.shard.strayFrames.Add(1)
	}
}

// obey does what a control says, or answers a request.
func (p *panel) obey(now int64, w *scratch, f *gbt26875.Frame) {
	p.commands++
	p.shard.commands.Add(1)
	unit, err := f.Parse()
	answer, data := gbt26875.CommandDeny, []byte(nil)
	var then func()
	switch {
	case err != nil:
		p.shard.badFrames.Add(1)
	case p.chance(p.fleet.cfg.Refuse) || unit.Type().Command() != f.Command:
	case f.Command == gbt26875.CommandControl:
		if then = p.control(now, w, unit); then != nil {
			answer = gbt26875.CommandConfirm
		}
	default:
		if u := p.reply(now, unit); u != nil {
			if data, err = u.AppendUnit(w.data[:0]); err == nil {
				answer = gbt26875.CommandAnswer
				w.data = data
			} else {
				data = nil // it does not fit
			}
		}
	}
	if answer == gbt26875.CommandDeny {
		p.shard.commandsDenied.Add(1)
	}
	h := f.Reply(answer, p.label(now))
	h.Version = p.version()
	p.shard.sent[kindAnswer].Add(1)
	p.put(now, w, h, data)
	if then != nil {
		then()
	}
	if p.fleet.command != nil {
		p.fleet.command(Command{Panel: p.number, Address: p.name, Unit: unit, Answer: answer, Clock: p.shows(now), Serial: f.Serial})
	}
}

// control is what a control has the panel do once it is confirmed; nil if it cannot.
func (p *panel) control(now int64, w *scratch, u gbt26875.Unit) func() {
	switch u := u.(type) {
	case *gbt26875.SetClock:
		if len(u.Objects) == 1 && p.setClock(now, u.Objects[0].Time) {
			return func() {}
		}
	case *gbt26875.CheckPost:
		return func() {
			if after := p.fleet.cfg.PostAnswer; after > 0 {
				p.postAt = now + int64(after)
			}
		}
	case *gbt26875.ReadDevice: // 89
		return func() {
			p.allNormal(now, w)
			p.operate(now, w, gbt26875.OperationReset)
		}
	}
	return nil
}

// operate is somebody doing something at the panel, which tells of it.
func (p *panel) operate(now int64, w *scratch, bits gbt26875.OperationBits) {
	if len(p.operations) == maxOperations {
		p.operations = slices.Delete(p.operations, 0, 1)
	}
	o := operation{bits, p.label(now)}
	p.operations = append(p.operations, o)
	p.tell(now, w, kindOperation, w.unit(&gbt26875.DeviceOperations{Objects: []gbt26875.DeviceOperation{o.ofDevice()}}), nil)
}

func (o operation) ofDevice() gbt26875.DeviceOperation {
	return gbt26875.DeviceOperation{Operation: o.bits, Operator: operator, Time: o.time}
}

// reply is the answer to a request; nil if there is none.
func (p *panel) reply(now int64, u gbt26875.Unit) gbt26875.Unit {
	switch u := u.(type) {
	case *gbt26875.ReadSystem:
		if len(u.Objects) > 0 && !slices.ContainsFunc(u.Objects, func(s gbt26875.System) bool { return s != system }) {
			return p.replySystem(now, u.Query)
		}
	case *gbt26875.ReadPart:
		return p.replyParts(now, u)
	case *gbt26875.ReadDevice:
		return p.replyDevice(now, u.Query)
	case *gbt26875.ReadSystemOperations:
		if len(u.Objects) != 1 || u.Objects[0].System != system {
			return nil
		}
		a := &gbt26875.SystemOperations{}
		for _, o := range p.latest(u.Objects[0].Number) {
			a.Objects = append(a.Objects, gbt26875.SystemOperation{System: system, Operation: o.bits, Operator: operator, Time: o.time})
		}
		return a
	case *gbt26875.ReadDeviceOperations:
		if len(u.Objects) != 1 {
			return nil
		}
		a := &gbt26875.DeviceOperations{}
		for _, o := range p.latest(u.Objects[0].Number) {
			a.Objects = append(a.Objects, o.ofDevice())
		}
		return a
	}
	return nil
}

// latest are the n last operations.
func (p *panel) latest(n uint8) []operation {
	return p.operations[max(0, len(p.operations)-int(n)):]
}

func (p *panel) replySystem(now int64, query gbt26875.Type) gbt26875.Unit {
	switch query {
	case gbt26875.TypeReadSystemState:
		return &gbt26875.SystemStates{Objects: []gbt26875.SystemState{p.systemState(now)}}
	case gbt26875.TypeReadSystemSoftware:
		return &gbt26875.SystemSoftwares{Objects: []gbt26875.SystemSoftware{{System: system, Major: versionMajor, Minor: versionMinor}}}
	case gbt26875.TypeReadSystemConfig:
		return &gbt26875.SystemConfigs{Objects: []gbt26875.SystemConfig{{System: system, Text: p.config()}}}
	case gbt26875.TypeReadSystemTime:
		return &gbt26875.SystemTimes{Objects: []gbt26875.SystemTime{{System: system, Time: p.label(now)}}}
	default:
		return nil
	}
}

func (p *panel) replyDevice(now int64, query gbt26875.Type) gbt26875.Unit {
	switch query {
	case gbt26875.TypeReadDeviceState:
		return &gbt26875.DeviceStates{Objects: []gbt26875.DeviceState{p.deviceState(now)}}
	case gbt26875.TypeReadDeviceSoftware:
		return &gbt26875.DeviceSoftwares{Objects: []gbt26875.DeviceSoftware{{Major: versionMajor, Minor: versionMinor}}}
	case gbt26875.TypeReadDeviceConfig:
		return &gbt26875.DeviceConfigs{Objects: []gbt26875.DeviceConfig{{Text: p.config()}}}
	case gbt26875.TypeReadDeviceTime:
		return &gbt26875.DeviceTimes{Objects: []gbt26875.DeviceTime{{Time: p.label(now)}}}
	default:
		return nil
	}
}

// config is the text that tells how the panel is set up. It is short.
func (p *panel) config() gbt26875.Text {
	return gbt26875.Text(fmt.Sprintf("panel %d, %d parts", p.number, len(p.parts)))
}

// replyParts tells of the parts that there are of those asked for; nil if there is
// none.
func (p *panel) replyParts(now int64, u *gbt26875.ReadPart) gbt26875.Unit {
	var states gbt26875.PartStates
	var analogs gbt26875.PartAnalogs
	var configs gbt26875.PartConfigs
	for _, name := range u.Objects {
		i := slices.IndexFunc(p.fleet.layout, func(at place) bool { return at.part.System == name.System && at.part.Address == name.Address })
		if i < 0 {
			continue
		}
		at := &p.fleet.layout[i]
		states.Objects = append(states.Objects, p.partState(now, i, 0))
		configs.Objects = append(configs.Objects, gbt26875.PartConfig{Part: at.part, Description: at.text})
		if at.analog != 0 {
			analogs.Objects = append(analogs.Objects, p.analogOf(now, i))
		}
	}
	switch {
	case u.Query == gbt26875.TypeReadPartState && len(states.Objects) > 0:
		return &states
	case u.Query == gbt26875.TypeReadPartAnalog && len(analogs.Objects) > 0:
		return &analogs
	case u.Query == gbt26875.TypeReadPartConfig && len(configs.Objects) > 0:
		return &configs
	default:
		return nil
	}
}
