package gbt26875

import (
	"strconv"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/thing"
)

type integer interface {
	~uint8 | ~uint16 | ~uint32 | ~int16 | ~int | ~int64
}

func number[N integer](name string, n N) thing.Field {
	return thing.Field{Name: name, Value: thing.Int(int64(n))}
}

func words(name, s string) thing.Field { return thing.Field{Name: name, Value: thing.String(s)} }

func truth(name string, b bool) thing.Field { return thing.Field{Name: name, Value: thing.Bool(b)} }

// mostFields is how many fields one object has at most.
const mostFields = 24

// list appends a list with one struct for each object.
func list[T any](fields []thing.Field, name string, objects []T, each func([]thing.Field, *T) []thing.Field) []thing.Field {
	if len(objects) == 0 {
		return fields
	}
	all := make([]thing.Value, len(objects))
	for i := range objects {
		all[i] = thing.Struct(each(make([]thing.Field, 0, mostFields), &objects[i])...)
	}
	return append(fields, thing.Field{Name: name, Value: thing.List(all...)})
}

// unitFields appends what objects say: of properties, and of replies to commands.
func (d *device) unitFields(fields []thing.Field, u gbt26875.Unit, now time.Time) []thing.Field {
	switch u := u.(type) {
	case *gbt26875.PartStates:
		return list(fields, "parts", u.Objects, func(fields []thing.Field, o *gbt26875.PartState) []thing.Field {
			return d.partStateFields(fields, o, d.when(o.Time, now))
		})
	case *gbt26875.SystemStates:
		return list(fields, "systems", u.Objects, func(fields []thing.Field, o *gbt26875.SystemState) []thing.Field {
			return systemStateFields(fields, o, d.when(o.Time, now))
		})
	case *gbt26875.DeviceStates:
		if len(u.Objects) == 0 {
			return fields
		}
		o := &u.Objects[len(u.Objects)-1]
		return deviceStateFields(fields, o, d.when(o.Time, now))
	case *gbt26875.PartAnalogs:
		return list(fields, "analogs", u.Objects, func(fields []thing.Field, o *gbt26875.PartAnalog) []thing.Field {
			return d.analogFields(fields, o, d.count(d.when(o.Time, now)))
		})
	case *gbt26875.SystemOperations:
		return list(fields, "operations", u.Objects, func(fields []thing.Field, o *gbt26875.SystemOperation) []thing.Field {
			return d.when(o.Time, now).fields(operationFields(systemFields(fields, o.System), o.Operation.SystemNames(), o.Operator))
		})
	case *gbt26875.DeviceOperations:
		return list(fields, "operations", u.Objects, func(fields []thing.Field, o *gbt26875.DeviceOperation) []thing.Field {
			return d.when(o.Time, now).fields(operationFields(fields, o.Operation.DeviceNames(), o.Operator))
		})
	default:
		return d.descriptionFields(fields, u, now)
	}
}

// descriptionFields appends what objects say that describe a device, its systems
// and their parts.
func (d *device) descriptionFields(fields []thing.Field, u gbt26875.Unit, now time.Time) []thing.Field {
	switch u := u.(type) {
	case *gbt26875.SystemSoftwares:
		return list(fields, "systemSoftware", u.Objects, func(fields []thing.Field, o *gbt26875.SystemSoftware) []thing.Field {
			return append(systemFields(fields, o.System), words("version", version(o.Major, o.Minor)))
		})
	case *gbt26875.SystemConfigs:
		return list(fields, "systemConfigurations", u.Objects, func(fields []thing.Field, o *gbt26875.SystemConfig) []thing.Field {
			return append(systemFields(fields, o.System), words("text", o.Text.String()))
		})
	case *gbt26875.PartConfigs:
		return list(fields, "partConfigurations", u.Objects, func(fields []thing.Field, o *gbt26875.PartConfig) []thing.Field {
			return append(d.partFields(fields, &o.Part), words("description", o.Description.String()))
		})
	case *gbt26875.SystemTimes:
		return list(fields, "systemClocks", u.Objects, func(fields []thing.Field, o *gbt26875.SystemTime) []thing.Field {
			return d.clockFields(systemFields(fields, o.System), o.Time, now)
		})
	case *gbt26875.DeviceSoftwares:
		for _, o := range u.Objects {
			fields = append(fields, words("software", version(o.Major, o.Minor)))
		}
	case *gbt26875.DeviceConfigs:
		for _, o := range u.Objects {
			fields = append(fields, words("configuration", o.Text.String()))
		}
	case *gbt26875.DeviceTimes:
		for _, o := range u.Objects {
			fields = d.clockFields(fields, o.Time, now)
		}
	}
	return fields
}

func version(major, minor uint8) string {
	return strconv.Itoa(int(major)) + "." + strconv.Itoa(int(minor))
}

