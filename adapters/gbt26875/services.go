package gbt26875

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/thing/input"
)

// service makes the application data of a service out of its input.
type service func(in *reader, d *device, now time.Time) gbt26875.Unit

// services are the services of a device by name. docs/protocols/gbt26875.md has an
// example of each.
var services = map[string]service{
	"readSystemState":         readSystems(gbt26875.TypeReadSystemState),
	"readPartState":           readParts(gbt26875.TypeReadPartState),
	"readAnalog":              readParts(gbt26875.TypeReadPartAnalog),
	"readOperations":          readOperations,
	"readSystemSoftware":      readSystems(gbt26875.TypeReadSystemSoftware),
	"readSystemConfiguration": readSystems(gbt26875.TypeReadSystemConfig),
	"readPartConfiguration":   readParts(gbt26875.TypeReadPartConfig),
	"readSystemClock":         readSystems(gbt26875.TypeReadSystemTime),
	"readState":               readDevice(gbt26875.TypeReadDeviceState),
	"readDeviceOperations":    readDeviceOperations,
	"readSoftware":            readDevice(gbt26875.TypeReadDeviceSoftware),
	"readConfiguration":       readDevice(gbt26875.TypeReadDeviceConfig),
	"readClock":               readDevice(gbt26875.TypeReadDeviceTime),
	"initialize":              readDevice(gbt26875.TypeInitDevice),
	"setClock":                setClock,
	"checkPost":               checkPost,
}

// rawService is the service that sends any frame at all.
const rawService = "raw"

// request makes a frame of a command.
func (d *device) request(c *conn, cmd *thing.Command) (request, error) {
	switch cmd.Kind {
	case thing.Service:
		return d.service(c, cmd)
	case thing.GetProperties:
		return getProperties(cmd.Fields)
	case thing.SetProperties:
		return request{}, &thing.ReplyError{State: thing.Unsupported, Text: "devices have no properties that can be set; service setClock sets the clock"}
	case thing.RawDown:
		return rawRequest(cmd.Raw)
	default:
		return request{}, &thing.ReplyError{State: thing.Unsupported, Text: "devices take services, raw messages and requests for properties"}
	}
}

// service makes a frame of a service.
func (d *device) service(c *conn, cmd *thing.Command) (request, error) {
	in := &reader{input.New(cmd.Fields), d.adapter}
	if cmd.Name == rawService {
		return in.rawFrame()
	}
	build, ok := services[cmd.Name]
	if !ok {
		names := append(slices.Collect(maps.Keys(services)), rawService)
		slices.Sort(names)
		return request{}, &thing.ReplyError{State: thing.Unsupported, Text: fmt.Sprintf("no service %q; there are %s", cmd.Name, strings.Join(names, ", "))}
	}
	u := build(in, d, c.Now())
	if err := in.Err(); err != nil {
		return request{}, err
	}
	return requestOf(u)
}

// requestOf makes a request of application data.
func requestOf(u gbt26875.Unit) (request, error) {
	data, err := u.AppendUnit(nil)
	if err != nil {
		return request{}, &thing.ReplyError{State: thing.Invalid, Text: err.Error()}
	}
	q := request{command: u.Type().Command(), data: data, answer: u.Type().Answer()}
	if post, ok := u.(*gbt26875.CheckPost); ok {
		q.minutes = post.Objects[0].Minutes
	}
	return q, nil
}

// readable are the properties that a device can be asked for.
var readable = map[string]gbt26875.Type{
	"software": gbt26875.TypeReadDeviceSoftware, "configuration": gbt26875.TypeReadDeviceConfig,
	"clock": gbt26875.TypeReadDeviceTime, "clockOffset": gbt26875.TypeReadDeviceTime,
	"state": gbt26875.TypeReadDeviceState, "normal": gbt26875.TypeReadDeviceState, "fire": gbt26875.TypeReadDeviceState,
	"fault": gbt26875.TypeReadDeviceState, "mainsFault": gbt26875.TypeReadDeviceState, "backupFault": gbt26875.TypeReadDeviceState,
	"linkFault": gbt26875.TypeReadDeviceState, "lineFault": gbt26875.TypeReadDeviceState,
}

