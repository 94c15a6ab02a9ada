package alink

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/thing"
)

// Request is what the platform asks.
type Request struct {
	ID     Text            `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// ErrRequest says that what the platform has sent is no Alink request.
var ErrRequest = errors.New("aliyun: not an Alink request")

// ParamsError says that the parameters of a request are wrong. The platform
// hears of it by Payload under Topic.
type ParamsError struct {
	Topic   string
	Payload []byte
	Err     error
}

func (e *ParamsError) Error() string { return "aliyun: parameters of a request: " + e.Err.Error() }

// Unwrap is what is wrong with them.
func (e *ParamsError) Unwrap() error { return e.Err }

// Command reads what came under a topic of a device; rest is what the topic has
// behind /sys/productKey/deviceName/, and id one that no other command has. It
// returns nil and no error for what is no command: a caller of its own choice
// knows what to do with it. The error is [ErrRequest] or a [ParamsError]. The
// command keeps payload.
func Command(rest, topic string, payload []byte, id uint32) (*thing.Command, error) {
	if service, found := strings.CutPrefix(rest, "thing/service/"); found {
		return command(service, "", topic, payload)
	}
	if rest == "thing/model/down_raw" {
		return &thing.Command{ID: idRaw + strconv.FormatUint(uint64(id), 10), Kind: thing.RawDown, Raw: payload}, nil
	}
	rrpc, found := strings.CutPrefix(rest, "rrpc/request/")
	if !found {
		return nil, nil //nolint:nilnil // there is none
	}
	// A request that the platform's caller waits for (developer guide, chapter
	// 6.4): an Alink request, or bytes of a user's own.
	var r Request
	if json.Unmarshal(payload, &r) == nil {
		if service, found := strings.CutPrefix(r.Method, "thing.service."); found {
			return command(strings.Replace(service, "property.", "property/", 1), rrpc, topic, payload)
		}
	}
	return nil, nil //nolint:nilnil // there is none
}

// command reads a request to set or get properties, or a call of a service. With
// an rrpc message id its reply goes where RRPC replies go.
func command(service, rrpc, topic string, payload []byte) (*thing.Command, error) {
	var r Request
	if json.Unmarshal(payload, &r) != nil {
		return nil, ErrRequest
	}
	c := &thing.Command{}
	var err error
	prefix := idCall
	switch service {
	case "property/set":
		prefix, c.Kind = idSet, thing.SetProperties
		c.Fields, err = parseParams(r.Params)
	case "property/get":
		prefix, c.Kind = idGet, thing.GetProperties
		c.Fields, err = parseNames(r.Params)
	default:
		c.Kind, c.Name = thing.Service, service
		if err = CheckName(service); err == nil {
			c.Fields, err = parseParams(r.Params)
		}
	}
	answer := topic + ReplySuffix
	if rrpc != "" {
		prefix = idRRPC + rrpc + ":"
		answer = strings.Replace(topic, "/rrpc/request/", "/rrpc/response/", 1)
	}
	if err != nil {
		return nil, &ParamsError{Topic: answer, Payload: AppendReply(nil, string(r.ID), CodeBadParams, err.Error(), nil, 0), Err: err}
	}
	c.ID = prefix + string(r.ID)
	return c, nil
}

func parseParams(params json.RawMessage) ([]thing.Field, error) {
	if len(params) == 0 || string(params) == "null" {
		return nil, nil
	}
	return thing.ParseFields(params)
}

// parseNames reads the names of the properties that are asked for.
func parseNames(params json.RawMessage) ([]thing.Field, error) {
	if len(params) == 0 || string(params) == "null" || string(params) == "{}" {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal(params, &list); err != nil {
		return nil, err
	}
	fields := make([]thing.Field, len(list))
	for i, name := range list {
		fields[i].Name = name
	}
	return fields, nil
}

// Text is a JSON text or number, as text: ids and codes come as either.
type Text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *Text) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) > 0 && b[0] == '"' {
		var s string
		err := json.Unmarshal(b, &s)
		*t = Text(s)
		return err
	}
	if string(b) != "null" {
		*t = Text(b)
	}
	return nil
}

// Number is the number that t is.
func (t Text) Number() (int, bool) {
	n, err := strconv.Atoi(string(t))
	return n, err == nil
}

// ID is the id of a request that t is.
func (t Text) ID() (uint32, bool) {
	n, err := strconv.ParseUint(string(t), 10, 32)
	return uint32(n), err == nil
}