// clockFields appends what a clock shows, and by how much it is fast.
func (d *device) clockFields(fields []thing.Field, label gbt26875.Time, now time.Time) []thing.Field {
	at, ok := d.read(label, now)
	if !ok {
		return append(fields, words("deviceTime", label.String()))
	}
	return append(fields, number("clock", at.UnixMilli()), number("clockOffset", int64(at.Sub(now).Round(time.Second)/time.Second)))
}

func operationFields(fields []thing.Field, names []string, operator uint8) []thing.Field {
	done := make([]thing.Value, len(names))
	for i, name := range names {
		done[i] = thing.String(name)
	}
	return append(fields, thing.Field{Name: "operations", Value: thing.List(done...)}, number("operator", operator))
}

func systemFields(fields []thing.Field, s gbt26875.System) []thing.Field {
	fields = append(fields, number("systemType", s.Type))
	if name := s.Type.Name(); name != "" {
		fields = append(fields, words("systemName", name))
	}
	return append(fields, number("systemAddress", s.Address))
}

func systemStateFields(fields []thing.Field, o *gbt26875.SystemState, m moment) []thing.Field {
	fields = append(systemFields(fields, o.System), number("state", o.State),
		truth("normal", o.State.Has(gbt26875.SystemNormal)), truth("fire", o.State.Has(gbt26875.SystemFire)),
		truth("fault", o.State.Has(gbt26875.SystemFault)), truth("shielded", o.State.Has(gbt26875.SystemShielded)),
		truth("supervised", o.State.Has(gbt26875.SystemSupervised)), truth("started", o.State.Has(gbt26875.SystemStarted)),
		truth("feedback", o.State.Has(gbt26875.SystemFeedback)), truth("delayed", o.State.Has(gbt26875.SystemDelayed)),
		truth("mainsFault", o.State.Has(gbt26875.SystemMainsFault)), truth("backupFault", o.State.Has(gbt26875.SystemBackupFault)),
		truth("busFault", o.State.Has(gbt26875.SystemBusFault)), truth("manual", o.State.Has(gbt26875.SystemManual)),
		truth("configChanged", o.State.Has(gbt26875.SystemConfigChanged)), truth("reset", o.State.Has(gbt26875.SystemReset)),
	)
	return m.fields(fields)
}

// partFields appends which part it is.
func (d *device) partFields(fields []thing.Field, p *gbt26875.Part) []thing.Field {
	fields = append(systemFields(fields, p.System), number("partType", p.Type))
	if name := p.Type.Name(); name != "" {
		fields = append(fields, words("partName", name))
	}
	fields = append(fields, words("address", p.Address.String()))
	first, second := p.Address.Words()
	switch d.config.PartAddress {
	case partZonePoint:
		fields = append(fields, number("zone", first), number("point", second))
	case partPointZone:
		fields = append(fields, number("zone", second), number("point", first))
	case partNumber:
		fields = append(fields, number("number", p.Address.Uint()))
	}
	return fields
}

func (d *device) partStateFields(fields []thing.Field, o *gbt26875.PartState, m moment) []thing.Field {
	fields = append(d.partFields(fields, &o.Part), words("description", o.Description.String()), number("state", o.State),
		truth("normal", o.State.Has(gbt26875.PartNormal)), truth("fire", o.State.Has(gbt26875.PartFire)),
		truth("fault", o.State.Has(gbt26875.PartFault)), truth("shielded", o.State.Has(gbt26875.PartShielded)),
		truth("supervised", o.State.Has(gbt26875.PartSupervised)), truth("started", o.State.Has(gbt26875.PartStarted)),
		truth("feedback", o.State.Has(gbt26875.PartFeedback)), truth("delayed", o.State.Has(gbt26875.PartDelayed)),
		truth("powerFault", o.State.Has(gbt26875.PartPowerFault)),
	)
	return m.fields(fields)
}

func (d *device) analogFields(fields []thing.Field, o *gbt26875.PartAnalog, m moment) []thing.Field {
	fields = append(d.partFields(fields, &o.Part), number("type", o.Analog))
	kind := o.Analog.Analog()
	if kind.Name != "" {
		fields = append(fields, words("name", kind.Name))
	}
	fields = append(fields, thing.Field{Name: "value", Value: thing.Decimal(int64(o.Value), kind.Decimals)})
	if kind.Unit != "" {
		fields = append(fields, words("unit", kind.Unit))
	}
	return m.fields(fields)
}

func deviceStateFields(fields []thing.Field, o *gbt26875.DeviceState, m moment) []thing.Field {
	fields = append(fields, number("state", o.State),
		truth("normal", o.State.Has(gbt26875.DeviceNormal)), truth("fire", o.State.Has(gbt26875.DeviceFire)),
		truth("fault", o.State.Has(gbt26875.DeviceFault)), truth("mainsFault", o.State.Has(gbt26875.DeviceMainsFault)),
		truth("backupFault", o.State.Has(gbt26875.DeviceBackupFault)), truth("linkFault", o.State.Has(gbt26875.DeviceLinkFault)),
		truth("lineFault", o.State.Has(gbt26875.DeviceLineFault)),
	)
	return m.fields(fields)
}