// getProperties asks for properties of the device that are in one answer.
func getProperties(fields []thing.Field) (request, error) {
	query := gbt26875.TypeReadDeviceState
	for i, f := range fields {
		t, ok := readable[f.Name]
		switch {
		case !ok:
			return request{}, &thing.ReplyError{State: thing.Invalid, Text: fmt.Sprintf("%s: cannot be read; %s can, and services read the rest", f.Name, strings.Join(slices.Sorted(maps.Keys(readable)), ", "))}
		case i > 0 && t != query:
			return request{}, &thing.ReplyError{State: thing.Invalid, Text: fmt.Sprintf("%s and %s are not in one answer: ask for them one at a time", fields[0].Name, f.Name)}
		}
		query = t
	}
	return requestOf(gbt26875.NewReadDevice(query))
}

// rawRequest makes a request of a command byte and application data.
func rawRequest(raw []byte) (request, error) {
	if len(raw) == 0 || len(raw) > 1+gbt26875.MaxData {
		return request{}, &thing.ReplyError{State: thing.Invalid, Text: "a raw message is the command, one byte, and at most 1024 bytes of application data"}
	}
	q := request{command: gbt26875.Command(raw[0]), data: slices.Clone(raw[1:]), raw: true}
	if len(q.data) > 0 {
		q.answer = gbt26875.Type(q.data[0]).Answer()
	}
	return q, nil
}

// readSystems asks for something about systems.
func readSystems(query gbt26875.Type) service {
	return func(in *reader, _ *device, _ time.Time) gbt26875.Unit {
		u := &gbt26875.ReadSystem{Query: query}
		in.items("systems", query.MaxObjects(), func(in *reader) { u.Objects = append(u.Objects, in.system()) })
		return u
	}
}

// readParts asks for something about parts.
func readParts(query gbt26875.Type) service {
	return func(in *reader, _ *device, _ time.Time) gbt26875.Unit {
		u := &gbt26875.ReadPart{Query: query}
		in.items("parts", query.MaxObjects(), func(in *reader) {
			u.Objects = append(u.Objects, gbt26875.PartName{System: in.system(), Address: in.partAddress()})
		})
		return u
	}
}

// readDevice asks for something about the device, or has it initialise itself.
func readDevice(query gbt26875.Type) service {
	return func(*reader, *device, time.Time) gbt26875.Unit { return gbt26875.NewReadDevice(query) }
}

func readOperations(in *reader, d *device, now time.Time) gbt26875.Unit {
	return &gbt26875.ReadSystemOperations{Objects: []gbt26875.SystemOperationQuery{{
		System: in.system(), Number: in.records(), Start: d.label(in.at("start", now.Add(-24*time.Hour)), d.usesBCD(d.address)),
	}}}
}

func readDeviceOperations(in *reader, d *device, now time.Time) gbt26875.Unit {
	return &gbt26875.ReadDeviceOperations{Objects: []gbt26875.DeviceOperationQuery{{
		Number: in.records(), Start: d.label(in.at("start", now.Add(-24*time.Hour)), d.usesBCD(d.address)),
	}}}
}

func setClock(in *reader, d *device, now time.Time) gbt26875.Unit {
	return gbt26875.NewSetClock(d.label(in.at("time", now), d.usesBCD(d.address)))
}

func checkPost(in *reader, _ *device, _ time.Time) gbt26875.Unit {
	return &gbt26875.CheckPost{Objects: []gbt26875.PostCheck{{Minutes: uint8(in.Int("minutes", 1, 255, 10))}}} //nolint:gosec // limited
}
