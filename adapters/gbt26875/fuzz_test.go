package gbt26875

import (
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/thing"
)

// Whatever a device sends, nothing panics, its connection lives, a frame gets one
// answer at most, and a part that is on fire is an event.
func FuzzFrames(f *testing.F) {
	for _, c := range serviceCases(online(f)) {
		if c.answer != nil {
			f.Add(uint8(gbt26875.CommandSend), uint16(2), dataOf(f, c.answer))
			f.Add(uint8(gbt26875.CommandAnswer), uint16(1), dataOf(f, c.answer))
		}
	}
	f.Add(uint8(gbt26875.CommandSend), uint16(2), []byte{2, 1, 1, 1, 40, 10, 0, 2, 0, 2, 0, 65, 5, 4, 11, 2, 1, 26})
	f.Add(uint8(gbt26875.CommandConfirm), uint16(1), []byte{})
	f.Add(uint8(gbt26875.CommandDeny), uint16(1), []byte{})
	f.Add(uint8(gbt26875.CommandControl), uint16(1), []byte{89, 1, 0})
	f.Add(uint8(200), uint16(1), []byte{1})
	f.Fuzz(func(t *testing.T, command uint8, serial uint16, data []byte) {
		if len(data) > gbt26875.MaxData {
			return
		}
		x := online(t, ack(ackDelivered))
		x.Command(invoke("a", "readState", "{}"))
		x.Command(invoke("b", "checkPost", "{}"))
		x.heard()
		x.serial = serial - 1
		frame := x.frame(gbt26875.Command(command), data)
		x.Send(frame)
		if got := x.frames(); len(got) > 1 || len(got) == 1 && got[0].Serial != serial {
			t.Errorf("%d answers: %+v", len(got), got)
		}
		fires := 0
		for _, m := range x.Said {
			if m.Kind == thing.Event && m.Name == eventFire {
				fires++
			}
		}
		u, _ := gbt26875.ParseUnit(data)
		if states, ok := u.(*gbt26875.PartStates); ok && gbt26875.Command(command) == gbt26875.CommandSend {
			for _, o := range states.Objects {
				if o.State.Has(gbt26875.PartFire) {
					fires--
				}
			}
			if fires != 0 {
				t.Errorf("%d fires were not told, or too often: %x", -fires, data)
			}
		}
		x.Send(frame)
		if x.Closed {
			t.Errorf("closed: %v", x.Cause)
		}
		x.Advance(time.Hour)
		x.Hangup()
		if x.Timers() != 0 {
			t.Errorf("%d timers are left", x.Timers())
		}
	})
}

// Whatever the platform wants, every command ends, and once.
func FuzzCommands(f *testing.F) {
	for _, c := range serviceCases(online(f)) {
		f.Add(c.name, c.input)
	}
	f.Add("raw", `{"command":4,"data":"510100"}`)
	f.Add("get", `{"fire":null}`)
	f.Fuzz(func(t *testing.T, name, input string) {
		fields, err := thing.ParseFields([]byte(input))
		if err != nil {
			return
		}
		cmd := &thing.Command{ID: "c", Kind: thing.Service, Name: name, Fields: fields}
		if name == "get" {
			cmd.Kind = thing.GetProperties
		}
		x := online(t)
		x.Command(cmd)
		x.Advance(time.Hour)
		replies := 0
		for _, m := range x.TakeSaid() {
			if m.Kind == thing.Reply && m.ID == "c" && m.State != 0 {
				replies++
			}
		}
		if replies != 1 {
			t.Errorf("%d replies", replies)
		}
	})
}
