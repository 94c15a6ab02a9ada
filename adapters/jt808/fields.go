package jt808

import (
	"encoding/hex"
	"fmt"
	"math"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

type integer interface {
	~uint8 | ~uint16 | ~uint32 | ~int16 | ~int
}

func number[N integer](name string, n N) thing.Field {
	return thing.Field{Name: name, Value: thing.Int(int64(n))}
}

func words(name, s string) thing.Field { return thing.Field{Name: name, Value: thing.String(s)} }

func digitsOf(name string, b []byte) thing.Field { return words(name, hex.EncodeToString(b)) }

func truth(name string, b bool) thing.Field { return thing.Field{Name: name, Value: thing.Bool(b)} }

func list(name string, vs []thing.Value) thing.Field {
	return thing.Field{Name: name, Value: thing.List(vs...)}
}

// appendTime appends a time in Unix milliseconds, unless it is none.
func (a *adapter) appendTime(fields []thing.Field, name string, t jt808.BCDTime) []thing.Field {
	at, ok := t.TimeIn(a.zone)
	return appendIf(fields, ok, name, thing.Int(at.UnixMilli()))
}

// eventNames are the events that messages become which are no locations and
// answer no command under way.
var eventNames = map[jt808.ID]string{
	jt808.IDParameters:          "parameters",
	jt808.IDAttributes:          "attributes",
	jt808.IDUpgradeResult:       "upgradeResult",
	jt808.IDEventReport:         "driverEvent",
	jt808.IDAnswer:              "driverAnswer",
	jt808.IDInfoRequest:         "infoRequest",
	jt808.IDAreaQueryResponse:   "areas",
	jt808.IDRecorderData:        "recorderData",
	jt808.IDWaybill:             "waybill",
	jt808.IDDriverIdentity:      "driver",
	jt808.IDCANData:             "can",
	jt808.IDMediaEvent:          "mediaEvent",
	jt808.IDMediaSearchResponse: "mediaList",
	jt808.IDShotResponse:        "shot",
	jt808.IDTerminalKey:         "terminalKey",
	jt808.IDAVAttributes:        "avAttributes",
	jt808.IDPassengerFlow:       "passengers",
	jt808.IDAVResourceList:      "recordings",
	jt808.IDFileUploadDone:      "fileUploadDone",
}

// bodyFields appends what a message says, and when, if it says when: of events
// and of replies to commands.
func (a *adapter) bodyFields(fields []thing.Field, body jt808.Body) []thing.Field {
	switch b := body.(type) {
	case *jt808.Parameters:
		return parameterFields(fields, b.Params)
	case *jt808.Attributes:
		return append(fields, number("type", b.Type), words("manufacturer", b.Manufacturer), words("model", b.Model),
			words("terminalId", b.TerminalID), words("iccid", b.ICCID), words("hardware", b.Hardware),
			words("firmware", b.Firmware), number("gnss", b.GNSS), number("communication", b.Comm))
	case *jt808.UpgradeResult:
		return append(fields, number("type", b.Type), number("result", b.Result))
	case *jt808.EventReport:
		return append(fields, number("eventId", b.EventID))
	case *jt808.Answer:
		return append(fields, number("serial", b.Serial), number("answerId", b.AnswerID))
	case *jt808.InfoRequest:
		return append(fields, number("type", b.Type), truth("order", b.Flag != 0))
	case *jt808.AreaQueryResponse:
		return append(fields, number("type", b.Type), number("count", b.Count), digitsOf("data", b.Data))
	case *jt808.RecorderData:
		return append(fields, number("command", b.Command), digitsOf("data", b.Data))
	case *jt808.Waybill:
		return append(fields, words("text", b.Text()), digitsOf("data", b.Content))
	case *jt808.DriverIdentity:
		return a.driverFields(fields, b)
	case *jt808.CANData:
		return append(fields, words("start", b.Time), list("frames", canFrames(b.Items)))
	case *jt808.TerminalKey:
		return append(fields, number("e", b.E), digitsOf("n", b.N[:]))
	default:
		return a.mediaFields(fields, body)
	}
}

// mediaFields appends what messages about multimedia, sound and pictures say.
func (a *adapter) mediaFields(fields []thing.Field, body jt808.Body) []thing.Field {
	switch b := body.(type) {
	case *jt808.MediaEvent:
		return append(fields, number("mediaId", b.MediaID), number("type", b.Type), number("format", b.Format),
			number("cause", b.Cause), number("channel", b.Channel))
	case *jt808.MediaSearchResponse:
		return append(fields, number("count", b.Total), list("items", a.mediaItems(b.Items)))
	case *jt808.ShotResponse:
		ids := make([]thing.Value, len(b.IDs))
		for i, id := range b.IDs {
			ids[i] = thing.Int(int64(id))
		}
		return append(fields, number("result", b.Result), list("mediaIds", ids))
	case *jt808.AVAttributes:
		return append(fields, number("audioCodec", b.AudioCodec), number("audioChannels", b.AudioChannels),
			number("audioRate", b.AudioRate), number("audioBits", b.AudioBits), number("audioFrameLength", b.AudioFrameLen),
			truth("audioOutput", b.AudioOut != 0), number("videoCodec", b.VideoCodec),
			number("maxAudioChannels", b.MaxAudio), number("maxVideoChannels", b.MaxVideo))
	case *jt808.PassengerFlow:
		fields = a.appendTime(fields, "start", b.Start)
		fields = a.appendTime(fields, "end", b.End)
		return append(fields, number("on", b.On), number("off", b.Off))
	case *jt808.AVResourceList:
		return append(fields, number("count", b.Count), list("items", a.recordings(b.Items)))
	case *jt808.FileUploadDone:
		return append(fields, number("serial", b.Serial), number("result", b.Result))
	default:
		return fields
	}
}

func (a *adapter) driverFields(fields []thing.Field, b *jt808.DriverIdentity) []thing.Field {
	fields = append(fields, number("card", b.Status), number("result", b.Result))
	fields = a.appendTime(fields, "time", b.Time)
	for _, f := range []thing.Field{
		words("name", b.Driver), words("certificate", b.Certificate), words("agency", b.Agency),
		words("validUntil", b.Validity), words("idCard", b.IDCard),
	} {
		if s, _ := f.Value.Text(); s != "" {
			fields = append(fields, f)
		}
	}
	return fields
}

func canFrames(items []jt808.CANItem) []thing.Value {
	frames := make([]thing.Value, len(items))
	for i, f := range items {
		frames[i] = thing.Struct(number("channel", f.ID.Channel()), truth("extended", f.ID.Extended()),
			truth("average", f.ID.Average()), number("id", f.ID.Frame()), digitsOf("data", f.Data))
	}
	return frames
}

func (a *adapter) mediaItems(items []jt808.MediaItem) []thing.Value {
	all := make([]thing.Value, len(items))
	for i := range items {
		m := &items[i]
		fields := []thing.Field{number("mediaId", m.MediaID), number("type", m.Type), number("channel", m.Channel), number("cause", m.Cause)}
		_, fields = a.positionFields(fields, &m.Location)
		all[i] = thing.Struct(fields...)
	}
	return all
}

func (a *adapter) recordings(items []jt808.Recording) []thing.Value {
	all := make([]thing.Value, len(items))
	for i := range items {
		r := &items[i]
		fields := []thing.Field{number("channel", r.Channel)}
		fields = a.appendTime(fields, "start", r.Start)
		fields = a.appendTime(fields, "end", r.End)
		all[i] = thing.Struct(append(fields, digitsOf("alarm", r.Alarm[:]), number("media", r.Media),
			number("stream", r.Stream), number("storage", r.Storage), number("size", r.Size))...)
	}
	return all
}

// parameterFields appends parameters under their names, those without one under
// their ids: numbers and texts as such, others as hexadecimal digits.
func parameterFields(fields []thing.Field, params []jt808.Parameter) []thing.Field {
	for _, p := range params {
		name := p.Info().LowerCamel()
		if name == "" {
			name = fmt.Sprintf("0x%04X", uint32(p.ID))
		}
		v := digitsOf(name, p.Value)
		if n, ok := p.Uint(); ok && n <= math.MaxInt64 { // eight bytes where the standard has four
			v.Value = thing.Int(int64(n))
		} else if s, ok := p.Text(); ok {
			v.Value = thing.String(s)
		}
		fields = append(fields, v)
	}
	return fields
}
