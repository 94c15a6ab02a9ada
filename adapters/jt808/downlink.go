package jt808

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/thing/input"
)

// request makes a message of a command for a terminal that speaks as o does.
func (a *adapter) request(o *origin, cmd *thing.Command) (request, error) {
	switch cmd.Kind {
	case thing.SetProperties:
		return a.setParameters(o, cmd.Fields)
	case thing.GetProperties:
		return getParameters(o, cmd.Fields)
	case thing.Service:
		return a.service(o, cmd)
	case thing.RawDown:
		return rawRequest(cmd.Raw)
	default:
		return request{}, &thing.ReplyError{State: thing.Unsupported, Text: "terminals take properties, services and raw messages"}
	}
}

// setParameters makes 0x8103.
func (a *adapter) setParameters(o *origin, fields []thing.Field) (request, error) {
	var set jt808.SetParameters
	var errs []error
	for _, f := range fields {
		if err := setParameter(&set, f); err != nil {
			errs = append(errs, err)
		}
	}
	if len(fields) == 0 {
		errs = append(errs, errors.New("there is nothing to set"))
	}
	if len(errs) > 0 {
		return request{}, invalid(errs...)
	}
	q, err := requestOf(o, &set, jt808.IDTerminalResponse)
	q.kind = "set"
	for _, p := range set.Params {
		q.params = append(q.params, p.ID)
	}
	return q, err
}

// getParameters makes 0x8106, or 0x8104 for all parameters.
func getParameters(o *origin, fields []thing.Field) (request, error) {
	if len(fields) == 0 {
		return requestOf(o, &jt808.QueryAllParameters{}, jt808.IDParameters)
	}
	var query jt808.QueryParameters
	var errs []error
	for _, f := range fields {
		info, ok := jt808.ParameterByName(f.Name)
		if !ok {
			errs = append(errs, noParameter(f.Name))
			continue
		}
		query.IDs = append(query.IDs, info.ID)
	}
	if len(errs) > 0 {
		return request{}, invalid(errs...)
	}
	return requestOf(o, &query, jt808.IDParameters)
}

// requestOf makes a request of a body.
func requestOf(o *origin, b jt808.Body, answer jt808.ID) (request, error) {
	body, err := b.AppendBody(nil, o.version)
	if err != nil {
		return request{}, invalid(err)
	}
	return request{id: b.ID(), body: body, answer: answer}, nil
}

// dataAnswers are the messages that terminals answer with data, and with what.
// All others are answered by 0x0001.
var dataAnswers = map[jt808.ID]jt808.ID{
	jt808.IDQueryAllParameters: jt808.IDParameters,
	jt808.IDQueryParameters:    jt808.IDParameters,
	jt808.IDQueryAttributes:    jt808.IDAttributes,
	jt808.IDQueryLocation:      jt808.IDLocationResponse,
	jt808.IDVehicleControl:     jt808.IDVehicleControlResponse,
	jt808.IDQueryAreas:         jt808.IDAreaQueryResponse,
	jt808.IDReadRecorder:       jt808.IDRecorderData,
	jt808.IDQueryDriver:        jt808.IDDriverIdentity,
	jt808.IDShoot:              jt808.IDShotResponse,
	jt808.IDSearchMedia:        jt808.IDMediaSearchResponse,
	jt808.IDPlatformKey:        jt808.IDTerminalKey,
	jt808.IDQueryAVAttributes:  jt808.IDAVAttributes,
	jt808.IDQueryAVResources:   jt808.IDAVResourceList,
}

// optionalAnswers are messages that some terminals answer by 0x0001 alone.
var optionalAnswers = []jt808.ID{jt808.IDVehicleControl, jt808.IDShoot}

func answerOf(id jt808.ID) (answer jt808.ID, optional bool) {
	if data, ok := dataAnswers[id]; ok {
		return data, slices.Contains(optionalAnswers, id)
	}
	return jt808.IDTerminalResponse, false
}

// rawRequest makes a request of an id and a body as they are.
func rawRequest(raw []byte) (request, error) {
	if len(raw) < 2 {
		return request{}, invalid(errors.New("a raw message is its id, two bytes, and its body"))
	}
	q := request{id: jt808.ID(binary.BigEndian.Uint16(raw)), body: slices.Clone(raw[2:]), raw: true}
	q.answer, q.optional = answerOf(q.id)
	return q, nil
}

// goValue is v as the codec takes values.
func goValue(v thing.Value) any {
	if b, ok := v.Bool(); ok && v.Type() == thing.BoolType {
		return b
	}
	if s, ok := v.Text(); ok {
		return s
	}
	if n, ok := v.Int(); ok {
		return n
	}
	if f, ok := v.Float(); ok {
		return f
	}
	return nil
}

func invalid(errs ...error) error {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return &thing.ReplyError{State: thing.Invalid, Text: strings.Join(texts, "; ")}
}

// noParameter is the error of a name that no parameter has, with those that are like it.
func noParameter(name string) error {
	err := fmt.Errorf("%w: %.60q", jt808.ErrNoParameter, name)
	var like []string
	for _, info := range jt808.AllParameters() {
		if n := info.LowerCamel(); similar(name, n) {
			like = append(like, n)
		}
	}
	if len(like) == 0 {
		return fmt.Errorf("%w: names of parameters are in docs/protocols/jt808.md, others are ids such as 0xF001; where the terminal is tells service queryLocation", err)
	}
	return fmt.Errorf("%w: is it %s?", err, strings.Join(like, " or "))
}

// similar says whether two names may be meant for each other: they share their
// first or their last four letters, or one has the other in it.
func similar(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	const letters = 4
	if len(a) < letters || len(b) < letters {
		return a == b
	}
	return strings.Contains(b, a) || strings.Contains(a, b) || a[:letters] == b[:letters]
}

// service makes a message of a service.
func (a *adapter) service(o *origin, cmd *thing.Command) (request, error) {
	build, ok := services[cmd.Name]
	if !ok {
		return request{}, &thing.ReplyError{
			State: thing.Unsupported,
			Text:  fmt.Sprintf("no service %q; there are %s", cmd.Name, strings.Join(slices.Sorted(maps.Keys(services)), ", ")),
		}
	}
	in := &reader{input.New(cmd.Fields), a.zone}
	b := build(in, a)
	if err := in.Err(); err != nil {
		return request{}, err
	}
	if raw, ok := b.(*rawService); ok {
		return raw.request(), nil
	}
	q, err := requestOf(o, b, 0)
	q.answer, q.optional = answerOf(q.id)
	if slices.Contains(superseding, cmd.Name) {
		q.kind = cmd.Name
	}
	return q, err
}

// superseding are services of which the terminal can do one at a time.
var superseding = []string{"track", "vehicleControl"}
