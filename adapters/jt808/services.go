package jt808

import (
	"bytes"

	"github.com/linkspan/linkspan/codec/jt808"
)

// services are the services of a terminal by name: each makes a message of its
// input. docs/protocols/jt808.md has an example of each.
var services = map[string]func(*reader, *adapter) jt808.Body{
	"text":           textService,
	"queryLocation":  func(*reader, *adapter) jt808.Body { return &jt808.QueryLocation{} },
	"track":          trackService,
	"confirmAlarm":   confirmAlarmService,
	"linkCheck":      func(*reader, *adapter) jt808.Body { return &jt808.LinkCheck{} },
	"control":        controlService,
	"vehicleControl": vehicleControlService,

	"queryAttributes": func(*reader, *adapter) jt808.Body { return &jt808.QueryAttributes{} },
	"queryDriver":     func(*reader, *adapter) jt808.Body { return &jt808.QueryDriver{} },

	"setEvents":    setEventsService,
	"question":     questionService,
	"setInfoMenu":  setInfoMenuService,
	"info":         infoService,
	"callBack":     callBackService,
	"setPhoneBook": setPhoneBookService,

	"setCircles":       setCirclesService,
	"deleteCircles":    deleteService(func(ids jt808.AreaIDs) jt808.Body { return &jt808.DeleteCircles{AreaIDs: ids} }),
	"setRectangles":    setRectanglesService,
	"deleteRectangles": deleteService(func(ids jt808.AreaIDs) jt808.Body { return &jt808.DeleteRectangles{AreaIDs: ids} }),
	"setPolygon":       setPolygonService,
	"deletePolygons":   deleteService(func(ids jt808.AreaIDs) jt808.Body { return &jt808.DeletePolygons{AreaIDs: ids} }),
	"setRoute":         setRouteService,
	"deleteRoutes":     deleteService(func(ids jt808.AreaIDs) jt808.Body { return &jt808.DeleteRoutes{AreaIDs: ids} }),
	"queryAreas":       queryAreasService,

	"readRecorder":  readRecorderService,
	"writeRecorder": writeRecorderService,

	"shoot":          shootService,
	"searchMedia":    searchMediaService,
	"uploadMedia":    uploadMediaService,
	"uploadOneMedia": uploadOneMediaService,
	"record":         recordService,

	"queryAvAttributes": func(*reader, *adapter) jt808.Body { return &jt808.QueryAVAttributes{} },
	"liveRequest":       liveRequestService,
	"liveControl":       liveControlService,

	"passthrough": passthroughService,
	"raw":         rawMessageService,
}

// textService makes 0x8300.
func textService(in *reader, a *adapter) jt808.Body {
	b := &jt808.Text{Text: in.NeedText("text")}
	set := func(name string, bit jt808.TextFlag, otherwise bool) {
		if in.Bool(name, otherwise) {
			b.Flag |= bit
		}
	}
	set("display", jt808.TextDisplay, true)
	set("speak", jt808.TextSpeak, false)
	set("led", jt808.TextLED, false)
	set("canFault", jt808.TextCAN, false)
	urgent := in.Bool("urgent", false)
	kind := in.One("type", 0, "notice", "service")
	b.Type = [...]jt808.TextType{jt808.TextTypeNotice, jt808.TextTypeService}[kind]
	switch {
	case a.self.version != jt808.V2019 && urgent:
		b.Flag |= jt808.TextService // the same bit, which means urgent before 2019
	case a.self.version != jt808.V2019:
	case urgent:
		b.Flag |= jt808.TextUrgent
	default:
		b.Flag |= [...]jt808.TextFlag{jt808.TextNotice, jt808.TextService}[kind]
	}
	if a.config.TextEncoding == encodingUTF8 {
		return &utf8Text{*b}
	}
	return b
}

// utf8Text is 0x8300 for terminals that want UTF-8.
type utf8Text struct{ jt808.Text }

// AppendBody appends the text in UTF-8.
func (b *utf8Text) AppendBody(dst []byte, v jt808.Version) ([]byte, error) {
	head := b.Text
	head.Text = ""
	dst, err := head.AppendBody(dst, v)
	return append(dst, b.Text.Text...), err
}

// trackService makes 0x8202.
func trackService(in *reader, _ *adapter) jt808.Body {
	b := &jt808.Track{Interval: in.needU16("interval"), Validity: in.u32("duration", 0)}
	if b.Interval > 0 && b.Validity == 0 && !in.Has("duration") {
		in.Fail("duration", "is missing: for how many seconds")
	}
	return b
}

// confirmAlarmService makes 0x8203.
func confirmAlarmService(in *reader, _ *adapter) jt808.Body {
	return &jt808.ConfirmAlarm{Serial: in.u16("serial", 0), Types: jt808.Alarm(in.needU32("alarms"))}
}

// controlService makes 0x8105.
func controlService(in *reader, _ *adapter) jt808.Body {
	in.Need("command")
	i := in.One("command", 0, "upgrade", "connect", "powerOff", "reset", "factoryReset", "closeData", "closeRadio")
	return &jt808.TerminalControl{Command: jt808.ControlCommand(i + 1), Param: in.Text("parameters")} //nolint:gosec // below 8
}

