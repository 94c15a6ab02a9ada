package alink

import (
	"errors"
	"strings"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// ErrCommandID says that a reply's ID is none that the connector gave a command.
var ErrCommandID = errors.New("aliyun: reply to a command that this connector did not give")

// The codes of replies (developer guide, chapter 9).
const (
	CodeSuccess    = 200
	CodeBadRequest = 400
	CodeBadParams  = 460
)

// A command's ID is a word that says where its reply goes, and the platform's
// own id: the reply finds its way without a table of open commands, and over a
// reconnect.
const (
	idSet  = "set:"  // thing/service/property/set
	idGet  = "get:"  // thing/service/property/get
	idCall = "call:" // thing/service/{name}
	idRaw  = "raw:"  // thing/model/down_raw
	idRRPC = "rrpc:" // rrpc/request/{message id}; the message id and the Alink id, parted by a colon
)

// replyCode is what the platform is told about a command's end.
type replyCode struct {
	state thing.State
	code  int
	text  string // when the reply has none of its own
}

// deviceCodes is where codes of a device's own begin (developer guide, chapter
// 9, common codes on devices); they end at 110000. The last thousand are the
// connector's.
const (
	deviceCodes    = 100_000
	maxDeviceCode  = 8_999
	connectorCodes = 109_000
)

// replyCodes translate how a command ended. A refused command has the code
// 100000 + the device's own, when that is 1 to 8999; in any case the device's own
// code is in data.deviceCode.
var replyCodes = [...]replyCode{
	{thing.Done, CodeSuccess, "success"},
	{thing.Refused, deviceCodes, "the device refused"},
	{thing.TimedOut, connectorCodes + 1, "the device did not answer in time"},
	{thing.Offline, connectorCodes + 2, "the device is offline"},
	{thing.Superseded, connectorCodes + 3, "a newer command took its place"},
	{thing.Unsupported, connectorCodes + 4, "the device's protocol has no such command"},
	{thing.Invalid, CodeBadParams, "request parameter error"},
	{thing.Failed, CodeBadRequest, "request error"},
}

func replyCodeOf(m *thing.Message) (code int, text string) {
	code, text = CodeBadRequest, "request error"
	for i := range replyCodes {
		if replyCodes[i].state == m.State {
			code, text = replyCodes[i].code, replyCodes[i].text
		}
	}
	if m.State == thing.Refused && m.Code > 0 && m.Code <= maxDeviceCode {
		code += m.Code
	}
	if m.Text != "" {
		text = m.Text
	}
	return code, text
}

// encodeReply appends the answer to a command, and says where it goes.
func (n *Name) encodeReply(dst []byte, msg *thing.Message) (topic string, payload []byte, err error) {
	kind, id, found := strings.Cut(msg.ID, ":")
	if !found {
		return "", dst, ErrCommandID
	}
	switch kind + ":" {
	case idSet:
		topic = n.Sys() + "/thing/service/property/set_reply"
	case idGet:
		topic = n.Sys() + "/thing/service/property/get_reply"
	case idCall:
		if err := CheckName(msg.Name); err != nil {
			return "", dst, err
		}
		topic = n.Sys() + "/thing/service/" + msg.Name + "_reply"
	case idRaw:
		topic = n.Sys() + "/thing/model/down_raw_reply"
		if msg.State != thing.Done {
			return "", dst, upstream.ErrUnsupported // nothing but the device's own bytes fits there
		}
		return topic, append(dst, msg.Raw...), nil
	case idRRPC:
		var rrpc string
		rrpc, id, _ = strings.Cut(id, ":")
		if err := CheckName(rrpc); err != nil {
			return "", dst, ErrCommandID
		}
		topic = n.Sys() + "/rrpc/response/" + rrpc
	default:
		return "", dst, ErrCommandID
	}
	code, text := replyCodeOf(msg)
	return topic, AppendReply(dst, id, code, text, msg.Fields, msg.Code), nil
}

// AppendReply appends an Alink reply. deviceCode, when it is not 0, is a code of
// the device's own.
func AppendReply(dst []byte, id string, code int, text string, fields []thing.Field, deviceCode int) []byte {
	dst = append(dst, `{"id":`...)
	dst = thing.AppendString(dst, id)
	dst = append(dst, `,"code":`...)
	dst = thing.AppendInt(dst, int64(code))
	dst = append(dst, `,"message":`...)
	dst = thing.AppendString(dst, text)
	dst = append(dst, `,"data":`...)
	if deviceCode == 0 {
		return append(thing.AppendFields(dst, fields), '}')
	}
	dst = append(dst, `{"deviceCode":`...)
	dst = thing.AppendInt(dst, int64(deviceCode))
	for i := range fields {
		dst = append(dst, ',')
		dst = thing.AppendString(dst, fields[i].Name)
		dst = append(dst, ':')
		dst = fields[i].Value.AppendJSON(dst)
	}
	return append(dst, '}', '}')
}
