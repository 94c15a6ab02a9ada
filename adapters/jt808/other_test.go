package jt808

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/linkspan/linkspan/adapters/internal/zone"
	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	at := jt808.BCDTime{0x26, 0x01, 0x02, 0x11, 0x04, 0x05} // 1767323045
	for _, c := range []struct {
		body   jt808.Body
		name   string
		fields string
	}{
		{&jt808.UpgradeResult{Type: 52, Result: 1}, "upgradeResult", `{"type":52,"result":1}`},
		{&jt808.EventReport{EventID: 3}, "driverEvent", `{"eventId":3}`},
		{&jt808.Answer{Serial: 9, AnswerID: 2}, "driverAnswer", `{"serial":9,"answerId":2}`},
		{&jt808.InfoRequest{Type: 4, Flag: 1}, "infoRequest", `{"type":4,"order":true}`},
		{&jt808.AreaQueryResponse{Type: 1, Count: 2, Data: []byte{1}}, "areas", `{"type":1,"count":2,"data":"01"}`},
		{&jt808.RecorderData{Serial: 1, Command: 2, Data: []byte{0x55, 0x7A}}, "recorderData", `{"command":2,"data":"557a"}`},
		{&jt808.Waybill{Content: []byte("abc")}, "waybill", `{"text":"abc","data":"616263"}`},
		{
			&jt808.DriverIdentity{Status: jt808.CardOut, Time: at}, "driver",
			`{"card":2,"result":0,"time":1767323045000}`,
		},
		{
			&jt808.CANData{Time: "1104050123", Items: []jt808.CANItem{{ID: 0xC0000123, Data: []byte{1, 2, 3, 4, 5, 6, 7, 8}}}}, "can",
			`{"start":"1104050123","frames":[{"channel":1,"extended":true,"average":false,"id":291,"data":"0102030405060708"}]}`,
		},
		{&jt808.MediaEvent{MediaID: 7, Type: 2, Format: 4, Cause: 1, Channel: 3}, "mediaEvent", `{"mediaId":7,"type":2,"format":4,"cause":1,"channel":3}`},
		{&jt808.ShotResponse{Serial: 1, IDs: []uint32{5}}, "shot", `{"result":0,"mediaIds":[5]}`},
		{&jt808.PassengerFlow{Start: at, End: at, On: 3, Off: 2}, "passengers", `{"start":1767323045000,"end":1767323045000,"on":3,"off":2}`},
		{&jt808.FileUploadDone{Serial: 8, Result: 1}, "fileUploadDone", `{"serial":8,"result":1}`},
		{
			&jt808.AVAttributes{AudioCodec: 8, AudioOut: 1, VideoCodec: 98, MaxVideo: 4}, "avAttributes",
			`{"audioCodec":8,"audioChannels":0,"audioRate":0,"audioBits":0,"audioFrameLength":0,"audioOutput":true,"videoCodec":98,"maxAudioChannels":0,"maxVideoChannels":4}`,
		},
		{
			&jt808.AVResourceList{Serial: 1, Count: 1, Items: []jt808.Recording{{RecordingFilter: jt808.RecordingFilter{Channel: 2, Start: at, End: at}, Size: 9}}}, "recordings",
			`{"count":1,"items":[{"channel":2,"start":1767323045000,"end":1767323045000,"alarm":"0000000000000000","media":0,"stream":0,"storage":0,"size":9}]}`,
		},
		{
			&jt808.MediaSearchResponse{Serial: 1, Total: 1, Items: []jt808.MediaItem{{MediaID: 4, Location: jt808.Location{Time: at}}}}, "mediaList",
			`{"count":1,"items":[{"mediaId":4,"type":0,"channel":0,"cause":0,"latitude":0.000000,"longitude":0.000000,"altitude":0,"speed":0.0,"direction":0,"positioned":false,"time":1767323045000}]}`,
		},
		{&jt808.Parameters{Params: []jt808.Parameter{{ID: 1, Value: []byte{0, 0, 0, 9}}}}, "parameters", `{"heartbeatInterval":9}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, ack := range []func(*Config){delivered, func(*Config) {}} {
				x := dial(t, ack).join()
				frames := x.say(c.body)
				if answered(c.body.ID()) {
					x.wantAnswer(frames, c.body.ID(), jt808.ResultOK)
				} else if len(frames) != 0 {
					t.Errorf("answered by %v", ids(frames))
				}
				said := x.TakeSaid()
				wantNames(t, said, "event "+c.name)
				if got := text(said[0].Fields); got != c.fields {
					t.Errorf("event\n got %s\nwant %s", got, c.fields)
				}
			}
		})
	}
}

func TestEveryEventHasFields(t *testing.T) {
	t.Parallel()
	a := &adapter{host: &host{}}
	a.zone, _ = zone.Parse("+08:00")
	for id, name := range eventNames {
		if len(a.bodyFields(nil, jt808.NewBody(id))) == 0 && id != jt808.IDParameters {
			t.Errorf("event %s of %v has no fields", name, id)
		}
	}
	for id, answer := range dataAnswers {
		if answered(answer) && answer != jt808.IDDriverIdentity && answer != jt808.IDAVResourceList {
			t.Errorf("%v answers %v and would be answered", answer, id)
		}
	}
}

func zip(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRawUpstream(t *testing.T) {
	t.Parallel()
	packed, bomb := zip(t, []byte("unpacked")), zip(t, make([]byte, 1<<20+1))
	x := dial(t).join()
	x.wantAnswer(x.say(&jt808.Passthrough{Type: 0x41, Data: []byte{1, 2}}), jt808.IDPassthrough, jt808.ResultOK)
	x.wantAnswer(x.say(&jt808.Compressed{Data: packed}), jt808.IDCompressed, jt808.ResultOK)
	x.Send(x.frame(0x0F00, []byte{7}))
	x.wantAnswer(x.heard(), 0x0F00, jt808.ResultUnsupported)
	said := x.TakeSaid()
	wantNames(t, said, "raw", "raw", "raw")
	for i, want := range []string{"\x09\x00\x41\x01\x02", "\x09\x01unpacked", "\x0F\x00\x07"} {
		if string(said[i].Raw) != want || said[i].Kind != thing.Raw {
			t.Errorf("raw %x, want %x", said[i].Raw, want)
		}
	}
	for _, frame := range x.packages(&jt808.Compressed{Data: bomb}, 1000) {
		x.Send(frame)
	}
	got := x.heard()
	if r := parse[jt808.PlatformResponse](t, got[len(got)-1]); r.Result != jt808.ResultWrong || len(x.TakeSaid()) != 0 {
		t.Errorf("answer %+v to what unpacks to more than a MiB", *r)
	}

	x = dial(t, func(c *Config) { c.Unknown = unknownOK }).join()
	x.Send(x.frame(0x0F00, []byte{7}))
	x.wantAnswer(x.heard(), 0x0F00, jt808.ResultOK)
	x = dial(t, delivered).join()
	x.FailPublish = errNoDevice
	x.Send(x.frame(0x0F00, []byte{7}))
	x.wantAnswer(x.heard(), 0x0F00, jt808.ResultFailed)
}