// vehicleControlService makes 0x8500, whose meaning 2019 turned round.
func vehicleControlService(in *reader, _ *adapter) jt808.Body {
	if in.NeedBool("lock") {
		return jt808.LockDoors()
	}
	return jt808.UnlockDoors()
}

// callBackService makes 0x8400.
func callBackService(in *reader, _ *adapter) jt808.Body {
	b := &jt808.CallBack{Phone: in.NeedText("phone")}
	if most := 20; len(b.Phone) > most {
		in.Fail("phone", "%d characters, at most %d", len(b.Phone), most)
	}
	if in.Bool("listen", false) {
		b.Flag = 1
	}
	return b
}

// menuAction reads what is to be done with a list that the terminal holds.
func menuAction(in *reader) jt808.MenuAction {
	i := in.One("action", int(jt808.MenuUpdate), "deleteAll", "update", "append", "change", "deleteSome")
	return jt808.MenuAction(i) //nolint:gosec // below 5
}

// setEventsService makes 0x8301.
func setEventsService(in *reader, _ *adapter) jt808.Body {
	b := &jt808.SetEvents{Action: menuAction(in)}
	if b.Action != jt808.MenuDeleteAll {
		in.items("events", 255, func(in *reader) {
			b.Events = append(b.Events, jt808.Event{ID: in.needU8("id"), Content: in.Text("text")})
		})
	}
	return b
}

// questionService makes 0x8302.
func questionService(in *reader, _ *adapter) jt808.Body {
	b := &jt808.Question{Text: in.NeedText("text")}
	if in.Bool("urgent", false) {
		b.Flag |= jt808.TextService
	}
	if in.Bool("speak", false) {
		b.Flag |= jt808.TextSpeak
	}
	if in.Bool("led", false) {
		b.Flag |= jt808.TextLED
	}
	in.items("answers", 255, func(in *reader) {
		b.Answers = append(b.Answers, jt808.QuestionAnswer{ID: in.needU8("id"), Content: in.NeedText("text")})
	})
	return b
}

// setInfoMenuService makes 0x8303.
func setInfoMenuService(in *reader, _ *adapter) jt808.Body {
	b := &jt808.SetInfoMenu{Action: menuAction(in)}
	if b.Action != jt808.MenuDeleteAll {
		in.items("items", 255, func(in *reader) {
			b.Items = append(b.Items, jt808.InfoItem{Type: in.needU8("type"), Name: in.NeedText("name")})
		})
	}
	return b
}

// infoService makes 0x8304.
func infoService(in *reader, _ *adapter) jt808.Body {
	return &jt808.Info{Type: in.needU8("type"), Content: in.NeedText("text")}
}

// setPhoneBookService makes 0x8401.
func setPhoneBookService(in *reader, _ *adapter) jt808.Body {
	b := &jt808.SetPhoneBook{Action: menuAction(in)}
	if b.Action != jt808.MenuDeleteAll {
		in.items("contacts", 255, func(in *reader) {
			flag := in.One("calls", 2, "incoming", "outgoing", "both") + 1
			b.Contacts = append(b.Contacts, jt808.Contact{
				Flag: uint8(flag), Phone: in.NeedText("phone"), Name: in.NeedText("name"), //nolint:gosec // 1 to 3
			})
		})
	}
	return b
}

// passthroughService makes 0x8900.
func passthroughService(in *reader, _ *adapter) jt808.Body {
	in.Need("data")
	return &jt808.PlatformPassthrough{Type: jt808.PassthroughType(in.needU8("type")), Data: in.Bytes("data")}
}

// readRecorderService makes 0x8700. Without data it is the plain question of
// GB/T 19056 for that command.
func readRecorderService(in *reader, _ *adapter) jt808.Body {
	b := &jt808.ReadRecorder{Command: in.needU8("command"), Data: in.Bytes("data")}
	if len(b.Data) == 0 {
		b.Data = []byte{0xAA, 0x75, b.Command, 0, 0, 0, 0xAA ^ 0x75 ^ b.Command}
	}
	return b
}

// writeRecorderService makes 0x8701.
func writeRecorderService(in *reader, _ *adapter) jt808.Body {
	in.Need("data")
	return &jt808.WriteRecorder{Command: in.needU8("command"), Data: in.Bytes("data")}
}

// rawService is any message at all.
type rawService struct {
	jt808.Unknown
	answer jt808.ID // 0: what is usual for the id
}

func (r *rawService) request() request {
	q := request{id: r.MessageID, body: bytes.Clone(r.Data), hexadecimal: true}
	if q.answer, q.optional = answerOf(q.id); r.answer != 0 {
		q.answer, q.optional = r.answer, false
	}
	return q
}

// rawMessageService makes the message that the input spells out.
func rawMessageService(in *reader, _ *adapter) jt808.Body {
	in.Need("id")
	b := &rawService{Unknown: jt808.Unknown{MessageID: in.id("id"), Data: in.Bytes("body")}}
	if in.Has("answer") {
		b.answer = in.id("answer")
	}
	return b
}
