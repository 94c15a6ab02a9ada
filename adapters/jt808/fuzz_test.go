package jt808

import (
	"testing"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

// Whatever a terminal sends, nothing panics, its connection lives, and every
// message that wants an answer gets one at most.
func FuzzMessages(f *testing.F) {
	f.Add(uint16(jt808.IDLocation), []byte("\x00\x00\x00\x01\x00\x00\x00\x03\x01\xdc\x9a\xc7\x07\x3d\x47\x55\x00\x2c\x02\x5d\x00\x5a\x26\x01\x02\x11\x04\x05\x01\x04\x00\x00\x00\x01"), false, uint16(0), uint16(0))
	f.Add(uint16(jt808.IDBatch), []byte("\x00\x01\x00\x00\x1c\x00\x00\x00\x01\x00\x00\x00\x03\x01\xdc\x9a\xc7\x07\x3d\x47\x55\x00\x2c\x02\x5d\x00\x5a\x26\x01\x02\x11\x04\x05"), true, uint16(1), uint16(1))
	f.Add(uint16(jt808.IDMediaData), []byte("\x00\x00\x00\x01\x00\x00\x00\x01abcdef"), true, uint16(3), uint16(2))
	f.Add(uint16(jt808.IDTerminalResponse), []byte("\x00\x02\x82\x01\x00"), false, uint16(0), uint16(0))
	f.Add(uint16(jt808.IDRegister), []byte{}, false, uint16(0), uint16(0))
	f.Add(uint16(jt808.IDAuthenticate), []byte("x"), false, uint16(0), uint16(0))
	f.Add(uint16(jt808.IDParameters), []byte("\x00\x02\x01\x00\x00\x00\x01\x04\x00\x00\x00\x3c"), false, uint16(0), uint16(0))
	f.Add(uint16(0x0F00), []byte("?"), false, uint16(0), uint16(0))
	f.Fuzz(func(t *testing.T, id uint16, body []byte, v2019 bool, total, index uint16) {
		if len(body) > jt808.MaxBody {
			return
		}
		v := jt808.V2013
		if v2019 {
			v = jt808.V2019
		}
		x := dialVersion(t, v, New("jt808"), accept).join()
		x.Command(service("queryLocation", `{}`))
		x.Command(&thing.Command{ID: "g", Kind: thing.GetProperties})
		x.heard()
		h := jt808.Header{ID: jt808.ID(id), Version: v, Phone: x.phone, Serial: x.serial, Total: total, Index: index}
		frame, err := jt808.AppendFrame(nil, &jt808.Frame{Header: h, Body: body})
		if err != nil {
			return
		}
		x.Send(frame)
		if got := x.heard(); len(got) > 1 && id != uint16(jt808.IDResendRequest) {
			t.Errorf("%d answers: %v", len(got), ids(got))
		}
		if x.Closed {
			t.Errorf("closed: %v", x.Cause)
		}
		x.Advance(3600e9)
		if x.Timers() != 0 {
			t.Errorf("%d timers are left", x.Timers())
		}
	})
}

// Whatever the platform wants, every command ends, and once.
func FuzzCommands(f *testing.F) {
	for _, c := range serviceCases {
		f.Add(c.name, c.input)
	}
	f.Add("set", `{"heartbeatInterval":60}`)
	f.Add("get", `{"heartbeatInterval":null}`)
	f.Fuzz(func(t *testing.T, name, input string) {
		fields, err := thing.ParseFields([]byte(input))
		if err != nil {
			return
		}
		cmd := &thing.Command{ID: "c", Kind: thing.Service, Name: name, Fields: fields}
		switch name {
		case "set":
			cmd.Kind = thing.SetProperties
		case "get":
			cmd.Kind = thing.GetProperties
		}
		x := dial(t, accept).join()
		x.Command(cmd)
		x.heard()
		x.Advance(3600e9)
		if r := x.reply(); r.State == 0 || r.ID != "c" {
			t.Errorf("reply %+v", r.Message)
		}
	})
}
