package jt808

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
)

// Parameters that a terminal acts upon.
const (
	parameterHeartbeat jt808.ParameterID = 0x0001 // s
	parameterInterval  jt808.ParameterID = 0x0029 // s
)

// factory are the parameters that terminals have; those they act upon are added.
var factory = makeFactory()

func makeFactory() map[jt808.ParameterID]jt808.Hex {
	all := map[jt808.ParameterID]jt808.Hex{}
	for id, value := range map[string]any{
		"0x0002": 10, "0x0003": 3, "0x0010": "CMNET", "0x0013": "127.0.0.1", "0x0018": 7611,
		"0x0020": 0, "0x0021": 0, "0x0022": 60, "0x0027": 300, "0x0028": 5, "0x002C": 500, "0x0030": 30,
		"0x0040": "13800138000", "0x0050": 0, "0x0055": 80, "0x0056": 10, "0x0057": 14400, "0x0058": 28800, "0x0059": 1200, "0x005A": 43200,
		"0x0070": 5, "0x0071": 125, "0x0080": 0, "0x0081": 44, "0x0082": 300, "0x0084": 2,
	} {
		p, err := jt808.NewParameter(id, value)
		if err != nil {
			panic(err) // a mistake in the table
		}
		all[p.ID] = p.Value
	}
	return all
}

// parameter is the value of one parameter, false if the terminal has none.
func (t *terminal) parameter(id jt808.ParameterID) (jt808.Hex, bool) {
	if v, ok := t.commands.parameters[id]; ok {
		return v, true
	}
	seconds := func(ns int64) jt808.Hex {
		s := int64(0)
		if ns != never {
			s = max((ns+int64(time.Second)/2)/int64(time.Second), min(ns, 1))
		}
		return jt808.Hex{byte(s >> 24), byte(s >> 16), byte(s >> 8), byte(s)}
	}
	switch id {
	case parameterHeartbeat:
		return seconds(t.heartbeat), true
	case parameterInterval:
		return seconds(t.interval), true
	case 0x0083:
		p, err := jt808.NewParameter("0x0083", t.plate())
		return p.Value, err == nil
	}
	v, ok := factory[id]
	return v, ok
}

func (t *terminal) someParameters(ids []jt808.ParameterID) []jt808.Parameter {
	list := make([]jt808.Parameter, 0, len(ids))
	for _, id := range ids {
		if v, ok := t.parameter(id); ok {
			list = append(list, jt808.Parameter{ID: id, Value: v})
		}
	}
	return list
}

func (t *terminal) allParameters() []jt808.Parameter {
	ids := append(slices.Collect(maps.Keys(factory)), parameterHeartbeat, parameterInterval, 0x0083)
	ids = slices.AppendSeq(ids, maps.Keys(t.commands.parameters))
	slices.Sort(ids)
	list := t.someParameters(slices.Compact(ids))
	return list[:min(len(list), 255)]
}

const maxParameters = 200 // set by the platform, of one terminal

// setParameters keeps parameters and does what those of them that it knows say.
func (t *terminal) setParameters(now int64, params []jt808.Parameter) {
	c := &t.commands
	if c.parameters == nil {
		c.parameters = make(map[jt808.ParameterID]jt808.Hex, len(params))
	}
	for _, p := range params {
		if _, known := c.parameters[p.ID]; known || len(c.parameters) < maxParameters {
			c.parameters[p.ID] = slices.Clone(p.Value)
		}
		n, ok := p.Uint()
		if !ok || n > 1<<31 {
			continue
		}
		interval := int64(n) * int64(time.Second)
		switch p.ID {
		case parameterHeartbeat:
			t.heartbeat = interval
			t.nextBeat = cmp.Or(phase(now, interval, 1), never)
		case parameterInterval:
			t.interval = cmp.Or(interval, never)
			t.nextReport = phase(now, t.interval, 1)
		}
	}
}
