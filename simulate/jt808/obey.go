package jt808

import (
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
)

// refusable says whether a command may be refused at random: what is no command
// may not.
func refusable(id jt808.ID) bool {
	switch id {
	case jt808.IDPlatformResendRequest, jt808.IDTimeResponse, jt808.IDMediaResponse, jt808.IDLiveStatus:
		return false
	default:
		return id.FromPlatform()
	}
}

// obey does what a command says and answers it.
func (t *terminal) obey(now int64, w *scratch, serial uint16, body jt808.Body, result jt808.Result) {
	id := body.ID()
	if result == jt808.ResultOK && !t.answer(now, w, serial, body) {
		result = t.do(now, w, serial, body)
	} else if result == jt808.ResultOK {
		t.told(body, result)
		return
	}
	if t.state != stateOnline { // it was told to break off, and answered before
		t.told(body, result)
		return
	}
	if result != jt808.ResultOK {
		t.shard.commandsNacks.Add(1)
	}
	t.respond(w, serial, id, result)
	t.told(body, result)
	if result == jt808.ResultOK {
		t.follow(now, w, serial, body)
	}
}

// told lets the observer know.
func (t *terminal) told(body jt808.Body, result jt808.Result) {
	if t.fleet.command != nil {
		t.fleet.command(Command{Phone: t.name, Body: body, Result: result})
	}
}

// answer answers the messages that are not answered by 0x0001, and those that
// need no answer; false if body is another.
func (t *terminal) answer(now int64, w *scratch, serial uint16, body jt808.Body) bool {
	switch b := body.(type) {
	case *jt808.QueryAllParameters:
		t.put(w, &jt808.Parameters{Serial: serial, Params: t.allParameters()})
	case *jt808.QueryParameters:
		t.put(w, &jt808.Parameters{Serial: serial, Params: t.someParameters(b.IDs)})
	case *jt808.QueryAttributes:
		t.put(w, t.attributes())
	case *jt808.QueryLocation:
		t.locate(now, w)
		t.put(w, &jt808.LocationResponse{Serial: serial, Location: w.location.body})
	case *jt808.QueryAreas:
		t.put(w, t.commands.query(b, t.version))
	case *jt808.ReadRecorder:
		t.put(w, &jt808.RecorderData{Serial: serial, Command: b.Command, Data: recorderBlock(b.Command)})
	case *jt808.QueryDriver:
		t.put(w, t.driver(now))
	case *jt808.Shoot:
		t.shoot(now, w, serial, b)
	case *jt808.SearchMedia:
		t.put(w, &jt808.MediaSearchResponse{Serial: serial, NoIDs: t.version == jt808.V2011})
	case *jt808.QueryAVAttributes:
		t.put(w, &jt808.AVAttributes{AudioCodec: 6, AudioChannels: 1, AudioBits: 1, AudioFrameLen: 320, AudioOut: 1, VideoCodec: 98, MaxAudio: 1, MaxVideo: 4})
	case *jt808.QueryAVResources:
		t.put(w, &jt808.AVResourceList{Serial: serial})
	case *jt808.PlaybackRequest:
		t.put(w, &jt808.AVResourceList{Serial: serial})
	case *jt808.PlatformKey:
		t.put(w, &jt808.TerminalKey{E: 65537, N: t.key()})
	case *jt808.MediaResponse:
		t.mediaAnswered(w, b)
	case *jt808.PlatformResendRequest:
		t.resendPackages(now, w, b)
	case *jt808.TimeResponse, *jt808.LiveStatus:
	default:
		return false
	}
	return true
}

// do does what a command says, which 0x0001 with this result answers.
func (t *terminal) do(now int64, w *scratch, serial uint16, body jt808.Body) jt808.Result {
	c := &t.commands
	switch b := body.(type) {
	case *jt808.SetParameters:
		t.setParameters(now, b.Params)
	case *jt808.Track:
		t.track(now, b)
	case *jt808.Text:
		c.text = b.Text
	case *jt808.Info:
		c.text = b.Content
	case *jt808.ConfirmAlarm:
		t.drive.alarm &^= b.Types
	case *jt808.TerminalControl:
		return t.control(now, w, serial, b)
	case *jt808.SetCircles, *jt808.SetRectangles, *jt808.SetPolygon, *jt808.SetRoute,
		*jt808.DeleteCircles, *jt808.DeleteRectangles, *jt808.DeletePolygons, *jt808.DeleteRoutes:
		return c.setAreas(body)
	case *jt808.LinkCheck, *jt808.Question, *jt808.SetEvents, *jt808.SetInfoMenu, *jt808.CallBack, *jt808.SetPhoneBook,
		*jt808.VehicleControl, *jt808.WriteRecorder, *jt808.UploadMedia, *jt808.UploadOneMedia, *jt808.Record,
		*jt808.PlatformPassthrough, *jt808.Upgrade, *jt808.LiveRequest, *jt808.LiveControl, *jt808.PlaybackControl,
		*jt808.FileUpload, *jt808.FileUploadControl, *jt808.PTZRotate, *jt808.PTZFocus, *jt808.PTZIris, *jt808.PTZWiper,
		*jt808.PTZInfrared, *jt808.PTZZoom:
	default:
		return jt808.ResultUnsupported
	}
	return jt808.ResultOK
}

// follow sends what follows the general answer to a command.
func (t *terminal) follow(now int64, w *scratch, serial uint16, body jt808.Body) {
	switch b := body.(type) {
	case *jt808.VehicleControl:
		t.lock(b)
		t.locate(now, w)
		t.put(w, &jt808.VehicleControlResponse{Serial: serial, Location: w.location.body})
	case *jt808.PlatformPassthrough:
		t.put(w, &jt808.Passthrough{Type: b.Type, Data: b.Data})
	case *jt808.Upgrade:
		t.put(w, &jt808.UpgradeResult{Type: b.Type, Result: jt808.UpgradeDone})
	case *jt808.Question:
		if len(b.Answers) > 0 {
			t.put(w, &jt808.Answer{Serial: serial, AnswerID: b.Answers[t.rng.Uint64()%uint64(len(b.Answers))].ID})
		}
	case *jt808.UploadOneMedia:
		t.upload(w, b.MediaID, jt808.MediaImage, 1)
	case *jt808.FileUpload:
		t.put(w, &jt808.FileUploadDone{Serial: serial, Result: 1}) // it speaks no FTP
	}
}

// locate fills w.location with where the vehicle is now. It does not count as a report.
func (t *terminal) locate(now int64, w *scratch) {
	r := t.drive.report(t, now)
	r.number = t.sent
	t.fleet.fillLocation(&w.location, &r)
}

// track begins or ends temporary tracking (0x8202).
func (t *terminal) track(now int64, b *jt808.Track) {
	if b.Interval == 0 {
		t.tracking = tracking{}
		if t.nextReport > now && t.interval != never {
			t.nextReport = now + t.interval
		} else if t.interval == never {
			t.nextReport = never
		}
		return
	}
	t.tracking = tracking{until: now + int64(b.Validity)*int64(time.Second), interval: int64(b.Interval) * int64(time.Second)}
	t.nextReport = min(t.nextReport, now+t.tracking.interval)
}

// control does a command of 0x8105. Those that end the connection answer first.
func (t *terminal) control(now int64, w *scratch, serial uint16, b *jt808.TerminalControl) jt808.Result {
	switch b.Command {
	case jt808.ControlFactoryReset:
		t.commands.parameters, t.commands.areas = nil, nil
		t.heartbeat, t.interval, t.tracking = int64(t.fleet.cfg.Heartbeat), t.fleet.interval, tracking{}
		t.nextReport = phase(now, t.interval, 1)
	case jt808.ControlReset, jt808.ControlPowerOff, jt808.ControlCloseData, jt808.ControlCloseRadio:
	default:
		return jt808.ResultUnsupported
	}
	t.respond(w, serial, b.ID(), jt808.ResultOK)
	t.send(now, w)
	t.drop(now, errCommand)
	return jt808.ResultOK
}

// lock locks or unlocks the doors.
func (t *terminal) lock(b *jt808.VehicleControl) {
	if t.version != jt808.V2019 {
		t.drive.locked = b.Flag&1 != 0
		return
	}
	for _, item := range b.Items {
		if item.ID == jt808.VehicleControlDoor && len(item.Param) == 1 {
			t.drive.locked = item.Param[0] == 0
		}
	}
}

// attributes is what the terminal is (0x0107).
func (t *terminal) attributes() *jt808.Attributes {
	return &jt808.Attributes{
		Type: jt808.TypePassenger | jt808.TypeFreight, Manufacturer: "LKSPN", Model: "LS-S1", TerminalID: t.registration().TerminalID,
		ICCID: "8986" + ("0000000000000000" + t.name)[len(t.name):], Hardware: "S1-B", Firmware: "1.4.2", GNSS: 0b11, Comm: 1 << 5,
	}
}

// driver is who drives (0x0702).
func (t *terminal) driver(now int64) *jt808.DriverIdentity {
	d := &jt808.DriverIdentity{Driver: "王师傅", Certificate: "44030" + t.name, Agency: "深圳市交通运输局"}
	if t.version == jt808.V2011 {
		d.IDCard = "44030119800101001X"
		return d
	}
	d.Status, d.Validity = jt808.CardIn, "20301231"
	d.Time = jt808.NewBCDTime(t.fleet.start.Add(time.Duration(now)))
	if t.version == jt808.V2019 {
		d.IDCard = "44030119800101001X"
	}
	return d
}

// key is the modulus of a key nobody has.
func (t *terminal) key() (k jt808.RSAKey) {
	for i := range k {
		k[i] = byte(t.rng.Uint64())
	}
	k[0] |= 0x80
	return k
}

// recorderBlock is an empty block of GB/T 19056 that answers command.
func recorderBlock(command uint8) jt808.Hex {
	block := jt808.Hex{0x55, 0x7A, command, 0, 0, 0}
	sum := byte(0)
	for _, b := range block {
		sum ^= b
	}
	return append(block, sum)
}
